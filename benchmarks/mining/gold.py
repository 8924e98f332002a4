"""How many of the lessons that a careful reader would keep are mined, and what else is.

    python benchmarks/mining/gold.py TRANSCRIPTS GOLD            the table
    python benchmarks/mining/gold.py TRANSCRIPTS GOLD --json     the same for programs
    python benchmarks/mining/gold.py TRANSCRIPTS GOLD --show N   N random notes, to be read by eye
    python benchmarks/mining/gold.py TRANSCRIPTS GOLD --misses   lessons missed and must-nots stored
    python benchmarks/mining/gold.py TRANSCRIPTS GOLD --model-server [--json]
                                          what the path of a model loses, by scripts (see scripted.py)

TRANSCRIPTS is a folder of Claude Code sessions, GOLD one of labels: per session `lessons` (keywords, evidence) and
`must_not_store` (what, evidence). A lesson is found when one note holds two thirds of its keywords, found with cited
evidence when that note also cites a record within one human turn of the evidence. A must-not is stored when a note
that cites a record within one turn of it holds all the literals it quotes, or two thirds of its words; those that
name no literal and fewer than two words are not counted. The figures are also given for two halves of the sessions,
split by the hash of the file's name: tune by reading one, believe the other.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from memem.mining import sentences  # noqa: E402 - runs from a checkout
from memem.mining.lessons import Lesson  # noqa: E402
from memem.mining.patterns import mine  # noqa: E402
from memem.sources.claude_code import ClaudeCode  # noqa: E402
from memem.sources.events import HUMAN, Event  # noqa: E402

_HALVED = ("lessons_found", "found_with_evidence", "must_nots_stored", "notes", "human_notes")
_PATH = (
    "lessons_found",
    "found_with_evidence",
    "must_nots_stored",
    "notes_citing_right_evidence",
    "notes",
    "length_max",
)
_LITERAL = re.compile(r"[\"“']([^\"”']{2,})[\"”']|(\S*\d\S*|\S+/\S+|\[[^\]]+\])")


class Mined(NamedTuple):
    """One session: its notes, and the number of the human turn that each record belongs to."""

    path: Path
    lessons: list[Lesson]
    turns: dict[str, int]


def main(arguments: list[str]) -> None:
    """Print what was asked for."""
    folders = [Path(argument) for argument in arguments if not argument.startswith("--") and not argument.isdigit()]
    if len(folders) != 2:
        raise SystemExit(__doc__)
    transcripts, gold = folders
    if "--model-server" in arguments:
        _scripted(transcripts, gold, as_json="--json" in arguments)
        return
    started = time.perf_counter()
    mined = {path: _mined(path) for path in sorted(transcripts.rglob("*.jsonl"))}
    seconds = time.perf_counter() - started
    figures = measure(mined, transcripts, gold, "--misses" in arguments)
    for half in (0, 1):
        part = measure({path: one for path, one in mined.items() if _half(path) == half}, transcripts, gold, False)
        figures |= {f"half_{half}_{name}": part[name] for name in _HALVED}
    figures["mb_per_second"] = round(sum(path.stat().st_size for path in mined) / 1e6 / seconds, 1)
    if "--show" in arguments:
        _show(list(mined.values()), int(next(argument for argument in arguments if argument.isdigit())))
    elif "--json" in arguments:
        print(json.dumps(figures, indent=1))
    else:
        for name, value in figures.items():
            print(f"{name:<28} {value}")


def _scripted(transcripts: Path, gold: Path, *, as_json: bool) -> None:
    """A table of all scripts."""
    import scripted

    labels = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(gold.glob("*.json"))]
    turns = {transcripts / label["transcript"]: _mined(transcripts / label["transcript"]).turns for label in labels}
    told = {}
    for name in scripted.SCRIPTS:
        run = scripted.mined(name, transcripts, labels)
        notes = [(note, Lesson(content=note.lesson, kind=note.kind, evidence=note.evidence)) for note in run.notes]
        mined = {
            path: Mined(path, [lesson for note, lesson in notes if not of.keys().isdisjoint(note.evidence)], of)
            for path, of in turns.items()
        }
        told[name] = {key: value for key, value in measure(mined, transcripts, gold, False).items() if key in _PATH}
        told[name] |= run.figures
    if as_json:
        print(json.dumps(told, indent=1))
        return
    print(f"{'':<28} " + " ".join(f"{name:>22}" for name in told))
    for figure in told["perfect"]:
        print(f"{figure:<28} " + " ".join(f"{told[name][figure]:>22}" for name in told))


def measure(mined: dict[Path, Mined], transcripts: Path, gold: Path, misses: bool) -> dict[str, Any]:
    """All figures; with `misses` the cases behind them are printed."""
    lessons, found, strict, human, human_found, notes_right, notes_labelled = 0, 0, 0, 0, 0, 0, 0
    forbidden, stored = 0, 0
    for path in sorted(gold.glob("*.json")):
        label = json.loads(path.read_text(encoding="utf-8"))
        session = mined.get(transcripts / label["transcript"])
        if session is None:
            continue
        right: set[int] = set()
        for lesson in label["lessons"]:
            holding = [at for at, note in enumerate(session.lessons) if _holds(note.content, lesson["keywords"])]
            citing = [at for at in holding if _near(session, session.lessons[at], lesson["evidence"])]
            right.update(citing)
            lessons, found, strict = lessons + 1, found + bool(holding), strict + bool(citing)
            human += lesson["human_evidence"]
            human_found += lesson["human_evidence"] and bool(holding)
            if misses and not citing:
                print(f"{'weak' if holding else 'MISS'} {lesson['lesson']} {lesson['keywords']}")
        for entry in label["must_not_store"]:
            verdict = [_stores(session, note, entry) for note in session.lessons]
            if _literals(entry["what"]) or len(sentences.words(entry["what"])) > 1:
                forbidden, stored = forbidden + 1, stored + any(verdict)
            if misses and any(verdict):
                print(f"STORED {entry['what']} | {session.lessons[verdict.index(True)].content}")
        notes_right, notes_labelled = notes_right + len(right), notes_labelled + len(session.lessons)
    counts = [len(session.lessons) for session in mined.values()]
    sizes = [len(note.content) for session in mined.values() for note in session.lessons] or [0]
    return {
        "lessons_found": _share(found, lessons),
        "found_with_evidence": _share(strict, lessons),
        "human_lessons_found": _share(human_found, human),
        "must_nots_stored": _share(stored, forbidden),
        "notes_citing_right_evidence": _share(notes_right, notes_labelled),
        "notes": sum(counts),
        "human_notes": sum(note.human for session in mined.values() for note in session.lessons),
        "sessions": len(counts),
        "notes_per_session_median": statistics.median(counts),
        "notes_per_session_max": max(counts),
        "sessions_without_notes": counts.count(0),
        "length_median": statistics.median(sizes),
        "length_max": max(sizes),
    }


def _half(path: Path) -> int:
    return hashlib.sha256(path.name.encode()).digest()[-1] % 2


def _mined(path: Path) -> Mined:
    turns: dict[str, int] = {}

    def counted() -> Iterator[Event]:
        turn = 0
        for event in ClaudeCode().read(path):
            turn += event.kind in HUMAN
            turns.setdefault(event.uuid, turn)
            yield event

    return Mined(path, mine(counted()), turns)


def _holds(text: str, keywords: Sequence[str]) -> bool:
    text = " ".join(text.lower().split())
    return sum(word.lower() in text for word in keywords) >= len(keywords) * 2 / 3


def _near(session: Mined, note: Lesson, evidence: Sequence[str]) -> bool:
    """Whether the note cites a record within one human turn of the evidence."""
    cited = [session.turns[uuid] for uuid in note.evidence if uuid in session.turns]
    right = [session.turns[uuid] for uuid in evidence if uuid in session.turns]
    return any(abs(a - b) <= 1 for a in cited for b in right) or bool(set(note.evidence) & set(evidence))


def _literals(what: str) -> list[str]:
    return [(quoted or token).strip("….,;()").lower() for quoted, token in _LITERAL.findall(what)]


def _stores(session: Mined, note: Lesson, entry: dict[str, Any]) -> bool:
    text = note.content.lower()
    literals = _literals(entry["what"])
    if not _near(session, note, entry["evidence"]):
        return False
    if literals:
        return all(literal in text for literal in literals)
    asked = sentences.words(entry["what"])
    return len(asked) > 1 and len(asked & sentences.words(text)) >= len(asked) * 2 / 3


def _share(part: int, whole: int) -> str:
    """A share with its Wilson interval of 95 %."""
    if not whole:
        return "–"
    z, p = 1.96, part / whole
    centre, spread = p + z * z / (2 * whole), z * math.sqrt(p * (1 - p) / whole + z * z / (4 * whole * whole))
    low, high = (abs(centre + sign * spread) / (1 + z * z / whole) for sign in (-1, 1))
    return f"{p:.0%} ({part}/{whole}; {low:.0%}-{high:.0%})"


def _show(mined: Sequence[Mined], count: int) -> None:
    notes = [(session, note) for session in mined for note in session.lessons]
    for session, note in random.Random(7).sample(notes, min(count, len(notes))):
        who = "human" if note.human else "agent"
        print(f"\n{session.path.parent.name}/{session.path.stem[:8]} {who} {note.kind} {note.score:.1f} {note.reasons}")
        print(f"  {note.content}")


if __name__ == "__main__":
    main(sys.argv[1:])
