"""Lessons that a careful reader kept of real coding sessions, and which prompts of those sessions they concern.

Read by injection.py from a folder `gold` (JSON: transcript, lessons with text, evidence and keywords) beside a folder
`claude_code` (the transcripts). A prompt counts as related to a lesson of its own session when it is typed with the
lesson's evidence or after it, and its beginning holds two of the lesson's keywords. That is a proxy: nobody has read
whether the lesson would have helped, a prompt that concerns a lesson in other words is not counted, and most of those
counted are the very ones in which the lesson was said, so those typed later are told apart. Keywords are only labels:
they are not in the notes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import find

from memem.sources.claude_code import ClaudeCode
from memem.sources.events import Event
from memem.text import STOP_WORDS, terms

GOLD, TRANSCRIPTS = "gold/*.json", "claude_code/*/*.jsonl"
_READ = 1000  # characters of a prompt, as recall reads it
_KEYWORDS = 2


class Prompt(NamedTuple):
    """A human's prompt, the lessons that it concerns, and whether all of them were known before it."""

    text: str
    right: frozenset[str]
    later: bool


class Project(NamedTuple):
    """The lessons of a project by id, the prompts that one of them concerns, and all that were typed in it."""

    name: str
    lessons: dict[str, str]
    related: list[Prompt]
    prompts: list[str]


def projects(path: Path) -> list[Project]:
    """The projects of the transcripts below a folder or beside it; none where there are no lessons or transcripts."""
    for folder in (path, path.parent):
        gold, transcripts = find(folder, GOLD), find(folder, TRANSCRIPTS)
        if gold and transcripts:
            return _projects(gold, transcripts)
    return []


def _projects(gold: list[Path], transcripts: list[Path]) -> list[Project]:
    found: dict[str, Project] = {}
    labels = {document["transcript"]: document["lessons"] for document in map(_document, gold)}
    source = ClaudeCode(str(transcripts[0].parent.parent))
    for transcript in transcripts:
        name = transcript.parent.name
        project = found.setdefault(name, Project(name, {}, [], []))
        events = list(source.read(transcript))
        lessons = labels.get(f"{name}/{transcript.name}", [])
        project.prompts.extend(event.text for event in events if event.kind == "prompt")
        project.lessons.update({lesson["id"]: lesson["lesson"] for lesson in lessons})
        project.related.extend(_related(events, lessons))
    return list(found.values())


def _document(path: Path) -> dict:  # type: ignore[type-arg]
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _related(events: list[Event], lessons: list[dict]) -> list[Prompt]:  # type: ignore[type-arg]
    place: dict[str, int] = {}
    for at, event in enumerate(events):
        place.setdefault(event.uuid, at)
    found = []
    for at, event in enumerate(events):
        if event.kind != "prompt":
            continue
        said = _words(event.text[:_READ])
        right = {}
        for lesson in lessons:
            cited = [place[record] for record in lesson["evidence"] if record in place]
            held = sum(_words(keyword) <= said for keyword in lesson["keywords"])
            if cited and min(cited) <= at and held >= min(_KEYWORDS, len(lesson["keywords"])):
                right[lesson["id"]] = event.uuid in lesson["evidence"]
        if right:
            found.append(Prompt(event.text, frozenset(right), not any(right.values())))
    return found


def _words(text: str) -> frozenset[str]:
    """The words of a text without the endings of a plural and of the commonest forms of verbs."""
    kept = (word for word in terms(text) if word not in STOP_WORDS)
    return frozenset(word.removesuffix("s").removesuffix("ed").removesuffix("ing").removesuffix("e") for word in kept)
