"""What another state database knows, taken into this one: what is missing here, never one row for another.

The other one comes from a backup, so it is read as what a stranger may have written: known tables, known columns,
values of the right type, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from memem import sqlite
from memem.errors import Damaged
from memem.state.forgotten import MEMORY, SESSION
from memem.state.store import State, open_state

_MOST_TEXT = 200_000
# Table, its columns, and their types. Leases, breakers and what stands are of one machine and one day.
_TABLES: tuple[tuple[str, tuple[tuple[str, type], ...]], ...] = (
    ("tombstones", (("memory", str), ("text", str), ("at", int))),
    ("written", (("memory", str), ("hash", str))),
    ("shown", (("session", str), ("memory", str), ("etag", str), ("at", int))),
    (
        "spend",
        (
            ("id", int), ("at", int), ("day", str), ("backend", str), ("model", str), ("purpose", str), ("input", int),
            ("output", int), ("cost", float), ("settled", int),
        ),
    ),
    # Last: how far transcripts were mined may be believed only when all that was learned is there.
    ("offsets", (("path", str), ("fingerprint", str), ("offset", int), ("at", int))),
)  # fmt: skip
_TRUST_NOTHING = "PRAGMA trusted_schema = OFF"


def merge(state: State, folder: str, forgotten: Callable[[str, str], bool]) -> dict[str, int]:
    """Take in what the state database in a folder knows and was not forgotten; answers new rows by table.

    Raises:
        Damaged, TooNew: it cannot be read, or a newer memem wrote it; nothing was taken in.
    """
    other = open_state(folder)  # which brings an older one up to date
    try:
        other.connection.execute(_TRUST_NOTHING)
        found = str(other.connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        if found != "ok":
            raise Damaged(f"the state database of the backup is damaged ({found}); the notes do not need it.")
        with sqlite.transaction(state.connection):
            return {table: _take(state, other, table, columns, forgotten) for table, columns in _TABLES}
    except sqlite.FAULTS as error:
        if not sqlite.is_damage(error):
            raise
        raise Damaged(f"the state database of the backup is damaged ({error}); the notes do not need it.") from error
    finally:
        other.close()


def _take(
    state: State,
    other: State,
    table: str,
    columns: tuple[tuple[str, type], ...],
    forgotten: Callable[[str, str], bool],
) -> int:
    names = ", ".join(name for name, _ in columns)
    put = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - constants
    fields, kinds = [name for name, _ in columns], [kind for _, kind in columns]
    before = state.connection.total_changes
    for row in other.connection.execute(f"SELECT {names} FROM {table}"):  # noqa: S608 - constants
        values = tuple(row)
        if all(isinstance(value, kind) and _is_short(value) for value, kind in zip(values, kinds, strict=True)):
            row_of = dict(zip(fields, values, strict=True))
            if not any(forgotten(kind, name) for kind, name in _named(row_of)):
                state.connection.execute(put, values)
    return state.connection.total_changes - before


def _named(row: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The memory and the sessions that a row is about."""
    yield MEMORY, str(row.get("memory", ""))
    yield SESSION, str(row.get("session", "")).partition(".")[0]
    for part in str(row.get("path", "")).split("/"):
        yield SESSION, part.removesuffix(".jsonl")


def _is_short(value: object) -> bool:
    return not isinstance(value, str) or len(value) <= _MOST_TEXT
