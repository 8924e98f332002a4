"""In which order memories answer a question: one table of signals for the prompt hook and for every explicit search.

Relevance is how well a memory's words fit; every other signal only raises it by its weight. What earns its place on
benchmarks/recall has a weight that can change an order; a small one only breaks ties; 0 means that nothing was gained,
or that no benchmark shows a gain, and then the signal costs nothing.
"""

from __future__ import annotations

from itertools import pairwise
from math import log2

from memem.models import Candidate, Query
from memem.recall.evidence import root
from memem.text import query_terms, terms
from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from memem.recall.evidence import Evidence

_WORDS, _EVIDENCE = 1 / 3, 2 / 3  # shares of relevance: BM25 alone, and evidence that the store weighs
_MONTH_DAYS = 30
_MANY_USES = 8
_NEAR = 0.7  # of the longer text's words, for two memories to be statements about one thing
_LINKED = 0.2  # of them, when one names the other as related
_MOST_COMPARED = 12
_LONGEST_STATEMENT = 600  # characters; longer notes tell more than one thing
_TEXT = 1000
_HEAD = 3  # letters of a word that are in its root
# Kinds that answer a question of an intent, by the word that asks it.
_INTENTS = (
    (("why", "warum", "pourquoi", "reason"), ("decision", "insight", "failure", "quirk")),
    (("when", "wann", "quand", "deadline"), ("event", "plan", "todo", "blocker", "narrative", "summary")),
    (("how", "wie", "comment", "steps"), ("procedure", "playbook", "fix", "environment")),
)


class Around(Value):
    """What the signals look at besides a memory: the question, its words, and what is known of all candidates."""

    query: Query
    text: str = ""  # the beginning of the question: the rest is pasted material
    words: frozenset[str] = frozenset()
    pairs: frozenset[tuple[str, str]] = frozenset()  # its neighbouring words, those without a topic included
    heads: frozenset[str] = frozenset()  # what the words of these begin with
    roots: frozenset[str] = frozenset()
    newest: str = ""
    uses: Mapping[str, int] = {}
    linked: frozenset[str] = frozenset()  # ids that the best candidate names


class Signal(Value):
    """What can raise a memory: by at most `weight` of its relevance. `of` answers 0 to 1."""

    name: str
    weight: float
    of: Callable[[Around, Candidate], float]


def _scope(around: Around, candidate: Candidate) -> float:
    return float(around.query.scope.holds(candidate.memory.project))


def _paths(around: Around, candidate: Candidate) -> float:
    globs, text = candidate.memory.paths, around.text
    if not globs:
        return 0.0
    named = any(glob.rpartition("/")[2] in text for glob in globs if len(glob.rpartition("/")[2].strip("*.")) > 2)
    if named or not around.query.paths:
        return float(named)
    from memem.recall.paths import File

    return float(bool(File(around.query.paths).closeness(globs)))


def _keys(around: Around, candidate: Candidate) -> float:
    keys = candidate.memory.keys
    return float(bool(keys) and not around.words.isdisjoint(terms(" ".join(keys))))


def _wording(around: Around, candidate: Candidate) -> float:
    if not around.pairs:
        return 0.0
    memory = candidate.memory
    said = memory.body if memory.body.startswith(memory.title) else f"{memory.title}\n{memory.body}"
    beside = frozenset(pairwise(_stems(said[:_TEXT], around.heads)))  # in either order: a question turns them around
    return sum(pair in beside or pair[::-1] in beside for pair in around.pairs) / len(around.pairs)


def _stems(text: str, heads: frozenset[str]) -> list[str]:
    """The words of a text without their endings; "" for those that do not begin as one of the question does."""
    # Of every candidate, and a root begins as its word does, which is quicker to look at.
    return [root(word) if word[:_HEAD] in heads else "" for word in terms(text)]


def _pairs(text: str) -> frozenset[tuple[str, str]]:
    stems = map(root, terms(text))
    return frozenset((min(pair), max(pair)) for pair in pairwise(stems))


def _subject(around: Around, candidate: Candidate) -> float:
    """Whether a text begins with a topic of the question."""
    said = query_terms(candidate.memory.title[:100], 1).words
    return float(bool(said) and root(said[0]) in around.roots)


def _intent(around: Around, candidate: Candidate) -> float:
    asked = around.text.lower().split()
    kind = candidate.memory.kind
    if any(kind in kinds and any(word in asked for word in words) for words, kinds in _INTENTS):
        return 1.0
    return float(any(name in asked for name in candidate.memory.entities))


def _temporal(around: Around, candidate: Candidate) -> float:
    when = around.query.when
    return max(when.fits(candidate.memory.created), when.fits(candidate.memory.valid_at)) if when else 0.0


def _recency(around: Around, candidate: Candidate) -> float:
    """Half after a month, seen from the newest candidate, so that no clock is needed."""
    return float(0.5 ** (max(_day(around.newest) - _day(candidate.memory.updated), 0) / _MONTH_DAYS))


def _use(around: Around, candidate: Candidate) -> float:
    return min(log2(1 + around.uses.get(candidate.memory.id, 0)) / log2(1 + _MANY_USES), 1.0)


