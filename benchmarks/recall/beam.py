"""BEAM: which message of a long chat with an assistant answers a question.

    python benchmarks/recall/beam.py DATA [--json]

DATA is a folder with one folder for each chat (chat.json, probing_questions.json), or one above, where such folders are
called beam*. A chat's batches are sessions of
the archive, searched as `transcript_search` does: once with the speakers' roles, once with every message as a human's.
Abstention has no answer, and a summary is of everything: their questions are left out.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Answer, Floor, archived, by_group, located, mean, run, table

from memem.sources.events import Event

DEPTHS = (1, 5)
NAMES = ("beam*/**/chat.json", "**/chat.json")
LEFT_OUT = ("abstention", "summarization")


class Message(NamedTuple):
    """What one side said."""

    id: str
    human: bool
    text: str


def chats(path: Path) -> Iterator[tuple[list[list[Message]], list[tuple[str, frozenset[str], str]]]]:
    """The messages by batch, and the questions with what answers them, of every chat below a folder."""
    for file in located(path, *NAMES):
        asked = next(file.parent.rglob("probing_questions.json"), None)
        if asked is None:
            continue
        batches = [list(_messages(batch)) for batch in json.loads(file.read_text(encoding="utf-8"))]
        known = {message.id for batch in batches for message in batch}
        questions = []
        for group, items in json.loads(asked.read_text(encoding="utf-8")).items():
            for item in items:
                right = frozenset(map(str, _numbers(item.get("source_chat_ids")))) & known
                if right and group not in LEFT_OUT:
                    questions.append((item["question"], right, group))
        yield batches, questions


def _messages(part: Any) -> Iterator[Message]:
    if isinstance(part, dict) and "content" in part and "id" in part:
        text = re.sub(r"\s*->->.*$", "", str(part["content"]))
        yield Message(str(part["id"]), part.get("role") == "user", text)
    elif isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _messages(inner)


def _numbers(value: Any) -> Iterator[int]:
    if isinstance(value, int) and not isinstance(value, bool):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _numbers(inner)


def events(session: str, messages: list[Message], *, roles: bool) -> Iterator[Event]:
    """A batch as the archive holds it; without roles every message is a human's turn."""
    for message in messages:
        kind = "prompt" if message.human or not roles else "prose"
        yield Event(kind=kind, text=message.text, session=session, uuid=message.id)
        yield Event(kind="boundary", text="", session=session, uuid=f"{message.id}.")


def measure(path: Path) -> dict[str, float]:
    """Print the tables; answers the figures."""
    ways: dict[str, list[Answer]] = {"grep": [], "FTS5": [], "memem": [], "memem, no roles": []}
    for batches, questions in chats(path):
        floor = Floor({message.id: message.text for batch in batches for message in batch})
        for name, roles in (("memem", True), ("memem, no roles", False)):
            held = {
                f"batch {number}": list(events(f"batch {number}", batch, roles=roles))
                for number, batch in enumerate(batches)
            }
            with archived(held) as archive:
                for question, right, group in questions:
                    ways[name].append(Answer(archive.turns(question, 5), right, group))
        for question, right, group in questions:
            ways["grep"].append(Answer(floor.grep(question, 5), right, group))
            ways["FTS5"].append(Answer(floor.search(question, 5), right, group))
    table("BEAM, messages", ways, DEPTHS)
    by_group(ways["memem"], 5)
    return {
        "message_r5": mean([answer.recall(5) for answer in ways["memem"]]),
        "message_r5_no_role": mean([answer.recall(5) for answer in ways["memem, no roles"]]),
    }


if __name__ == "__main__":
    run(__doc__, measure, sys.argv[1:])
