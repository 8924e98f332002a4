"""Checks of the miner: whether it runs when it should, what waits, and whether its model can be asked."""

from __future__ import annotations

from memem import background, consent
from memem.app import Memem
from memem.daemon.report import report, word
from memem.errors import MememError
from memem.health.check import DEGRADED, OK, Check

_LONG_SECONDS = 86_400.0


def miner(memem: Memem) -> Check:
    """Whether the miner runs if it was started, and what needs a person."""
    allowed = consent.read(memem.config.dir)
    if not allowed.active:
        return Check(name="miner", level=OK, text="off, by choice" if not allowed.capture else "stopped, by choice")
    try:
        told = report(memem)
    except MememError as error:
        return Check(name="miner", level=DEGRADED, text=str(error), fix="mend what it names, then: memem miner start")
    sessions = told["sessions"]
    text = f"{word(memem)}; {sessions['mined']} sessions mined, {sessions['waiting']} waiting, {sessions['dead']} dead"
    if told["halted"]:
        return Check(
            name="miner", level=DEGRADED, text=text, fix="read miner.log in the state folder, then: memem miner start"
        )
    if told["resting"] or told["oldest_waiting_seconds"] > _LONG_SECONDS:
        return Check(name="miner", level=DEGRADED, text=text, fix="memem miner status says what it waits for")
    if sessions["dead"]:
        return Check(
            name="miner", level=DEGRADED, text=text, fix="memem miner queue list --dead, then retry or drop them"
        )
    return Check(name="miner", level=OK, text=text)


def model(memem: Memem) -> Check:
    """Whether the configured model can be asked, without asking it."""
    if memem.config.llm == "none":
        return Check(name="model", level=OK, text="none, by choice: sessions are read by patterns")
    try:
        backend = background.backend(memem)
        reason = backend.ready()
    except MememError as error:
        reason = str(error)
    if reason:
        fix = "do as it says, or set MEMEM_LLM to another model, or to none"
        return Check(name="model", level=DEGRADED, text=reason, fix=fix)
    allowed = consent.read(memem.config.dir).spend
    word = "may be asked" if allowed == backend.name else "may not be asked yet: memem miner spend --allow"
    return Check(name="model", level=OK, text=f"{backend.name} is ready, {word}")
