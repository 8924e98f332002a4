"""What memem told the agents of a session: text that hooks injected, answers of its tools and of its commands.

No reader of events ever sees these texts. They are read on their own, to know a repetition when the agent makes one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from memem.errors import NotFound, Unavailable
from memem.sources import words
from memem.sources.claude_code import records_on
from memem.value import Value

_OURS = b"memem"  # stands in every line that holds our markers, or a call of one of our tools
_MOST_CALLS = 200  # whose answer has not come
_LONGEST = 100_000  # characters of one answer


class Recalled(Value):
    """A text that an agent was told, and the byte offset of its line, or of the line that asked for it."""

    text: str
    place: int = -1  # told to another agent of the session: before all that this one said


def recalled(path: Path) -> tuple[Recalled, ...]:
    """All that memem told in a session, each text once, where it was told first.

    Of the main thread this is what its sub-agents were told too, of a sub-agent what the main thread was.

    Raises:
        NotFound, Unavailable: the file is gone, or cannot be read.
    """
    found: dict[str, int] = {}
    for relative in _relatives(path):
        try:
            found.update((told.text, -1) for told in _told(relative))
        except (NotFound, Unavailable):
            continue  # it went away
    for told in _told(path):
        found.setdefault(told.text, told.place)
    return tuple(Recalled(text=text, place=place) for text, place in found.items())


def _relatives(path: Path) -> list[Path]:
    if path.parent.name == "subagents":
        return [path.parent.parent.with_suffix(".jsonl")]
    return sorted((path.with_suffix("") / "subagents").glob("*.jsonl"))


def _told(path: Path) -> Iterator[Recalled]:
    # Ours without an answer, and where they stand: a fork may write what was said of an answer before the answer.
    calls: dict[str, int] = {}

    def wanted(line: bytes) -> bool:
        return _OURS in line or any(name.encode("utf-8", "replace") in line for name in calls)

    for place, record in records_on(path, wanted):
        for block in _blocks(record):
            kind = block.get("type")
            if kind == "tool_use" and _is_ours(block) and len(calls) < _MOST_CALLS:
                calls[str(block.get("id"))] = place
            elif kind == "tool_result" and (asked := calls.pop(str(block.get("tool_use_id")), None)) is not None:
                yield Recalled(text=_answer(block.get("content"))[:_LONGEST], place=asked)
        if record.get("type") != "assistant":
            marked = (text for string in _strings(record) if "memem-" in string for text in words.injected(string))
            yield from (Recalled(text=text, place=place) for text in marked)


def _answer(content: Any) -> str:
    blocks = content if isinstance(content, list) else [{"text": content}]
    texts = (block.get("text") for block in blocks if isinstance(block, dict))
    return "\n".join(text for text in texts if isinstance(text, str))


def _is_ours(call: dict[str, Any]) -> bool:
    given = call.get("input")
    fields = given if isinstance(given, dict) else {}
    named = next((fields[name] for name in ("command", "file_path", "path") if isinstance(fields.get(name), str)), "")
    return words.is_of_memem(str(call.get("name")), named)


def _blocks(value: Any) -> Iterator[dict[str, Any]]:
    """Calls and results anywhere in a record: those of sub-agents stand deep inside in records of older clients."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if one.get("type") in ("tool_use", "tool_result"):
                yield one
            else:
                waiting.extend(reversed(one.values()))
        elif isinstance(one, list):
            waiting.extend(reversed(one))


def _strings(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting.extend(reversed(one.values()))
        elif isinstance(one, list):
            waiting.extend(reversed(one))
