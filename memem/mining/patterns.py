"""Durable lessons of a session by patterns and structure, without a model; nothing rather than noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from memem.ingest import likeness
from memem.mining import artifacts, dialogue, exchanges, prose, sentences
from memem.mining.exchanges import Session
from memem.mining.lessons import LONGEST, Lesson
from memem.mining.marks import REVERSES, RULED_OUT, SPECIFIC
from memem.sources.events import Event

MOST = 12
_SHORTEST, _SHORTEST_GUESS = 30, 60
_MERGED, _MOST_EVIDENCE = 0.65, 8
_REVERSED = 2  # words shared with a change of plan
_SAME = 0.5  # of the shorter text's words
# What a lesson of each finder needs to be kept; the dirtier the source, the more.
THRESHOLDS = {
    "exchange": 2.6,
    "question": 2.4,
    "error": 2.0,
    "cause": 2.5,
    "prose": 2.6,
    "commit": 3.0,
    "answer": 2.5,
    "plan": 2.5,
    "document": 2.0,
}
_PURPOSE = {"rule", "preference", "identity", "choice", "decision", "correction"}
_MOMENTARY = {"exchange", "reason", "fact", "question", "proposal", "hedge", "request", "outcome", "one-off"}
FINDERS: tuple[Callable[[Session], Iterator[Lesson]], ...] = (
    dialogue.exchanges,
    prose.causes,
    artifacts.commits,
    artifacts.answers,
    artifacts.plans,
    artifacts.documents,
    prose.findings,
)


def mine(events: Iterable[Event]) -> list[Lesson]:
    """The lessons of one session in the order of its records, at most twelve."""
    session = exchanges.read(events)
    found = [lesson for finder in FINDERS for lesson in finder(session)]
    for step in STEPS:
        found = step(session, found)
    return found


def strong(session: Session, found: list[Lesson]) -> list[Lesson]:
    """Without what is too weak for its source, too short or too long."""
    return [
        lesson
        for lesson in found
        if lesson.score >= _least(session, lesson)
        and (_SHORTEST if lesson.human else _SHORTEST_GUESS) <= sentences.length(lesson.content) <= LONGEST
    ]


def _least(session: Session, lesson: Lesson) -> float:
    least = THRESHOLDS[lesson.reasons[0]]
    if lesson.human and not {"rule", "preference", "identity", "choice", "decision", "correction"}.isdisjoint(
        lesson.reasons
    ):
        return least - 0.6
    alone = len(lesson.evidence) == 1
    if lesson.reasons[0] == "exchange" and set(lesson.reasons) <= _MOMENTARY | (
        {"directive", "narration"} if alone else set()
    ):
        return least + 0.6
    # What is noise in another language the cues seldom see.
    return least + 1.5 * (not session.english and lesson.reasons[0] in ("prose", "cause", "question"))


def standing(session: Session, found: list[Lesson]) -> list[Lesson]:
    """Without what a later turn took back, by name or as a change of plan, or a later sentence ruled out."""
    places = _places(session)
    denied = [
        (said.at, _names(said.text))
        for exchange in session.exchanges
        for said in exchange.said
        if RULED_OUT.search(said.text)
    ]
    plans = [
        (exchange.start, exchange.words)
        for exchange in session.exchanges
        if any(REVERSES.search(sentence.text) for sentence in exchange.turn.own)
    ]

    def holds(lesson: Lesson) -> bool:
        first, last = _first(places, lesson), _last(places, lesson)
        if session.takes_back(lesson.content, first):
            return False
        if lesson.reasons[0] in ("exchange", "answer"):
            words = sentences.words(lesson.content)
            if any(place > last and len(words & new) >= _REVERSED for place, new in plans):
                return False
        names = _names(lesson.content)
        if lesson.human:
            return True  # an agent does not rule out what a human said
        return not names or not any(place > last and len(names & gone) >= min(2, len(names)) for place, gone in denied)

    return [lesson for lesson in found if holds(lesson)]


def distinct(session: Session, found: list[Lesson]) -> list[Lesson]:
    """Of lessons that share most words the better one, and of a statement and its correction the later one."""
    places = _places(session)
    kept: list[tuple[Lesson, frozenset[str]]] = []
    for lesson in sorted(found, key=lambda lesson: -lesson.score):
        ours = sentences.words(lesson.content)
        rivals = [
            at
            for at, (other, theirs) in enumerate(kept)
            if len(ours & theirs) > _SAME * max(1, min(len(ours), len(theirs)))
            and not _siblings(lesson, other)
            and (other.human or not lesson.human)  # a guess does not stand for a human's words
        ]
        if not rivals:
            kept.append((lesson, ours))
            continue
        for at in rivals:
            other = kept[at][0]
            later = _first(places, lesson) > _first(places, other)
            if later and lesson.human and likeness.compare(lesson.content, other.content) == likeness.CORRECTION:
                kept[at] = (lesson, ours)
                break
            if len(ours & kept[at][1]) > _MERGED * min(len(ours), len(kept[at][1])):
                evidence = tuple(dict.fromkeys((*other.evidence, *lesson.evidence)))[:_MOST_EVIDENCE]
                kept[at] = (other.replace(evidence=evidence), kept[at][1])
    return [lesson for lesson, _ in kept]


def _siblings(one: Lesson, other: Lesson) -> bool:
    """Whether both are paragraphs of one commit message: they share its subject."""
    return one.reasons[0] == other.reasons[0] == "commit" and one.evidence == other.evidence


def few(session: Session, found: list[Lesson]) -> list[Lesson]:
    """The best twelve, in the order of the session."""
    places = _places(session)
    best = sorted(found, key=lambda lesson: -lesson.score)[:MOST]
    return sorted(best, key=lambda lesson: _first(places, lesson))


STEPS: tuple[Callable[[Session, list[Lesson]], list[Lesson]], ...] = (strong, standing, distinct, few)


def _places(session: Session) -> dict[str, int]:
    return {
        event.uuid: exchange.start + at for exchange in session.exchanges for at, event in enumerate(exchange.events)
    }


def _first(places: dict[str, int], lesson: Lesson) -> int:
    return min((places.get(uuid, 0) for uuid in lesson.evidence), default=0)


def _last(places: dict[str, int], lesson: Lesson) -> int:
    return max((places.get(uuid, 0) for uuid in lesson.evidence), default=0)


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip("`") for name in SPECIFIC.findall(text))
