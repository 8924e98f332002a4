"""What a check answers: a level, what was found, and how to mend it."""

from __future__ import annotations

from memem.value import Value

OK, DEGRADED, FAILING = "ok", "degraded", "failing"
VERDICTS = {OK: "HEALTHY", DEGRADED: "DEGRADED", FAILING: "FAILING"}


class Check(Value):
    """The result of one check: what was found, and how to mend it."""

    name: str
    level: str
    text: str
    fix: str = ""


def verdict(checks: list[Check]) -> str:
    """The worst level among checks."""
    levels = {check.level for check in checks}
    return FAILING if FAILING in levels else DEGRADED if DEGRADED in levels else OK
