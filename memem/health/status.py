"""`memem status`: how much there is, where it is, and what the hooks did."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from memem import __version__, sqlite
from memem.app import Memem
from memem.config import load
from memem.daemon.report import word
from memem.errors import BadInput
from memem.health.folders import with_secrets
from memem.index.reader import index_folder
from memem.index.schema import FILE_NAME
from memem.state.events import outcomes
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
        "index_bytes": _size(Path(index_folder(memem.config.dir, memem.config.cache_dir), FILE_NAME)),
        "injection": memem.config.injection_mode,
        "miner": word(memem),
        "outcomes": outcomes(memem.config.dir) | {"deleted": _deleted(memem)},
        "with_secrets": len(with_secrets(memem)),
        "unreadable": len(memem.index.problems()),
        "degraded": degraded(memem),
    }


def degraded(memem: Memem) -> list[str]:
    """Why memem does not work as it should, each reason with its way out."""
    try:
        load()
    except BadInput as error:
        return [str(error), *memem.warnings(), *memem.waiting_elsewhere()]
    return [*memem.warnings(), *memem.waiting_elsewhere()]


def headline(found: dict[str, Any]) -> str:
    """The status in one line: `[memem] N memories · miner … · degraded (why)`."""
    parts = [f"[memem] {found['memories']} memories", f"{found['here']} for {found['project']}"]
    parts.append(f"miner {found['miner']}")
    if found["degraded"]:
        more = f", and {len(found['degraded']) - 1} more" if len(found["degraded"]) > 1 else ""
        parts.append(f"degraded ({found['degraded'][0]}{more})")
    return " · ".join(parts)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _deleted(memem: Memem) -> int:
    """Notes that a human deleted and did not restore."""
    try:
        return len(memem.state.buried_ids()) if memem.state else 0
    except sqlite.Error:
        return 0
