"""Is a memory about the prompt, or do they share a word by chance? The floor below which recall stays silent.

Three figures, after experiments on LoCoMo, BEAM and coding sessions (where their sum separated best): the share of
the prompt's information that a memory holds, the matched information beyond what chance would match in a store of
this size, and how often words that follow each other in the prompt do so in the memory. A small store cannot tell
rare words from common ones, so every count starts from a background corpus.
"""

from __future__ import annotations

from itertools import pairwise
from math import exp, lgamma, log

from memem.index.reader import COUNT_CAP
from memem.index.schema import AUTOMATIC
from memem.models import Candidate
from memem.text import COMMON_WORDS, Terms, query_terms, terms
from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
_LEAST_WORDS = 2  # of a prompt: "merge it" or "apply that" is covered by any note with the word
_PAIR_WEIGHT = 1.45
_MOST_PAIRS = 4
_BESIDE = 2  # one word, or the parts of an identifier as one, may stand between two words of a pair
_PAIRS_READ = 6000  # characters of a memory
_LONG_NOTE = 400  # characters from which on a note holds words by chance
FLOOR = 1.5  # in a small project
_FLOOR_GROWTH = 1.0  # for a prompt in the store's own words
_STRANGE_GROWTH = 1.5  # more, for one of which the store uses no word
_SMALL = 100  # notes
_LARGEST_MEASURED = 2400  # notes up to which the growth was measured


class Prompt(Value):
    """A prompt as recall sees it: its words with the information of each, in nats, rarest first."""

    information: dict[str, float]
    compounds: tuple[str, ...]
    notes: int
    pairs: frozenset[tuple[str, str]] = frozenset()  # words that follow each other, but for what tells nothing
    unused: frozenset[str] = frozenset()  # words that no note holds: they tell, but find nothing

    @property
    def total(self) -> float:
        """Information of all words together."""
        return sum(self.information.values())

    @property
    def strangeness(self) -> float:
        """The share of its words that no note uses, 0 to 1."""
        return len(self.unused) / len(self.information) if self.information else 0.0


def weigh(text: str, index: Index) -> Prompt:
    """Weigh the words of a prompt by how rarely the store and the background use them."""
    text = text[:_PROMPT_CHARACTERS]
    asked = query_terms(text)
    notes = index.size() + _BACKGROUND_NOTES
    information: dict[str, float] = {}
    unused: set[str] = set()
    roots: dict[str, str] = {}
    for word in asked.words:
        # "redacts redacted" is one piece of evidence, not two; the index stems them alike as well.
        if roots.setdefault(root(word), word) != word:
            continue
        share = _BACKGROUND_SHARE_COMMON if _is_common(word) else _BACKGROUND_SHARE
        counted = index.count(word)
        # A word of so many notes is a stop word of this store: it tells nothing, and looking for it is slow.
        if counted < COUNT_CAP:
            if not counted:
                unused.add(word)
            information[word] = log((notes + 1) / (counted + share * _BACKGROUND_NOTES + 0.5))
    ordered = dict(sorted(information.items(), key=lambda item: -item[1]))
    return Prompt(
        information=ordered,
        compounds=asked.compounds,
        notes=notes,
        pairs=_pairs(text, ordered),
        unused=frozenset(unused),
    )


def _pairs(text: str, words: Iterable[str]) -> frozenset[tuple[str, str]]:
    known = {root(word): word for word in words}
    said = [known[stem] for stem in map(root, terms(text)) if stem in known]
    pairs = frozenset(pair for pair in pairwise(said) if pair[0] != pair[1] and not _are_pieces(*pair))
    return frozenset(pair for pair in pairs if not all(map(_is_common, pair)))  # any two links share "github com"


def _are_pieces(one: str, other: str) -> bool:
    """Whether both may be pieces of one word or number, as scripts without spaces and versions are cut into."""
    return (one + other).isdigit() or (not one.isascii() and not other.isascii() and max(len(one), len(other)) <= 2)


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
    """The memories of a scope that there is enough evidence for, scored by it, the best first; usually none.

    One word may be enough: the name of a file often is one.
    """
    found, evidence = sifted(text, index, scope, words=1)
    scored = [item.replace(score=evidence[item.row].score, reasons=evidence[item.row].reasons) for item in found]
    return sorted(scored, key=lambda candidate: -candidate.score)


def sifted(
    text: str, index: Index, scope: Scope, words: int = _LEAST_WORDS
) -> tuple[list[Candidate], dict[int, Evidence]]:
    """The memories of a scope that there is enough evidence for, as BM25 found them, and that evidence by row.

    They hold at least so many words of the text.
    """
    prompt = weigh(text, index)
    terms = Terms(words=_search_words(prompt), compounds=prompt.compounds[:_SEARCH_WORDS])
    found = index.search(terms, _CANDIDATES, scope, AUTOMATIC)
    # Of its own notes: those of other projects cannot match, so they are no chances for a better one.
    least = floor(index.size_of(scope, _LARGEST_MEASURED), prompt.strangeness) if found else 0.0
    evidence = _judged(prompt, index, found, least)
    enough = {row for row, item in evidence.items() if item.score >= least and len(item.matched) >= words}
    return [candidate for candidate in found if candidate.row in enough], evidence