def _importance(around: Around, candidate: Candidate) -> float:
    return (candidate.memory.importance - 1) / 4


def _links(around: Around, candidate: Candidate) -> float:
    return float(candidate.memory.id in around.linked)


# The one place where the order of memories is decided. How each weight was found: see docs/architecture.md.
SIGNALS = (
    Signal(name="scope", weight=0.3, of=_scope),  # own project before others; explicit search only sees several
    Signal(name="temporal", weight=0.2, of=_temporal),  # a date that the question names; explicit search only
    Signal(name="paths", weight=0.1, of=_paths),  # names or concerns a file of the question
    Signal(name="wording", weight=0.1, of=_wording),  # asked in the words that it is said in
    Signal(name="subject", weight=0.1, of=_subject),  # it begins with a topic of the question
    Signal(name="keys", weight=0.05, of=_keys),  # beside their weight in BM25
    Signal(name="intent", weight=0.03, of=_intent),  # ties only
    Signal(name="use", weight=0.03, of=_use),  # ties only
    Signal(name="importance", weight=0.02, of=_importance),  # ties only
    Signal(name="recency", weight=0.02, of=_recency),  # ties only; versions of one statement: see `newest_first`
    Signal(name="links", weight=0.0, of=_links),  # no benchmark has links
    Signal(name="neighbours", weight=0.0, of=lambda around, candidate: 0.0),  # of the graph: a slice offers them
)


def rank(
    query: Query, found: list[Candidate], evidence: Mapping[int, Evidence], uses: Mapping[str, int]
) -> list[Candidate]:
    """Candidates as BM25 found them, best first, with what their scores are made of.

    `evidence` is by row, `uses` counts how often memories helped, by id.
    """
    if not found:
        return []
    best_words = max(candidate.score for candidate in found) or 1.0
    best_evidence = max(*(evidence[candidate.row].score for candidate in found), 1e-9)
    text = query.text[:_TEXT]
    pairs = _pairs(text)
    around = Around(
        query=query,
        text=text,
        words=frozenset(query_terms(text).words),
        pairs=pairs,
        heads=frozenset(stem[:_HEAD] for pair in pairs for stem in pair),
        roots=frozenset(map(root, query_terms(text).words)),
        newest=max(candidate.memory.updated for candidate in found),
        uses=uses,
        linked=frozenset(found[0].memory.related),
    )
    scored = []
    for candidate in found:
        own = evidence[candidate.row]
        words, held = candidate.score / best_words, max(own.score, 0.0) / best_evidence
        parts = [("words", words, _WORDS), ("evidence", held, _EVIDENCE)]
        parts += [(signal.name, signal.of(around, candidate) if signal.weight else 0.0, signal.weight)
                  for signal in SIGNALS]  # fmt: skip
        scored.append(candidate.replace(score=total(parts), reasons=own.reasons, signals=tuple(parts)))
    # Of equals the newer.
    scored.sort(key=lambda candidate: (candidate.memory.created, candidate.row), reverse=True)
    scored.sort(key=lambda candidate: -round(candidate.score, 4))
    matched = {row: item.matched for row, item in evidence.items()}
    return newest_first(scored, matched)


def total(parts: list[tuple[str, float, float]]) -> float:
    """The score of a memory: its relevance (the first two parts), raised by each other signal."""
    relevance = sum(value * weight for _, value, weight in parts[:2])
    return relevance * (1 + sum(value * weight for _, value, weight in parts[2:]))


def newest_first(found: list[Candidate], matched: Mapping[int, frozenset[str]]) -> list[Candidate]:
    """Of statements about one thing that hold the same words of the question, the newer before the older.

    The question cannot tell them apart, and what was said later is what is true now, if only one of them is.
    """
    ordered: list[Candidate] = []
    for at, candidate in enumerate(found):
        place = len(ordered)
        if at < _MOST_COMPARED:
            for before, other in enumerate(ordered):
                if newer(candidate, other) and matched[candidate.row] >= matched[other.row] and near(candidate, other):
                    place = before
                    break
        ordered.insert(place, candidate)
    return ordered


def newer(one: Candidate, other: Candidate) -> bool:
    """Whether a memory was made after another; of one second, whether it came into the index later."""
    mine, yours = one.memory.created, other.memory.created
    return mine > yours or (mine == yours != "" and one.row > other.row)


def near(one: Candidate, other: Candidate) -> bool:
    """Whether two memories make nearly the same statement, perhaps about two subjects or with two values."""
    return alike(one, other, _LINKED if other.memory.id in one.memory.related else _NEAR)


def alike(one: Candidate, other: Candidate, share: float = _NEAR) -> bool:
    """Whether two memories have so many words of the longer one in common."""
    lessons = [candidate.memory.lesson for candidate in (one, other)]
    if max(map(len, lessons)) > _LONGEST_STATEMENT:
        return False
    words, others = (frozenset(terms(lesson)) for lesson in lessons)
    return len(words & others) >= share * max(len(words), len(others), 1)


def _day(at: str) -> int:
    """Days of an ISO 8601 time, months as 31 days: near enough to tell old from new."""
    try:
        return int(at[:4]) * 372 + int(at[5:7]) * 31 + int(at[8:10])
    except ValueError:
        return 0
