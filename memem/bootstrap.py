"""Brings memem up on a bare interpreter: folders, locked dependencies, what works; then the server or a command.

bootstrap.sh starts it with `-I -S`, so nothing but the standard library is there. It owns `.capabilities` in
the state folder, and never writes into the folder it runs from.
"""
# pathlib would cost every start 10 ms.
# ruff: noqa: PTH101, PTH103, PTH108, PTH110, PTH112, PTH116

from __future__ import annotations

import os
import sys
import time

from memem import __version__
from memem.config import Config, load_snapshot, read_file, resolve, write_snapshot
from memem.errors import BadInput, MememError
from memem.install import (
    MARKER,
    ROOT,
    SetupFailed,
    compile_modules,
    environment,
    install,
    is_complete,
    log,
    reason,
    say,
    start_background,
    use_environment,
    where,
    write,
)
from memem.value import TYPE_CHECKING
from memem.vault.seen import make_folder, remember, was_seen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

EXIT_CODES = {
    10: "no Python 3.11 or newer, and none could be installed",
    11: "uv is missing and could not be fetched",
    12: "the dependencies could not be installed",
    13: "the state folder cannot be used",
    14: "the vault cannot be used, or is not there any more",
    15: "HOME is not set",
}
CAPABILITIES = ".capabilities"
_CHECK_SECONDS = 3600  # folders are written to as a test at most this often; whether they are there, at every start
_PAST_ALL = ("doctor", "status", "config", "completion", "--help", "-h", "--version")
_WITHOUT_VAULT = ("demo", "config", "completion", "--help", "-h", "--version")
_ALL_TESTS = ("-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")  # side by side; a few start sooner without
_INSTALLING = "dependencies are being installed in the background"
_SKIPPED = "dependencies are not installed, and MEMEM_SKIP_SYNC is set"


def main(arguments: list[str]) -> None:
    """Set up what is missing; then become the server (no arguments), `setup`, `test`, or the command line."""
    word = arguments[0] if arguments else ""
    umask = os.umask(0o077)
    config, file_values, failures = _configuration(os.environ)
    if word == "uninstall":  # nothing is set up, nothing installed is needed, and what is broken is no reason to stay
        _uninstall(config, arguments[1:])
        return
    try:
        if word == "test":
            _run_tests(config, arguments[1:])
        vault = word not in _WITHOUT_VAULT and "--help" not in arguments
        patient = "--background" not in arguments
        failures = set_up(config, file_values, wait=bool(word), patient=patient, vault=vault) + failures
    except SetupFailed as failure:
        failures.append(failure)
    except KeyboardInterrupt:
        sys.exit(130)
    for problem in failures:
        _report(config, problem)
    os.umask(umask)
    if word in ("setup", "test"):
        sys.exit(failures[0].exit_code if failures else 0)
    ready = use_environment(config)
    if not word:
        from memem.server import main as serve

        serve([], lambda: use_environment(config))
        return
    fatal = [problem.exit_code for problem in failures if getattr(problem, "fatal", True)]
    if word == "save":
        fatal = [code for code in fatal if code != 14]  # it waits in the spool for the vault
    if fatal and word not in _PAST_ALL and "--help" not in arguments:
        sys.exit(fatal[0])
    _run_command(arguments, ready, fatal[0] if fatal else 12)


def set_up(
    config: Config,
    file_values: Mapping[str, Any] | None,
    *,
    wait: bool,
    patient: bool = True,
    vault: bool = True,
) -> list[MememError]:
    """Check and make everything that memem needs, and write down what works; what failed is returned, not raised.

    `wait` installs missing dependencies here and now, otherwise a background process does. A process that is not
    `patient` leaves the installation to another that is at it already.
    """
    facts = {
        "version": __version__,
        "root": ROOT,
        "python": sys.executable,
        "vault": config.vault,
        "environment": environment(config),
    }
    known = _read_capabilities(config)
    same = all(known.get(name) == value for name, value in facts.items())
    recent = same and known.get("degraded") == [] and 0 <= time.time() - known["checked_at"] < _CHECK_SECONDS
    failures: list[MememError] = []
    steps: list[Callable[[], object]] = [lambda: _prepare_state(config, file_values, canary=not recent)]
    if vault:
        steps.append(lambda: _prepare_vault(config, canary=not recent))
    if wait and not config.skip_sync:
        steps.append(lambda: install(config, patient=patient))
    for step in steps:
        try:
            step()
        except SetupFailed as failure:
            failures.append(failure)
        except OSError as error:
            failures.append(_no_state(config, error))
        if failures and failures[-1].exit_code == 13:
            return failures
    complete = is_complete(facts["environment"])
    if failures or not (recent and complete):
        _write_capabilities(config, facts, failures)
    if wait and not (complete and same):
        compile_modules()
    elif not wait and not (complete and same) and not config.skip_sync:
        start_background(config)
    return failures


def _configuration(environ: Mapping[str, str]) -> tuple[Config, dict[str, Any] | None, list[MememError]]:
    try:
        file_values = read_file(environ)
        return resolve(environ, file_values)[0], file_values, []
    except BadInput as error:
        return load_snapshot(environ), None, [error]


def _prepare_state(config: Config, file_values: Mapping[str, Any] | None, *, canary: bool) -> None:
    try:
        os.makedirs(config.dir, exist_ok=True)
        for path in (config.dir, config.state_path("pycache")):
            try:
                if os.stat(path).st_mode & 0o077:
                    os.chmod(path, 0o700)
            except OSError:
                pass  # not there, another's, or on a file system without modes
        if canary:
            _canary(config.dir)
        if file_values is not None:
            write_snapshot(config, file_values, sys.executable)
    except (OSError, ValueError) as error:
        raise _no_state(config, error) from error