def judged(text: str, index: Index, found: Sequence[Candidate]) -> dict[int, Evidence]:
    """The evidence for each of some candidates, by row."""
    return _judged(weigh(text, index), index, found) if found else {}


def _judged(
    prompt: Prompt, index: Index, found: Sequence[Candidate], least: float = float("-inf")
) -> dict[int, Evidence]:
    """The evidence for each; pairs are not looked for in a memory that stays below `least` with all of them."""
    matched = matches(prompt, index, found) if found else {}
    choices = frozenset(word for word in prompt.information if not _is_common(word))
    return {item.row: _weighed(item, prompt, matched[item.row], choices, least) for item in found}


def _beside(candidate: Candidate, pairs: Sequence[tuple[str, str]]) -> int:
    """How many pairs stand beside each other in a memory as well."""
    places: dict[str, set[int]] = {root(word): set() for pair in pairs for word in pair}
    heads = {stem[:3] for stem in places}  # a root begins as its word does, which is quicker to look at
    for at, term in enumerate(terms(f"{candidate.memory.title}\n{candidate.memory.body[:_PAIRS_READ]}")):
        if term[:3] in heads and (stem := root(term)) in places:
            places[stem].add(at)
    return sum(
        any(not places[root(other)].isdisjoint(range(at + 1, at + 1 + _BESIDE)) for at in places[root(one)])
        for one, other in pairs
    )


def floor(notes: int, strangeness: float = 0.0) -> float:
    """The score that a memory needs among so many notes: the best of many chance matches is a better one.

    What is asked in words that so large a store never used is hardly about it; a small one uses few words at all.
    """
    growth = _FLOOR_GROWTH + _STRANGE_GROWTH * strangeness
    return FLOOR + growth * log(1 + min(notes, _LARGEST_MEASURED) / _SMALL)


def _search_words(prompt: Prompt) -> tuple[str, ...]:
    """The rarest words that notes use, as long as few do: those that most notes use find everything, slowly."""
    words: list[str] = []
    postings = 0.0
    for word, information in prompt.information.items():
        if word in prompt.unused:
            continue
        postings += prompt.notes * exp(-information)
        if len(words) >= _SEARCH_WORDS or (words and postings > _MOST_POSTINGS):
            break
        words.append(word)
    return tuple(words)


def matches(prompt: Prompt, index: Index, found: Sequence[Candidate]) -> dict[int, list[str]]:
    """The words of the prompt that each of some candidates holds, by row, rarest first."""
    held: dict[int, list[str]] = {candidate.row: [] for candidate in found}
    rows = tuple(held)
    for word in prompt.information:
        if word not in prompt.unused:
            for row in index.matched(word, rows):
                held[row].append(word)
    return held


def _weighed(
    candidate: Candidate, prompt: Prompt, matched: list[str], choices: frozenset[str], needed: float
) -> Evidence:
    # A text of ten times as many words holds any of them ten times as often: the excess is no evidence.
    length = len(candidate.memory.title) + len(candidate.memory.body)
    excess = max(0.0, log(length / _LONG_NOTE)) if length else 0.0
    held = {word: max(0.0, prompt.information[word] - excess) for word in matched}
    evidence = sum(held.values())
    coverage = evidence / prompt.total if prompt.total else 0.0
    # Common words neither widen the choice nor surprise by matching; they only count in the coverage.
    telling = [word for word in matched if word in choices]
    told = sum(held[word] for word in telling)
    surprise = told - log(prompt.notes) - _log_ways(len(choices), len(telling))
    # A short prompt cannot surprise, however well a memory covers it; one word alone covers nothing by accident.
    least = _LEAST_SURPRISE if telling or len(matched) > 1 else surprise
    score = _COVERAGE_WEIGHT * coverage + _SURPRISE_WEIGHT * max(surprise, least)
    if coverage < _LEAST_COVERAGE:  # words of one trade keep company: in a long prompt some always match
        score = 0.0
    pairs = [pair for pair in prompt.pairs if pair[0] in held and pair[1] in held]
    if pairs and score + _PAIR_WEIGHT * min(len(pairs), _MOST_PAIRS) >= needed:
        score += _PAIR_WEIGHT * min(_beside(candidate, pairs), _MOST_PAIRS)
    reasons = (f"matches {', '.join(matched[:6])}", f"covers {coverage:.0%}")
    return Evidence(score=score, matched=frozenset(matched), reasons=reasons)


def _log_ways(choices: int, taken: int) -> float:
    """Logarithm of the number of ways to pick some of the words."""
    return lgamma(choices + 1) - lgamma(taken + 1) - lgamma(choices - taken + 1)
