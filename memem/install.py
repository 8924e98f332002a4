"""The private environment: the dependencies that uv.lock pins, installed by uv into the state folder.

Everything is `env/<key>/` there, where the key stands for the lock file and the interpreter, so that two installed
versions of memem never fight. It also owns `bootstrap.log`, which tells what was installed and what failed.
"""
# pathlib would cost every start 10 ms.
# ruff: noqa: PTH100, PTH103, PTH108, PTH111, PTH112, PTH114, PTH113, PTH116, PTH119, PTH120, PTH208

from __future__ import annotations

import os
import sys
import time

from memem.config import Config
from memem.errors import MememError
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MARKER, USED, LOG = ".complete", ".used", "bootstrap.log"
START = "import sys; sys.path.insert(0, sys.argv[1]); from memem.bootstrap import main; main(sys.argv[2:])"
_LOG_BYTES = 200_000
_OLDEST_UV = (0, 9)
_KEEP_SECONDS = 30 * 86400
_INSTALL_SECONDS = 600
# Variables of the user that would change what is installed, or for which Python.
_OTHERS = ("UV_NO_DEV", "UV_NO_GROUP", "UV_PROJECT", "UV_PYTHON", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
_keys: dict[str, str] = {}  # the lock file as it was when this process began: an update must not change it midway
_held: dict[str, int] = {}  # environments on the path of this process, and the locks that keep them from being removed


class SetupFailed(MememError):
    """A step of the setup failed; `fatal` unless memem can do useful work without it."""

    def __init__(self, code: int, what: str, fix: str, *, details: str = "", fatal: bool = True) -> None:
        super().__init__(what)
        self.exit_code, self.fix, self.details, self.fatal = code, fix, details, fatal


def use_environment(config: Config) -> bool:
    """Put the installed dependencies on `sys.path`, once; False while they are not complete. Cheap to call again."""
    folder = environment(config)
    if not folder:
        return True  # a package installed by pip has its dependencies beside it
    if folder not in _held:
        lock = _hold(folder) if is_complete(folder) else None
        if lock is None:
            return False
        _held[folder] = lock
        sys.path.append(_packages(folder))
    return is_complete(folder)


def why_missing(module: str) -> str:
    """What to tell of a module that cannot be imported: its installation is under way, or it was taken away again."""
    if any(not is_complete(folder) for folder in _held):
        return f"what memem needs ({module}) was removed or replaced while this session ran: restart the session."
    return (
        f"memem is still installing what this needs ({module}); try again in about 20 seconds. "
        "If it stays so, run /memem:memem-doctor."
    )


def environment(config: Config, *, dev: bool = False) -> str:
    """The folder of the private environment for this lock file and interpreter; empty without a lock file."""
    if ROOT not in _keys:
        tag = f"{sys.implementation.cache_tag} {sys.abiflags} {getattr(sys.implementation, '_multiarch', sys.platform)}"
        try:
            with open(f"{ROOT}/uv.lock", "rb") as file:
                _keys[ROOT] = _sha256(file.read() + f"{tag} {os.uname().machine}".encode())[:16]
        except FileNotFoundError:
            _keys[ROOT] = ""
    return _keys[ROOT] and config.state_path(f"env/{_keys[ROOT]}{'-dev' if dev else ''}")


def _sha256(data: bytes) -> str:
    """Without OpenSSL, which `hashlib` would load: a tenth of a server's start."""
    try:
        from _sha2 import sha256  # type: ignore[import-not-found]  # Python 3.12 and later
    except ImportError:
        try:
            from _sha256 import sha256  # type: ignore[import-not-found]
        except ImportError:
            from hashlib import sha256
    return str(sha256(data).hexdigest())


def is_complete(folder: str) -> bool:
    """Whether an environment was installed to its end and has lost none of its packages since."""
    try:
        return set(lines(f"{folder}/{MARKER}")) <= set(os.listdir(_packages(folder)))
    except OSError:
        return False


def install(config: Config, *, dev: bool = False, patient: bool = True) -> bool:
    """Install the locked dependencies unless they are there; True if something was installed.

    Raises:
        SetupFailed: no uv (11), or uv failed (12).
    """
    folder = environment(config, dev=dev)
    if not folder or is_complete(folder):
        return False
    os.makedirs(config.state_path("env"), exist_ok=True)
    lock = _lock(config.state_path("env/.lock"), _INSTALL_SECONDS if patient else 0)
    if lock is None:
        if not patient:
            return False
        raise SetupFailed(12, "another memem has been installing for ten minutes", "end it and start again")
    try:
        if is_complete(folder):
            return False
        say(f"memem: installing its dependencies into {folder}")
        log(config, f"installing into {folder}")
        _remove(config, folder)
        _run_uv(config, folder, dev=dev, lock=lock)
        write(f"{folder}/{MARKER}", "\n".join(os.listdir(_packages(folder))))
        log(config, f"installed into {folder}")
        _remove_unused(config)
    finally:
        os.close(lock)
    return True


def _run_uv(config: Config, folder: str, *, dev: bool, lock: int) -> None:
    command = ["sync", "--frozen", "--no-install-project", "--no-default-groups", "--no-python-downloads"]
    command += ["--group", "dev"] if dev else ["--no-dev"]
    command += ["--color", "never", "--no-progress", "--project", ROOT, "--python", sys.executable]
    environ = {name: value for name, value in os.environ.items() if name not in _OTHERS}
    environ["UV_PROJECT_ENVIRONMENT"] = folder
    said = ""
    for uv in _uvs(config):
        if uv.startswith(config.dir):
            environ.setdefault("UV_NO_CACHE", "1")  # nobody else uses this uv: leave no cache outside the state folder
        done, said = _try_uv([uv, *command], environ, lock)
        if not done and "UnknownIssuer" in said:  # a company's own authority, which only the system knows
            environ |= {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}
            done, said = _try_uv([uv, *command], environ, lock)
        if done:
            return
        _remove(config, folder)
        log(config, f"{uv} failed: {said[-2000:]}")
        if not any(hint in said for hint in ("uv.lock", "lockfile", "unexpected argument")):
            break  # another uv would fail too
    details = "\n".join(f"    {line}" for line in said.splitlines()[-6:])
    fix = f"check the network and proxy settings, then run: {ROOT}/bootstrap.sh setup"
    raise SetupFailed(12, "uv could not install the dependencies", fix, details=details)


def _try_uv(command: list[str], environ: dict[str, str], lock: int) -> tuple[bool, str]:
    import subprocess

    try:
        done = subprocess.run(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", errors="replace", timeout=_INSTALL_SECONDS, check=False, cwd="/",
            pass_fds=(lock,),  # the lock outlives us if we are killed while uv still writes
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return done.returncode == 0, done.stdout.strip()


def _uvs(config: Config) -> Iterator[str]:
    import re
    import subprocess

    from memem.fetch_uv import FetchFailed, fetch

    for path in where("uv"):
        try:
            done = subprocess.run(
                [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        found = re.match(r"uv (\d+)\.(\d+)", done.stdout)
        if found and tuple(map(int, found.groups())) >= _OLDEST_UV:
            yield path
            break
    try:
        yield fetch(f"{ROOT}/uv.lock", config.state_path("env"))
    except (FetchFailed, OSError) as error:
        fix = "install uv (pipx install uv, brew install uv), or check the network, then start again"
        raise SetupFailed(11, f"there is no usable uv: {reason(error)}", fix) from error


def where(program: str) -> Iterator[str]:
    """Executables of that name on PATH, and where uv and claude install themselves without touching PATH."""
    home = os.path.expanduser("~")
    for folder in [*os.get_exec_path(), f"{home}/.local/bin", f"{home}/.cargo/bin"]:
        path = f"{folder}/{program}"
        if folder.startswith("/") and os.path.isfile(path) and os.access(path, os.X_OK):
            yield path


def start_background(config: Config) -> None:
    """Run the setup as a process of its own session that outlives this one; it writes to the log only."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)  # the grandchild belongs to nobody who would have to wait for it
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(config.state_path(LOG), flags, 0o600)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.closerange(3, 256)
        os.chdir("/")
        options = ["-I", "-S", "-X", f"pycache_prefix={config.state_path('pycache')}", "-c", START, ROOT]
        os.execv(sys.executable, [sys.executable, *options, "setup", "--background"])  # noqa: S606
    finally:
        os._exit(1)


def compile_modules() -> None:
    """Compile memem's own modules, so that the first hook does not have to."""
    if sys.pycache_prefix:  # else it would go into the checkout
        import compileall

        compileall.compile_dir(f"{ROOT}/memem", quiet=2)


def _packages(folder: str) -> str:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}{'t' if 't' in sys.abiflags else ''}"
    return f"{folder}/lib/{version}/site-packages"


def _lock(path: str, seconds: float) -> int | None:
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.05)
        else:
            return descriptor


def _remove(config: Config, folder: str) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(f"{config.state_path('pycache')}{folder}", ignore_errors=True)


def _remove_unused(config: Config) -> None:
    """Remove environments that were not used for long, and that no process has on its path."""
    mine = {os.path.basename(environment(config, dev=dev)) for dev in (True, False)}
    for folder in environments(config):
        marker = f"{folder}/{MARKER}"
        if os.path.basename(folder) in mine or not os.path.isfile(marker):
            continue
        if time.time() - os.stat(marker).st_mtime > _KEEP_SECONDS and remove_environment(config, folder):
            log(config, f"removed the unused environment {os.path.basename(folder)}")


def environments(config: Config) -> list[str]:
    """The folders of all private environments, also half-made ones; a link is not one of ours."""
    import re

    parent = config.state_path("env")
    names = os.listdir(parent) if os.path.isdir(parent) else []
    folders = [f"{parent}/{name}" for name in sorted(names) if re.fullmatch(r"[0-9a-f]{16}(-dev)?", name)]
    return [folder for folder in folders if os.path.isdir(folder) and not os.path.islink(folder)]


def is_installing(config: Config) -> bool:
    """Whether a process installs an environment at this moment."""
    path = config.state_path("env/.lock")
    lock = _lock(path, 0) if os.path.isfile(path) else -1
    if lock is not None and lock >= 0:
        os.close(lock)
    return lock is None


def in_use(folder: str) -> bool:
    """Whether a process has this environment on its path, or it cannot be told."""
    if not os.path.isfile(f"{folder}{USED}"):
        return False
    lock = _hold(folder, exclusive=True)
    if lock is not None:
        os.close(lock)
    return lock is None


def remove_environment(config: Config, folder: str) -> bool:
    """Remove a private environment unless a process uses it; whether it is gone."""
    lock = _hold(folder, exclusive=True)
    if lock is None:
        return False
    try:
        _remove(config, folder)
        os.unlink(f"{folder}{USED}")  # whoever opened it meanwhile finds no environment
    except FileNotFoundError:
        pass  # another removed it a moment ago
    finally:
        os.close(lock)
    return not os.path.isdir(folder)


def _hold(folder: str, *, exclusive: bool = False) -> int | None:
    """Lock an environment, for use or for its removal, as long as the descriptor is open; None when another holds it.

    A lock and no list of processes: it ends with its process, however that ends, on every system.
    """
    import fcntl

    # Beside the environment, because a rebuilt one is another folder.
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        lock = os.open(f"{folder}{USED}", flags, 0o600)
    except OSError:
        # Without a place for the lock, in a read-only state folder, nobody can remove the environment either.
        return None if exclusive else os.open(os.devnull, os.O_RDONLY)
    try:
        fcntl.flock(lock, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except OSError:  # a file system without locks: environments work, and stay
        if exclusive:
            os.close(lock)
            return None
    return lock


def reason(error: Exception) -> str:
    """What the system says of an error, without its number and path."""
    return getattr(error, "strerror", None) or str(error)


def say(text: str) -> None:
    """Tell the user; stdout belongs to the MCP protocol."""
    print(text, file=sys.stderr, flush=True)


def log(config: Config, text: str) -> None:
    """Append to the log, whose oldest half goes when it grows too long."""
    path = config.state_path(LOG)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with open(descriptor, "r+b", buffering=0) as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n".encode("utf-8", "replace"))
            if file.tell() > _LOG_BYTES:
                file.seek(-_LOG_BYTES // 2, os.SEEK_END)
                write(path, file.read().partition(b"\n")[2].decode("utf-8", "replace").rstrip("\n"))
    except OSError:
        pass  # the log may not be what stops memem


def write(path: str, text: str) -> None:
    """Replace a text file as a whole, or not at all."""
    with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.{os.getpid()}", path)


def lines(path: str) -> list[str]:
    """The lines of a file that `write` wrote."""
    with open(path, encoding="utf-8") as file:
        return file.read().split("\n")[:-1]
