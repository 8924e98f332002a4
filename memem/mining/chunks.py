"""The new part of a session in pieces that a model can read: numbered turns as JSON lines, secrets taken out.

JSON lines keep the session's words inside their strings: nothing that was said can end the frame around it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import count

from memem.mining.session import Session
from memem.sources.events import HUMAN, Event
from memem.text import cut
from memem.value import Value

CHUNK_CHARACTERS = 60_000  # about 15,000 tokens
# How much of a turn is told, by kind: a human's words matter most, output of tools least.
LENGTHS = {
    "prompt": 6000, "feedback": 3000, "answer": 3000, "plan": 4000, "prose": 2500, "commit": 1500,
    "command": 300, "edit": 600, "result": 300, "boundary": 80,
}  # fmt: skip
_FAILED_LENGTH = 700
_AROUND = 60  # characters of a line besides its text


class Turn(Value):
    """One event as the model sees it: its number in the session, and what is told of it."""

    number: int
    event: Event
    text: str
    place: int
    session: int = 0  # among several that are asked about together


class Chunk(Value):
    """Turns that stand in the bytes from `start` to `end` of a transcript."""

    turns: tuple[Turn, ...]
    start: int
    end: int

    @property
    def uuids(self) -> dict[int, str]:
        """The record behind each turn's number."""
        return {turn.number: turn.event.uuid for turn in self.turns}


def chunks(read: Session, redact: Callable[[str], str], size: int = CHUNK_CHARACTERS) -> Iterator[Chunk]:
    """The events after the session's start, in chunks of about `size` characters; together they reach its end."""
    taken: list[Turn] = []
    length, start = 0, read.start
    for number, (event, place) in enumerate(zip(read.events, read.places, strict=True)):
        if place < read.start or not event.text.strip():
            continue
        turn = Turn(number=number, event=event, text=_told(event, redact), place=place)
        # A human's turn is where a topic may end; lines are never parted, because the offset moves by lines.
        full = length + len(turn.text) > size or (length > size * 0.7 and event.kind in HUMAN)
        if taken and full and place > taken[-1].place:
            yield Chunk(turns=tuple(taken), start=start, end=place)
            taken, length, start = [], 0, place
        taken.append(turn)
        length += len(turn.text) + _AROUND
    if taken:
        yield Chunk(turns=tuple(taken), start=start, end=read.offset)


def joined(pieces: Sequence[Chunk]) -> list[Chunk]:
    """Chunks of several sessions with numbers that tell all their turns apart, to be asked about together."""
    numbers = count()
    return [
        piece.replace(turns=tuple(turn.replace(number=next(numbers), session=place) for turn in piece.turns))
        for place, piece in enumerate(pieces, 1)
    ]


def halves(chunk: Chunk) -> tuple[Chunk, ...]:
    """The two halves of a chunk, or nothing when all its turns stand on one line."""
    places = sorted({turn.place for turn in chunk.turns})
    if len(places) < 2:
        return ()
    middle = places[len(places) // 2]
    return (
        Chunk(turns=tuple(turn for turn in chunk.turns if turn.place < middle), start=chunk.start, end=middle),
        Chunk(turns=tuple(turn for turn in chunk.turns if turn.place >= middle), start=middle, end=chunk.end),
    )


def render(chunk: Chunk) -> str:
    """The chunk as JSON lines: number, who speaks, what was said or done."""
    return "\n".join(json.dumps(_line(turn), ensure_ascii=False) for turn in chunk.turns)


def _line(turn: Turn) -> dict[str, object]:
    event = turn.event
    who = "human" if event.kind in HUMAN and not event.agent else "tool" if event.kind == "result" else "agent"
    about = {"file": event.path} if event.path else {}
    failed = {"failed": True} if event.failed else {}
    session = {"session": turn.session} if turn.session else {}
    return {"n": turn.number, **session, "who": who, "what": event.kind, **about, **failed, "text": turn.text}


def _told(event: Event, redact: Callable[[str], str]) -> str:
    length = _FAILED_LENGTH if event.failed else LENGTHS.get(event.kind, 300)
    # Cut after the redaction: half a secret is one that no rule knows. Far more than is told need not be looked at.
    return cut(redact(event.text[: length * 4]), length)
