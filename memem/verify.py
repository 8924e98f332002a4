"""`memem verify`: compares vault, index and state byte for byte and row for row. It opens everything read-only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from memem import sqlite
from memem.config import Config
from memem.errors import VaultUnavailable
from memem.index.reader import Index, index_folder
from memem.index.schema import FILE_NAME as INDEX_FILE
from memem.index.schema import memory_values, ready
from memem.index.writer import Entry, memory_index
from memem.ingest.secrets import Redactor
from memem.models import Candidate
from memem.state.store import FILE_NAME as STATE_FILE
from memem.state.store import VERSION as STATE_VERSION
from memem.value import Value
from memem.vault import note
from memem.vault.listing import File
from memem.vault.note import content_hash
from memem.vault.store import Vault

NOTE, DAMAGE = "note", "damage"
_VOCABULARY = "CREATE VIRTUAL TABLE temp.words USING fts5vocab('main', 'terms', 'instance')"
_WORDS = "SELECT doc, term, col, count(*) FROM temp.words GROUP BY doc, term, col ORDER BY doc, term, col"
_SYNC = "run: memem sync"
_REBUILD = "run: memem index rebuild"


class Finding(Value):
    """One thing that is not as it should be. `level` is `damage`, or `note` for what the next sync settles."""

    level: str
    where: str
    what: str
    fix: str


def verify(config: Config) -> list[Finding]:
    """Everything found, the vault's first. Writes nothing, not even what it could heal."""
    vault = Vault(config.memory_root)
    try:
        files = {file.path: file for file in vault.files()}
    except VaultUnavailable as error:
        return [Finding(level=DAMAGE, where=str(vault.root), what=str(error), fix="as said"), *_state(config)]
    return [*_index(config, vault, files), *_state(config), *_spool(config)]


def _opened(path: str) -> sqlite.Connection:
    """A database for reading. Without a journal nobody has it open, and nothing is made beside it."""
    busy = any(Path(path + suffix).exists() for suffix in ("-wal", "-journal"))
    return sqlite.connect(path, read_only=True, still=not busy)


def _index(config: Config, vault: Vault, files: dict[str, File]) -> Iterator[Finding]:
    path = f"{index_folder(config.dir, config.cache_dir)}/{INDEX_FILE}"
    if not Path(path).exists():
        yield Finding(level=NOTE, where=path, what="not built yet", fix=_SYNC)
        return
    try:
        connection = _opened(path)
        try:
            checked = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
            if checked != ["ok"] or not ready(connection):
                yield Finding(level=DAMAGE, where=path, what="; ".join(checked)[:300], fix=_REBUILD)
                return
            yield from _compare(Index(connection), vault, files, Redactor(config))
        finally:
            connection.close()
    except (*sqlite.FAULTS, IndexError) as error:
        yield Finding(level=DAMAGE, where=path, what=str(error), fix=_REBUILD)


def _compare(index: Index, vault: Vault, files: dict[str, File], redactor: Redactor) -> Iterator[Finding]:
    rows = {item.path: item for item in index.notes(order="path")}
    hashes = {row["path"]: row["hash"] for row in index.connection.execute("SELECT path, hash FROM notes")}
    rebuilt = memory_index()
    rebuilt.known = lambda entry, memory: (entry, redactor.memory(memory))
    same: list[str] = []
    for path in sorted(rows.keys() | files.keys()):
        file, row = files.get(path), rows.get(path)
        if file is None or row is None:
            what = "deleted since the last sync" if file is None else "not in the index yet"
            yield Finding(level=NOTE, where=path, what=what, fix=_SYNC)
            continue
        if file.problem or row.problem:
            yield Finding(level=NOTE, where=path, what=file.problem or row.problem, fix="memem conflicts tells how")
            continue
        finding, data = _compare_file(vault, file, row, hashes[path])
        if finding:
            yield finding
            continue
        rebuilt.put(
            Entry(path=path, etag=row.etag, hash=hashes[path], read_ns=0, problem=row.problem),
            note.parse(data, path).memory,
        )
        same.append(path)
    yield from _compare_rows(index, rebuilt, same)
    yield from _dangling(rows)


def _compare_file(vault: Vault, file: File, row: Candidate, known: str) -> tuple[Finding | None, bytes]:
    try:
        data = vault.read(file.path)
    except OSError as error:
        return Finding(
            level=DAMAGE, where=file.path, what=f"cannot be read: {error.strerror}", fix="check the disk"
        ), b""
    if content_hash(data) == known:
        return None, data
    if file.etag == row.etag:
        what = "its content changed although nobody wrote to it: bit rot, or a restored disk"
        return Finding(level=DAMAGE, where=file.path, what=what, fix="compare it with a backup, then: memem sync"), b""
    return Finding(level=NOTE, where=file.path, what="edited since the last sync", fix=_SYNC), b""


def _compare_rows(index: Index, rebuilt: Index, paths: list[str]) -> Iterator[Finding]:
    """Whether the index says of each note what a new index would say."""
    words, expected = _words(index), _words(rebuilt)
    if words.keys() - {item.row for item in index.notes()}:
        yield Finding(level=DAMAGE, where=INDEX_FILE, what="it finds notes that it does not hold", fix=_REBUILD)
    for path in paths:
        there = index.notes("path = ?", (path,))[0]
        new = rebuilt.notes("path = ?", (path,))[0]
        if memory_values(there.memory) != memory_values(new.memory):
            yield Finding(level=DAMAGE, where=path, what="the index says something else of it", fix=_REBUILD)
        elif words.get(there.row) != expected.get(new.row):
            yield Finding(level=DAMAGE, where=path, what="the index finds it by other words", fix=_REBUILD)


def _words(index: Index) -> dict[int, str]:
    """A hash of the search terms of every row."""
    index.connection.execute(_VOCABULARY)
    digests: dict[int, hashlib.blake2b] = {}
    for row, term, column, count in index.connection.execute(_WORDS):
        digest = digests.setdefault(row, hashlib.blake2b(digest_size=16))
        digest.update(f"{term}\0{column}\0{count}\0".encode("utf-8", "surrogateescape"))
    return {row: digest.hexdigest() for row, digest in digests.items()}


def _dangling(rows: dict[str, Candidate]) -> Iterator[Finding]:
    ids = {item.memory.id for item in rows.values()}
    for path, item in rows.items():
        memory = item.memory
        for name in (*memory.related, *memory.supersedes, *memory.contradicts, memory.replaced_by):
            if name and name not in ids and not any(known.startswith(name) for known in ids):
                what = f"refers to {name[:8]}, which no note has"
                yield Finding(level=NOTE, where=path, what=what, fix="none needed: the other note was deleted")


def _state(config: Config) -> Iterator[Finding]:
    path = config.state_path(STATE_FILE)
    if not Path(path).exists():
        return
    fix = f"move {path} away: no memory is in it"
    try:
        connection = _opened(path)
        try:
            checked = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        finally:
            connection.close()
    except sqlite.FAULTS as error:
        yield Finding(level=DAMAGE, where=path, what=str(error), fix=fix)
        return
    if checked != ["ok"]:
        yield Finding(level=DAMAGE, where=path, what="; ".join(checked)[:300], fix=fix)
    if version > STATE_VERSION:
        yield Finding(level=DAMAGE, where=path, what=f"is of a newer memem (state {version})", fix="update memem")


def _spool(config: Config) -> Iterator[Finding]:
    for path in Path(config.state_path("spool")).glob("*.md"):
        yield Finding(level=NOTE, where=str(path), what="waits for the vault", fix=_SYNC)
