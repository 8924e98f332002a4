"""Warm recall and search in one process, against the plain FTS5 query of the same words on the same index."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

from corpus import World, questions
from timing import Pairs, Row, called

from memem.index.reader import Index, any_of, open_reader
from memem.models import Query
from memem.recall import slices
from memem.text import query_terms

RUNS = 5
_PLAIN = "SELECT rowid FROM terms WHERE terms MATCH ? ORDER BY rank LIMIT 8"


def rows(world: World) -> Iterator[Row]:
    """The prompt's recall, an explicit search, and the notes about a file."""
    memem = world.open()
    memem.sync()
    index = open_reader(str(world.state))
    assert index is not None
    scope, vault = memem.scope(), memem.config.memory_root

    def prompted(text: str) -> object:
        return slices.for_prompt(index, Query(text=text, scope=scope, limit=6), vault, lambda _: {}).found

    def searched(text: str) -> object:
        return slices.for_search(index, Query(text=text, scope=scope, limit=10)).found

    def filed(text: str) -> object:
        paths = (f"src/{text.split()[1]}/index.py",)
        return slices.for_file(index, Query(text="", scope=scope, paths=paths, limit=6), vault, lambda _: {}).found

    for what, run, most in (
        ("recall for a prompt", prompted, 1.3),
        ("search", searched, None),
        ("notes about a file", filed, None),
    ):
        yield _measured(world, index, what, run, most)
    index.close()
    memem.close()


def _measured(world: World, index: Index, what: str, run: Callable[[str], object], most: float | None) -> Row:
    pairs, times, answered = Pairs(), [], 0
    for text in questions():
        answered += bool(run(text))  # once to warm up
        for _ in range(RUNS):
            floor = called(lambda text=text: plain(index, text))  # type: ignore[misc]
            cost = called(lambda text=text: run(text))  # type: ignore[misc]
            times.append(cost.cpu)
            pairs.add(floor, cost)
    slow = statistics.quantiles(times, n=20)[18]
    met = pairs.cpu / pairs.floor <= most if most and world.notes <= 10_000 else None
    return Row(
        world.notes, what, pairs.cpu, f"FTS5 OR {pairs.floor:.2f} ms", pairs.cpu / pairs.floor, pairs.wall,
        f"≤ {most:g} ×" if most else "told", met, f"p95 {slow:.1f} ms, {answered} of 20 found something",
    )  # fmt: skip


def plain(index: Index, text: str) -> object:
    """What any program would ask of FTS5 for a text."""
    found = query_terms(text)
    return index.connection.execute(_PLAIN, (any_of((*found.words, *found.compounds)),)).fetchall()
