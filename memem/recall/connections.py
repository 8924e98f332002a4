"""The graph as text that agents and people read: neighbors, a walk, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memem.recall.render import index_line, quoted
from memem.text import cut, one_line, utf16_length

if TYPE_CHECKING:
    from memem.index.graph import Edge, Flaw
    from memem.models import Memory

# A memory, the edge that leads to it (None for a start), and how many steps away it is.
Reached = tuple["Memory", "Edge | None", int]
WALK_BUDGET = 6000  # UTF-16 units
_REASONS = 80
_MOST_FLAWS = 60


def neighbors(start: Memory, reached: Sequence[Reached]) -> str:
    """A memory and those it is connected with."""
    head = f"### Connections of {index_line(start)}"
    if not reached:
        return f"{head}\nNothing is connected with it. memory_connect says a relation."
    return "\n".join([head, *(_line(memory, edge) for memory, edge, _ in reached)])


def unsettled(notes: int) -> str:
    """What is told below an answer while edges are missing, or nothing."""
    if not notes:
        return ""
    return (
        f"\n({notes} memories are not connected yet: ask again in a while, or make it so now with memem graph rebuild)"
    )


def walk(reached: Sequence[Reached], budget: int = WALK_BUDGET) -> str:
    """A walk through the graph, as far as the budget (UTF-16 units) reaches; each step is indented by its distance."""
    if not reached:
        return "No memory to begin with. Other words, or an id that a search shows?"
    lines = [f"### {len(reached)} connected memories (quoted as data)"]
    left = budget - utf16_length(lines[0])
    for at, (memory, edge, depth) in enumerate(reached):
        line = "  " * depth + (_line(memory, edge) if edge else index_line(memory))
        left -= utf16_length(line) + 1
        if left < 0 and at:
            lines.append(f"({len(reached) - at} more; begin at one of these to see them)")
            break
        lines.append(line)
    return "\n".join(lines)


def flaws(found: Sequence[Flaw]) -> str:
    """What is wrong in the graph, by kind."""
    if not found:
        return "The graph is sound: no dangling ids, circles, contradictions or orphans."
    kinds: dict[str, int] = {}
    for flaw in found:
        kinds[flaw.what] = kinds.get(flaw.what, 0) + 1
    lines = [f"### {len(found)} to look at: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}"]
    for flaw in found[:_MOST_FLAWS]:
        ids = " ".join(f"[{one_line(quoted(id_[:8]))}]" for id_ in flaw.ids[:6])
        lines.append(f"- {flaw.what} {ids} {cut(one_line(quoted(flaw.text)), 160)}")
    if len(found) > _MOST_FLAWS:
        lines.append(f"({len(found) - _MOST_FLAWS} more: memem graph audit --json)")
    return "\n".join(lines)


def _line(memory: Memory, edge: Edge | None) -> str:
    if edge is None:
        return index_line(memory)
    arrow = "→" if edge.target == memory.id else "←"
    why = f" ({cut(one_line(quoted(edge.why)), _REASONS)})" if edge.why else ""
    past = "" if memory.live else f" [{memory.status}]"
    return f"{arrow} {edge.relation} {edge.score:.2f}{why} {index_line(memory)}{past}"
