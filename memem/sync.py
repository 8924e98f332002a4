"""Vault to index: find what changed in the files and bring the index up to date. Rebuilding is syncing an empty one."""

from __future__ import annotations

import time

from memem import sqlite
from memem.index.writer import Entry, IndexWriter
from memem.models import Memory
from memem.value import Value
from memem.vault import note
from memem.vault.note import content_hash
from memem.vault.store import File, Vault

# A file changed this shortly before it was read may change again without a new mtime: read it once more.
_SETTLE_NS = 2_000_000_000


class Synced(Value):
    """What one sync did, in files."""

    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    problems: int = 0
    gone: tuple[Memory, ...] = ()  # in no file any more: deleted, as opposed to moved or renamed


def sync(vault: Vault, index: IndexWriter, now_ns: int | None = None) -> Synced:
    """Bring the index up to date with the vault. Idempotent; one writer at a time, others wait.

    Raises:
        VaultUnavailable: the vault is not there; the index is left as it was.
        sqlite.Error: the index cannot be written.
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    with sqlite.transaction(index.connection):
        known = index.entries()
        done = {"changed": 0, "unchanged": 0, "problems": 0}
        for file in vault.files():
            entry = known.pop(file.path, None)
            if file.path.endswith("/"):  # a folder that cannot be listed: its notes are not known to be gone
                known = {path: entry for path, entry in known.items() if not path.startswith(file.path)}
            done[_sync_file(vault, index, file, entry, now_ns)] += 1
        lost = [item.memory for path in known for item in index.notes("path = ?", (path,))]
        for path in known:
            index.remove(path)
        gone = tuple(memory for memory in lost if memory.id and not index.notes("id = ?", (memory.id,)))
    return Synced(removed=len(known), gone=gone, **done)


def sync_path(vault: Vault, index: IndexWriter, path: str, now_ns: int | None = None) -> None:
    """Bring one file's row up to date, right after it was written."""
    now_ns = time.time_ns() if now_ns is None else now_ns
    with sqlite.transaction(index.connection):
        _sync_file(vault, index, File(path=path, etag=vault.stat(path)), None, now_ns)


def _sync_file(vault: Vault, index: IndexWriter, file: File, entry: Entry | None, now_ns: int) -> str:
    if file.problem:
        return _keep_last_good(index, file, entry, file.problem, now_ns)
    if entry and entry.etag == file.etag and not entry.problem and not _racy(entry):
        return "unchanged"
    try:
        data = vault.read(file.path)
    except OSError as error:
        return _keep_last_good(index, file, entry, f"cannot be read ({error.strerror})", now_ns)
    fresh = Entry(path=file.path, etag=file.etag, hash=content_hash(data), read_ns=now_ns)
    if entry and entry.hash == fresh.hash and not entry.problem:
        index.refresh(fresh)
        return "unchanged"
    if not data.strip(b"\0 \t\r\n"):
        return _keep_last_good(index, file, entry, "empty: not downloaded yet, or emptied", now_ns)
    read = note.parse(data, file.path)
    cut_short = not read.memory.body or not ("\n" in read.memory.body or data.endswith((b"\n", b"\r")))
    if read.problem and "closing" in read.problem and entry and entry.hash and cut_short:
        return _keep_last_good(index, file, entry, "cut short: half synced?", now_ns)
    fresh = fresh.replace(problem=read.problem)
    # The same bytes may read better than before: their row was kept for a file that has come back since.
    if entry and (entry.hash, entry.problem) == (fresh.hash, fresh.problem):
        index.refresh(fresh)
    else:
        index.put(fresh, read.memory)
    return "problems" if read.problem else "changed"


def _racy(entry: Entry) -> bool:
    modified_ns = int(entry.etag.partition("-")[0] or "0", 16)
    return entry.read_ns - modified_ns < _SETTLE_NS


def _keep_last_good(index: IndexWriter, file: File, entry: Entry | None, problem: str, now_ns: int) -> str:
    """A file that says nothing now keeps the row it had; without one it is only listed as a problem."""
    listed = Entry(path=file.path, etag=file.etag, hash=entry.hash if entry else "", read_ns=now_ns, problem=problem)
    if entry:
        index.refresh(listed)
    else:
        index.put(listed, Memory(id="", title="", body="", status="archived"))
    return "problems"
