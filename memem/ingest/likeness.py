"""How a new text relates to a stored one: the same, an extension, a correction, related, or another matter.

Similarity is not identity. Only the same words in the same order are the same; an exchanged value or negation is a
correction (`frames` knows a value from a subject); a text that holds the old one whole extends it; two that differ in
their subject are both kept. Nothing is ever refused or replaced for sharing words alone.
"""

from __future__ import annotations

import re

from memem.ingest import frames, over
from memem.ingest.frames import Swap
from memem.ingest.statements import (
    END,
    NEGATIONS,
    TURNING,
    Change,
    Statement,
    carries,
    differences,
    read,
    remembered,
    sentences,
)

SAME, EXTENSION, CORRECTION, RELATED, DIFFERENT = "same", "extension", "correction", "related", "different"
_CHANGED = re.compile(
    r"\b(?:now|any ?more|no longer|instead|again|from now on|moved|switched|migrated|replaced|dropped|gone|cancelled"
    r"|removed|became|changed|jetzt|nicht mehr|nun|désormais|maintenant|ahora)\b",
    re.IGNORECASE,
)
# What begins a reason, which is no part of the statement.
_REASON = re.compile(
    r"(?:[,;:(]\s|\s(?=(?:because|since|so that|instead of|rather than|as we|due to|until|from\s\w+\son"
    r"|to\s(?:save|avoid|prevent|reduce|spare|protect))\b))",
    re.IGNORECASE,
)
_NAMES_TOO = frozenset("ask get go just keep look make put say see show take try".split())
_SHARED = 0.6  # of the longer text's words, in order, for two texts to be versions of one statement
_AKIN = 0.4
_MOST_SWAPS = 3
_FEW_WORDS = 2
_OPPOSITES = tuple(
    frozenset(pair.split())
    for pair in (
        "enable disable", "enabled disabled", "allowed forbidden", "allow forbid", "required optional", "open closed",
        "mandatory optional", "public private", "synchronous asynchronous", "optimistic pessimistic", "hard soft",
        "include exclude", "included excluded", "true false", "automatic manual", "automatically manually",
        "strict lenient", "ascending descending",
    )
)  # fmt: skip


def compare(new: str, old: str) -> str:
    """What the new text is to the old one."""
    a, b = read(new), read(old)
    # One text can be among the other's sentences only if its words are among the other's, which is seen sooner.
    same = a.content == b.content or (a.words <= b.words and sentences(new) <= sentences(old))
    grown = not same and b.words <= a.words and sentences(old) <= sentences(new)
    if (same or grown) and not _renames(differences(a, b)):
        return SAME if same else EXTENSION
    if sorted(a.content) == sorted(b.content):
        return CORRECTION  # "composition over inheritance" and its reverse have the same words
    told = _tells_a_change(new) and not _tells_a_change(old)
    changes = differences(a, b)
    whole = _version(a, b, changes, told)
    if whole in (CORRECTION, EXTENSION):
        return whole
    if not _other_subject(a, b, changes) and over.rejects(new, a, b):
        return CORRECTION
    # A reason that was added or exchanged does not make it another statement.
    short = read(_stated(new))
    if _may_share(short, b):
        former = read(_stated(old))
        differs = (short.tokens, former.tokens) != (a.tokens, b.tokens)
        if differs and _version(short, former, differences(short, former), told) == CORRECTION:
            return CORRECTION
    common = len(a.words & b.words)
    akin = common >= 2 and common >= _AKIN * min(len(a.words), len(b.words))
    return RELATED if whole == RELATED or akin else DIFFERENT


def telling(text: str) -> tuple[str, ...]:
    """The words of a text that carry meaning, in their order."""
    return read(text).content


def denies(text: str) -> bool:
    """Whether a text holds a negation."""
    return not NEGATIONS.isdisjoint(read(text).tokens)


@remembered
def _tells_a_change(text: str) -> bool:
    """Whether a text says that something is otherwise than it was."""
    return bool(_CHANGED.search(text))


@remembered
def _stated(text: str) -> str:
    """A text up to the first reason or aside."""
    return _REASON.split(text.strip(), maxsplit=1)[0].rstrip()


def _version(a: Statement, b: Statement, changes: list[Change], told: bool) -> str:
    """What a text is to an old one if it shares most of its words with it, in order."""
    shared = len(b.tokens) - sum(len(change.old) for change in changes)
    longer = max(len(a.tokens), len(b.tokens))
    added = not any(change.old for change in changes)
    if added and not _negates(changes):
        return EXTENSION if _adds_only(changes, b) else RELATED
    if shared < 2 or (shared < _SHARED * longer and not _only_last(changes, b)):
        return DIFFERENT
    swaps = [change for change in changes if _exchanges(change)]
    gained = [word for change in changes if not change.old for word in change.new if carries(word)]
    lost = [word for change in changes if not change.new for word in change.old if carries(word)]
    if _negates(changes):
        gained, lost = ([word for word in words if word not in NEGATIONS] for words in (gained, lost))
        topical = any(_is_topic(change.old) and _is_topic(change.new) for change in swaps)
        return RELATED if topical or lost or len(gained) > _FEW_WORDS else CORRECTION
    if len(gained) + len(lost) > _FEW_WORDS:
        return RELATED
    if not swaps:
        turned = any(word in TURNING for change in changes for word in (*change.old, *change.new))
        return CORRECTION if turned and not lost else RELATED
    # "At the boundary" and "in the form" are two answers to two questions.
    joints = any(
        frames.joins(change.old) and frames.joins(change.new) and not TURNING.issuperset((*change.old, *change.new))
        for change in changes
    )
    return CORRECTION if not joints and _corrects(swaps, b, told) else RELATED


