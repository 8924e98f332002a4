"""Removes memem: shows exactly what goes and what stays, asks, and deletes only what it made itself; never the vault.

Standard library only, because it has to work when the private environment does not.
"""
# ruff: noqa: PTH106, PTH108, PTH110, PTH111, PTH112, PTH113, PTH114, PTH119, PTH121, PTH208

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence

from memem.config import Config
from memem.errors import BadInput, NotReady, Unavailable
from memem.install import ROOT, environments, in_use, is_installing, remove_environment, where
from memem.published import was_here
from memem.value import Value

USAGE = "usage: memem uninstall [--dry-run] [--state] [--yes]"
_FLAGS = ("--dry-run", "--state", "--yes")
_PLUGIN, _MARKET = "memem@memem-marketplace", "memem-marketplace"
_CLIENT_SECONDS = 120
# Files and folders of the state folder. What is derived always goes, the rest with --state: then its loss is told.
_DERIVED = (
    (r"index-v\d+\.db(-wal|-shm|-journal|\.damaged-\d+)?", "search index"),
    (r"hook\.conf(\.\d+)?", "compiled settings"),
    (r"\.capabilities(\.\d+)?", "what works here"),
    (r"\.python-asked", "which Python answered"),
    (r"\.memem-canary-[\d-]+", "left over by a check"),
    (r"transcripts-v\d+\.db(-wal|-shm|-journal|\.damaged-\d+)?", "index of the archive"),
    (r"(miner|state\.db)\.lock", "locks"),
    ("miner", "what wakes the miner"),
    ("llm", "slots of model calls"),
    ("pycache", "compiled modules"),
    ("demo", "vault of the demo"),
)
_KEPT = (
    (
        r"state\.db(-wal|-shm|-journal|\.v\d+(\.\d+\.tmp)?)?",
        "what you deleted or edited, what sessions have seen, how far they were mined",
    ),
    ("archive", "your archived sessions"),
    (r"miner\.log(\.\d+|\.lock)?", "log of the miner"),
    (r"state\.db\.(good\.\d+|damaged-\d+)(-wal|-shm)?", "copies of what memem knows beside the notes"),
    (r"miner-stopped\.json", "why the miner ended itself"),
    (r"\.miner-opted-in(\.\d+)?", "what you allowed the miner"),
    (r"config\.toml", "your settings"),
    (r"keys\.env", "your keys"),
    (r"secrets\.(sealed|lock|new)", "what was redacted, encrypted"),
    ("clean", "which notes hold no secret, as hashes"),
    ("off", "which sessions are left alone"),
    (r"events\.jsonl", "outcomes of the hooks"),
    (r"hook-failures\.log", "failures of the hooks"),
    (r"bootstrap\.log(\.\d+)?", "log of the setup"),
    (r"crontab\.before-adopt", "your crontab as it was"),
    (r"\.vault-seen", "which vaults were in use"),
    (r"\.welcome-shown", "that you were welcomed"),
    ("spool", "saves that wait for the vault"),
    ("undo", "what it takes to undo changes of notes"),
    ("forgotten", "what you had forgotten for good, as hashes"),
)
_FOLDERS = ("pycache", "demo", "spool", "archive", "miner", "llm", "off", "undo")
_SHARED = ("events.jsonl", "bootstrap.log", "miner.log", ".miner-opted-in")  # a published memem writes them, too
_IN_ENV = re.compile(r"\.lock|[0-9a-f]{16}(-dev)?\.used|uv-[0-9a-z.]+|python|fetch-\w+")
_MADE_BY_US = ("hook.conf", ".python-asked", ".capabilities", ".vault-seen", "state.db", "env/.lock")


class Plan(Value):
    """What goes, what stays and why, and what only the user can do."""

    commands: tuple[tuple[str, ...], ...]
    environments: tuple[str, ...]
    paths: tuple[tuple[str, str], ...]
    stays: tuple[tuple[str, str], ...]
    by_hand: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing is left to remove."""
        return not (self.commands or self.environments or self.paths)


def main(arguments: Sequence[str], config: Config) -> None:
    """The command without the command line's library: `bootstrap.sh uninstall`."""
    sys.dont_write_bytecode = True
    if not set(arguments) <= set(_FLAGS):
        wanted = any(word in ("-h", "--help") for word in arguments)
        print(USAGE, file=sys.stdout if wanted else sys.stderr)
        sys.exit(0 if wanted else BadInput.exit_code)
    uninstall(config, state="--state" in arguments, dry_run="--dry-run" in arguments, yes="--yes" in arguments)


