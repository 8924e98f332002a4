"""The vault on disk: listing, reading, creating and changing note files without ever losing one.

Layout: `<vault>/memem/{memories,playbooks,narratives,sessions}/**.md`. Only memem's own folder is read or written.
Every write is a temporary file in the same folder, synced, then linked or renamed into place, then the folder synced.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from memem.errors import VaultUnavailable
from memem.models import NOTE_BYTES, Memory
from memem.text import etag
from memem.vault import note
from memem.vault.conflicts import git_at_work
from memem.vault.exchange import exchange
from memem.vault.listing import File, differing
from memem.vault.note import content_hash
from memem.vault.seen import FOLDER_MODE, make_folder, remember, was_seen
from memem.vault.temporary import alone, before_exchange, copy_of, sweep, take_away, temporary

MEMORIES = "memories"
MAX_BYTES = NOTE_BYTES
_EDIT_ATTEMPTS = 5
_PIECE = 4096  # bytes; read at once at least
# Told of each change before it is made: path, what it belongs to, the bytes before and after (None: no note). Answers
# what takes that back, should the change not come about.
Journal = Callable[[str, str, bytes | None, bytes | None], Callable[[], None]]


class Vault:
    """The notes of one vault. All paths are relative to its memem folder and use `/`."""

    def __init__(self, root: str) -> None:
        self.root = Path(os.path.realpath(root))
        self.journal: Journal = _unwritten

    def exists(self) -> bool:
        """Whether the memem folder is there."""
        return self.root.is_dir()

    def make(self) -> None:
        """Create the folders of a new vault.

        Raises:
            VaultUnavailable: the folder cannot be made.
        """
        try:
            make_folder(f"{self.root}/{MEMORIES}")
        except OSError as error:
            raise _unavailable(self.root, error) from error

    def files(self) -> Iterator[File]:
        """All note files, in no order. Hidden folders, links and special files are not followed.

        Raises:
            VaultUnavailable: the memem folder is missing or cannot be listed.
        """
        yield from self.differing({})[0]

    def differing(self, known: Mapping[str, str]) -> tuple[list[File], dict[str, str]]:
        """The note files that do not have the etag by which they are known, and what of `known` is not so.

        Raises:
            VaultUnavailable: as `files` does.
        """
        if not self.exists():
            raise VaultUnavailable(
                f"the vault is not there: {self.root}. Mount it, or set MEMEM_OBSIDIAN_VAULT; "
                f"to begin a new one: mkdir -p {self.root}"
            )
        try:
            return differing(str(self.root), known)
        except OSError as error:
            raise _unavailable(self.root, error) from error

    def read(self, path: str) -> bytes:
        """The first MAX_BYTES of a note. Raises OSError; never blocks on a pipe or follows a link."""
        return _read(f"{self.root}/{path}")

    def whole(self, path: str) -> bytes:
        """All bytes of a note. Raises OSError; never blocks on a pipe or follows a link."""
        return _read_whole(self.root / path)

    def create(self, memory: Memory, links: tuple[str, ...] = ()) -> str:
        """Write a new note; answers its path. An existing file is never overwritten; the same memory is written once.

        Raises:
            VaultUnavailable: read-only, full, or not there; nothing was left behind.
        """
        self._wait_for_git()
        data = note.render(memory, links)
        for full_id in (False, True):
            path = f"{MEMORIES}/{note.stem_for(memory, full_id=full_id)}.md"
            try:
                (self.root / MEMORIES).mkdir(FOLDER_MODE, exist_ok=True)
                _write(self.root / path, data, replace=False)
            except FileExistsError:
                if not self._holds(path, memory.id):
                    continue
            except OSError as error:
                raise _unavailable(self.root, error) from error
            else:
                self.journal(path, memory.id, None, data)
            return path
        raise VaultUnavailable(f"a note of id {memory.id} exists already in {self.root / MEMORIES}")

    def place(self, path: str, data: bytes, cause: str | None = "") -> None:
        """Write a new note at a path of its own; with the cause None the journal is not told.

        Raises:
            VaultUnavailable: as `create` does, and when there is such a note.
        """
        self._wait_for_git()
        try:
            make_folder(str((self.root / path).parent))
            _write(self.root / path, data, replace=False)
        except OSError as error:
            raise _unavailable(self.root / path, error) from error
        if cause is not None:
            self.journal(path, cause, None, data)

    def remove(self, path: str, expected: str, cause: str | None = "") -> bool:
        """Delete a note while its content hash is `expected`; False when it is another by now, and stays.

        Raises:
            VaultUnavailable: it cannot be deleted; it is as it was.
        """
        self._wait_for_git()
        target = self.root / path
        try:
            before = _read_whole(target)
            if content_hash(before) != expected:
                return False
            take_back = _nothing if cause is None else self.journal(path, cause, before, None)
            with alone(target.parent):
                gone = take_away(target, expected)
            sync_folder(target.parent)
        except OSError as error:
            raise _unavailable(target, error) from error
        if not gone:
            take_back()
        return gone

    def _holds(self, path: str, memory_id: str) -> bool:
        try:
            return note.parse(self.read(path), path).memory.id == memory_id
        except OSError:
            return False

    def edit(self, path: str, change: Callable[[bytes], bytes], cause: str = "") -> tuple[str, str]:
        """Change a note: read, change, and replace it only if nobody else changed it meanwhile; else read again.

        Answers the content hashes of what was read and of what was written in its place.

        Raises:
            VaultUnavailable: the note cannot be written, or keeps changing under us; it is left as it is.
        """
        self._wait_for_git()
        target = self.root / path
        try:
            for _ in range(_EDIT_ATTEMPTS):
                before = _read_whole(target)
                after = change(before)
                seen = content_hash(before)
                if after == before:
                    return seen, seen
                take_back = self.journal(path, cause, before, after)
                if _replaced(target, after, seen, take_back):
                    return seen, content_hash(after)
        except OSError as error:
            raise _unavailable(target, error) from error
        raise VaultUnavailable(f"{target} keeps being rewritten by another program; try again later.")

    def _wait_for_git(self) -> None:
        state = git_at_work(str(self.root))
        if state:
            raise VaultUnavailable(
                f"a git {state} is under way in {self.root}; memem writes nothing into it. Finish or abort it."
            )

    def stat(self, path: str) -> str:
        """The etag of a note now, or "" if it is gone."""
        try:
            return etag((self.root / path).lstat())
        except (OSError, ValueError):
            return ""

    def sweep(self, now: float | None = None) -> int:
        """Remove temporary files whose writers are dead; answers how many."""
        return sweep(self.root, now)


def open_vault(root: str, state_folder: str) -> Vault:
    """The vault with that memem folder, made when it never existed, and remembered in the state folder.

    Raises:
        VaultUnavailable: it was there once and is missing now, or cannot be made.
    """
    vault = Vault(root)
    if not vault.exists() and was_seen(root, state_folder):
        raise VaultUnavailable(
            f"the vault was in {root} and is missing now. Mount it or set MEMEM_OBSIDIAN_VAULT; "
            f"to really begin a new one: mkdir -p {root}"
        )
    if not (vault.root / MEMORIES).is_dir():
        vault.make()
    remember(root, state_folder)
    return vault


def _read(path: str) -> bytes:
    handle, size = _open_regular(path)
    try:
        data = b""
        while len(data) < MAX_BYTES:
            # One byte more than there is, so that one call reads a note and knows that it was all. Less than was asked
            # for is no end where a file system hands out pieces, and a size of 0 may be one that it does not know.
            wanted = min(max(size + 1 - len(data), _PIECE), MAX_BYTES - len(data))
            chunk = os.read(handle, wanted)
            data += chunk
            if not chunk or (len(chunk) < wanted and len(data) >= size > 0):
                break
        return data
    finally:
        os.close(handle)


def _read_whole(path: Path) -> bytes:
    with open(_open_regular(path)[0], "rb") as file:
        return file.read()


def _open_regular(path: str | Path) -> tuple[int, int]:
    """The handle and the size of a regular file."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    info = os.fstat(handle)
    if not stat.S_ISREG(info.st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return handle, info.st_size


def _write(target: Path, data: bytes, *, replace: bool, expected: str = "") -> bool:
    """Put data at target; with `replace`, only while its content hash is `expected`. Durable when it returns True."""
    with temporary(target.parent, data, like=target if replace else None) as temp:
        if not replace:
            _publish(temp, target)
        elif not _replace(temp, target, expected, content_hash(data)):
            return False
        sync_folder(target.parent)
        return True


def _replaced(target: Path, after: bytes, seen: str, take_back: Callable[[], None]) -> bool:
    """Whether a note that was `seen` is replaced now; if not, its entry in the journal goes."""
    done = False
    try:
        done = _write(target, after, replace=True, expected=seen)
    finally:
        if not done:
            take_back()
    return done


def _replace(temp: Path, target: Path, expected: str, ours: str) -> bool:
    """Put temp in the place of a target whose content hash is `expected`; False if it is another by now."""
    with alone(target.parent):
        if content_hash(_read_whole(target)) != expected:
            return False
        with before_exchange(temp, expected, ours) as marked:
            if not exchange(marked, target):
                os.replace(marked, target)
            elif _hash_now(marked) != expected:
                _give_back(marked, target, ours)
                return False
    return True


def _give_back(temp: Path, target: Path, ours: str) -> None:
    """Undo an exchange that took what a human wrote a moment before it."""
    try:
        exchange(temp, target)
        mine = _hash_now(temp) == ours
    except OSError:
        mine = False  # the note was renamed or deleted in that moment, and only we hold what was written to it
    if not mine:  # or edited once more: both stay, and `memem conflicts` tells
        os.replace(temp, copy_of(target))


def _hash_now(path: Path) -> str:
    try:
        return content_hash(_read_whole(path))
    except OSError:
        return ""


def _publish(temp: Path, target: Path) -> None:
    """Give the temporary file its name unless that is taken."""
    try:
        os.link(temp, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        # File systems without hard links: reserve the name, then move onto our own empty file.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            os.replace(temp, target)
        except OSError:
            target.unlink(missing_ok=True)
            raise


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; where the file system cannot, nothing is lost by asking."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise  # some network file systems cannot sync a folder; others failing is a real failure
    finally:
        os.close(handle)


def _nothing() -> None:
    pass


def _unwritten(_path: str, _cause: str, _before: bytes | None, _after: bytes | None) -> Callable[[], None]:
    """No journal."""
    return _nothing


def _unavailable(path: Path, error: OSError) -> VaultUnavailable:
    fixes = {
        errno.ENOSPC: "free some space",
        errno.EDQUOT: "free some of your quota",
        errno.EROFS: "remount it writable",
        errno.EACCES: "check its permissions",
        errno.EPERM: "check its permissions",
        errno.ENOENT: "mount it, or set MEMEM_OBSIDIAN_VAULT",
        errno.ENOTDIR: "set MEMEM_OBSIDIAN_VAULT to a folder",
    }
    fix = fixes.get(error.errno or 0, "check the disk")
    return VaultUnavailable(f"the vault cannot be used: {path}: {error.strerror}. Fix: {fix}.")
