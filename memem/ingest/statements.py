"""A text as the statement that is compared: its words, those of them that carry meaning, and where two differ."""

from __future__ import annotations

import re
from functools import lru_cache

from memem.text import STOP_WORDS, Memo, fold
from memem.value import Value

END = "."  # the token between two clauses
COLON = ":"
remembered = lru_cache(maxsize=64)  # a text that is offered is compared with a dozen others
# Words and joined identifiers, C++ and C#, and the signs that make another fact: numpy <2 is not numpy >=2.
TOKEN = re.compile(r"[^\W_]+(?:[._/:@-]+[^\W_]+)*(?:\+\+|#)?|[<>≤≥≠]=?|[!=~]=+|=|[~^](?=\d)|(?<![\w-])-(?=\d)")
_ENDS = frozenset(".!?;,\n")
_READABLE = re.compile(rf"{TOKEN.pattern}|:(?=\s)|(?:(?<!Mr)(?<!Ms)(?<!Dr)[.]|[!?;,])(?=\s|$)|\n")
# Words that only say that something is new; the negation of "not … any more" stays.
_LATELY = re.compile(r"\b(?:from now on|any ?more|now|nowadays)\b", re.IGNORECASE)
NEGATIONS = frozenset(
    """
    not no never none without dont doesnt isnt arent cannot cant wont shouldnt mustnt nor
    nicht kein keine keinen nie niemals ohne ne pas jamais sans aucun aucune nunca jamas sin nao sem non mai senza niet
    geen nooit zonder
    """.split()
)
# Words without a topic that turn the meaning all the same: migrations run before the deploy, or after it.
TURNING = frozenset(
    """
    above after all always before below can could down every few many may might more most must off on once one only
    out over should some under until up within
    """.split()
)
_NAMES = frozenset("US EU IT LA DE ES".split())  # which without capitals are words without a topic
_EMPTY = {*(STOP_WORDS - NEGATIONS - TURNING), END, COLON}
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")


class Statement(Value):
    """A text, read."""

    tokens: tuple[str, ...]  # all words, folded and without plural, and the ends of clauses
    written: tuple[str, ...]  # the same as they were written
    content: tuple[str, ...]  # those that carry meaning, negations included
    words: frozenset[str]


class Change(Value):
    """One place where two texts differ: the words of each, and where those of the old one begin and end."""

    at: int
    end: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    written: tuple[str, ...]


@remembered
def read(text: str) -> Statement:
    """The statement that a text makes."""
    written = _pieces(text)
    tokens = [token_of[piece] for piece in written]
    while tokens and tokens[-1] == END:
        tokens.pop()
        written.pop()
    content = tuple(filter(carries, tokens))
    return Statement(
        tokens=tuple(tokens), written=tuple(written), content=content, words=frozenset(content) - NEGATIONS
    )


@remembered
def sentences(text: str) -> frozenset[tuple[str, ...]]:
    """The words that carry meaning, of each sentence of a text."""
    parts = (map(token_of.__getitem__, _pieces(part)) for part in _SENTENCE.split(text))
    return frozenset(content for part in parts if (content := tuple(filter(carries, part))))


def differences(new: Statement, old: Statement) -> list[Change]:
    """Where a statement differs from an old one, in the order of the old one's words."""
    from rapidfuzz.distance import Levenshtein

    spans: list[list[int]] = []  # of the old and the new one; what lies side by side is one change
    for code in Levenshtein.opcodes(old.tokens, new.tokens):
        if code.tag == "equal":
            continue
        if spans and spans[-1][1] == code.src_start and spans[-1][3] == code.dest_start:
            spans[-1][1::2] = code.src_end, code.dest_end
        else:
            spans.append([code.src_start, code.src_end, code.dest_start, code.dest_end])
    return [
        Change.in_order(
            (at, end, old.tokens[at:end], new.tokens[start:stop], (*old.written[at:end], *new.written[start:stop]))
        )
        for at, end, start, stop in spans
    ]


def carries(token: str) -> bool:
    """Whether a word carries meaning, as negations and words that turn one do."""
    return token not in _EMPTY


def _pieces(text: str) -> list[str]:
    """The words of a text and the ends of its clauses, as they are written."""
    plain = text.replace("'", "").replace("’", "")
    folded = plain.lower()
    lately = "now" in folded or "any" in folded
    return _READABLE.findall(_LATELY.sub(" ", plain) if lately else plain)


def _token(written: str) -> str:
    """What a piece of text is read as: the end of a clause, or a word, folded."""
    if written in _NAMES or written == COLON:
        return written
    return END if written in _ENDS else _folded(written)


def _folded(token: str) -> str:
    word = fold(token)
    plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss") and word.isalpha()
    return word[:-1] if plural and word not in STOP_WORDS else word


token_of = Memo(_token)
