"""How a new text relates to a stored one: the same, an extension, a correction, related, or another matter.

Similarity is not identity. Only the same words in the same order are the same; an exchanged value or negation is a
correction (`frames` knows a value from a subject); a text that holds the old one whole extends it; two that differ in
their subject are both kept. Nothing is ever refused or replaced for sharing words alone.
"""

from __future__ import annotations

import re
from functools import lru_cache

from memem.ingest import frames
from memem.ingest.frames import COLON, END, Swap
from memem.text import STOP_WORDS, Memo, fold
from memem.value import Value

SAME, EXTENSION, CORRECTION, RELATED, DIFFERENT = "same", "extension", "correction", "related", "different"
# Words and joined identifiers, C++ and C#, and the signs that make another fact: numpy <2 is not numpy >=2.
_TOKEN = re.compile(r"[^\W_]+(?:[._/:@-]+[^\W_]+)*(?:\+\+|#)?|[<>≤≥≠]=?|[!=~]=+|=|[~^](?=\d)|(?<![\w-])-(?=\d)")
_ENDS = frozenset(".!?;,\n")
_READABLE = re.compile(rf"{_TOKEN.pattern}|:(?=\s)|(?:(?<!Mr)(?<!Ms)(?<!Dr)[.]|[!?;,])(?=\s|$)|\n")
# Words that only say that something is new; the negation of "not … any more" stays.
_LATELY = re.compile(r"\b(?:from now on|any ?more|now|nowadays)\b", re.IGNORECASE)
_NEGATIONS = frozenset(
    """
    not no never none without dont doesnt isnt arent cannot cant wont shouldnt mustnt nor
    nicht kein keine keinen nie niemals ohne ne pas jamais sans aucun aucune nunca jamas sin nao sem non mai senza niet
    geen nooit zonder
    """.split()
)
# Words without a topic that turn the meaning all the same: migrations run before the deploy, or after it.
_TURNING = frozenset(
    """
    above after all always before below can could down every few many may might more most must off on once one only
    out over should some under until up within
    """.split()
)
# What a correction says is over: "not npm", "no longer Redis", "instead of master", "moved from", "Jenkins is gone".
# "Do not push" and "is not safe" deny something, which is not yet the end of it.
_NAMED = r"((?:[^.,;:!?()\n]|[.:](?=\S))+"
_REJECTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<!do )(?<!does )(?<!did )(?<!must )(?<!should )(?<!can )(?<!may )(?<!will )(?<!is )(?<!are )(?<!was )\b"
        r"(?:not|no longer|instead of|rather than|replac(?:es|ing)|replaced(?! by)|formerly|gave up|dropped)\s"
        rf"{_NAMED})",
        r"\b(?:(?:mov|switch|migrat|chang|rais|lower|relicens|renam)ed|went|away)(?:[ ]\w+){0,6}?[ ]from\s"
        rf"{_NAMED})",
        rf"\b(?:prefer(?:s|red)?|chose|picked)(?:[ ]\w+){{1,4}}?[ ]over\s{_NAMED})",
        rf"\b(?:do|does|is|are)[ ]not\s{_NAMED}?)\sany[ ]?more",
        rf"(?:^|[.;,:]\s+){_NAMED}?)\s(?:is|are|was|were|has[ ]been|have[ ]been|got)\s(?:\w+\s)?"
        r"(?:replaced[ ]by|gone|switched[ ]off|cancelled|removed|retired|dropped|deprecated|forbidden)\b",
    )
)
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
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")
_NAMES_TOO = frozenset("ask get go just keep look make put say see show take try".split())
_SHARED = 0.6  # of the longer text's words, in order, for two texts to be versions of one statement
_AKIN = 0.4
_LONGEST_SWAP = 4
_MOST_SWAPS = 3
_FEW_WORDS = 2
_remembered = lru_cache(maxsize=64)  # a text that is offered is compared with a dozen others
_OPPOSITES = tuple(
    frozenset(pair.split())
    for pair in (
        "enable disable", "enabled disabled", "allowed forbidden", "allow forbid", "required optional", "open closed",
        "mandatory optional", "public private", "synchronous asynchronous", "optimistic pessimistic", "hard soft",
        "include exclude", "included excluded", "true false", "automatic manual", "automatically manually",
        "strict lenient", "ascending descending",
    )
)  # fmt: skip
_SHORT, _MANY = 4, 40  # letters of a word that may be part of another, words of a text
_BEGINS = frozenset(("", *".!?;:,"))  # what stands before the first word of a sentence or clause
_REMAINS, _REMAINS_OF_NUMBER = 0.3, 0.6  # of what the old text says beside what is over, to speak of the same


class _Text(Value):
    tokens: tuple[str, ...]  # all words, folded and without plural, and the ends of clauses
    written: tuple[str, ...]  # the same as they were written
    content: tuple[str, ...]  # those that carry meaning, negations included
    words: frozenset[str]


class _Change(Value):
    """One place where two texts differ: the words of each, and where those of the old one begin and end."""

    at: int
    end: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    written: tuple[str, ...]


