"""Health: one table of checks for status, doctor and every other place that tells whether memem works."""

from __future__ import annotations

from collections.abc import Callable

from memem.app import Memem
from memem.errors import MememError
from memem.health.check import DEGRADED, FAILING, OK, VERDICTS, Check, verdict
from memem.health.folders import database, notes, spool, state, vault
from memem.health.hooks import hooks
from memem.health.outcomes import outcomes
from memem.health.program import dependencies, git, predecessor, python, search
from memem.health.status import status

__all__ = ["CHECKS", "DEGRADED", "FAILING", "OK", "VERDICTS", "Check", "outcomes", "run", "status", "verdict"]

CHECKS: tuple[Callable[[Memem], Check], ...] = (
    python, dependencies, search, state, database, vault, notes, spool, hooks, git, predecessor,
)  # fmt: skip


def run(memem: Memem) -> list[Check]:
    """All checks, after a sync, so that they tell of the vault as it is now."""
    try:
        memem.sync()
    except MememError:
        pass  # the checks say what is wrong
    return [check(memem) for check in CHECKS]
