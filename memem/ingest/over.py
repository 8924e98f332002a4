"""What a correction says is over: "not npm", "no longer Redis", "moved from master", "Jenkins is gone"."""

from __future__ import annotations

import re

from memem.ingest import frames
from memem.ingest.statements import NEGATIONS, TOKEN, TURNING, Statement, remembered, token_of
from memem.text import STOP_WORDS

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
_SHORT, _MANY = 4, 40  # letters of a word that may be part of another, words of a text
_BEGINS = frozenset(("", *".!?;:,"))  # what stands before the first word of a sentence or clause
_REMAINS, _REMAINS_OF_NUMBER = 0.3, 0.6  # of what the old text says beside what is over, to speak of the same


def rejects(new: str, said: Statement, old: Statement) -> bool:
    """Whether the new text says that something the old one says is over, and speaks of the same matter."""
    if not NEGATIONS.isdisjoint(old.content):
        return False
    tokens = frozenset(old.tokens)
    for named in _over(new):
        if not named or not tokens.issuperset(named):
            continue
        rest = old.words - set(named)
        least = _REMAINS_OF_NUMBER if all(map(frames.is_count, named)) else _REMAINS
        kept = len(rest & said.words) if len(rest) > _MANY else sum(_has_kin(word, said.words) for word in rest)
        if kept >= max(least * len(rest), 1):
            return True
    return False


@remembered
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
    for at, written in enumerate(TOKEN.findall(text)):
        token = token_of[written]
        plain = token in STOP_WORDS and token not in TURNING
        if plain and (written.islower() or (begins and not at)):
            if named:
                break
        else:
            named.append(token)
    return named


def _has_kin(word: str, others: frozenset[str]) -> bool:
    """Whether a word is among others, or part of one: license and relicensed."""
    return word in others or (len(word) > _SHORT and any(word in other for other in others))