def compare(new: str, old: str) -> str:
    """What the new text is to the old one."""
    a, b = _read(new), _read(old)
    # One text can be among the other's sentences only if its words are among the other's, which is seen sooner.
    same = a.content == b.content or (a.words <= b.words and _sentences(new) <= _sentences(old))
    grown = not same and b.words <= a.words and _sentences(old) <= _sentences(new)
    if (same or grown) and not _renames(_changes(a, b)):
        return SAME if same else EXTENSION
    if sorted(a.content) == sorted(b.content):
        return CORRECTION  # "composition over inheritance" and its reverse have the same words
    told = _tells_a_change(new) and not _tells_a_change(old)
    changes = _changes(a, b)
    whole = _version(a, b, changes, told)
    if whole in (CORRECTION, EXTENSION):
        return whole
    if not _other_subject(a, b, changes) and _rejects(new, a, b):
        return CORRECTION
    # A reason that was added or exchanged does not make it another statement.
    short, former = _read(_stated(new)), _read(_stated(old))
    differs = (short.tokens, former.tokens) != (a.tokens, b.tokens)
    if differs and _version(short, former, _changes(short, former), told) == CORRECTION:
        return CORRECTION
    common = len(a.words & b.words)
    akin = common >= 2 and common >= _AKIN * min(len(a.words), len(b.words))
    return RELATED if whole == RELATED or akin else DIFFERENT


def telling(text: str) -> tuple[str, ...]:
    """The words of a text that carry meaning, in their order."""
    return _read(text).content


def denies(text: str) -> bool:
    """Whether a text holds a negation."""
    return not _NEGATIONS.isdisjoint(_read(text).tokens)


@_remembered
def _tells_a_change(text: str) -> bool:
    """Whether a text says that something is otherwise than it was."""
    return bool(_CHANGED.search(text))


@_remembered
def _stated(text: str) -> str:
    """A text up to the first reason or aside."""
    return _REASON.split(text.strip(), maxsplit=1)[0].rstrip()


def _version(a: _Text, b: _Text, changes: list[_Change], told: bool) -> str:
    """What a text is to an old one if it shares most of its words with it, in order."""
    shared = len(b.tokens) - sum(len(change.old) for change in changes)
    longer = max(len(a.tokens), len(b.tokens))
    added = not any(change.old for change in changes)
    if added and not _negates(changes):
        return EXTENSION if _adds_only(changes, b) else RELATED
    if shared < 2 or (shared < _SHARED * longer and not _only_last(changes, b)):
        return DIFFERENT
    swaps = [change for change in changes if _exchanges(change)]
    gained = [word for change in changes if not change.old for word in change.new if _carries(word)]
    lost = [word for change in changes if not change.new for word in change.old if _carries(word)]
    if _negates(changes):
        gained, lost = ([word for word in words if word not in _NEGATIONS] for words in (gained, lost))
        topical = any(_is_topic(change.old) and _is_topic(change.new) for change in swaps)
        return RELATED if topical or lost or len(gained) > _FEW_WORDS else CORRECTION
    if len(gained) + len(lost) > _FEW_WORDS:
        return RELATED
    if not swaps:
        turned = any(word in _TURNING for change in changes for word in (*change.old, *change.new))
        return CORRECTION if turned and not lost else RELATED
    # "At the boundary" and "in the form" are two answers to two questions.
    joints = any(
        frames.joins(change.old) and frames.joins(change.new) and not _TURNING.issuperset((*change.old, *change.new))
        for change in changes
    )
    return CORRECTION if not joints and _corrects(swaps, b, told) else RELATED


def _corrects(swaps: list[_Change], old: _Text, told: bool) -> bool:
    """Whether all that was exchanged are values and dates, and at least one is a value."""
    if len(swaps) > _MOST_SWAPS:
        return False
    seen = [_swap(change, old, told) for change in swaps]
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
    short, long = sorted(both, key=len) if len(both) == 2 else ("", "")
    return (
        both <= _TURNING
        or any(both <= pair for pair in _OPPOSITES)
        or (len(short) > 3 and any(long == f"{prefix}{short}" for prefix in ("in", "un", "non", "dis", "im")))
    )


def _is_topic(words: tuple[str, ...]) -> bool:
    """Whether some of the words neither deny nor turn."""
    return any(_carries(word) and word not in _NEGATIONS and word not in _TURNING for word in words)


def _other_subject(a: _Text, b: _Text, changes: list[_Change]) -> bool:
    """Whether the two share most words, but not what they begin with."""
    shared = len(b.tokens) - sum(len(change.old) for change in changes)
    if shared < _SHARED * min(len(a.tokens), len(b.tokens)):
        return False
    return any(
        _is_topic(change.old) and _is_topic(change.new) and frames.in_subject(_swap(change, b, told=False))
        for change in changes
    )


def _swap(change: _Change, old: _Text, told: bool) -> Swap:
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


def _exchanges(change: _Change) -> bool:
    """Whether words stand for others, and not only articles or particles for their like."""
    return bool(change.old and change.new) and any(map(_carries, (*change.old, *change.new)))


