"""Sessions: what memem learns from transcripts, asked for by a person (`mine`) or queued for the miner (`run`)."""

from __future__ import annotations

import glob
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from memem import consent, sqlite
from memem.errors import BadInput, MememError, NotFound, StateUnavailable
from memem.ingest.grown import grow
from memem.ingest.secrets import redact
from memem.llm.backends import NoModel, build
from memem.llm.keys import gather
from memem.llm.protocol import LLM, LOCAL
from memem.mining import playbooks
from memem.mining.model import LIKELY_MODEL, Model, ModelEngine
from memem.mining.session import Engine, Mined, Part, Session, mine_session, patterns, read_session
from memem.models import Memory, Scope
from memem.sources.claude_code import ClaudeCode
from memem.state.jobs import MOST_ATTEMPTS, PART, PLAYBOOK, SESSION, Job, Jobs
from memem.state.ledger import Budget, Ledger
from memem.state.store import State
from memem.stores import Stores, verb
from memem.text import query_terms

_NEAREST = 10
_MOST_SUMMARY_LINES = 12


class Sessions(Stores):
    """The verbs over transcripts."""

    def mine(self, paths: Sequence[str], *, dry_run: bool = False) -> Iterator[Mined]:
        """Mine transcripts (files, folders, globs) one after the other; of what was mined before only what is new.

        Raises:
            BadInput: a path does not exist.
            VaultUnavailable, NotReady: nothing can be saved now; the session is mined again next time.
        """
        found = [name for path in paths for name in _expanded(path)]
        source = ClaudeCode(self.config.dir)
        for path in dict.fromkeys(found for folder in found for found in source.sessions(folder)):
            yield self._mine(source, path, dry_run)

    @verb
    def _mine(self, source: ClaudeCode, path: Path, dry_run: bool) -> Mined:
        self._freshen()
        reading = read_session(source, path, self.state)
        mined = self._mined_window(reading, dry_run)
        while reading.more:
            reading = read_session(source, path, self.state, reading.offset)
            mined = mined.joined(self._mined_window(reading, dry_run))
        return mined

    def _mined_window(self, reading: Session, dry_run: bool) -> Mined:
        return mine_session(reading, self._gate(), self._scope_of_session(reading), self._remember, dry_run=dry_run)

    def model(self, stop: Callable[[], bool] = lambda: False) -> Model | None:
        """The model that the user allowed to spend on, or None.

        Raises:
            ModelUnusable, StateUnavailable: its keys cannot be read safely; there is no ledger.
        """
        allowed = consent.read(self.config.dir).spend
        if not allowed or self.config.llm == "none":
            return None
        llm = self.backend()
        if llm.name not in (allowed, "none"):
            llm = NoModel(f"spending was allowed for {allowed}, not for {llm.name}: memem miner spend --allow")
        budget = Budget(tokens=self.config.daily_tokens, usd=self.config.daily_usd)
        seconds = self.config.llm_timeout * 2.0  # the call, and its one retry
        free = llm.name == "ollama" or urlsplit(self.config.llm_url).hostname in LOCAL
        priced_as = self.config.llm_model or LIKELY_MODEL
        return Model(llm, self.ledger(), budget, free=free, priced_as=priced_as, call_seconds=seconds, stop=stop)

    def backend(self) -> LLM:
        """The configured model, whether it may be asked or not.

        Raises:
            ModelUnusable: its keys cannot be read safely.
        """
        return build(self.config, gather(self.config, self.environ), self.environ)

    def jobs(self, owner: str = "", alive: Callable[[str], bool] = lambda _: True) -> Jobs:
        """The queue.

        Raises:
            StateUnavailable: there is no state database to keep it in.
        """
        return Jobs(self._durable().connection, owner=owner, alive=alive)

    def ledger(self) -> Ledger:
        """What model calls cost, and which backend rests.

        Raises:
            StateUnavailable: there is no state database to keep it in.
        """
        return Ledger(self._durable().connection)

    @verb
    def run(self, job: Job, jobs: Jobs, model: Model | None) -> str:
        """Do one job and finish it; answers what came of it, in a few words.

        Raises:
            LeaseLost: another worker has it by now; nothing was committed.
            MememError: it could not be done; the job is still leased.
        """
        self._freshen()
        done = JOBS[job.kind](self, job, jobs, model)
        jobs.done(job, done)
        return done

    def _session_job(self, job: Job, jobs: Jobs, model: Model | None) -> str:
        source, path = ClaudeCode(self.config.dir), Path(job.payload["path"])
        try:
            if source.head(path).ours:
                return "a model call of memem"
            if not consent.read(self.config.dir).mining:
                return "captured"
            reading = read_session(source, path, self.state)
            found = self._mined(reading, job, jobs, model)
            while reading.more:
                reading = read_session(source, path, self.state, reading.offset)
                found += self._mined(reading, job, jobs, model)
        except NotFound:
            return "gone"  # deleted before it was mined, or a program's scratch file
        return f"{found} lessons"

    def _part_job(self, job: Job, jobs: Jobs, model: Model | None) -> str:
        """A dead letter that was brought back: the bytes from `start` to `end` of a transcript."""
        source, path, end = ClaudeCode(self.config.dir), Path(job.payload["path"]), job.payload["end"]
        try:
            read = read_session(source, path, None, job.payload["start"])
        except NotFound:
            return "gone"
        inside = [at for at, place in enumerate(read.places) if place < end]
        reading = read.replace(
            events=tuple(read.events[at] for at in inside),
            places=tuple(read.places[at] for at in inside),
            offset=min(end, read.offset),
        )
        return f"{self._mined(reading, job, jobs, model)} lessons"

    def _mined(self, reading: Session, job: Job, jobs: Jobs, model: Model | None) -> int:
        scope = self._scope_of_session(reading)
        engine: Engine = patterns
        if model:
            last = job.attempts >= MOST_ATTEMPTS - 1
            engine = ModelEngine(model, lambda text: redact(text).text, self._nearest, last=last)

        def held(read: Session, scope: Scope) -> Iterator[Part]:
            for part in engine(read, scope):
                jobs.extend(job)  # a model takes its time: what is not ours any more must not be written
                yield part
                jobs.between()

        commit = partial(self._commit, job, jobs, scope)
        mined = mine_session(reading, self._gate(), scope, commit, engine=held)
        new = [outcome for outcome in mined.outcomes if outcome.action != "skipped"]
        if new:
            jobs.enqueue(PLAYBOOK, scope.id, {"project": scope.id}, due=jobs.now(), stamp=new[-1].memory.id)
        return len(new)

    def _commit(self, job: Job, jobs: Jobs, scope: Scope, read: Session, part: Part) -> None:
        if part.lost:
            payload = {"path": read.path, "start": part.start, "end": part.end}
            name = f"{read.path}#{part.start}-{part.end}"
        if any(lines for _, lines in part.summary):
            self._grow_summary(read, scope, part)
        with jobs.fenced(job):
            if part.lost and job.kind == SESSION:
                jobs.bury(PART, name, payload, part.lost)
            elif part.lost:
                raise MememError(part.lost)
            if job.kind == SESSION:
                self._durable().remember_offset(read.path, read.identity, part.end, jobs.now())
            jobs.progressed(job)

    def _playbook_job(self, job: Job, _jobs: Jobs, _model: Model | None) -> str:
        scope = self.scope(job.payload["project"])
        found = [item for item in self.index.notes(order="layer, id") if scope.holds(item.memory.project)]
        part = playbooks.playbook_part([item for item in found if item.memory.project == scope.id])
        if not part:
            return "nothing to tell"
        path, memory = playbooks.playbook(scope.id, _now())
        grown = grow(self.vault, self.index, self.state, path, memory, lambda _: part)
        return "grown" if grown else "unchanged"

    def _grow_summary(self, read: Session, scope: Scope, part: Part) -> None:
        day = next((event.at[:10] for event in read.events if event.at), "")
        path, memory = playbooks.summary(scope.id, read.session, day or _now()[:10], _now())

        def joined(before: str) -> str:
            told = [*playbooks.summary_lines(before), *part.summary]
            return playbooks.summary_part(told, _MOST_SUMMARY_LINES)

        grow(self.vault, self.index, self.state, path, memory, joined)

    def _nearest(self, text: str, scope: Scope) -> list[Memory]:
        return [item.memory for item in self.index.search(query_terms(text), _NEAREST, scope)]

    def _remember(self, read: Session, part: Part) -> None:
        if self.state:
            try:
                self.state.remember_offset(read.path, read.identity, part.end, time.time())
            except sqlite.Error:
                pass  # it is mined once more, which adds nothing

    def _scope_of_session(self, reading: Session) -> Scope:
        scope = self.scope("", reading.folder or "/")
        leaf = scope.id.removeprefix("local:")
        if leaf != scope.id and leaf in self.scope().names:  # the folder is gone, and was most likely this project's
            return self.scope()
        return scope

    def _durable(self) -> State:
        if self.state is None:
            raise StateUnavailable(
                f"the state folder {self.config.dir} cannot be used, so nothing can be queued: run memem doctor."
            )
        return self.state


JOBS: dict[str, Callable[[Sessions, Job, Jobs, Model | None], str]] = {
    SESSION: Sessions._session_job,
    PART: Sessions._part_job,
    PLAYBOOK: Sessions._playbook_job,
}


def _expanded(path: str) -> list[str]:
    """A path, or what a glob stands for.

    Raises:
        BadInput: nothing is there.
    """
    if Path(path).exists():
        return [path]
    found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - the pattern may be absolute
    if not found:
        raise BadInput(f"{path} does not exist; give transcripts (.jsonl) or folders of them.")
    return found


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