def uninstall(config: Config, *, state: bool, dry_run: bool, yes: bool) -> None:
    """Show the plan, ask, and carry it out.

    Raises:
        BadInput: the state folder is none that memem would make, or there is nobody to ask.
        NotReady: sessions are running on it.
        Unavailable: something could not be removed.
    """
    from memem.state import lock

    _refuse_strange(config)
    plan = make_plan(config, state=state)
    print("\n".join(_shown(plan, config)))
    if dry_run or plan.empty:
        return
    if is_installing(config) or (lock.owner(config.dir) is None and any(map(in_use, environments(config)))):
        raise NotReady("sessions with memem are running: end them first, or its files would come back.")
    if not yes:
        if not (sys.stdin and sys.stdin.isatty()):
            raise BadInput("nothing was removed, because nobody can be asked here: add --yes.")
        if input("\nRemove this? [y/N] ").strip().lower() not in ("y", "yes"):
            print("Nothing was removed.")
            return
    if not lock.stop(config.dir) or any(map(in_use, environments(config))):
        raise NotReady("the miner or a session with memem is still running: end it first, or its files come back.")
    failed = list(_carry_out(plan, config))
    if failed:
        raise Unavailable("not everything could be removed: " + "; ".join(failed))
    print("\nDone. Your notes are where they were.")


def make_plan(config: Config, *, state: bool) -> Plan:
    """Look for everything of memem's; nothing is changed."""
    commands = tuple(_plugin_commands(config))
    client = next(where("claude"), "")
    paths, stays = _state_folder(config, state=state)
    by_hand = [] if client else [" ".join(("claude", *words)) for words in commands]
    if not os.path.isfile(f"{ROOT}/uv.lock"):
        by_hand.append(f"{os.path.basename(sys.executable)} -m pip uninstall memem   (or: uv tool uninstall memem)")
    return Plan(
        commands=tuple((client, *words) for words in commands) if client else (),
        environments=tuple(environments(config)),
        paths=(*paths, *((link, "link to memem's command line") for link in _links())),
        stays=((config.memory_root, "your notes"), *stays, *_key(config), *_copies(config)),
        by_hand=tuple(by_hand),
    )


def _refuse_strange(config: Config) -> None:
    if os.path.islink(config.dir):
        raise BadInput(f"{config.dir} is a link, which memem did not make: nothing was removed.")
    holds = ((os.path.expanduser("~"), "your home"), (config.vault, "your vault"), (config.memory_root, "your notes"))
    for path, what in (*holds, (ROOT, "memem itself")):
        if _holds(config.dir, path):
            raise BadInput(f"the state folder {config.dir} holds {what}: nothing was removed.")


def _holds(folder: str, path: str) -> bool:
    """Whether a path is a folder or lies in it, also where one folder has several names, as without regard to case."""
    path = os.path.realpath(path)
    while True:
        if os.path.exists(path) and os.path.exists(folder) and os.path.samefile(path, folder):
            return True
        if path == "/":
            return False
        path = path.rpartition("/")[0] or "/"


def _plugin_commands(config: Config) -> Iterator[tuple[str, ...]]:
    for record, name, words in (
        ("installed_plugins.json", _PLUGIN, ("plugin", "uninstall", _PLUGIN)),
        ("known_marketplaces.json", _MARKET, ("plugin", "marketplace", "remove", _MARKET)),
    ):
        try:
            with open(f"{config.claude_dir}/plugins/{record}", encoding="utf-8", errors="replace") as file:
                known = f'"{name}"' in file.read()
        except OSError:
            known = False
        if known:
            yield words


