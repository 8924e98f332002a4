"""`memem status`: how much there is, where it is, and what the hooks did."""

from __future__ import annotations

from collections import Counter
from typing import Any

from memem import __version__
from memem.app import Memem
from memem.health.outcomes import outcomes
from memem.transcripts.archive import sizes


def status(memem: Memem) -> dict[str, Any]:
    """Counts of memories, sizes, and outcomes of the hooks, for `memem status`."""
    memories = [item.memory for item in memem.memories("*", history=True)]
    live = [memory for memory in memories if memory.live]
    return {
        "version": __version__,
        "project": memem.scope().id,
        "memories": len(live),
        "history": len(memories) - len(live),
        "here": sum(memem.scope().holds(memory.project) for memory in live),
        "by_project": dict(Counter(memory.project for memory in live).most_common()),
        "by_kind": dict(Counter(memory.kind for memory in live).most_common()),
        "by_layer": {f"L{layer}": sum(memory.layer == layer for memory in live) for layer in range(4)},
        "vault": memem.config.memory_root,
        "state": memem.config.dir,
        "archive": sizes(memem.config.dir).as_dict(),
        "injection": memem.config.injection_mode,
        "outcomes": outcomes(memem.config.state_path("events.jsonl")),
        "unreadable": len(memem.index.problems()),
        "warnings": list(memem.warnings()),
    }
