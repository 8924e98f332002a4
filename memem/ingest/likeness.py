"""How a new text relates to a stored one: the same, an extension, a correction, related, or another matter.

Similarity is not identity. Only the same words in the same order are the same; one exchanged number, name or negation
is a correction; a text that holds the old one whole extends it; two that differ in their subject, or in more than one
place, are both kept. Nothing is ever refused or replaced for sharing words alone.
"""

from __future__ import annotations

import re

from memem.text import STOP_WORDS, fold
from memem.value import Value

SAME, EXTENSION, CORRECTION, RELATED, DIFFERENT = "same", "extension", "correction", "related", "different"
# Words and joined identifiers, C++ and C#, and the signs that make another fact: numpy <2 is not numpy >=2.
_TOKEN = re.compile(r"[^\W_]+(?:[._/:@-]+[^\W_]+)*(?:\+\+|#)?|[<>≤≥≠]=?|[!=~]=+|=|[~^](?=\d)|(?<![\w-])-(?=\d)")
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
# What a correction says is over: "not npm", "no longer Redis", "instead of master".
_REJECTS = re.compile(
    r"\b(?:not|no longer|never|instead of|rather than|replac(?:es|ed|ing)|(?:away|moved|switched) from|formerly)\b"
    r"[ \t]+([^.,;:!?()\n]+)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")
_DETERMINERS = frozenset("the our a an this der die das le la les el los".split())
# A number after one of these is a name, not a value.
_NUMBERED = frozenset(
    "issue ticket bug pr mr task story epic step phase stage sprint milestone chapter tenant customer account shard "
    "worker replica job".split()
)
_SHARED = 0.6  # of the longer text's words, in order, for two texts to be versions of one statement
_AKIN = 0.4
_LONGEST_SWAP = 2
_FEW_WORDS = 2


class _Text(Value):
    tokens: tuple[str, ...]  # all words, folded and without plural
    content: tuple[str, ...]  # those that carry meaning, negations included
    words: frozenset[str]


class _Change(Value):
    """One place where two texts differ, by the position in the old one."""

    at: int
    old: tuple[str, ...]
    new: tuple[str, ...]


def compare(new: str, old: str) -> str:
    """What the new text is to the old one."""
    a, b = _read(new), _read(old)
    mine, known = _sentences(new), _sentences(old)
    if a.content == b.content or mine <= known:
        return SAME
    if known <= mine:
        return EXTENSION
    if sorted(a.content) == sorted(b.content):
        return CORRECTION  # "composition over inheritance" and its reverse have the same words
    if _rejects(new, a, b):
        return CORRECTION
    changes = _changes(a, b)
    shared = len(b.tokens) - sum(len(change.old) for change in changes)
    longer = max(len(a.tokens), len(b.tokens))
    if shared >= 2 and shared >= _SHARED * longer:
        return _version(changes, b)
    if not any(change.old for change in changes) and not _negates(changes):
        return EXTENSION
    common = len(a.words & b.words)
    return RELATED if common >= 2 and common >= _AKIN * min(len(a.words), len(b.words)) else DIFFERENT


def telling(text: str) -> tuple[str, ...]:
    """The words of a text that carry meaning, in their order."""
    return _read(text).content


def denies(text: str) -> bool:
    """Whether a text holds a negation."""
    return not _NEGATIONS.isdisjoint(_read(text).tokens)


def _version(changes: list[_Change], old: _Text) -> str:
    """What a text is that shares most of its words, in order, with the old one."""
    swaps = [change for change in changes if change.old and change.new]
    gained = [word for change in changes if not change.old for word in change.new if _carries(word)]
    lost = [word for change in changes if not change.new for word in change.old if _carries(word)]
    if all(change.at >= len(old.tokens) for change in changes):
        return EXTENSION
    if _negates(changes):
        others = [word for change in changes for word in (*change.old, *change.new) if _carries(word)]
        return CORRECTION if sum(word not in _NEGATIONS for word in others) <= _FEW_WORDS else RELATED
    if not swaps:
        return RELATED if lost else EXTENSION
    if len(swaps) > 1 or len(gained) + len(lost) > _FEW_WORDS:
        return RELATED
    swap = swaps[0]
    small = max(len(swap.old), len(swap.new)) <= _LONGEST_SWAP
    return CORRECTION if small and not _names_subject(swap, old) else RELATED


def _negates(changes: list[_Change]) -> bool:
    """Whether one text denies more than the other."""
    gained = sum(word in _NEGATIONS for change in changes for word in change.new)
    lost = sum(word in _NEGATIONS for change in changes for word in change.old)
    return gained != lost


def _names_subject(swap: _Change, old: _Text) -> bool:
    """Whether what was exchanged is what the sentence is about: "auth service …", "the worker …", "issue 12 …"."""
    before = old.tokens[swap.at - 1] if swap.at else ""
    if any(char.isdigit() for char in swap.old[0]) and swap.old[0][0].isdigit():
        return before in _NUMBERED
    return swap.at == 0 or (swap.at == 1 and before in _DETERMINERS) or before in ("service", "tenant", "team")


def _rejects(new: str, a: _Text, b: _Text) -> bool:
    """Whether the new text says that something the old one says is over, and speaks of the same matter."""
    for match in _REJECTS.finditer(new.replace("'", "").replace("’", "")):
        named: list[str] = []
        for token in map(_folded, _TOKEN.findall(match[1])):
            if token in STOP_WORDS and token not in _TURNING:
                if named:
                    break
                continue
            named.append(token)
        same_matter = (a.words & b.words) - set(named)
        if named and same_matter and set(named) <= set(b.content) and not set(b.content) & _NEGATIONS:
            return True
    return False


def _changes(a: _Text, b: _Text) -> list[_Change]:
    from rapidfuzz.distance import Levenshtein

    return [
        _Change(
            at=code.src_start,
            old=b.tokens[code.src_start : code.src_end],
            new=a.tokens[code.dest_start : code.dest_end],
        )
        for code in Levenshtein.opcodes(b.tokens, a.tokens)
        if code.tag != "equal"
    ]


def _sentences(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(content for part in _SENTENCE.split(text) if (content := _read(part).content))


def _read(text: str) -> _Text:
    tokens = tuple(map(_folded, _TOKEN.findall(text.replace("'", "").replace("’", ""))))
    content = tuple(token for token in tokens if _carries(token))
    return _Text(tokens=tokens, content=content, words=frozenset(word for word in content if word not in _NEGATIONS))


def _carries(token: str) -> bool:
    return token not in STOP_WORDS or token in _NEGATIONS or token in _TURNING


def _folded(token: str) -> str:
    word = fold(token)
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") and word.isalpha() else word
