"""Checks of the hooks: whether they can run, whether they failed, and what they served."""

from __future__ import annotations

import os
import time
from pathlib import Path

from memem.app import Memem
from memem.health.check import DEGRADED, OK, Check
from memem.state.events import outcomes

_RECENT_SECONDS = 86_400


def hooks(memem: Memem) -> Check:
    """Whether the hooks have an interpreter and end well."""
    failures = Path(memem.config.state_path("hook-failures.log"))
    snapshot = Path(memem.config.state_path("hook.conf"))
    compiled = snapshot.read_text(encoding="utf-8", errors="replace") if snapshot.is_file() else ""
    interpreter = compiled.partition("\n")[0]
    if interpreter and not os.access(interpreter, os.X_OK):
        fix = "start a new session: the plugin's bootstrap finds another"
        return Check(name="hooks", level=DEGRADED, text=f"their Python {interpreter} is gone", fix=fix)
    recent = _recent_failures(failures)
    if recent:
        fix = f"report {failures} if it goes on; it holds no word of a prompt"
        return Check(name="hooks", level=DEGRADED, text=f"{recent} failed in the last day", fix=fix)
    seen = outcomes(memem.config.dir)
    return Check(name="hooks", level=OK, text=f"{seen['served']} of {seen['prompts']} prompts served")


def _recent_failures(log: Path) -> int:
    try:
        stamps = [line.partition(" ")[0] for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return 0
    return sum(stamp.isdigit() and time.time() - int(stamp) < _RECENT_SECONDS for stamp in stamps)
