"""Turns: what one side said, the human, or the agent with what it did; and the words that they are searched by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from memem.sources.events import HUMAN, Event
from memem.text import terms

LONGEST = 12_000  # characters of a turn; a longer one is continued by the next
_SAID = (*HUMAN, "prose", "plan", "commit")
_NOBODY = "boundary"
_SPEAKER = 40  # characters in which a text may name who says it, as in "Ann Lee: Hello"


def in_turns(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Events cut into turns: where the other side speaks, behind an interruption, and where one grows too long."""
    turn: list[Event] = []
    size = 0
    for event in events:
        begins = event.kind != _NOBODY and turn and _side(event) != _side(turn[-1])
        if turn and (begins or size + len(event.text) > LONGEST):
            yield turn
            turn, size = [], 0
        turn.append(event)
        size += len(event.text)
    if turn:
        yield turn


def _side(event: Event) -> str:
    if event.kind == _NOBODY:
        return _NOBODY
    return "human" if event.kind in HUMAN else "agent"


def columns_of(turn: Sequence[Event]) -> tuple[str, str, str]:
    """What a turn is searched by: the terms of what was said and of what was done, and the names of who says so."""
    said = [event.text for event in turn if event.kind in _SAID]
    done = [event.text for event in turn if event.kind not in (*_SAID, _NOBODY)]
    done += dict.fromkeys(part for event in turn for part in (event.path, event.tool) if part)
    return _terms(said), _terms(done), _terms(filter(None, map(_speaker, said)))


def _speaker(text: str) -> str:
    """The name before a text, as chats are exported."""
    name, colon, _ = text[:_SPEAKER].partition(": ")
    words = name.split(" ")
    return name if colon and len(words) <= 3 and all(word.isalpha() and word.istitle() for word in words) else ""


def _terms(texts: Iterable[str]) -> str:
    return " ".join(term for text in texts for term in terms(text))


def event_key(event: Event) -> int:
    """What an event is known by, whichever file it is copied into."""
    said = "\0".join((event.uuid or event.session, event.kind, event.path, event.text))
    return int.from_bytes(hashlib.sha256(said.encode("utf-8", "replace")).digest()[:8], "big", signed=True)