def _only_last(changes: list[_Change], old: _Text) -> bool:
    """Whether nothing differs but the end of one sentence, so that all of its beginning is shared."""
    return len(changes) == 1 and bool(changes[0].old) and len(old.tokens) - changes[0].end <= 1


def _adds_only(changes: list[_Change], old: _Text) -> bool:
    """Whether what was added leaves the statement as wide as it was: behind it, or words without a topic."""
    return all(
        change.at >= len(old.tokens)
        or not any(_carries(word) and word not in _TURNING for word in change.new)
        or (change.at == 0 and all(map(frames.is_time, filter(_carries, change.new))))
        for change in changes
    )


def _negates(changes: list[_Change]) -> bool:
    """Whether one text denies more than the other."""
    gained = sum(word in _NEGATIONS for change in changes for word in change.new)
    lost = sum(word in _NEGATIONS for change in changes for word in change.old)
    return gained != lost


def _rejects(new: str, a: _Text, b: _Text) -> bool:
    """Whether the new text says that something the old one says is over, and speaks of the same matter."""
    if not _NEGATIONS.isdisjoint(b.content):
        return False
    tokens = frozenset(b.tokens)
    for named in _over(new):
        if not named or not tokens.issuperset(named):
            continue
        rest = b.words - set(named)
        least = _REMAINS_OF_NUMBER if all(map(frames.is_count, named)) else _REMAINS
        kept = len(rest & a.words) if len(rest) > _MANY else sum(_has_kin(word, a.words) for word in rest)
        if kept >= max(least * len(rest), 1):
            return True
    return False


@_remembered
def _over(text: str) -> list[list[str]]:
    """The words for each thing that a text says is over."""
    found: list[list[str]] = []
    plain = text.replace("'", "").replace("’", "")
    for pattern in _REJECTS:
        for match in pattern.finditer(plain):
            found.append(_named(match[1], plain[: match.start(1)].rstrip()[-1:] in _BEGINS))
    return found


def _named(text: str, begins: bool) -> list[str]:
    """The first words with a topic; Go in the middle of a sentence is a name."""
    named: list[str] = []
    for at, written in enumerate(_TOKEN.findall(text)):
        token = _token_of[written]
        plain = token in STOP_WORDS and token not in _TURNING
        if plain and (written.islower() or (begins and not at)):
            if named:
                break
        else:
            named.append(token)
    return named


def _has_kin(word: str, others: frozenset[str]) -> bool:
    """Whether a word is among others, or part of one: license and relicensed."""
    return word in others or (len(word) > _SHORT and any(word in other for other in others))


def _changes(a: _Text, b: _Text) -> list[_Change]:
    from rapidfuzz.distance import Levenshtein

    spans: list[list[int]] = []  # of the old and the new one; what lies side by side is one change
    for code in Levenshtein.opcodes(b.tokens, a.tokens):
        if code.tag == "equal":
            continue
        if spans and spans[-1][1] == code.src_start and spans[-1][3] == code.dest_start:
            spans[-1][1::2] = code.src_end, code.dest_end
        else:
            spans.append([code.src_start, code.src_end, code.dest_start, code.dest_end])
    return [
        _Change.in_order(
            (at, end, b.tokens[at:end], a.tokens[start:stop], (*b.written[at:end], *a.written[start:stop]))
        )
        for at, end, start, stop in spans
    ]


def _renames(changes: list[_Change]) -> bool:
    """Whether a program took the place of another that is called like a word without a topic: make, just, go."""
    return any(
        len(change.old) == len(change.new) == 1 and not _NAMES_TOO.isdisjoint((*change.old, *change.new))
        for change in changes
    )


def _token(written: str) -> str:
    """What a piece of text is read as: the end of a clause, or a word, folded."""
    return END if written in _ENDS else COLON if written == COLON else _folded(written)


_token_of = Memo(_token)


@_remembered
def _sentences(text: str) -> frozenset[tuple[str, ...]]:
    parts = (map(_token_of.__getitem__, _pieces(part)) for part in _SENTENCE.split(text))
    return frozenset(content for part in parts if (content := tuple(filter(_carries, part))))


@_remembered
def _read(text: str) -> _Text:
    written = _pieces(text)
    tokens = [_token_of[piece] for piece in written]
    while tokens and tokens[-1] == END:
        tokens.pop()
        written.pop()
    content = tuple(filter(_carries, tokens))
    return _Text(tokens=tuple(tokens), written=tuple(written), content=content, words=frozenset(content) - _NEGATIONS)


def _pieces(text: str) -> list[str]:
    """The words of a text and the ends of its clauses, as they are written."""
    plain = text.replace("'", "").replace("’", "")
    folded = plain.lower()
    lately = "now" in folded or "any" in folded
    return _READABLE.findall(_LATELY.sub(" ", plain) if lately else plain)


def _carries(token: str) -> bool:
    return token not in _EMPTY


_EMPTY = {*(STOP_WORDS - _NEGATIONS - _TURNING), END, COLON}


def _folded(token: str) -> str:
    word = fold(token)
    plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss") and word.isalpha()
    return word[:-1] if plural and word not in STOP_WORDS else word
