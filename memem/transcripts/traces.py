"""What sessions leave behind that others may share: the files they changed, and the branches they worked on.

Kept as hashes: they tell that two sessions share something, not what.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from memem import sqlite
from memem.text import terms
from memem.transcripts.members import Header, Member

CREATE = """CREATE TABLE traces (archive INTEGER NOT NULL, branch INTEGER NOT NULL, trace INTEGER NOT NULL,
    PRIMARY KEY (archive, branch, trace)) WITHOUT ROWID"""
_PUT = "INSERT OR IGNORE INTO traces VALUES (?, ?, ?)"
_REMOVE = "DELETE FROM traces WHERE archive = ?"
_OF = "SELECT archive, trace FROM traces WHERE branch = ? AND archive IN ({})"
_TRUNKS = frozenset(("", "HEAD", "develop", "main", "master", "trunk"))  # where everything is worked on


def branches_of(member: Member) -> list[str]:
    """The branches of features that a member's events were on, in order."""
    return [branch for branch in dict.fromkeys(event.branch for event in member.events) if branch not in _TRUNKS]


def branch_terms(member: Member) -> str:
    """What a member is found by for the names of its branches."""
    return " ".join(term for branch in branches_of(member) for term in terms(branch))


def put(connection: sqlite.Connection, archive: int, member: Member) -> None:
    """Note the traces of a member."""
    header = member.header
    files = dict.fromkeys(_below(header, event.path) for event in member.events if event.kind == "edit" and event.path)
    rows = [(archive, False, _key(header, "file", file)) for file in files]
    rows += [(archive, True, _key(header, "branch", branch)) for branch in branches_of(member)]
    connection.executemany(_PUT, rows)


def remove(connection: sqlite.Connection, archive: int) -> None:
    """Forget the traces of an archive."""
    connection.execute(_REMOVE, (archive,))


def files(connection: sqlite.Connection, archives: Sequence[int]) -> dict[int, frozenset[int]]:
    """The files that each of some archives changed; an archive without any is left out."""
    return _of(connection, False, archives)


def branches(connection: sqlite.Connection, archives: Sequence[int]) -> dict[int, frozenset[int]]:
    """The branches that each of some archives was on; an archive without any is left out."""
    return _of(connection, True, archives)


def _of(connection: sqlite.Connection, branch: bool, archives: Sequence[int]) -> dict[int, frozenset[int]]:
    cursor = connection.cursor()
    cursor.row_factory = None  # plain tuples, of which there are many
    found: dict[int, list[int]] = {}
    for archive, trace in cursor.execute(_OF.format(",".join("?" * len(archives))), (branch, *archives)):
        found.setdefault(archive, []).append(trace)
    return {archive: frozenset(traces) for archive, traces in found.items()}


def _below(header: Header, path: str) -> str:
    """A path as all checkouts of a project know it, where a session begins at the top of one."""
    return path.removeprefix(f"{header.folder}/") if header.folder else path


def _key(header: Header, *what: str) -> int:
    said = "\0".join((header.project or header.folder, *what))
    return int.from_bytes(hashlib.sha256(said.encode("utf-8", "replace")).digest()[:8], "big", signed=True)
