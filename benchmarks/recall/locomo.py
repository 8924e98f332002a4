"""LoCoMo: which turn, and which session, of long conversations between two people answers a question.

    python benchmarks/recall/locomo.py DATA [--json]

DATA is the published JSON file, the folder that holds it, or the folder above that. Every utterance is a human's turn
in a session of the archive, searched as `transcript_search` does; what is right are the dialogue ids that the
question's evidence names.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Answer, Floor, NotThere, archived, by_group, located, mean, run, table

from memem.sources.events import Event

GROUPS = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
DEPTHS = (1, 5, 10)
NAMES = ("locomo*.json", "*.json")


class Conversation(NamedTuple):
    """Utterances by session, each with its id and text, and the questions with what answers them.

    `statements` are what the data itself notes about the utterances, with the ids of those.
    """

    sessions: dict[str, dict[str, str]]
    dates: dict[str, str]
    questions: list[tuple[str, frozenset[str], str]]
    statements: list[tuple[str, frozenset[str]]]


def conversations(path: Path) -> Iterator[Conversation]:
    """The conversations of a file, or of all below a folder."""
    asked = 0
    for file in located(path, *NAMES):
        document = json.loads(file.read_text(encoding="utf-8"))
        for item in document if isinstance(document, list) else [document]:
            if "qa" in item:
                asked += 1
                yield _conversation(item.get("conversation") or item, item["qa"], item.get("observation") or {})
    if not asked:
        raise NotThere(f"{path} holds no LoCoMo: a conversation has its questions as `qa`.")


def _conversation(talk: dict[str, Any], asked: list[dict[str, Any]], noted: dict[str, Any]) -> Conversation:
    sessions, dates = {}, {}
    for name, said in talk.items():
        if re.fullmatch(r"session_\d+", name) and said:
            sessions[name] = {turn["dia_id"]: _text(turn) for turn in said}
            dates[name] = str(talk.get(f"{name}_date_time", ""))
    known = {turn for said in sessions.values() for turn in said}
    questions = []
    for item in asked:
        if right := _named(item.get("evidence")) & known:
            questions.append((item["question"], right, GROUPS.get(item["category"], "?")))
    notes = [note for by_speaker in noted.values() for about in by_speaker.values() for note in about]
    return Conversation(sessions, dates, questions, [(note[0], _named(note[1])) for note in notes])


def _named(ids: Any) -> frozenset[str]:
    """The dialogue ids in a value, in one spelling."""
    return frozenset(f"D{session}:{turn}" for session, turn in re.findall(r"D:?(\d+):0*(\d+)", str(ids)))


def _text(turn: dict[str, str]) -> str:
    caption = f" [image: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
    return f"{turn['speaker']}: {turn.get('text') or turn.get('clean_text') or ''}{caption}"


def _at(date: str) -> str:
    try:
        return datetime.strptime(date, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC).isoformat()
    except ValueError:
        return ""


def events(session: str, said: Mapping[str, str], at: str) -> Iterator[Event]:
    """The session as the archive holds it; the boundaries keep one human's turn from the next one's."""
    for turn, text in said.items():
        yield Event(kind="prompt", text=text, session=session, uuid=turn, at=at)
        yield Event(kind="boundary", text="", session=session, uuid=f"{turn}.", at=at)


def measure(path: Path) -> dict[str, float]:
    """Print the tables; answers the figures."""
    turns: dict[str, list[Answer]] = {"grep": [], "FTS5": [], "memem": []}
    sessions: dict[str, list[Answer]] = {"grep": [], "FTS5": [], "memem": []}
    for talk in conversations(path):
        utterances = {turn: text for said in talk.sessions.values() for turn, text in said.items()}
        session = {turn: name for name, said in talk.sessions.items() for turn in said}
        floor = Floor(utterances)
        whole = Floor({name: "\n".join([talk.dates[name], *said.values()]) for name, said in talk.sessions.items()})
        held = {name: list(events(name, said, _at(talk.dates[name]))) for name, said in talk.sessions.items()}
        with archived(held) as archive:
            for question, right, group in talk.questions:
                there = frozenset(session[turn] for turn in right)
                for ways, gold, floors, product in (
                    (turns, right, floor, archive.turns), (sessions, there, whole, archive.sessions),
                ):  # fmt: skip
                    ways["grep"].append(Answer(floors.grep(question, 10), gold, group))
                    ways["FTS5"].append(Answer(floors.search(question, 10), gold, group))
                    ways["memem"].append(Answer(product(question, 10), gold, group))
    table("LoCoMo, turns", turns, DEPTHS)
    by_group(turns["memem"], 10)
    table("LoCoMo, sessions", sessions, DEPTHS)
    by_group(sessions["memem"], 10)
    return {
        "session_r10": mean([answer.recall(10) for answer in sessions["memem"]]),
        "turn_r10": mean([answer.recall(10) for answer in turns["memem"]]),
    }


if __name__ == "__main__":
    run(__doc__, measure, sys.argv[1:])
