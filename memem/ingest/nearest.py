"""Which notes a text is compared with before it is saved: those that share its words, and those it may hold whole.

In a large store a common word finds thousands of notes, slowly, and says little. Only the rarer words are asked for
there. What a text shares with a short note in common words alone is found by its sentences: a note that is one of them
has all words of it.
"""

from __future__ import annotations

import re

from memem.index.writer import IndexWriter
from memem.models import Candidate, Scope
from memem.text import Terms, query_terms

COMPARED = 12
_SMALL = 2000  # notes; up to here every word is asked for
_MOST_POSTINGS = 1500
_FEW = 8  # words that are all asked for
_COMMON = 500  # notes; a word of more is counted no further
_SENTENCES, _RAREST, _OF_SENTENCE = 20, 4, 20  # that are looked for, by how many of their words, and notes found so
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")


def nearest(index: IndexWriter, title: str, content: str, scope: Scope) -> list[Candidate]:
    """The notes in force of a scope that a text is most likely to repeat, extend or correct, nearest first."""
    terms = query_terms(f"{title} {content}")
    words = (*terms.words, *terms.compounds)
    if len(words) <= _FEW or index.size() <= _SMALL:
        return index.search(terms, COMPARED, scope)
    counts = {word: _count(index, word) for word in words}
    found = index.search(Terms(words=_rare(counts)), COMPARED, scope)
    for part in _SENTENCE.split(content)[:_SENTENCES]:
        said = query_terms(part).words
        # A word that no note holds, or that is behind those that are looked at, ends the search for its sentence.
        if len(said) > 1 and all(counts.get(word) for word in said):
            holding = index.holding(sorted(said, key=counts.__getitem__)[:_RAREST], _OF_SENTENCE)
            found += [item for item in holding if item.memory.live and scope.holds(item.memory.project)]
    return list({item.row: item for item in found}.values())


def _count(index: IndexWriter, word: str) -> int:
    """In how many notes a word occurs; one that was common once is not counted again."""
    if word in index.common:
        return _COMMON
    count = index.count(word, _COMMON)
    if count >= _COMMON:
        index.common.add(word)
    return count


def _rare(counts: dict[str, int]) -> tuple[str, ...]:
    """The rarest words, as long as few notes use them all together."""
    rare: list[str] = []
    postings = 0
    for word in sorted(counts, key=counts.__getitem__):
        postings += counts[word]
        if rare and postings > _MOST_POSTINGS:
            break
        rare.append(word)
    return tuple(rare)
