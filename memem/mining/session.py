"""One session from transcript to notes. The offset moves only when every note up to it is durable.

An engine turns a session into parts: the patterns answer with one, a model with one for each piece it was asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from memem.errors import BadInput, NotFound
from memem.ingest.gate import Gate
from memem.mining.echoes import Echoes
from memem.mining.lessons import to_draft
from memem.mining.patterns import mine
from memem.models import Draft, Outcome, Scope
from memem.sources.claude_code import ClaudeCode, fingerprint, is_same, line_start
from memem.sources.events import Event
from memem.sources.recalled import Recalled, recalled
from memem.state.store import State
from memem.value import Value

# One run over a session may be wrong about everything: what it would replace beyond this (or a tenth of the project) is
# kept beside, and `memem conflicts` asks a human.
MOST_REPLACED = 5

# A session is read whole, because a lesson of its new part may need what was said before; a huge one in windows.
WINDOW_BYTES = 48_000_000
CONTEXT_BYTES = 16_000_000
_MARK, _SHORTEST_SECRET = "[REDACTED:secret]", 6


class Session(Value):
    """A transcript as read: its events, the byte offset at which the line of each begins, and what is new."""

    path: str
    identity: str
    session: str
    start: int  # everything before it was mined
    offset: int  # end of the last complete line, or of the window
    folder: str = ""
    events: tuple[Event, ...] = ()
    places: tuple[int, ...] = ()
    recalled: tuple[Recalled, ...] = ()  # what memem said in it, of all the file
    earlier: bool = False  # the start is where a published memem ended
    more: bool = False  # the window ended before the file
    unknown: Mapping[str, int] = {}
    skipped: int = 0

    @property
    def known(self) -> frozenset[str]:
        """Uuids of the records that were mined before."""
        return frozenset(
            event.uuid for event, place in zip(self.events, self.places, strict=True) if place < self.start
        )

    @property
    def echoes(self) -> Echoes:
        """What tells a repetition of what memem said from a lesson."""
        return Echoes(self.events, self.places, self.recalled)


class Part(Value):
    """What an engine found in the bytes from `start` to `end`; with `lost` it gives them up, and says why."""

    start: int
    end: int
    drafts: tuple[Draft, ...] = ()
    summary: tuple[tuple[str, tuple[str, ...]], ...] = ()  # headings with their lines
    lost: str = ""


# Turns the new part of a session into drafts, in order; each part is saved before the next is asked for.
Engine = Callable[[Session, Scope], Iterable[Part]]
# Called when the notes of a part are durable, with how many notes the run has replaced by then.
Commit = Callable[[Session, Part, int], None]


class Mined(Value):
    """What came of one session: an outcome for each lesson."""

    path: str
    session: str
    outcomes: tuple[Outcome, ...] = ()
    refused: tuple[str, ...] = ()  # lessons that the gate found out of bounds
    echoed: int = 0  # lessons that only repeat what memem said in the session
    unknown: Mapping[str, int] = {}
    skipped: int = 0
    unchanged: bool = False
    earlier: bool = False  # what was not mined now, a published memem had mined

    @property
    def new(self) -> tuple[Outcome, ...]:
        """What was not known."""
        return tuple(outcome for outcome in self.outcomes if outcome.action != "skipped")

    @property
    def replaced(self) -> int:
        """How many notes it replaced."""
        return sum(len(outcome.replaced) for outcome in self.outcomes)

    def joined(self, later: Mined) -> Mined:
        """This and what came of a later window of the same session."""
        return self.replace(
            outcomes=(*self.outcomes, *later.outcomes),
            refused=(*self.refused, *later.refused),
            echoed=self.echoed + later.echoed,
            unknown=later.unknown,
            skipped=later.skipped,
            unchanged=self.unchanged and later.unchanged,
        )


def patterns(read: Session, _: Scope) -> Iterator[Part]:
    """The engine without a model. Only lessons that stand on something new are offered."""
    known = read.known
    new = (lesson for lesson in mine(read.events) if not set(lesson.evidence) <= known)
    yield Part(start=read.start, end=read.offset, drafts=tuple(to_draft(lesson, read.session) for lesson in new))


def read_session(
    source: ClaudeCode, path: Path, state: State | None, *, after: int | None = None, earlier: int = 0
) -> Session:
    """Read a transcript: what is new since the last time, or behind the offset `after`, and what stands before it.

    `earlier` bytes were mined by a published memem.

    Raises:
        NotFound, Unavailable: the file is gone, or cannot be read.
    """
    name = str(path.resolve())
    identity, start = state.offset(name) if state else ("", 0)
    if not is_same(path, identity, start):  # new, or another file in its place
        start = 0
    by_us, start = bool(start) or after is not None, (start or earlier) if after is None else after
    if start and path.stat().st_size <= start:  # it did not grow
        known = not by_us
        return Session(path=name, identity=identity, session=path.stem, start=start, offset=start, earlier=known)
    identity = fingerprint(path)  # before it is read: one that is replaced meanwhile is read anew next time
    reading = source.read(path, line_start(path, start - CONTEXT_BYTES))
    events: list[Event] = []
    places: list[int] = []
    more = False
    for event in reading:
        more = reading.offset >= start + WINDOW_BYTES
        if more:
            break
        events.append(event)
        places.append(reading.offset)  # where the event's line begins
    return Session(
        path=name,
        identity=identity,
        session=next((event.session for event in events if event.session), path.stem),
        folder=next((event.folder for event in events if event.folder), ""),
        events=tuple(events),
        places=tuple(places),
        recalled=recalled(path),
        start=start,
        offset=reading.offset,
        earlier=bool(start) and not by_us,
        more=more,
        unknown=dict(reading.unknown),
        skipped=reading.skipped,
    )


def mine_session(
    read: Session,
    gate: Gate,
    scope: Scope,
    commit: Commit,
    *,
    engine: Engine = patterns,
    dry_run: bool = False,
    replaced: int = 0,
) -> Mined:
    """Offer what an engine finds in a session to the gate; `commit` each part once its notes are durable.

    `replaced` notes the same run has replaced before, in an earlier window or before it was interrupted.

    What the agent only repeats of what memem told it is not offered: it would be a second note, or confirm a guess.

    Raises:
        VaultUnavailable, NotReady: a lesson could not be made durable; its part was not committed.
    """
    mined = Mined(
        path=read.path, session=read.session, unknown=read.unknown, skipped=read.skipped, earlier=read.earlier
    )
    if read.offset <= read.start:
        return mined.replace(unchanged=True)
    outcomes: list[Outcome] = []
    refused: list[str] = []
    echoed = 0
    echoes = read.echoes
    most = min(MOST_REPLACED, max(gate.live_in(scope) // 10, 1))
    for part in engine(read, scope):
        for draft in _safe(part.drafts, read.events, gate):
            if echoes.holds(draft.content, draft.evidence):
                echoed += 1
                continue
            try:
                outcome = _offered(gate, draft, scope, dry_run=dry_run, most=max(most - replaced, 0))
            except BadInput as error:
                refused.append(str(error))
            else:
                outcomes.append(outcome)
                replaced += len(outcome.replaced)
        if not dry_run:
            commit(read, part, replaced)
    return mined.replace(outcomes=tuple(outcomes), refused=tuple(refused), echoed=echoed)


def _safe(drafts: Sequence[Draft], events: Sequence[Event], gate: Gate) -> Iterator[Draft]:
    """The drafts without the secrets of what they were learned from: a sentence may have lost what tells them."""
    wanted = {record for draft in drafts for record in draft.evidence}
    texts: dict[str, list[str]] = {}
    for event in events if wanted else ():
        if event.uuid in wanted:
            texts.setdefault(event.uuid, []).append(event.text)
    secrets = {
        record: {
            piece for text in said for secret in gate.redact(text, "").taken for piece in (secret, *secret.split())
        }
        for record, said in texts.items()
    }
    for draft in drafts:
        content = draft.content
        for secret in {piece for record in draft.evidence for piece in secrets.get(record, ())}:
            if len(secret) >= _SHORTEST_SECRET and not secret.isalpha():
                content = content.replace(secret, _MARK)
        yield draft if content == draft.content else draft.replace(content=content)


def _offered(gate: Gate, draft: Draft, scope: Scope, *, dry_run: bool, most: int) -> Outcome:
    try:
        return gate.ingest(draft, scope, dry_run=dry_run, most=most)
    except NotFound:  # what it replaces was deleted a moment ago
        return gate.ingest(draft.replace(supersedes=()), scope, dry_run=dry_run, most=most)