def _state_folder(config: Config, *, state: bool) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What of the state folder goes, and what of it stays with the reason."""
    names = sorted(os.listdir(config.dir)) if os.path.isdir(config.dir) else []
    if not any(os.path.lexists(config.state_path(name)) for name in _MADE_BY_US):
        return [], [(config.dir, "no state folder of memem's")] if names else []
    goes: list[tuple[str, str]] = []
    stays: list[tuple[str, str]] = []
    shared = _SHARED if was_here(config.dir) else ()
    for name in names:
        path = config.state_path(name)
        derived = next((what for pattern, what in _DERIVED if re.fullmatch(pattern, name)), "")
        kept = next((what for pattern, what in _KEPT if re.fullmatch(pattern, name)), "")
        if name == "env" and not os.path.islink(path):
            inside = sorted(entry for entry in os.listdir(path) if f"{path}/{entry}" not in environments(config))
            goes += [(f"{path}/{entry}", "setup") for entry in inside if _IN_ENV.fullmatch(entry)]
            stays += [(f"{path}/{entry}", "not memem's") for entry in inside if not _IN_ENV.fullmatch(entry)]
        elif name == "backups":
            stays.append((path, "your backups"))
        elif not (derived or kept) or not _looks_ours(name, path):
            stays.append((path, "not memem's, or of another version"))
        elif name in shared:
            stays.append((path, "also a published memem's"))
        elif name == "spool" and any(entry.endswith(".md") for entry in os.listdir(path)):
            stays.append((path, "saves wait in it for the vault: memem sync brings them there"))
        elif derived or state:
            goes.append((path, derived or kept))
        else:
            stays.append((path, f"{kept} (goes with --state)"))
    return goes, stays


def _looks_ours(name: str, path: str) -> bool:
    """Whether it is what memem makes under that name: a folder or a file, and never a link."""
    if os.path.islink(path) or os.path.isdir(path) != (name in _FOLDERS):
        return False
    return name != "demo" or os.path.isfile(f"{path}/.memem-demo")


def _links() -> Iterator[str]:
    """Links named memem to this bootstrap.sh, on PATH and where people put them."""
    home, target = os.path.expanduser("~"), os.path.realpath(f"{ROOT}/bootstrap.sh")
    for folder in dict.fromkeys([*os.get_exec_path(), f"{home}/.local/bin", f"{home}/bin"]):
        path = f"{folder}/memem"
        if folder.startswith("/") and os.path.islink(path) and os.path.realpath(path) == target:
            yield path


def _key(config: Config) -> Iterator[tuple[str, str]]:
    """It lies outside of the state folder, so that it may be another state folder's as well."""
    path = config.secrets_key_file
    if os.path.isfile(path):
        yield path, f"key of what was redacted; once no state folder has a secrets.sealed: rm {shlex.quote(path)}"


def _copies(config: Config) -> Iterator[tuple[str, str]]:
    cache = f"{config.claude_dir}/plugins/cache/{_MARKET}"
    if os.path.isdir(cache):
        yield cache, "Claude Code's copy of the plugin, which it removes by itself after uninstalling"
    if os.path.isfile(f"{ROOT}/bootstrap.sh") and not ROOT.startswith(f"{cache}/"):
        yield ROOT, "the folder this runs from"


def _shown(plan: Plan, config: Config) -> Iterator[str]:
    yield "This goes:" if not plan.empty else "Nothing of memem is left to remove."
    yield from (f"  run     {' '.join(words)}" for words in plan.commands)
    yield from (f"  delete  {path}   private environment" for path in plan.environments)
    yield from (f"  delete  {path}   {what}" for path, what in plan.paths)
    yield "This stays:"
    yield from (f"  {path}   {what}" for path, what in plan.stays)
    if plan.by_hand:
        yield "To be done by hand:"
        yield from (f"  {line}" for line in plan.by_hand)


def _carry_out(plan: Plan, config: Config) -> Iterator[str]:
    """Do it all; what fails is answered, and the rest done."""
    for words in plan.commands:  # first, so that no new session starts what is about to go
        said = _run(words)
        if said:
            yield f"{' '.join(words)}: {said}"
    for folder in plan.environments:
        if not remove_environment(config, folder):
            yield f"{folder} is in use or write-protected"
    for path, _ in plan.paths:
        try:
            _delete(path)
        except FileNotFoundError:
            pass  # it went with another
        except OSError as error:
            yield f"{path}: {error.strerror}"
    for folder in (config.state_path("env"), config.dir):
        if os.path.isdir(folder) and not os.path.islink(folder) and not os.listdir(folder):
            os.rmdir(folder)


def _run(words: Sequence[str]) -> str:
    """Run a command of the client; what it complained of."""
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_CLIENT_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    lines = (done.stderr + done.stdout).strip().splitlines()
    return "" if not done.returncode else (lines or ["it failed"])[-1]


def _delete(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)  # follows no link
    else:
        os.unlink(path)
