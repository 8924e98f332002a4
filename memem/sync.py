"""Vault to index: find what changed in the files and bring the index up to date. Rebuilding is syncing an empty one."""

from __future__ import annotations

import time
from collections.abc import Callable

from memem import sqlite
from memem.index.writer import Entry, IndexWriter
from memem.models import Memory
from memem.value import Value
from memem.vault import note
from memem.vault.listing import File
from memem.vault.note import content_hash
from memem.vault.store import Vault

# A file changed this shortly before it was read may change again without a new mtime: read it once more.
_SETTLE_NS = 2_000_000_000
_BATCH, _FIRST_BATCH = 200, 1000  # files; while an index is new, nobody else has anything to write into it
New = dict[str, tuple[Entry, Memory]]  # what is read of files without a row, by path


class Synced(Value):
    """What one sync did, in files."""

    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    problems: int = 0
    left: int = 0  # changed files for which there was no time
    gone: tuple[Memory, ...] = ()  # in no file any more: deleted, as opposed to moved or renamed


def sync(
    vault: Vault,
    index: IndexWriter,
    now_ns: int | None = None,
    bury: Callable[[tuple[Memory, ...]], None] = lambda gone: None,
    enough: Callable[[], bool] = lambda: False,
) -> Synced:
    """Bring the index up to date with the vault. Idempotent; what nobody changed needs no lock.

    Several may sync at once: each file is read under the lock, so that the last to write its row read it last. `bury`
    is told of the memories that are gone before the index forgets them, and again if a crash comes between. `enough`
    may end it after a batch; then nothing counts as gone, because what was moved may not have been found yet.

    Raises:
        VaultUnavailable: the vault is not there; the index is left as it was.
        sqlite.Error: the index cannot be written.
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    settled = index.settled()
    unsettled = index.unsettled()
    stale, unmet = vault.differing(settled)
    done = {"changed": 0, "unchanged": len(settled) - len(unmet), "problems": 0}
    known = unmet | unsettled
    # What the index has no row of comes first: the others may be read again and again while they are fresh.
    stale.sort(key=lambda file: file.path in known)
    for file in stale:
        known.pop(file.path, None)
        if file.path.endswith("/"):  # a folder that cannot be listed: its notes are not known to be gone
            known = {path: etag for path, etag in known.items() if not path.startswith(file.path)}
    # Others get their turn between two batches, and find what is there already.
    left = len(stale)
    size = _BATCH if len(known) + done["unchanged"] else _FIRST_BATCH
    for start in range(0, len(stale), size):
        if start and enough():
            break
        batch = stale[start : start + size]
        left -= len(batch)
        with sqlite.transaction(index.connection):
            new: New = {}
            entries = index.entries([file.path for file in batch])
            for file in batch:
                done[_sync_file(vault, index, file, entries.get(file.path), now_ns, new)] += 1
            index.add(list(new.values()))
    if not left:
        index.tidy()
    removed, gone = _forget(index, known, bury) if known and not left else (0, ())
    return Synced(removed=removed, gone=gone, left=left, **done)


def _forget(
    index: IndexWriter, known: dict[str, str], bury: Callable[[tuple[Memory, ...]], None]
) -> tuple[int, tuple[Memory, ...]]:
    """Remove the rows of files that are not there any more; answers how many, and the memories that are in no file."""
    with sqlite.transaction(index.connection):
        # A row that another process has written since we looked is of a file that has come back.
        missing = [path for path, etag in known.items() if (entry := index.entry(path)) and entry.etag == etag]
        lost = {path: item.memory for path in missing for item in index.notes("path = ?", (path,))}
        for path in missing:
            index.remove(path)
        gone = tuple(memory for memory in lost.values() if memory.id and not index.notes("id = ?", (memory.id,)))
        if gone:
            bury(gone)
    return len(missing), gone


def sync_path(vault: Vault, index: IndexWriter, path: str, now_ns: int | None = None) -> None:
    """Bring one file's row up to date, right after it was written."""
    now_ns = time.time_ns() if now_ns is None else now_ns
    with sqlite.transaction(index.connection):
        # With the row it has: in that moment an editor may have emptied it to write it anew.
        new: New = {}
        _sync_file(vault, index, File(path=path, etag=vault.stat(path)), index.entry(path), now_ns, new)
        index.add(list(new.values()))


def _sync_file(vault: Vault, index: IndexWriter, file: File, entry: Entry | None, now_ns: int, new: New) -> str:
    """Bring one row up to date and answer what that was; one that is not there yet goes to `new` instead."""
    if file.problem:
        return _keep_last_good(index, file, entry, new, file.problem, now_ns)
    if _is_current(file, entry):
        return "unchanged"
    try:
        data = vault.read(file.path)
    except OSError as error:
        return _keep_last_good(index, file, entry, new, f"cannot be read ({error.strerror})", now_ns)
    fresh = _seen(file, content_hash(data), now_ns)
    if entry and entry.hash == fresh.hash and not entry.problem:
        index.refresh(fresh)
        return "unchanged"
    if not data.strip(b"\0 \t\r\n"):
        return _keep_last_good(index, file, entry, new, "empty: not downloaded yet, or emptied", now_ns)
    read = note.parse(data, file.path)
    cut_short = not read.memory.body or not ("\n" in read.memory.body or data.endswith((b"\n", b"\r")))
    if read.problem and "closing" in read.problem and entry and entry.hash and cut_short:
        return _keep_last_good(index, file, entry, new, "cut short: half synced?", now_ns)
    fresh = _seen(file, fresh.hash, now_ns, read.problem) if read.problem else fresh
    # The same bytes may read better than before: their row was kept for a file that has come back since.
    if entry and (entry.hash, entry.problem) == (fresh.hash, fresh.problem):
        index.refresh(fresh)
    elif entry:
        index.put(fresh, read.memory)
    else:
        new[file.path] = fresh, read.memory
    return "problems" if read.problem else "changed"


def _is_current(file: File, entry: Entry | None) -> bool:
    """Whether the index knows a file as it is, going by its stat."""
    return entry is not None and entry.settled and entry.etag == file.etag and not file.problem


def _seen(file: File, content: str, now_ns: int, problem: str = "") -> Entry:
    """What the index is to know of a file that was looked at now."""
    modified_ns = 0 if problem else int(file.etag.partition("-")[0] or "0", 16)
    settled = not problem and now_ns - modified_ns >= _SETTLE_NS
    return Entry(path=file.path, etag=file.etag, hash=content, read_ns=now_ns, problem=problem, settled=settled)


def _keep_last_good(index: IndexWriter, file: File, entry: Entry | None, new: New, problem: str, now_ns: int) -> str:
    """A file that says nothing now keeps the row it had; without one it is only listed as a problem."""
    listed = _seen(file, entry.hash if entry else "", now_ns, problem)
    if entry:
        index.refresh(listed)
    else:
        # Beside the placeholder of a sync program the note itself may lie.
        new.setdefault(file.path, (listed, Memory(id="", title="", body="", status="archived")))
    return "problems"
