"""What the miner did and does, in figures: for `memem miner status`, `memem status` and the doctor."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from memem import background, consent
from memem.app import Memem
from memem.daemon.supervisor import halted
from memem.errors import MememError
from memem.sources.claude_code import transcripts
from memem.state import lock
from memem.state.jobs import DEAD, DONE, PENDING, RUNNING, SESSION

_TOLD = 0.2
_NOTES = 4000  # characters of known notes in a question


def report(memem: Memem, now: float | None = None) -> dict[str, Any]:
    """State of the process, of the queue, of the backends and of the day's budget.

    Raises:
        StateUnavailable: there is no state database.
    """
    now = time.time() if now is None else now
    config, allowed = memem.config, consent.read(memem.config.dir)
    running, stopped = lock.owner(config.dir), halted(config.dir)
    jobs, ledger = background.queue(memem), background.ledger(memem)
    spent, counts = ledger.spent(), jobs.counts(SESSION)
    waiting = [job for job in jobs.listed((PENDING,)) if job.kind == SESSION]
    finished = jobs.listed((DONE,), limit=1_000_000)
    return {
        "running": running.as_dict() if running else None,
        "consent": allowed.as_dict(),
        "halted": stopped.as_dict() if stopped else None,
        "sessions": {
            "waiting": counts[PENDING],
            "running": counts[RUNNING],
            "mined": counts[DONE],
            "dead": jobs.counts()[DEAD],
        },
        "oldest_waiting_seconds": max((now - job.updated for job in waiting), default=0.0),
        "last_success": max((job.updated for job in finished), default=0.0),
        "resting": [rest.as_dict() for rest in ledger.resting(now)],
        "waits_for": sorted({job.reason for job in waiting if job.reason}),
        "today": {
            "tokens": spent.tokens,
            "usd": round(spent.usd, 4),
            "calls": spent.calls,
            "budget_tokens": config.daily_tokens,
            "budget_usd": config.daily_usd,
        },
    }


def word(memem: Memem) -> str:
    """The miner's state in one word, or a few when it needs attention."""
    allowed = consent.read(memem.config.dir)
    stopped = halted(memem.config.dir)
    if not allowed.capture:
        return "off"
    if allowed.stopped:
        return "stopped"
    if stopped:
        return f"halted ({stopped.reason})"
    try:
        resting = background.ledger(memem).resting(time.time())
    except MememError:
        return "degraded (no state database)"
    if resting:
        return f"waiting ({resting[0].reason})"
    return "OK" if lock.owner(memem.config.dir) else "idle"


def estimate(memem: Memem) -> dict[str, Any]:
    """What mining all sessions that were not mined yet comes to: how many, how large, and tokens if a model is asked.

    About a fifth of a transcript's bytes are words that a model is shown; the rest is the client's records.
    """
    from memem.mining.chunks import CHUNK_CHARACTERS
    from memem.mining.extraction import INSTRUCTIONS
    from memem.mining.model import ANSWER_TOKENS

    sizes = []
    source = memem.source()
    for folder in memem.config.session_dirs:
        for path in transcripts(folder):
            if source.excludes(path):
                continue
            try:
                left = path.stat().st_size - (memem.state.offset(str(path.resolve()))[1] if memem.state else 0)
            except OSError:
                continue
            sizes += [left] if left > 0 else []
    told = [int(size * _TOLD) for size in sizes]
    calls = sum(-(-size // CHUNK_CHARACTERS) for size in told)
    tokens = (sum(told) + calls * (len(INSTRUCTIONS) + _NOTES)) // 3, calls * ANSWER_TOKENS
    return {
        "sessions": len(sizes),
        "bytes": sum(sizes),
        "calls": calls,
        "input_tokens": tokens[0],
        "output_tokens": tokens[1],
    }


def told(found: Mapping[str, Any], spend: str) -> str:
    """An estimate in words."""
    size = f"{found['sessions']} sessions, {found['bytes'] / 1e6:.1f} MB"
    if not spend:
        return f"{size}. By patterns, no model is asked, no cost; about {found['bytes'] / 20e6 + 1:.0f} s of work."
    return (
        f"{size}. Asking {spend}: about {found['calls']} calls, {found['input_tokens']:,} tokens in and "
        f"{found['output_tokens']:,} out, within the budget of each day; what does not fit waits for the next."
    )


def terms(memem: Memem, backend: str) -> str:
    """What a consent to spend means, before it is given."""
    config = memem.config
    return (
        f"The miner will ask {backend} about each settled session: one call for about 60,000 characters, secrets taken "
        f"out first. At most ${config.daily_usd:.2f} and {config.daily_tokens:,} tokens a day; then it pauses and "
        "says so. " + told(estimate(memem), backend)
    )
