"""What memem learns from transcripts, asked for by a person (`mine`) or queued in the background (`run`)."""

from __future__ import annotations

import glob
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from memem import consent, published, sqlite
from memem.app import Memem
from memem.errors import (
    BadInput,
    Malformed,
    MememError,
    NotFound,
    Paused,
    Refused,
    Truncated,
)  # fmt: skip
from memem.ingest.grown import grow
from memem.llm.backends import NoModel
from memem.llm.protocol import LOCAL
from memem.mining import playbooks
from memem.mining.chunks import Chunk
from memem.mining.model import LIKELY_MODEL, Model, ModelEngine
from memem.mining.session import Engine, Mined, Part, Session, mine_session, patterns, read_session
from memem.models import Memory, Scope
from memem.sources.claude_code import ClaudeCode
from memem.state.jobs import MOST_ATTEMPTS, PART, PLAYBOOK, SESSION, Job, Jobs
from memem.state.ledger import Budget
from memem.stores import verb
from memem.text import query_terms

_NEAREST = 10
_MOST_SUMMARY_LINES = 12
_MOST_TOGETHER = 8  # small sessions in one question
_ALONE = "to be asked about on its own"
REPLACED = "replaced"  # in a job's payload: how many notes its run has replaced so far


class Miner(Memem):
    """Memem that reads transcripts: opened where that is asked for, because it loads slowly."""

    _earlier: Mapping[str, int] | None = None  # how far a published memem had mined each session

    def mine(self, paths: Sequence[str], *, dry_run: bool = False, again: bool = False) -> Iterator[Mined]:
        """Mine transcripts (files, folders, globs) one after the other; of what was mined before only what is new.

        What a published memem had mined counts as mined; `again` takes everything for new.

        Raises:
            BadInput: a path does not exist.
            VaultUnavailable, NotReady: nothing can be saved now; the session is mined again next time.
        """
        found = [name for path in paths for name in _expanded(path)]
        source = self.source()
        for path in dict.fromkeys(found for folder in found for found in source.sessions(folder)):
            yield self._mine(source, path, dry_run, again)

    @verb
    def _mine(self, source: ClaudeCode, path: Path, dry_run: bool, again: bool) -> Mined:
        self._freshen()
        reading = self._read(source, path, after=0 if again else None)
        mined = self._mined_window(reading, dry_run)
        while reading.more:
            reading = self._read(source, path, after=reading.offset)
            mined = mined.joined(self._mined_window(reading, dry_run, mined.replaced))
        return mined

    def _mined_window(self, reading: Session, dry_run: bool, replaced: int = 0) -> Mined:
        scope = self._scope_of_session(reading)
        return mine_session(reading, self._gate(), scope, self._remember, dry_run=dry_run, replaced=replaced)

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

    @verb
    def run(self, job: Job, jobs: Jobs, model: Model | None) -> str:
        """Do one job and finish it; answers what came of it, in a few words.

        Raises:
            LeaseLost: another worker has it by now; nothing was committed.
            MememError: it could not be done; the job is still leased.
        """
        self._freshen()
        path = job.payload.get("path")
        if path and self.source().excludes(Path(path)):  # since it was queued
            done = "of an excluded project"
        else:
            done = JOBS[job.kind](self, job, jobs, model)
        jobs.done(job, done)
        return done

    def _session_job(self, job: Job, jobs: Jobs, model: Model | None) -> str:
        source, path = self.source(), Path(job.payload["path"])
        try:
            if not source.head(path).readable:
                return "left alone"
            for grown in self.archive([str(path)], opted_in=True):
                if grown.problem:
                    return grown.problem
            if not consent.read(self.config.dir).mining:
                return "captured"
            reading = self._read(source, path)
            engine = self._engine(job, model)
            if (
                isinstance(engine, ModelEngine)
                and job.reason != _ALONE
                and self._mined_together(reading, job, jobs, engine)
            ):
                return "mined with others"
            found = self._mined(reading, job, jobs, engine)
            while reading.more:
                reading = self._read(source, path, after=reading.offset)
                found = found.joined(self._mined(reading, job, jobs, engine, found.replaced))
        except NotFound:
            return "gone"  # deleted before it was mined, or a program's scratch file
        return f"{len(found.new)} lessons"

    def _mined_together(self, reading: Session, job: Job, jobs: Jobs, engine: ModelEngine) -> bool:
        """Ask about this and other small sessions of its project at once; False when it is to be asked about alone."""
        batch, pieces = self._companions(reading, job, jobs, engine)
        others = [other for other, _ in batch[1:]]
        if not others:
            return False
        scope = self._scope_of_session(reading)
        try:
            parts = engine.together([read for _, read in batch], pieces, scope)
        except (Refused, Truncated, Malformed):
            for other in others:
                jobs.later(other, other.due, _ALONE)
            return False
        except Paused as pause:
            for other in others:
                jobs.later(other, pause.until, str(pause))
            raise
        for (one, read), part in zip(batch, parts, strict=True):
            self._mined(read, one, jobs, partial(_just, part))
            if one is not job:
                jobs.done(one, "mined with others")
        return True

    def _companions(
        self, reading: Session, job: Job, jobs: Jobs, engine: ModelEngine
    ) -> tuple[list[tuple[Job, Session]], list[Chunk]]:
        """Small settled sessions of the same project, leased, this one first, with what is new in each."""
        batch: list[tuple[Job, Session]] = [(job, reading)]
        pieces = [piece for piece in [engine.small(reading)] if piece]
        project = self._scope_of_session(reading).id
        unfit: list[Job] = []
        while pieces and len(batch) < _MOST_TOGETHER > len(unfit) and (other := jobs.claim(SESSION)):
            read = None if other.reason == _ALONE else self._readable(other)
            piece = engine.small(read) if read and self._scope_of_session(read).id == project else None
            if read and piece:
                batch.append((other, read))
                pieces.append(piece)
            else:
                unfit.append(other)
        for other in unfit:
            jobs.later(other, other.due, other.reason)
        return batch, pieces

    def _readable(self, job: Job) -> Session | None:
        source, path = self.source(), Path(job.payload["path"])
        try:
            return None if not source.head(path).readable or source.excludes(path) else self._read(source, path)
        except MememError:
            return None  # its own turn tells why

    def _read(self, source: ClaudeCode, path: Path, after: int | None = None) -> Session:
        if self._earlier is None:
            self._earlier = published.mined(self.config.dir)
        return read_session(source, path, self.state, after=after, earlier=self._earlier.get(path.stem, 0))

    def _engine(self, job: Job, model: Model | None) -> Engine:
        last = job.attempts >= MOST_ATTEMPTS - 1
        return ModelEngine(model, self._without_secrets, self._nearest, last=last) if model else patterns

    def _part_job(self, job: Job, jobs: Jobs, model: Model | None) -> str:
        """A dead letter that was brought back: the bytes from `start` to `end` of a transcript."""
        source, path, end = self.source(), Path(job.payload["path"]), job.payload["end"]
        try:
            read = self._read(source, path, after=job.payload["start"])
        except NotFound:
            return "gone"
        inside = [at for at, place in enumerate(read.places) if place < end]
        reading = read.replace(
            events=tuple(read.events[at] for at in inside),
            places=tuple(read.places[at] for at in inside),
            offset=min(end, read.offset),
        )
        return f"{len(self._mined(reading, job, jobs, self._engine(job, model)).new)} lessons"

    def _mined(self, reading: Session, job: Job, jobs: Jobs, engine: Engine, replaced: int = 0) -> Mined:
        scope = self._scope_of_session(reading)

        def held(read: Session, scope: Scope) -> Iterator[Part]:
            for part in engine(read, scope):
                jobs.extend(job)  # a model takes its time: what is not ours any more must not be written
                yield part
                jobs.between()

        commit = partial(self._commit, job, jobs, scope)
        replaced += job.payload.get(REPLACED, 0)  # before it was interrupted
        mined = mine_session(reading, self._gate(), scope, commit, engine=held, replaced=replaced)
        if mined.new:
            stamp = mined.new[-1].memory.id
            jobs.enqueue(PLAYBOOK, scope.id, {"project": scope.id}, due=jobs.now(), stamp=stamp)
        return mined

    def _commit(self, job: Job, jobs: Jobs, scope: Scope, read: Session, part: Part, replaced: int) -> None:
        if any(lines for _, lines in part.summary):
            self._grow_summary(read, scope, part)
        with jobs.fenced(job):
            if part.lost and job.kind == PART:
                raise MememError(part.lost)
            if part.lost:
                piece = {"path": read.path, "start": part.start, "end": part.end}
                jobs.bury(PART, f"{read.path}#{part.start}-{part.end}", piece, part.lost)
            if job.kind == SESSION:
                self._durable().remember_offset(read.path, read.identity, part.end, jobs.now())
            jobs.progressed(job, **{REPLACED: replaced})

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

    def _remember(self, read: Session, part: Part, _replaced: int) -> None:
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


JOBS: dict[str, Callable[[Miner, Job, Jobs, Model | None], str]] = {
    SESSION: Miner._session_job,
    PART: Miner._part_job,
    PLAYBOOK: Miner._playbook_job,
}


def _just(part: Part, _read: Session, _scope: Scope) -> list[Part]:
    """An engine that was asked before."""
    return [part]


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
