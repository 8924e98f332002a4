"""Sessions ranked instead of turns: by their turns, as one document each, by how they began, and by their kin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from memem import sqlite
from memem.dates import seconds
from memem.transcripts import ranking, traces

STEP = 1 << 24  # a session's turns are numbered one by one from its archive's number times this on
_LENGTHS = "SELECT archive, sum(words) FROM turns GROUP BY archive"
_BEGAN = "SELECT archive, min(rowid), at FROM turns WHERE archive IN ({}) GROUP BY archive"
_FIRST = "SELECT rowid, folder FROM turns WHERE rowid IN (SELECT id * ? FROM archives) AND human ORDER BY at DESC"
_LATEST = 20  # sessions that are found whatever they hold, when the newest are asked for


def latest(connection: sqlite.Connection, folders: Sequence[int] | None) -> list[int]:
    """The first turns of the sessions that a human began last, in some folders, if given."""
    first = connection.execute(_FIRST, (STEP,))
    return list(islice((row for row, folder in first if folders is None or folder in folders), _LATEST))


def ranked(
    connection: sqlite.Connection,
    scores: Mapping[int, float],
    telling: Sequence[ranking.Word],
    folders: Sequence[int] | None,
    now: float | None,
) -> dict[int, float]:
    """The best turn of every session that has one among the scores, with the session's score.

    With `now`, in seconds since the epoch, those that began lately are preferred.
    """
    lengths = dict(connection.execute(_LENGTHS))
    if folders is not None:
        there = {row // STEP for row in scores} | {row // STEP for word in telling for row, _ in word.rows}
        lengths = {number: lengths[number] for number in lengths if number in there}
    numbers = sorted({row // STEP for row in scores})
    files, branches = traces.files(connection, numbers), traces.branches(connection, numbers)
    worth = ranking.sessions(scores, telling, lengths, STEP, work=bool(files or branches))
    worth = ranking.among_kin(worth, files, branches)
    if now is not None:
        worth = ranking.newest(worth, {number: now - at for number, at in _began(connection, numbers)})
    best: dict[int, int] = {}
    for row in sorted(scores, key=lambda row: (-scores[row], -row)):
        best.setdefault(row // STEP, row)
    return {row: worth[number] for number, row in best.items()}


def _began(connection: sqlite.Connection, archives: Sequence[int]) -> Iterable[tuple[int, float]]:
    rows = connection.execute(_BEGAN.format(",".join("?" * len(archives))), archives)
    return ((archive, at) for archive, _, time in rows if (at := seconds(time)) is not None)
