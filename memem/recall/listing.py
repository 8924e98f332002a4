"""Lists as text that agents and people read: memories by project, the newest, and what an import did."""

from __future__ import annotations

from collections.abc import Sequence

from memem.models import Imported, Memory
from memem.recall.render import index_line, quoted
from memem.text import cut, one_line

_MOST_LINES = 60


def by_project(memories: Sequence[Memory], total: int, start: int = 0) -> str:
    """Memories under their projects, and how many more there are."""
    if not memories:
        return "No memories here."
    lines = [f"### {total} memories" + (f", from number {start + 1}" if start else "")]
    project = None
    for memory in memories:
        if memory.project != project:
            project = memory.project
            lines += ["", f"## {one_line(quoted(project))}"]
        lines.append(index_line(memory) + ("" if memory.live else f" [{memory.status}]"))
    left = total - start - len(memories)
    if left > 0:
        lines.append(f"({left} more: offset={start + len(memories)})")
    return "\n".join(lines)


def newest(memories: Sequence[Memory]) -> str:
    """Memories with their day, in the order given."""
    if not memories:
        return "No memories here."
    return "\n".join(_dated(memory) for memory in memories)


def imported(found: Sequence[Imported], *, applied: bool) -> str:
    """What an import did, or would do: counts, then a line for each text, as far as they are few."""
    counts: dict[str, int] = {}
    lines = []
    for one in found:
        action, line = _told(one)
        counts[action] = counts.get(action, 0) + 1
        lines.append(line)
    if not lines:
        return "Nothing to import there: no markdown, text or JSON with a lesson in it."
    head = ", ".join(f"{count} {action}" for action, count in counts.items())
    more = [f"({len(lines) - _MOST_LINES} more)"] if len(lines) > _MOST_LINES else []
    return "\n".join([f"### {'Imported' if applied else 'Import, dry run'}: {head}", *lines[:_MOST_LINES], *more])


def _dated(memory: Memory) -> str:
    day = one_line(quoted(memory.updated[:10])) or "undated"
    return f"{day} {index_line(memory)} ({one_line(quoted(memory.project))})"


def _told(one: Imported) -> tuple[str, str]:
    file = one_line(quoted(one.file))
    if one.outcome is None:
        return "not taken", f"- {file}: {one_line(quoted(one.reason))}"
    memory, outcome = one.outcome.memory, one.outcome
    if outcome.action == "skipped":
        reason = f" ({outcome.reason})" if outcome.reason != "known" else ""
        return "known already", f"= {file}: {cut(one_line(quoted(memory.title)), 90)}{reason}"
    notes = [f"contradicts {', '.join(id_[:8] for id_ in memory.contradicts)}"] if memory.contradicts else []
    notes += [f"without secrets: {', '.join(outcome.redacted)}"] if outcome.redacted else []
    tail = f" ({'; '.join(notes)})" if notes else ""
    return outcome.action, f"+ {file}: {cut(one_line(quoted(memory.title)), 90)} [{memory.kind}, L{memory.layer}]{tail}"