def _no_state(config: Config, error: Exception) -> SetupFailed:
    what = f"the state folder {config.dir} cannot be written: {reason(error)}"
    usable = is_complete(environment(config))  # then memem works, read-only
    return SetupFailed(13, what, _remedy(error, config.dir, "MEMEM_DIR"), fatal=not usable)


def _prepare_vault(config: Config, *, canary: bool) -> None:
    memories = f"{config.memory_root}/memories"
    if was_seen(config.memory_root, config.dir) and not os.path.isdir(config.memory_root):
        import shlex

        fix = "mount it, set MEMEM_OBSIDIAN_VAULT to where it is now, or start anew with: mkdir -p "
        what = f"the vault {config.vault} has lost its folder memem; is it mounted?"
        raise SetupFailed(14, what, fix + shlex.quote(config.memory_root))
    try:
        make_folder(memories)
        if canary:
            _canary(memories)
    except OSError as error:
        there = os.path.isdir(config.memory_root)  # then notes can be read, and saves wait in the spool
        what = f"the vault {config.vault} cannot be written: {reason(error)}"
        raise SetupFailed(14, what, _remedy(error, config.vault, "MEMEM_OBSIDIAN_VAULT"), fatal=not there) from error
    remember(config.memory_root, config.dir)


def _canary(folder: str) -> None:
    path = f"{folder}/.memem-canary-{os.getpid()}-{time.time_ns()}"
    try:
        with open(path, "x+b", buffering=0) as file:
            file.write(b"memem")
            os.fsync(file.fileno())
            file.seek(0)
            if file.read() != b"memem":
                raise OSError("what was written is not what is read back")
    finally:
        if os.path.exists(path):
            os.unlink(path)


def _remedy(error: Exception, folder: str, variable: str) -> str:
    import errno

    code = getattr(error, "errno", None)
    if code in (errno.ENOSPC, errno.EDQUOT):
        return f"free some space, or set {variable} to a folder on another disk"
    if code in (errno.EEXIST, errno.ENOTDIR):
        return f"move the file that is in the way of {folder}, or set {variable} to another folder"
    return f"check the permissions of {folder}, or set {variable} to another folder"


def _uninstall(config: Config, arguments: Sequence[str]) -> None:
    from memem import uninstall

    try:
        uninstall.main(arguments, config)
    except MememError as error:
        say(f"memem: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _run_tests(config: Config, arguments: Sequence[str]) -> NoReturn:
    _prepare_state(config, None, canary=True)
    folder = environment(config, dev=True)
    if not config.skip_sync:
        install(config, dev=True)
    elif not is_complete(folder):
        raise SetupFailed(12, "there is no test environment, and MEMEM_SKIP_SYNC is set", "unset MEMEM_SKIP_SYNC")
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    environ["PYTHONPYCACHEPREFIX"] = config.state_path("pycache")  # nothing is written into the checkout
    environ["HYPOTHESIS_STORAGE_DIRECTORY"] = f"{folder}/hypothesis"
    os.umask(0o022)
    os.chdir(ROOT)
    command = [f"{folder}/bin/python", "-m", "pytest", "-o", f"cache_dir={folder}/pytest", *(arguments or _ALL_TESTS)]
    os.execve(command[0], command, environ)  # noqa: S606


def _run_command(arguments: list[str], ready: bool, code: int) -> None:
    sys.argv[:] = ["memem", *arguments]
    try:
        from memem.__main__ import main as command

        command(arguments)
    except ModuleNotFoundError as error:
        if ready or (error.name or "").startswith("memem"):
            raise
        say(f"memem: {arguments[0]} needs {error.name}, which is not installed\nfix: run {ROOT}/bootstrap.sh setup")
        sys.exit(code)


def _read_capabilities(config: Config) -> dict[str, Any]:
    import json

    try:
        with open(config.state_path(CAPABILITIES), encoding="utf-8") as file:
            known = json.load(file)
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) and isinstance(known.get("checked_at"), int) else {}


def _write_capabilities(config: Config, facts: Mapping[str, str], failures: Sequence[MememError]) -> None:
    import json

    codes = [failure.exit_code for failure in failures]
    complete = is_complete(facts["environment"])
    degraded = [str(failure) for failure in failures]
    if not complete and 11 not in codes and 12 not in codes:
        degraded.append(_SKIPPED if config.skip_sync else _INSTALLING)
    found = dict(facts) | {
        "python_version": ".".join(map(str, sys.version_info[:3])),
        "uv": next(where("uv"), None),
        "dependencies": complete,
        "fts5": _has_fts5(),
        "claude": any(where("claude")),
        "git": any(where("git")),
        "vault_ok": 14 not in codes,
        "degraded": degraded,
        "checked_at": int(time.time()),
    }
    try:
        write(config.state_path(CAPABILITIES), json.dumps(found, indent=1))
        if complete:
            os.utime(f"{facts['environment']}/{MARKER}")  # still in use
    except (OSError, ValueError):
        pass  # a full disk: what works is checked again at the next start


def _has_fts5() -> bool:
    try:
        from memem import sqlite
    except ImportError:
        return False
    try:
        sqlite.connect(":memory:").execute("CREATE VIRTUAL TABLE probe USING fts5 (text)")
    except sqlite.Error:
        return False
    return True


def _report(config: Config, failure: MememError) -> None:
    fix, details = getattr(failure, "fix", ""), getattr(failure, "details", "")
    say("\n".join([f"memem: {failure}", *([details] if details else []), *([f"fix: {fix}"] if fix else [])]))
    log(config, f"failed (exit {failure.exit_code}): {failure}. Fix: {fix or 'as said'}")
