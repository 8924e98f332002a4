"""What memem learns from transcripts, asked for by a person (`mine`) or queued in the background (`run`)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from memem import sqlite, work
from memem.app import Memem
from memem.ingest.gate import Gate
from memem.mining.model import Model
from memem.mining.session import Mined, Part, Session, mine_session
from memem.sessions import Sessions
from memem.state.jobs import Job, Jobs
from memem.work import Work


class Miner:
    """Reads transcripts for a memem: made where that is asked for, because it loads slowly."""

    def __init__(self, memem: Memem) -> None:
        self.memem = memem
        self._sessions = Sessions(memem)

    def mine(self, paths: Sequence[str], *, dry_run: bool = False, again: bool = False) -> Iterator[Mined]:
        """Mine transcripts (files, folders, globs) one after the other; of what was mined before only what is new.

        What a published memem had mined counts as mined; `again` takes everything for new.

        Raises:
            BadInput: a path does not exist.
            VaultUnavailable, NotReady: nothing can be saved now; the session is mined again next time.
        """
        for path in self._sessions.found(paths):
            yield self._mine(path, 0 if again else None, dry_run)

    def run(self, job: Job, jobs: Jobs, model: Model | None) -> str:
        """Do one job and finish it; answers what came of it, in a few words.

        Raises:
            LeaseLost: another worker has it by now; nothing was committed.
            MememError: it could not be done; the job is still leased.
        """

        def done(gate: Gate) -> str:
            about = Work(memem=self.memem, sessions=self._sessions, gate=gate, jobs=jobs, model=model)
            told = work.do(about, job)
            jobs.done(job, told)
            return told

        return self.memem.offering(done)

    def _mine(self, path: Path, after: int | None, dry_run: bool) -> Mined:
        def mined(gate: Gate) -> Mined:
            windows = self._sessions.windows(path, after)
            found = self._window(gate, next(windows), dry_run)
            for reading in windows:
                found = found.joined(self._window(gate, reading, dry_run, found.replaced))
            return found

        return self.memem.offering(mined)

    def _window(self, gate: Gate, reading: Session, dry_run: bool, replaced: int = 0) -> Mined:
        scope = self._sessions.scope(reading)
        return mine_session(reading, gate, scope, self._remember, dry_run=dry_run, replaced=replaced)

    def _remember(self, read: Session, part: Part, _replaced: int) -> None:
        if self.memem.state:
            try:
                self.memem.state.remember_offset(read.path, read.identity, part.end, time.time())
            except sqlite.Error:
                pass  # it is mined once more, which adds nothing