def _may_share(a: Statement, b: Statement) -> bool:
    """Whether a text can be a correction of another, or of its beginning: seen before that is read and compared."""
    known = frozenset(b.tokens)
    return a.tokens[:1] == b.tokens[:1] or sum(map(known.__contains__, a.tokens)) >= _SHARED * len(a.tokens)


def _corrects(swaps: list[Change], old: Statement, told: bool) -> bool:
    """Whether all that was exchanged are values and dates, and at least one is a value."""
    if len(swaps) > _MOST_SWAPS:
        return False
    seen = [_swap(change, old, told) for change in swaps]
    if len(swaps) > 1 and any(map(frames.names_another, seen)):
        return False  # one machine in one hall, another one in another
    values = [frames.is_value(swap) or _turns(swap) for swap in seen]
    dates = [frames.is_date(swap) for swap in seen]
    if len(swaps) > 1 and not all(
        date or (value and frames.is_amount(swap)) for value, date, swap in zip(values, dates, seen, strict=True)
    ):
        # Only one of several may be more than a number: two names that both differ are another matter.
        plain = [swap for swap, date in zip(seen, dates, strict=True) if not date]
        return len(plain) == 1 and frames.is_value(plain[0])
    return any(values) and all(value or date for value, date in zip(values, dates, strict=True))


def _turns(swap: Swap) -> bool:
    """Whether a word took the place of its opposite: off for on, may for must, insensitive for sensitive."""
    if len(swap.old) != 1 or len(swap.new) != 1:
        return False
    both = {swap.old[0], swap.new[0]}
    if both <= TURNING:
        return True
    if frames.names_another(swap):  # required fields and optional ones
        return False
    short, long = sorted(both, key=len) if len(both) == 2 else ("", "")
    return any(both <= pair for pair in _OPPOSITES) or (
        len(short) > 3 and any(long == f"{prefix}{short}" for prefix in ("in", "un", "non", "dis", "im"))
    )


def _is_topic(words: tuple[str, ...]) -> bool:
    """Whether some of the words neither deny nor turn."""
    return any(carries(word) and word not in NEGATIONS and word not in TURNING for word in words)


def _other_subject(a: Statement, b: Statement, changes: list[Change]) -> bool:
    """Whether the two share most words, but not what they begin with."""
    shared = len(b.tokens) - sum(len(change.old) for change in changes)
    if shared < _SHARED * min(len(a.tokens), len(b.tokens)):
        return False
    return any(
        _is_topic(change.old) and _is_topic(change.new) and frames.in_subject(_swap(change, b, told=False))
        for change in changes
    )


def _swap(change: Change, old: Statement, told: bool) -> Swap:
    """An exchange within its clause."""
    before, after = old.tokens[: change.at], old.tokens[change.end :]
    starts = [at for at, token in enumerate(before) if token == END]
    ends = [at for at, token in enumerate(after) if token == END]
    return Swap(
        before=before[starts[-1] + 1 if starts else 0 :],
        after=after[: ends[0] if ends else len(after)],
        old=change.old,
        new=change.new,
        written=change.written,
        rest=old.written[change.end :],
        told=told,
    )


def _exchanges(change: Change) -> bool:
    """Whether words stand for others, and not only articles or particles for their like."""
    return bool(change.old and change.new) and any(map(carries, (*change.old, *change.new)))


def _only_last(changes: list[Change], old: Statement) -> bool:
    """Whether nothing differs but the end of one sentence, so that all of its beginning is shared."""
    return len(changes) == 1 and bool(changes[0].old) and len(old.tokens) - changes[0].end <= 1


def _adds_only(changes: list[Change], old: Statement) -> bool:
    """Whether what was added leaves the statement as wide as it was: behind it, or words without a topic."""
    return all(
        change.at >= len(old.tokens)
        or not any(carries(word) and word not in TURNING for word in change.new)
        or (change.at == 0 and all(map(frames.is_time, filter(carries, change.new))))
        for change in changes
    )


def _negates(changes: list[Change]) -> bool:
    """Whether one text denies more than the other."""
    gained = sum(word in NEGATIONS for change in changes for word in change.new)
    lost = sum(word in NEGATIONS for change in changes for word in change.old)
    return gained != lost


def _renames(changes: list[Change]) -> bool:
    """Whether a program took the place of another that is called like a word without a topic: make, just, go."""
    return any(
        len(change.old) == len(change.new) == 1 and not _NAMES_TOO.isdisjoint((*change.old, *change.new))
        for change in changes
    )
