"""Temporary files beside the notes: held by a lock while their writer lives, swept as soon as it is dead.

`.memem-<here>-<random>.tmp` is one that is being written. Right before it changes places with a note it becomes
`.memem-<here>-<random>-<hash of the note>-<hash of ours>.tmp`: a crash after that leaves what was in the note under
this name, and if that is neither, a human wrote it in the last moment. `<here>` stands for machine and folder, because
a sync program may bring the files of others, of whose writers nothing is known.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from memem.vault.note import content_hash

PREFIX, SUFFIX = ".memem-", ".tmp"
AGE_SECONDS = 3600  # what nobody knows the writer of is swept when it is older
_LOCK_PAUSE = 0.005


@contextlib.contextmanager
def temporary(folder: Path, data: bytes, like: Path | None = None) -> Iterator[Path]:
    """A durable file with that content in a folder, gone in the end unless it was moved; `like` gives its attributes.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    path, handle = _made(folder)
    try:
        view = memoryview(data)
        while view:  # a short write is not an error to the system
            view = view[os.write(handle, view) :]
        if like is not None:
            _keep_attributes(handle, like)
        os.fsync(handle)
        yield path
    finally:
        try:
            path.unlink(missing_ok=True)
        finally:
            os.close(handle)  # which also ends the lock


@contextlib.contextmanager
def before_exchange(temp: Path, note: str, ours: str) -> Iterator[Path]:
    """Rename a temporary file to what tells which contents change places: the hashes of the note's and of ours."""
    marked = temp.with_name(f"{temp.name.removesuffix(SUFFIX)}-{note}-{ours}{SUFFIX}")
    os.replace(temp, marked)
    try:
        yield marked
    finally:
        with contextlib.suppress(FileNotFoundError):
            _remove(marked)


@contextlib.contextmanager
def alone(folder: Path, attempts: int = 200) -> Iterator[bool | None]:
    """One replacing of memem's at a time, so that only other programs are met; after a second it is not insisted on.

    Gives whether the folder's lock was taken.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield _locked(handle, attempts)
    finally:
        os.close(handle)


def take_away(note: Path, content: str) -> bool:
    """Delete a note whose content hash is `content`. False if it is another by now; that one stays."""
    # Under a name of its own it can still be looked at, and a crash leaves what the next sweep understands.
    temp = note.with_name(f"{PREFIX}{_here(note.parent)}-{secrets.token_hex(6)}-{content}-{content}{SUFFIX}")
    note.rename(temp)
    if content_hash(temp.read_bytes()) == content:
        temp.unlink()
        return True
    try:
        os.link(temp, note)
        temp.unlink()
    except OSError:  # another took its name, or the file system has no hard links
        os.replace(temp, copy_of(note) if note.exists() else note)
    return False


def sweep(root: Path, now: float | None = None) -> int:
    """Remove what dead writers left below a folder; answers how many. Files of others must be older than an hour.

    What a human wrote to a note in the moment of a crash is given a name instead, beside the note that is there.
    """
    limit = (time.time() if now is None else now) - AGE_SECONDS
    gone = 0
    for temp in root.rglob(f"{PREFIX}*{SUFFIX}"):
        with contextlib.suppress(OSError):
            gone += _sweep_one(temp, limit)
    return gone


def copy_of(note: Path) -> Path:
    """A name for another version of a note, as sync programs give them: `memem conflicts` tells of it."""
    stamp = time.strftime("%Y-%m-%d %H%M%S", time.gmtime())
    return note.with_name(f"{note.stem} (conflicted copy {stamp}).md")


def _made(folder: Path) -> tuple[Path, int]:
    """A new file and its locked handle."""
    while True:
        path = folder / f"{PREFIX}{_here(folder)}-{secrets.token_hex(6)}{SUFFIX}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        # Without locks nobody sweeps what is young; with them somebody may have, in the moment before it was locked.
        if _locked(handle, 1) is not False and os.fstat(handle).st_nlink:
            return path, handle
        os.close(handle)


def _locked(handle: int, attempts: int) -> bool | None:
    """Whether the lock was taken; None where the file system has none."""
    for attempt in range(attempts):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt + 1 < attempts:
                time.sleep(_LOCK_PAUSE)
        except OSError:
            return None
        else:
            return True
    return False


def _here(folder: Path) -> str:
    """A word for this machine and folder; a copy of the folder on another machine has another."""
    return hashlib.blake2b(f"{os.uname().nodename} {folder.stat().st_ino}".encode(), digest_size=4).hexdigest()


def _sweep_one(temp: Path, limit: float) -> bool:
    """Remove it if it is old, or if its writer was a process of this machine and is dead: its lock went with it."""
    if temp.lstat().st_mtime < limit:
        _remove(temp)
        return True
    if not temp.name.startswith(f"{PREFIX}{_here(temp.parent)}-"):
        return False
    handle = os.open(temp, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # After an exchange the writer's lock has gone with its file into the note's place; the folder's is still held.
        with alone(temp.parent, attempts=10) as undisturbed:
            if not (undisturbed and _locked(handle, 1) and temp.exists()):
                return False
            _remove(temp)
            return True
    finally:
        os.close(handle)


def _remove(temp: Path) -> None:
    """Delete a temporary file, but not what only it holds."""
    hashes = temp.name.removesuffix(SUFFIX).removeprefix(PREFIX).split("-")[2:]
    if len(hashes) == 2 and stat.S_ISREG(temp.lstat().st_mode):
        data = temp.read_bytes()
        if data and content_hash(data) not in hashes:
            os.replace(temp, copy_of(_note_of(temp.parent, hashes[1])))
            return
    temp.unlink()


def _note_of(folder: Path, content: str) -> Path:
    """The note in a folder with that content hash, or a name that tells what the file is."""
    for note in folder.glob("*.md"):
        with contextlib.suppress(OSError):
            if note.is_file() and content_hash(note.read_bytes()) == content:
                return note
    return folder / "recovered note.md"


def _keep_attributes(handle: int, like: Path) -> None:
    info = like.stat()
    os.fchmod(handle, stat.S_IMODE(info.st_mode))
    if (info.st_uid, info.st_gid) != (os.geteuid(), os.getegid()):
        try:
            os.fchown(handle, info.st_uid, info.st_gid)
        except PermissionError:
            pass  # only root may give files away; the note stays readable for its editor
    for name in _attributes(like):
        try:
            os.setxattr(handle, name, os.getxattr(like, name))
        except OSError:
            continue  # system attributes cannot be set by a user


def _attributes(path: Path) -> list[str]:
    try:
        return os.listxattr(path)
    except (AttributeError, OSError):  # macOS's Python has no such call, network file systems may not answer it
        return []
