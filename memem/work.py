"""What each kind of job does: a function in a table, from a leased job to a few words about what came of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from memem import clearing, consent, helped, sqlite
from memem.app import Memem
from memem.errors import Malformed, MememError, NotFound, Paused, Refused, Truncated
from memem.ingest.gate import Gate
from memem.ingest.grown import grow
from memem.mining import playbooks
from memem.mining.chunks import Chunk
from memem.mining.model import Model, ModelEngine
from memem.mining.session import Engine, Mined, Part, Session, mine_session, patterns
from memem.models import Memory, Scope
from memem.sessions import Sessions
from memem.state.jobs import CLEAR, MOST_ATTEMPTS, PART, PLAYBOOK, SESSION, Job, Jobs
from memem.text import query_terms
from memem.value import Value

_NEAREST = 10
_MOST_SUMMARY_LINES = 12
_MOST_TOGETHER = 8  # small sessions in one question
_ALONE = "to be asked about on its own"
_REPLACED = "replaced"  # in a job's payload: how many notes its run has replaced so far


class Work(Value):
    """What a job is done with. Without a model, sessions are read by patterns."""

    memem: Memem
    sessions: Sessions
    gate: Gate
    jobs: Jobs
    model: Model | None


def do(work: Work, job: Job) -> str:
    """Do a job; answers what came of it, in a few words.

    Raises:
        LeaseLost: another worker has it by now; nothing was committed.
        MememError: it could not be done; the job is still leased.
    """
    path = job.payload.get("path")
    if path and work.sessions.source.excludes(Path(path)):  # since it was queued
        return "of an excluded project"
    return JOBS[job.kind](work, job)


def session(work: Work, job: Job) -> str:
    """A transcript that has settled: archived, then mined as far as that is allowed."""
    path = Path(job.payload["path"])
    try:
        if not work.sessions.source.head(path).readable:
            return "left alone"
        if problem := _captured(work, path):
            return problem
        if not consent.read(work.memem.config.dir).mining:
            return "captured"
        windows = work.sessions.windows(path)
        reading, engine = next(windows), _engine(work, job)
        if isinstance(engine, ModelEngine) and job.reason != _ALONE and _together(work, job, reading, engine):
            return "mined with others"
        found = _mined(work, job, reading, engine)
        for reading in windows:
            found = found.joined(_mined(work, job, reading, engine, found.replaced))
    except NotFound:
        return "gone"  # deleted before it was mined, or a program's scratch file
    return f"{len(found.new)} lessons"


def part(work: Work, job: Job) -> str:
    """A dead letter that was brought back: the bytes from `start` to `end` of a transcript."""
    path, end = Path(job.payload["path"]), job.payload["end"]
    try:
        read = work.sessions.read(path, job.payload["start"])
    except NotFound:
        return "gone"
    inside = [at for at, place in enumerate(read.places) if place < end]
    reading = read.replace(
        events=tuple(read.events[at] for at in inside),
        places=tuple(read.places[at] for at in inside),
        offset=min(end, read.offset),
    )
    return f"{len(_mined(work, job, reading, _engine(work, job)).new)} lessons"


def playbook(work: Work, job: Job) -> str:
    """A project's page, after something new was learned of it."""
    gate, scope = work.gate, work.memem.scope(job.payload["project"])
    found = [item for item in gate.index.notes(order="layer, id") if scope.holds(item.memory.project)]
    text = playbooks.playbook_part([item for item in found if item.memory.project == scope.id])
    if not text:
        return "nothing to tell"
    path, memory = playbooks.playbook(scope.id, _now())
    grown = grow(gate.vault, gate.index, gate.state, path, memory, lambda _: text, gate.redact)
    return "grown" if grown else "unchanged"


def clear(work: Work, _: Job) -> str:
    """What a model named as a secret, taken out of what was kept before it did."""
    return f"{clearing.clear(work.memem)} cleared"


JOBS: dict[str, Callable[[Work, Job], str]] = {SESSION: session, PART: part, PLAYBOOK: playbook, CLEAR: clear}


def _captured(work: Work, path: Path) -> str:
    """What is done with every session before a model is asked, which may put it off; answers what stood in the way.

    It is archived, and what it did with the memories that it was shown is noted.
    """
    for grown in work.memem.archive([str(path)], opted_in=True):
        if grown.problem:
            return grown.problem
    with contextlib.suppress(sqlite.Error):  # busy: `memem stats` compares as well
        helped.compare(work.memem, path, work.jobs.now())
    return ""


