"""Records on a line of a transcript: one, or two that a crash glued together."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator

from memem.sources.records import Record

_BLANK = " \t\r\n\0\ufeff"
_GLUED = ('{"parentUuid":', '{"type":', '{"messageId":')
_MOST_GLUED = 8
_DECODER = json.JSONDecoder(strict=False)  # control characters inside strings are read


def decoded(line: bytes) -> tuple[list[Record], bool]:
    """The records on a line, and whether that was all of it. Two may stand on one line, glued."""
    text = line.decode("utf-8", "replace").strip(_BLANK)
    found: list[Record] = []
    at = 0
    while at < len(text):
        record, end = _one(text, at)
        if record is None:
            last = _last(text, at)
            return ([*found, last] if last else found), False
        found.append(record)
        at = end
        while at < len(text) and text[at] in _BLANK:
            at += 1
    return found, True


def _one(text: str, at: int) -> tuple[Record | None, int]:
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, at
    return (value if isinstance(value, dict) else None), end


def _last(text: str, at: int) -> Record | None:
    """A whole record at the end of a line that begins with half of another one."""
    places = deque(sorted(place for start in _GLUED for place in _places(text, start, at)), maxlen=_MOST_GLUED)
    for place in reversed(places):
        record, end = _one(text, place)
        if record is not None and end == len(text) and isinstance(record.get("sessionId"), str):
            return record
    return None


def _places(text: str, start: str, at: int) -> Iterator[int]:
    """The last places of a text after a position, from behind."""
    end = len(text)
    for _ in range(_MOST_GLUED):
        end = text.rfind(start, at + 1, end)
        if end < 0:
            return
        yield end
