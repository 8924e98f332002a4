"""`memem backup`: everything that cannot be made anew, in one verified file that another machine can take up.

The state is copied before the notes: what it calls mined is then in the notes, never the other way round. Left out are
what is derived (indexes), what belongs to this machine (the environment, what was allowed the miner) and `keys.env`.
"""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from memem import __version__, off, sqlite
from memem.config import CONFIG_FILE, Config
from memem.errors import BadInput, Unavailable, VaultUnavailable
from memem.ingest.secrets import redact
from memem.ingest.spool import Spool
from memem.keep.bundle import MOST_NOTE, Entry, Writer, is_safe
from memem.state.store import FILE_NAME
from memem.text import clean
from memem.transcripts.members import FOLDER, SUFFIX
from memem.value import Value
from memem.vault.store import Vault

VAULT, STATE, ARCHIVE, SPOOL = "vault/", "state/", "archive/", "spool/"
FILES = ("events.jsonl", "events.jsonl.1", "forgotten")  # of the state folder, beside state.db and config.toml
FOLDER_NAME = "backups"
_PIECE = 1 << 20
_PATIENCE_SECONDS = 30.0


class Made(Value):
    """A backup that was made: where, how many of what, and what could not be taken along."""

    path: str
    notes: int
    sessions: int
    bytes: int
    left_out: tuple[str, ...] = ()


def backup(config: Config, target: str = "", *, sessions: bool = False, now: float | None = None) -> Made:
    """Make a backup in a folder, or under a name of its own; by default in the state folder.

    A miner and servers may go on meanwhile. `sessions` takes the archive of sessions along.

    Raises:
        BadInput: the place is none for a backup.
        VaultUnavailable: the vault is not there; an empty backup would look like a good one.
        Unavailable, Damaged: it cannot be written, or does not read back as it was written.
    """
    now = time.time() if now is None else now
    path = _place(config, target, now)
    vault = Vault(config.memory_root)
    left_out: list[str] = []
    with Writer(path, now) as writer:
        _state(config, writer, left_out)
        for name in FILES:
            _file(writer, STATE + name, Path(config.state_path(name)), left_out, most=64_000_000)
        for path_of in sorted(Path(config.state_path(off.FOLDER)).glob("*")):
            _file(writer, f"{STATE}{off.FOLDER}/{path_of.name}", path_of, left_out)
        _config(config, writer)
        # Before the vault: what leaves the spool meanwhile is in both then, never in neither.
        elsewhere = {entry.path: entry.vault for entry in Spool(config.state_path("spool"), config.vault).elsewhere()}
        for path_of in sorted(Path(config.state_path("spool")).glob("*.md")):
            if path_of in elsewhere:
                left_out.append(f"{clean(str(path_of))}: waits for another vault, {clean(elsewhere[path_of])}")
            else:
                _file(writer, SPOOL + path_of.name, path_of, left_out)
        for path_of in sorted(Path(config.state_path(FOLDER)).glob(f"*{SUFFIX}") if sessions else ()):
            _file(writer, ARCHIVE + path_of.name, path_of, left_out, most=1 << 40)
        _notes(vault, writer, left_out)
        facts = {"made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)), "memem": __version__}
        entries = writer.finish(facts)
    return Made(
        path=str(path),
        notes=_count(entries, VAULT),
        sessions=_count(entries, ARCHIVE),
        bytes=path.stat().st_size,
        left_out=tuple(left_out),
    )


def made_here(config: Config) -> list[str]:
    """The backups in the state folder, oldest first."""
    return sorted(str(path) for path in Path(config.state_path(FOLDER_NAME)).glob("memem-*.zip"))


def _place(config: Config, target: str, now: float) -> Path:
    """Where a backup goes; nothing is there yet."""
    name = time.strftime("memem-%Y%m%dT%H%M%SZ.zip", time.gmtime(now))
    if not target:
        folder = Path(config.state_path(FOLDER_NAME))
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"{folder} cannot be made ({error.strerror}): name another place.") from error
        path = folder / name
    else:
        path = Path(target).expanduser().absolute()
        path = path / name if path.is_dir() else path
    if not path.parent.is_dir():
        raise BadInput(f"there is no folder {path.parent}: make it first, mkdir -p {path.parent}")
    root = Path(config.memory_root).resolve()
    if root in (path.parent.resolve(), *path.parent.resolve().parents):
        raise BadInput(f"{path} is inside of what is backed up: name a place outside of {root}.")
    if os.path.lexists(path):
        raise BadInput(f"{path} is there already, and a backup is never written over: name another file.")
    return path


