"""How a new text relates to a stored one: the same, an extension, a correction, related, or another matter.

Similarity is not identity: two texts that differ only in a number, a negation or an identifier contradict each
other, and the newer one corrects the older. Two that also differ in their subject are both true.
"""

from __future__ import annotations

import re

from memem.text import STOP_WORDS, fold
from memem.value import Value

SAME, EXTENSION, CORRECTION, RELATED, DIFFERENT = "same", "extension", "correction", "related", "different"
_NEAR = 82.0
_CLOSE = 55.0
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
_CORRECTS = re.compile(
    r"\b(no longer|not anymore|any ?more|instead of|rather than|switched|moved (from|to)|replaced|was wrong|"
    r"is wrong|actually|correction|outdated|formerly|used to|as of|from now on|now)\b|\bnot \w",
    re.IGNORECASE,
)
_FEW_WORDS = 3
# A number after one of these is a name, not a value.
_NUMBERED = frozenset(
    "issue ticket bug pr mr task story epic step phase stage sprint milestone chapter tenant customer account shard "
    "worker replica job".split()
)


class _Text(Value):
    tokens: tuple[str, ...]
    values: tuple[str, ...]  # numbers, identifiers and turning words, in order: "6379 not 6380" is not "6380 not 6379"
    negations: int
    words: frozenset[str]  # the rest that carries meaning

    @property
    def joined(self) -> str:
        return " ".join(self.tokens)


def compare(new: str, old: str) -> str:
    """What the new text is to the old one."""
    from rapidfuzz import fuzz

    a, b = _read(new), _read(old)
    if a.tokens == b.tokens:
        return SAME
    near = max(fuzz.ratio(a.joined, b.joined), fuzz.token_set_ratio(a.joined, b.joined)) >= _NEAR
    added, dropped = a.words - b.words, b.words - a.words
    if near and not (added and dropped):
        if _contradict(a, b):
            return CORRECTION if len(added | dropped) <= _FEW_WORDS and not _other_subject(a, b) else RELATED
        if not added and set(a.values) <= set(b.values):
            return SAME
        if not dropped and set(b.values) <= set(a.values):
            return EXTENSION
    if _CORRECTS.search(new) and _about(a, b):
        return CORRECTION
    return RELATED if near or fuzz.token_set_ratio(a.joined, b.joined) >= _CLOSE else DIFFERENT


def _contradict(a: _Text, b: _Text) -> bool:
    """Whether the texts say different things in the places where facts stand."""
    if a.negations != b.negations:
        return True
    if sorted(a.values) == sorted(b.values):
        return a.values != b.values
    # More values on one side only are an addition; a value exchanged for another is a contradiction.
    return bool(set(a.values) - set(b.values)) and bool(set(b.values) - set(a.values))


def _other_subject(a: _Text, b: _Text) -> bool:
    """Whether the texts speak of two things, so that both are true.

    "service A on 8080" and "service B on 8081": a name and a number were exchanged. "test_auth.py needs Redis" and
    "test_billing.py needs Redis", "issue 12 …" and "issue 13 …": what was exchanged names the subject.
    """
    gained, lost = set(a.values) - set(b.values), set(b.values) - set(a.values)
    kinds = ({value[0].isdigit() for value in side - _TURNING if value[0].isalnum()} for side in (gained, lost))
    return all(len(kind) == 2 for kind in kinds) or (_names_subject(a, gained) and _names_subject(b, lost))


def _names_subject(text: _Text, exchanged: set[str]) -> bool:
    for at, token in enumerate(text.tokens[:3]):
        if token in exchanged and not token[0].isdigit():
            return at == 0 and any(mark in token for mark in "._/")
        if token in exchanged:
            return at > 0 and _stem(text.tokens[at - 1]) in _NUMBERED
    return False


def _about(a: _Text, b: _Text) -> bool:
    """Whether a text that announces a correction speaks of most of what the old one says."""
    old = (b.words | set(b.values)) - _TURNING
    shared = old & (a.words | set(a.values))
    return len(shared) >= 2 and len(shared) / len(old) >= 0.5


def _read(text: str) -> _Text:
    raw = _TOKEN.findall(text.replace("'", "").replace("’", ""))
    tokens = tuple(fold(token) for token in raw)
    values = tuple(fold(token) for at, token in enumerate(raw) if _is_value(token, first=at == 0))
    words = (token for token in tokens if token not in STOP_WORDS and token not in _NEGATIONS and token not in values)
    return _Text(
        tokens=tokens,
        values=values,
        negations=sum(token in _NEGATIONS for token in tokens),
        words=frozenset(_stem(word) for word in words),
    )


def _is_value(word: str, *, first: bool) -> bool:
    if any(char.isdigit() or not char.isalpha() for char in word.replace("-", "")) or word.lower() in _TURNING:
        return True
    if len(word) == 1:  # "service A", but not "A service" or "I"
        return word.isupper() and word != "I" and not first
    return len(word) > 2 and (word.isupper() or any(char.isupper() for char in word[1:]))


def _stem(word: str) -> str:
    return word.rstrip("s") if len(word) > 3 else word
