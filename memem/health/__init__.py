"""Health: one table of checks for status, doctor and every other place that tells whether memem works."""

from __future__ import annotations

from collections.abc import Callable

from memem.app import Memem
from memem.errors import MememError
from memem.health.check import DEGRADED, FAILING, OK, VERDICTS, Check, verdict
from memem.health.client import client, records
from memem.health.folders import (
    database,
    kept_state,
    notes,
    permissions,
    secrets,
    space,
    spool,
    state,
    typed_secrets,
    vault,
)
from memem.health.hooks import hooks
from memem.health.mining import miner, model
from memem.health.obsidian import code
from memem.health.program import configuration, dependencies, git, predecessor, python, search, variables
from memem.health.status import status
from memem.health.trial import trials

__all__ = ["CHECKS", "DEGRADED", "FAILING", "OK", "VERDICTS", "Check", "run", "status", "verdict"]

CHECKS: tuple[Callable[[Memem], Check], ...] = (
    python, dependencies, search, git, configuration, variables, state, permissions, secrets, typed_secrets, database,
    kept_state, vault, space, notes, code, spool, hooks, client, records, miner, model, predecessor,
)  # fmt: skip


def run(memem: Memem) -> list[Check]:
    """All checks, after a sync, so that they tell of the vault as it is now; the trials last."""
    try:
        memem.sync()
    except MememError:
        pass  # the checks say what is wrong
    return [*(check(memem) for check in CHECKS), *trials(memem)]