def _state(config: Config, writer: Writer, left_out: list[str]) -> None:
    """The state database as one moment of it, whoever writes to it."""
    source = Path(config.state_path(FILE_NAME))
    if not source.exists():
        return
    with tempfile.TemporaryDirectory(prefix="memem-backup-") as folder:
        target = Path(folder, FILE_NAME)
        try:
            copy_database(source, target)
        except (sqlite.Error, UnicodeDecodeError, OSError) as error:
            left_out.append(f"{source}: {error} (memem doctor tells more)")
            return
        _file(writer, STATE + FILE_NAME, target, left_out, most=1 << 40)


def copy_database(source: Path, target: Path) -> None:
    """A copy of a database that others may be writing to.

    Raises:
        sqlite.Error, OSError: it cannot be read, or is damaged.
    """
    reading = sqlite.connect(str(source), read_only=True)
    try:
        writing = sqlite.connect(str(target))
        try:
            until = time.monotonic() + _PATIENCE_SECONDS
            reading.backup(writing, progress=lambda *_: _wait(until))
            writing.execute("PRAGMA journal_mode=DELETE")  # one file, whatever the source had beside it
            found = str(writing.execute("PRAGMA quick_check(1)").fetchone()[0])
            if found != "ok":
                raise sqlite.Error(found)
        finally:
            writing.close()
    finally:
        reading.close()


def _wait(until: float) -> None:
    """Let a copying go on that waits for a lock, which by itself it would do for ever."""
    if time.monotonic() > until:
        raise sqlite.Error("another process holds it")


def _config(config: Config, writer: Writer) -> None:
    try:
        text = Path(config.state_path(CONFIG_FILE)).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    writer.add(STATE + CONFIG_FILE, [redact(text).text.encode()])  # a key that was typed there does not travel


def _notes(vault: Vault, writer: Writer, left_out: list[str]) -> None:
    """Every regular file below the memem folder; links are not followed, hidden files are other programs'."""
    if not vault.exists():
        raise VaultUnavailable(
            f"the vault is not there: {vault.root}. Mount it, or set MEMEM_OBSIDIAN_VAULT; nothing was backed up."
        )
    for folder, names, files in os.walk(vault.root, onerror=_refuse):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith(".")):
            path = Path(folder, name)
            inside = path.relative_to(vault.root).as_posix()
            if is_safe(VAULT + inside):
                _file(writer, VAULT + inside, path, left_out)
            else:
                left_out.append(f"{clean(str(path))}: its name would not be safe on every system")


def _refuse(error: OSError) -> None:
    raise VaultUnavailable(f"{error.filename} cannot be listed ({error.strerror}): check its permissions.") from error


def _file(writer: Writer, name: str, path: Path, left_out: list[str], most: int = MOST_NOTE) -> None:
    """One file, if it is a regular one that can be read; what cannot be taken along is named."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # it went away meanwhile
    except OSError as error:
        left_out.append(f"{clean(str(path))}: {error.strerror}")
        return
    with open(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_size > most:
            left_out.append(f"{clean(str(path))}: {'too large' if stat.S_ISREG(about.st_mode) else 'no regular file'}")
            return
        # A file that grows meanwhile is taken as it was; memem itself only ever puts whole notes in place.
        writer.add(name, _pieces(file, about.st_size))


def _pieces(file: BinaryIO, most: int) -> Iterator[bytes]:
    left = most
    while left > 0 and (piece := file.read(min(_PIECE, left))):
        left -= len(piece)
        yield piece


def _count(entries: list[Entry], folder: str) -> int:
    return sum(entry.name.startswith(folder) for entry in entries)