def _engine(work: Work, job: Job) -> Engine:
    if not work.model:
        return patterns

    def nearest(text: str, scope: Scope) -> list[Memory]:
        return [item.memory for item in work.gate.index.search(query_terms(text), _NEAREST, scope)]

    last = job.attempts >= MOST_ATTEMPTS - 1

    def learn(values: Sequence[str]) -> None:
        if work.memem.redactor.learned.add(values):  # the session that it stands in is archived by now
            work.jobs.enqueue(CLEAR, "learned", {}, due=work.jobs.now(), stamp=str(work.jobs.now()))

    return ModelEngine(work.model, work.memem.without_secrets, nearest, last=last, learn=learn)


def _mined(work: Work, job: Job, reading: Session, engine: Engine, replaced: int = 0) -> Mined:
    """Mine what was read; each part is committed with the job's lease."""
    jobs, scope = work.jobs, work.sessions.scope(reading)

    def held(read: Session, scope: Scope) -> Iterator[Part]:
        for one in engine(read, scope):
            jobs.extend(job)  # a model takes its time: what is not ours any more must not be written
            yield one
            jobs.between()

    replaced += job.payload.get(_REPLACED, 0)  # before it was interrupted
    commit = partial(_commit, work, job, scope)
    mined = mine_session(reading, work.gate, scope, commit, engine=held, replaced=replaced)
    if mined.new:
        stamp = mined.new[-1].memory.id
        jobs.enqueue(PLAYBOOK, scope.id, {"project": scope.id}, due=jobs.now(), stamp=stamp)
    return mined


def _commit(work: Work, job: Job, scope: Scope, read: Session, one: Part, replaced: int) -> None:
    if any(lines for _, lines in one.summary):
        _grow_summary(work.gate, read, scope, one)
    with work.jobs.fenced(job):
        if one.lost and job.kind == PART:
            raise MememError(one.lost)
        if one.lost:
            piece = {"path": read.path, "start": one.start, "end": one.end}
            work.jobs.bury(PART, f"{read.path}#{one.start}-{one.end}", piece, one.lost)
        if job.kind == SESSION:
            work.memem.durable().remember_offset(read.path, read.identity, one.end, work.jobs.now())
        work.jobs.progressed(job, **{_REPLACED: replaced})


def _grow_summary(gate: Gate, read: Session, scope: Scope, one: Part) -> None:
    day = next((event.at[:10] for event in read.events if event.at), "")
    path, memory = playbooks.summary(scope.id, read.session, day or _now()[:10], _now())

    def joined(before: str) -> str:
        told = [*playbooks.summary_lines(before), *one.summary]
        return playbooks.summary_part(told, _MOST_SUMMARY_LINES)

    grow(gate.vault, gate.index, gate.state, path, memory, joined, gate.redact)


def _together(work: Work, job: Job, reading: Session, engine: ModelEngine) -> bool:
    """Ask about this and other small sessions of its project at once; False when it is to be asked about alone."""
    jobs = work.jobs
    batch, pieces = _companions(work, job, reading, engine)
    others = [other for other, _ in batch[1:]]
    if not others:
        return False
    try:
        parts = engine.together([read for _, read in batch], pieces, work.sessions.scope(reading))
    except (Refused, Truncated, Malformed):
        for other in others:
            jobs.later(other, other.due, _ALONE)
        return False
    except Paused as pause:
        for other in others:
            jobs.later(other, pause.until, str(pause))
        raise
    for (one, read), found in zip(batch, parts, strict=True):
        _mined(work, one, read, partial(_just, found))
        if one is not job:
            jobs.done(one, "mined with others")
    return True


def _companions(
    work: Work, job: Job, reading: Session, engine: ModelEngine
) -> tuple[list[tuple[Job, Session]], list[Chunk]]:
    """Small settled sessions of the same project, leased, this one first, with what is new in each."""
    batch: list[tuple[Job, Session]] = [(job, reading)]
    pieces = [piece for piece in [engine.small(reading)] if piece]
    project = work.sessions.scope(reading).id
    unfit: list[Job] = []
    while pieces and len(batch) < _MOST_TOGETHER > len(unfit) and (other := work.jobs.claim(SESSION)):
        path = Path(other.payload["path"])
        read = None if other.reason == _ALONE else _readable(work.sessions, path)
        piece = engine.small(read) if read and work.sessions.scope(read).id == project else None
        if read and piece and _is_captured(work, path):
            batch.append((other, read))
            pieces.append(piece)
        else:
            unfit.append(other)
    for other in unfit:
        work.jobs.later(other, other.due, other.reason)
    return batch, pieces


def _is_captured(work: Work, path: Path) -> bool:
    try:
        return not _captured(work, path)
    except MememError:
        return False  # its own turn tells why


def _readable(sessions: Sessions, path: Path) -> Session | None:
    try:
        return (
            None if not sessions.source.head(path).readable or sessions.source.excludes(path) else sessions.read(path)
        )
    except MememError:
        return None  # its own turn tells why


def _just(found: Part, _read: Session, _scope: Scope) -> list[Part]:
    """An engine that was asked before."""
    return [found]


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
