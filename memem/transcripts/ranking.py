"""How turns and sessions are ranked: every signal by name with its weight in one table, then the arithmetic.

What a turn is about stands in the turns around it as often as in itself, so each counts with its neighbours. The
weights were set on a part of public conversations (benchmarks/recall) and are the same for all questions.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from math import exp, log
from operator import add

from memem.dates import When
from memem.value import Value

WEIGHTS = {
    "words": 1.0,  # of the turn itself, as BM25 counts them
    "neighbours": 2.5,  # the words of the turns around it, nearer ones more
    "said": 1.0,  # a word that was said
    "done": 0.5,  # a word of what the agent did, against one that was said
    "branch": 1.0,  # a word of a branch's name, where sessions are ranked
    "human": 2.0,  # a human's turn, against the agent's
    "speaker": 1.3,  # a turn of the one speaker whom the question names
    "brevity": 0.3,  # what a turn of few words loses
    "date": 1.0,  # a turn of the day that the question names: so much of the best score; of its month half
    "turns": 2.0,  # a session's turns: the best of them count, several good ones more than one
    "whole": 1.0,  # a session's words, as BM25 counts them in the session as one document
    "opening": 2.0,  # a session's first turn, which tells what it was for
    "same branch": 0.6,  # of the best session of a session's branch
    "same files": 0.5,  # of each of the best sessions that changed the same files
    "recency": 2.0,  # a session of now: so much of the best score, when the newest are asked for
}
BESIDE = 0.3  # of the best evidence: what a turn needs that holds none of the words itself
SMALL_TALK = 3  # words; a turn of fewer that holds none of those asked for answers nothing
NEAR = 4  # turns before and behind that are neighbours
SPREAD = 1000  # turns of the rarest words, whose neighbours count: those of commoner words are neighbours by chance
MOST = 400  # turns that are looked at one by one
Traces = Mapping[int, frozenset[int]]  # what each session has left, as `transcripts.traces` notes it
_SATURATION, _LENGTH = 1.2, 0.9
_AROUND_SATURATION, _DECAY = 0.8, 0.7
_SHARES = tuple(_DECAY ** abs(away) for away in range(-NEAR, NEAR + 1))
_LONG = 80  # words from which on a neighbour's count for less
_BRIEF = 2.5  # logarithm of the words of a turn that is no longer brief
_SESSION_LENGTH = 0.75
_SHARPNESS = 8.0
_HALF_LIFE = 86_400.0  # seconds
_BEST = 20  # sessions whose files are compared
_NEAREST = 3  # of them count for a session


class Word(Value):
    """A word of a question: the turns that hold it with the number of their words, and what it counts."""

    rows: tuple[tuple[int, int], ...]
    weight: float = 1.0


class Row(Value):
    """A turn among others: its number, which is that of its neighbours by one more or less, and what it is like."""

    row: int
    words: int
    at: str
    human: bool


def evidence(words: Iterable[Word], turns: int, average: float) -> dict[int, float]:
    """What the words tell for each turn or its neighbours, in nats: all of them once, in a short turn, is their sum.

    `turns` is how many there are, `average` how many words one has. Numbers that no turn has may be among those told.
    """
    total: dict[int, float] = {}
    told = total.get
    whole = WEIGHTS["words"] + WEIGHTS["neighbours"]
    looked = 0
    for word in words:
        held = len(word.rows)
        looked += held
        information = word.weight * log(1 + (turns - held + 0.5) / (held + 0.5)) / whole
        own = information * WEIGHTS["words"] * (_SATURATION + 1)
        for row, length in word.rows:
            density = 1 / (1 - _LENGTH + _LENGTH * length / average)
            total[row] = told(row, 0.0) + own * density / (density + _SATURATION)
        if looked > SPREAD and looked > held:
            continue
        around = information * WEIGHTS["neighbours"] * (_AROUND_SATURATION + 1)
        for first, stretch in _around(word.rows):
            for row, density in enumerate(stretch, first):
                total[row] = told(row, 0.0) + around * density / (density + _AROUND_SATURATION)
    return total


def _around(rows: Iterable[tuple[int, int]]) -> Iterator[tuple[int, list[float]]]:
    """How densely a word stands around turns, in stretches of neighbours: the first turn's number, and one for each.

    Most of a search is this: lists are added up in half the time of numbers one by one.
    """
    beside: dict[int, list[float]] = {}  # a turn of that length, and what it is for its neighbours
    first, stretch = 0, list[float]()
    for row, length in sorted(rows):
        near = beside.get(length)
        if near is None:
            near = beside[length] = [share / (0.5 + length / _LONG) for share in _SHARES]
        at = row - NEAR - first
        if stretch and at < len(stretch):
            shared = len(stretch) - at
            stretch[at:] = [*map(add, stretch[at:], near), *near[shared:]]
            continue
        if stretch:
            yield first, stretch
        first, stretch = row - NEAR, near[:]
    if stretch:
        yield first, stretch


def likeliest(told: Mapping[int, float], holding: Container[int]) -> list[int]:
    """The turns that are worth a look. One that holds none of the words has to be among the best: it answers what
    stands beside it, or is small talk."""
    least = BESIDE * max(told.values(), default=0.0)
    found = {row: score for row, score in told.items() if row in holding or score >= least}
    return heapq.nlargest(MOST, found, key=found.__getitem__)


def rank(told: Mapping[int, float], rows: Iterable[Row], spoken: frozenset[int], when: When | None) -> dict[int, float]:
    """The scores of turns: what the words tell for them, by who said it, how briefly, and when.

    `spoken` are the turns of the speaker whom the question names, `when` is the time that it does.
    """
    scores: dict[int, float] = {}
    for row in rows:
        score = told.get(row.row, 0.0) * (WEIGHTS["human"] if row.human else 1.0)
        score *= WEIGHTS["speaker"] if row.row in spoken else 1.0
        scores[row.row] = score * (1 + WEIGHTS["brevity"] * min(0.0, log(max(row.words, 2)) - _BRIEF))
    if when and scores:
        best = max(scores.values())
        for row in rows:
            scores[row.row] += WEIGHTS["date"] * best * when.fits(row.at)
    return scores


def sessions(
    scores: Mapping[int, float], words: Sequence[Word], lengths: Mapping[int, int], step: int, *, work: bool = False
) -> dict[int, float]:
    """The scores of sessions, the best 1 at most. `lengths` are the words of each; a turn's is its number by `step`.

    Sessions of `work` begin with what they are for; a talk begins with a greeting.
    """
    best = max(scores.values(), default=0.0)
    turns: dict[int, float] = defaultdict(float)
    for row, score in scores.items():
        turns[row // step] += exp(_SHARPNESS * (score / best - 1)) if best else 0.0
    parts = [(WEIGHTS["turns"], turns), (WEIGHTS["whole"], _as_documents(words, lengths, step, len(lengths)))]
    if work:
        parts.append((WEIGHTS["opening"], _as_documents(*_openings(words, step), step, len(lengths))))
    found: dict[int, float] = dict.fromkeys(turns, 0.0)
    for weight, part in parts:
        most = max(part.values(), default=0.0)
        for number in found:
            found[number] += weight * part.get(number, 0.0) / most if most else 0.0
    return {number: score / sum(weight for weight, _ in parts) for number, score in found.items()}


def _openings(words: Iterable[Word], step: int) -> tuple[list[Word], dict[int, int]]:
    """The words as first turns hold them, and how long those are."""
    first = [word.replace(rows=tuple(at for at in word.rows if not at[0] % step)) for word in words]
    return first, {row // step: length for word in first for row, length in word.rows}


def _as_documents(words: Iterable[Word], lengths: Mapping[int, int], step: int, among: int) -> dict[int, float]:
    average = sum(lengths.values()) / max(len(lengths), 1)
    total: dict[int, float] = defaultdict(float)
    for word in words:
        held = Counter(row // step for row, _ in word.rows)
        information = word.weight * log(1 + (among - len(held) + 0.5) / (len(held) + 0.5))
        for number, count in held.items():
            density = count / (1 - _SESSION_LENGTH + _SESSION_LENGTH * lengths[number] / average)
            total[number] += information * density * (_SATURATION + 1) / (density + _SATURATION)
    return total


def among_kin(worth: Mapping[int, float], files: Traces, branches: Traces) -> dict[int, float]:
    """The scores of sessions with what their kin are worth, because a piece of work takes several sessions.

    `files` are those that each session changed, `branches` those that it was on. The best score stays what it was.
    """
    leading: dict[int, float] = defaultdict(float)  # the best score on a branch
    for number, score in worth.items():
        for branch in branches.get(number, ()):
            leading[branch] = max(leading[branch], score)
    best = [number for number in heapq.nlargest(_BEST, worth, key=worth.__getitem__) if number in files]
    raised: dict[int, float] = {}
    for number, score in worth.items():
        # One that is on no branch leads its own, so that it is no worse for it.
        led = max((leading[branch] for branch in branches.get(number, ())), default=score)
        changed = files.get(number, frozenset())
        near = (worth[other] * _shared(changed, files[other]) for other in best if other != number)
        raised[number] = score + WEIGHTS["same branch"] * led
        raised[number] += WEIGHTS["same files"] * sum(heapq.nlargest(_NEAREST, near))
    most = max(raised.values(), default=0.0)
    return {number: score * max(worth.values()) / most for number, score in raised.items()} if most else raised


def _shared(mine: frozenset[int], theirs: frozenset[int]) -> float:
    both = len(mine & theirs)
    return both / (len(mine) + len(theirs) - both) if both else 0.0


def newest(worth: Mapping[int, float], ages: Mapping[int, float]) -> dict[int, float]:
    """The scores of sessions, those that began lately preferred; `ages` in seconds."""
    best = max(worth.values(), default=0.0)
    return {number: score + best * recent(ages[number]) if number in ages else score for number, score in worth.items()}


def recent(seconds: float) -> float:
    """What a session that began so long ago has for itself."""
    return float(WEIGHTS["recency"] * 0.5 ** (max(seconds, 0.0) / _HALF_LIFE))
