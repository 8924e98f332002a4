"""Which sessions are to be worked on, and when: those that the consent covers, once they have settled."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from memem import consent
from memem.config import Config
from memem.sources.claude_code import ClaudeCode, transcripts
from memem.state.jobs import SESSION, Jobs
from memem.value import Value


class Settled(Value):
    """Transcripts looked at: how many there are, how many are older than the consent, and how many were queued."""

    seen: int = 0
    older: int = 0
    queued: int = 0


def settle(config: Config, jobs: Jobs, paths: Iterable[Path] | None = None, *, ended: bool = False) -> Settled:
    """Queue the sessions that the consent covers, all or those of `paths`, as far as they have anything new.

    A session is due when it was quiet for `miner_settle_seconds`, or at once when it has `ended`.
    """
    allowed = consent.read(config.dir)
    if not allowed.capture:
        return Settled()
    source = ClaudeCode(config.dir, config.excluded_projects)
    found = (path for folder in config.session_dirs for path in transcripts(folder)) if paths is None else paths
    seen = older = queued = 0
    for path in found:
        try:
            info = path.stat()
        except OSError:
            continue
        if not stat.S_ISREG(info.st_mode):
            continue
        if source.excludes(path):
            continue
        seen += 1
        if info.st_mtime < allowed.since and not allowed.history:
            older += 1
            continue
        # Another consent is another stamp: what was only captured is mined once that is allowed.
        stamp = f"{info.st_size}:{info.st_mtime_ns}:{'mine' if allowed.mining else 'capture'}"
        now = jobs.now()
        due = now if ended else min(info.st_mtime, now) + config.miner_settle_seconds
        name = os.path.realpath(path)  # one job for one file, whichever way it was found
        queued += jobs.enqueue(SESSION, name, {"path": name}, due=due, stamp=stamp)
    return Settled(seen=seen, older=older, queued=queued)
