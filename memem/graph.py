"""The graph as verbs: what a memory is connected with, a walk from there, what is wrong, and saying a relation.

A look settles what changed since the last one did, for a moment; how much is left `unsettled` then is told with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from memem import sqlite
from memem.errors import BadInput, NotFound
from memem.index import edges
from memem.index import graph as written
from memem.index.cues import ASSERTED
from memem.index.graph import Edge, Flaw
from memem.models import SHORTEST_ID, Candidate, Memory, Query
from memem.recall import slices
from memem.stores import Stores, verb
from memem.value import Value

DEEPEST = 4
_STARTS = 3  # memories that a walk from a question begins with
_WIDEST = 6  # edges followed from one memory
_FADES = 0.8  # what one step more costs
_SETTLE_SECONDS = 0.7  # for which a look waits


class Step(Value):
    """A memory reached on a walk: by which edge (None for the start), after how many steps, with what score."""

    memory: Memory
    edge: Edge | None = None
    depth: int = 0
    score: float = 1.0


@verb
def neighbors(stores: Stores, name: str, limit: int = 20, *, history: bool = False) -> tuple[Memory, list[Step]]:
    """A memory and those it is connected with, best first; superseded and archived ones only with `history`.

    Raises:
        NotFound, BadInput: no memory, or several, have an id that begins so.
    """
    stores.freshen()
    item = _one(stores, name)
    settle(stores, [item])
    start = item.memory
    # History is filtered afterwards, so more than the limit is read.
    found = _reached(stores, start, written.neighbors(stores.index, [start.id], limit * 4), history)
    return start, found[:limit]


@verb
def explore(
    stores: Stores, start: str, scope: str = "", *, depth: int = 2, limit: int = 30, history: bool = False
) -> list[Step]:
    """A walk through the graph from a memory's id, or from what a search for a text finds: nearest first.

    A memory is reached once, by the best edge of the step that first leads to it; its score is the product of the
    edges on the way, each fading a little.
    """
    stores.freshen()
    starts = _starts(stores, start, scope)
    settle(stores, starts)
    found = [Step(memory=item.memory) for item in starts]
    reached = {step.memory.id for step in found}
    border = found
    for _ in range(min(max(depth, 1), DEEPEST)):
        ahead: dict[str, Step] = {}
        for step in border:
            near = written.neighbors(stores.index, [step.memory.id], _WIDEST)
            near = [edge for edge in near if edge.relation != "temporal"]  # leads anywhere, soon to everything
            for one in _reached(stores, step.memory, near, history):
                score = round(step.score * one.score * _FADES, 4)
                known = ahead.get(one.memory.id)
                if one.memory.id not in reached and (known is None or score > known.score):
                    ahead[one.memory.id] = one.replace(depth=step.depth + 1, score=score)
        border = sorted(ahead.values(), key=lambda step: (-step.score, step.memory.id))[: limit - len(found)]
        found = [*found, *border]
        reached.update(ahead)
        if not border or len(found) >= limit:
            break
    return found[:limit]


@verb
def connect(stores: Stores, source: str, relation: str, target: str) -> bool:
    """Assert that one memory is `related` to, `supersedes` or `contradicts` another; whether that is new.

    It is written into the frontmatter of the source's note, and with `supersedes` the target becomes history.

    Raises:
        BadInput: an unknown relation, one memory twice, a circle of corrections, or a note that cannot say it.
        NotFound, VaultUnavailable: see `Gate.relate`.
    """
    if relation not in ASSERTED:
        raise BadInput(f"{relation!r} is no relation to assert. Relations: {', '.join(ASSERTED)}.")
    stores.freshen()
    one, other = _one(stores, source, single=True), _one(stores, target, single=True)
    if one.memory.id == other.memory.id:
        raise BadInput("a memory cannot be connected with itself.")
    if relation == "supersedes":
        if not one.memory.live:
            raise BadInput(f"{one.memory.id8} is history itself, so it supersedes nothing.")
        if one.memory.id in _older(stores, other.memory.id):
            raise BadInput(f"{other.memory.id8} supersedes {one.memory.id8} already; that would be a circle.")
    return stores.gate().relate(one, relation, other)


@verb
def audit(stores: Stores) -> list[Flaw]:
    """What is wrong in the graph or worth a look."""
    stores.freshen()
    settle(stores)
    return written.audit(stores.index)


@verb
def stats(stores: Stores) -> dict[str, int]:
    """How many edges there are of each relation, most first."""
    stores.freshen()
    settle(stores)
    return written.stats(stores.index)


@verb
def rebuild(stores: Stores, scope: str = "*") -> int:
    """Make the derived edges of a scope, or of all memories, anew; answers of how many notes."""
    stores.freshen()
    wanted = None if scope == "*" else stores.scope(scope)
    rows = [item.row for item in stores.index.notes() if wanted is None or wanted.holds(item.memory.project)]
    edges.unsettle(stores.index.connection, rows)
    return edges.settle(stores.index.connection)


@verb
def catch_up(stores: Stores, enough: Callable[[], bool] = lambda: False) -> int:
    """Make the edges that are missing, where nobody waits, until there was `enough`; answers of how many notes."""
    return edges.settle(stores.index.connection, enough)


@verb
def unsettled(stores: Stores) -> int:
    """Of how many memories the edges are not made yet."""
    return edges.unsettled(stores.index.connection)


def settle(stores: Stores, first: Sequence[Candidate] = (), seconds: float | None = None) -> None:
    """Let the graph catch up for a moment; what is not settled then has the edges of the last look."""
    until = time.monotonic() + (_SETTLE_SECONDS if seconds is None else seconds)
    rows = [item.row for item in first]
    try:
        edges.settle(stores.index.connection, lambda: time.monotonic() > until, rows, edges.SHORT_STEP)
    except sqlite.Error as error:
        if sqlite.is_damage(error):
            raise
        # Another process writes.


def _one(stores: Stores, name: str, *, single: bool = False) -> Candidate:
    """The note of an id or its beginning; with `single` no memory that is in several notes."""
    name = name.strip().strip("[]")
    found = stores.index.named(name)
    if not found:
        raise NotFound(f"no memory {name[:80]!r}; give at least {SHORTEST_ID} characters of its id, as a search shows.")
    if len({item.memory.id for item in found}) > 1:
        raise BadInput(f"{name!r} begins several ids; give more of the one you mean.")
    if single and len(found) > 1:
        raise BadInput(f"{name!r} is in {len(found)} notes: decide first which one stays (memem conflicts).")
    return max(found, key=lambda item: item.memory.updated)


def _starts(stores: Stores, start: str, scope: str) -> list[Candidate]:
    name = start.strip().strip("[]")
    if not name:
        raise BadInput("say where to begin: an id, or words to search for.")
    if " " not in name:
        ids = {item.memory.id: item for item in stores.index.named(name)}
        if len(ids) == 1:
            return list(ids.values())
    query = Query(text=start[:2000], scope=stores.scope(scope), limit=_STARTS)
    return list(slices.for_search(stores.index, query).found)


def _reached(stores: Stores, start: Memory, near: list[Edge], history: bool) -> list[Step]:
    steps = []
    for edge in near:
        item = max(stores.index.notes("id = ?", (edge.other(start.id),)), key=lambda item: item.memory.updated)
        if history or item.memory.live:
            steps.append(Step(memory=item.memory, edge=edge, depth=1, score=edge.score))
    return steps


def _older(stores: Stores, memory: str) -> set[str]:
    """All that a memory supersedes, directly or by others."""
    found: set[str] = set()
    waiting = [memory]
    while waiting:
        at = waiting.pop()
        near = written.neighbors(stores.index, [at], limit=1000)
        older = {edge.target for edge in near if edge.relation == "supersedes" and edge.source == at} - found
        found |= older
        waiting += older
    return found
