"""`memem stale`: memories that may be outdated, each with the reasons. It lists; what to do is a human's decision."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from memem import sqlite
from memem.app import Memem
from memem.models import Candidate, Memory
from memem.project import find_checkout
from memem.value import Value

_DAY = 86_400
# Importance → how much of the asked age makes a memory old.
_PATIENCE = {1: 0.5, 2: 0.5, 3: 1.0, 4: 2.0, 5: 2.0}


class Stale(Value):
    """A memory that may be outdated, where its note is, and why."""

    memory: Memory
    path: str
    reasons: tuple[str, ...]


def stale(memem: Memem, now: float, days: int = 180, scope: str = "") -> list[Stale]:
    """Live memories of a scope (`*` for all) that are over, name files that are gone, or have rested for long.

    Rested means neither changed nor injected for `days`; half as long for importance 1 and 2, twice for 4 and 5.
    Identity (layer 0) does not rest: it opens every session.
    """
    served = _served(memem)
    checkout = find_checkout(os.path.realpath(memem.folder)) if memem.folder else None
    top = Path(checkout.top) if checkout else None
    found = []
    for item in memem.memories(scope):
        here = top if memem.scope().holds(item.memory.project) else None
        reasons = (*_over(item.memory, now), *_gone(item.memory, here), *_rested(item, served, now, days))
        if reasons:
            found.append(Stale(memory=item.memory, path=item.path, reasons=reasons))
    return sorted(found, key=lambda one: (-len(one.reasons), one.memory.updated, one.memory.id))


def _over(memory: Memory, now: float) -> Iterator[str]:
    end = _seconds(memory.invalid_at)
    if end and end < now:
        yield f"held until {memory.invalid_at[:10]}"


def _gone(memory: Memory, top: Path | None) -> Iterator[str]:
    """Only for the project here: nobody knows where another one's files are."""
    if top is None:
        return
    gone = [path for path in memory.paths if not _exists(top, path)]
    if gone and len(gone) == len(memory.paths):
        yield f"concerns files that are gone: {', '.join(gone[:3])}"


def _exists(top: Path, pattern: str) -> bool:
    """Whether a path or glob below the project still names something; one that leaves the project is not judged."""
    relative = pattern.removeprefix("./")
    if not relative or relative.startswith(("/", "~")) or ".." in Path(relative).parts:
        return True
    try:
        return (top / relative).exists() or next(top.glob(relative), None) is not None
    except (OSError, ValueError, NotImplementedError):
        return True


def _rested(item: Candidate, served: dict[str, int], now: float, days: int) -> Iterator[str]:
    memory = item.memory
    changed = _seconds(memory.updated or memory.created)
    if memory.layer == 0 or not changed:
        return
    rested = (now - max(changed, served.get(memory.id, 0))) / _DAY
    if rested >= days * _PATIENCE.get(memory.importance, 1.0):
        importance = f", importance {memory.importance}" if memory.importance <= 2 else ""
        yield f"neither changed nor injected for {rested:.0f} days{importance}"


def _served(memem: Memem) -> dict[str, int]:
    try:
        return memem.state.last_shown() if memem.state else {}
    except sqlite.Error:
        return {}


def _seconds(time: str) -> float:
    """A time of a note in seconds, 0 for none; one without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(time)
        return (moment if moment.tzinfo else datetime.fromisoformat(f"{moment.isoformat()}+00:00")).timestamp()
    except (ValueError, OverflowError):
        return 0
