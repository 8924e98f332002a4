"""`memem stats`: memories over time, kinds, projects and origins, and what recall did day by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from memem.app import Memem
from memem.helped import report
from memem.state.events import by_day, outcomes


def stats(memem: Memem, scope: str = "*") -> dict[str, Any]:
    """Counts of all memories, history included, of the scope or of all; and the hooks' outcomes."""
    memories = [item.memory for item in memem.memories(scope, history=True)]
    months = Counter(memory.created[:7] or "undated" for memory in memories)
    return {
        "memories": len(memories),
        "live": sum(memory.live for memory in memories),
        "by_month": dict(sorted(months.items())),
        "by_kind": _counted(memory.kind for memory in memories),
        "by_project": _counted(memory.project for memory in memories),
        "by_layer": dict(sorted(Counter(f"L{memory.layer}" for memory in memories).items())),
        "by_origin": _counted(memory.source_type for memory in memories),
        "outcomes": outcomes(memem.config.dir),
        "help": report(memem),
        "by_day": {
            day: {"prompts": seen, "served": served} for day, (seen, served) in by_day(memem.config.dir).items()
        },
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())
