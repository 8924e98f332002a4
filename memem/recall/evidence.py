"""Is a memory about the prompt, or do they share a word by chance? The floor below which recall stays silent.

Two figures, after experiments on LoCoMo, BEAM and coding sessions (where their sum separated best): the share of
the prompt's information that a memory holds, and the matched information beyond what chance would match in a store
of this size. A small store cannot tell rare words from common ones, so every count starts from a background corpus.
"""

from __future__ import annotations

from math import exp, lgamma, log

from memem.index.reader import COUNT_CAP
from memem.index.schema import AUTOMATIC
from memem.models import Candidate
from memem.text import COMMON_WORDS, Terms, query_terms
from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memem.index.reader import Index
    from memem.models import Scope

_PROMPT_CHARACTERS = 1000  # the topic of a longer prompt stands at its beginning; the rest is pasted material
_BACKGROUND_NOTES = 1000
_BACKGROUND_SHARE = 0.0005
_BACKGROUND_SHARE_COMMON = 0.2
_SEARCH_WORDS = 8
_MOST_POSTINGS = 3000
_CANDIDATES = 12
_COVERAGE_WEIGHT = 2.4
_SURPRISE_WEIGHT = 0.5
_LEAST_SURPRISE = -1.5
_LEAST_COVERAGE = 0.15
_UNSEEN_WEIGHT = 0.7
_LONG_NOTE = 400  # characters from which on a note holds words by chance
FLOOR = 1.6  # in a small store
_FLOOR_GROWTH = 0.6
_SMALL_STORE = 100
_LARGEST_MEASURED = 1000  # notes up to which the growth was measured


class Prompt(Value):
    """A prompt as recall sees it: its words with the information of each, in nats, rarest first."""

    information: dict[str, float]
    compounds: tuple[str, ...]
    notes: int

    @property
    def total(self) -> float:
        """Information of all words together."""
        return sum(self.information.values())


def weigh(text: str, index: Index) -> Prompt:
    """Weigh the words of a prompt by how rarely the store and the background use them."""
    terms = query_terms(text[:_PROMPT_CHARACTERS])
    notes = index.size() + _BACKGROUND_NOTES
    information: dict[str, float] = {}
    roots: dict[str, str] = {}
    for word in terms.words:
        # "redacts redacted" is one piece of evidence, not two; the index stems them alike as well.
        if roots.setdefault(root(word), word) != word:
            continue
        share = _BACKGROUND_SHARE_COMMON if _is_common(word) else _BACKGROUND_SHARE
        counted = index.count(word)
        # A word of so many notes is a stop word of this store: it tells nothing, and looking for it is slow.
        if counted < COUNT_CAP:
            # A word that no note uses may be the topic, or just how somebody talks: it counts half.
            weight = 1.0 if counted else _UNSEEN_WEIGHT
            information[word] = weight * log((notes + 1) / (counted + share * _BACKGROUND_NOTES + 0.5))
    ordered = dict(sorted(information.items(), key=lambda item: -item[1]))
    return Prompt(information=ordered, compounds=terms.compounds, notes=notes)


def root(word: str) -> str:
    """The word without its commonest English endings, to tell that two words are forms of one."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


_COMMON_ROOTS = frozenset(root(word) for word in COMMON_WORDS)


def _is_common(word: str) -> bool:
    return len(word) < 2 or root(word) in _COMMON_ROOTS


class Evidence(Value):
    """What speaks for a memory: its score before the floor, the words of the prompt that it holds, and why."""

    score: float
    matched: frozenset[str]
    reasons: tuple[str, ...]


def relevant(text: str, index: Index, scope: Scope) -> list[Candidate]:
    """The memories of a scope that there is enough evidence for, scored by it, the best first; usually none."""
    found, evidence = sifted(text, index, scope)
    scored = [item.replace(score=evidence[item.row].score, reasons=evidence[item.row].reasons) for item in found]
    return sorted(scored, key=lambda candidate: -candidate.score)


def sifted(text: str, index: Index, scope: Scope) -> tuple[list[Candidate], dict[int, Evidence]]:
    """The memories of a scope that there is enough evidence for, as BM25 found them, and that evidence by row."""
    prompt = weigh(text, index)
    terms = Terms(words=_search_words(prompt), compounds=prompt.compounds[:_SEARCH_WORDS])
    found = index.search(terms, _CANDIDATES, scope, AUTOMATIC)
    evidence = _judged(prompt, index, found)
    least = floor(prompt.notes - _BACKGROUND_NOTES)
    return [candidate for candidate in found if evidence[candidate.row].score >= least], evidence


def judged(text: str, index: Index, found: Sequence[Candidate]) -> dict[int, Evidence]:
    """The evidence for each of some candidates, by row."""
    return _judged(weigh(text, index), index, found) if found else {}


def _judged(prompt: Prompt, index: Index, found: Sequence[Candidate]) -> dict[int, Evidence]:
    matches = _matches(prompt, index, found) if found else {}
    return {candidate.row: _weighed(candidate, prompt, matches[candidate.row]) for candidate in found}


def floor(notes: int) -> float:
    """The score that a memory needs in a store of so many notes: the best of many chance matches is a better one."""
    return FLOOR + _FLOOR_GROWTH * log(1 + min(notes, _LARGEST_MEASURED) / _SMALL_STORE)


def _search_words(prompt: Prompt) -> tuple[str, ...]:
    """The rarest words, as long as few notes use them: those that most notes use find everything, slowly."""
    words: list[str] = []
    postings = 0.0
    for word, information in prompt.information.items():
        postings += prompt.notes * exp(-information)
        if len(words) >= _SEARCH_WORDS or (words and postings > _MOST_POSTINGS):
            break
        words.append(word)
    return tuple(words)


def _matches(prompt: Prompt, index: Index, found: Sequence[Candidate]) -> dict[int, list[str]]:
    matches: dict[int, list[str]] = {candidate.row: [] for candidate in found}
    rows = tuple(matches)
    for word in prompt.information:
        for row in index.matched(word, rows):
            matches[row].append(word)
    return matches


def _weighed(candidate: Candidate, prompt: Prompt, matched: list[str]) -> Evidence:
    # A text of ten times as many words holds any of them ten times as often: the excess is no evidence.
    length = len(candidate.memory.title) + len(candidate.memory.body)
    excess = max(0.0, log(length / _LONG_NOTE)) if length else 0.0
    held = {word: max(0.0, prompt.information[word] - excess) for word in matched}
    evidence = sum(held.values())
    coverage = evidence / prompt.total if prompt.total else 0.0
    # Common words neither widen the choice nor surprise by matching; they only count in the coverage.
    choices = [word for word in prompt.information if not _is_common(word)]
    telling = [word for word in matched if word in choices]
    told = sum(held[word] for word in telling)
    surprise = told - log(prompt.notes) - _log_ways(len(choices), len(telling))
    # A short prompt cannot surprise, however well a memory covers it; one word alone covers nothing by accident.
    least = _LEAST_SURPRISE if telling or len(matched) > 1 else surprise
    score = _COVERAGE_WEIGHT * coverage + _SURPRISE_WEIGHT * max(surprise, least)
    if coverage < _LEAST_COVERAGE:  # words of one trade keep company: in a long prompt some always match
        score = 0.0
    reasons = (f"matches {', '.join(matched[:6])}", f"covers {coverage:.0%}")
    return Evidence(score=score, matched=frozenset(matched), reasons=reasons)


def _log_ways(choices: int, taken: int) -> float:
    """Logarithm of the number of ways to pick some of the words."""
    return lgamma(choices + 1) - lgamma(taken + 1) - lgamma(choices - taken + 1)
