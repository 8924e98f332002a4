"""How much a sentence looks like a lesson, by the table of cues, its identifiers and the topic of the session."""

from __future__ import annotations

from functools import lru_cache

from memem.mining import sentences
from memem.mining.cues import CUES
from memem.mining.marks import HEADLESS, LEANING, QUESTION, SPECIFIC
from memem.value import Value

LASTING = (
    "rule",
    "cause",
    "reason",
    "decision",
    "environment",
    "constraint",
    "correction",
    "preference",
    "directive",
    "choice",
    "identity",
)
HUMAN_WORDED = (
    "rule",
    "choice",
    "preference",
    "correction",
    "reason",
    "decision",
    "environment",
    "constraint",
    "identity",
)
PASSING = ("question", "request", "hedge", "one-off", "outcome", "option", "offer", "chat", "retraction", "deixis")
_SPECIFIC, _CENTRAL = 0.25, 0.15
_MOST_SPECIFIC, _MOST_CENTRAL = 4, 5


class Score(Value):
    """The sum of the cues of a sentence, and their names."""

    value: float
    cues: frozenset[str]

    @property
    def lasting(self) -> bool:
        """Whether something in it marks a rule, a cause, a decision, a fact of the environment."""
        return not self.cues.isdisjoint(LASTING)

    @property
    def passing(self) -> bool:
        """Whether something in it marks a request, a report, an offer or a guess."""
        return not self.cues.isdisjoint(PASSING)

    @property
    def worded(self) -> bool:
        """Whether a human's sentence is a rule, a correction or a reason on purpose, not a wish of the moment."""
        strong = self.cues & set(HUMAN_WORDED)
        # A reason alone explains what was asked for just now, a limit alone what was seen.
        return bool(strong - {"reason", "constraint"} or (strong and "directive" in self.cues)) and not self.passing


def human(text: str, central: int = 0) -> Score:
    """The score of a sentence that a human said."""
    value, cues = _sum(text, "human", central)
    if QUESTION.search(text):
        cues.add("question")
        value -= 0.3 if "proposal" in cues else 1.2
    if sentences.length(text) < 25:
        value -= 0.6
    if text.endswith(":"):
        value -= 0.8
    if HEADLESS.match(text):
        value -= 1.5
    return Score(value=value, cues=frozenset(cues))


def agent(text: str, central: int = 0, *, bold: bool = False) -> Score:
    """The score of a sentence that an agent wrote."""
    value, cues = _sum(text, "agent", central)
    if text.rstrip().endswith("?"):
        value -= 2.0
    if text.rstrip().endswith(":"):
        value -= 2.5
    if leans(text):
        value -= 0.5
    return Score(value=value + 0.3 * bold, cues=frozenset(cues))


def leans(text: str) -> bool:
    """Whether an agent's sentence speaks of what was named before it."""
    return bool(LEANING.match(text))


def _sum(text: str, who: str, central: int) -> tuple[float, set[str]]:
    value, cues = _cues(text, who)
    return value + _CENTRAL * min(central, _MOST_CENTRAL), set(cues)


@lru_cache(maxsize=4096)  # each finder looks at the same sentences
def _cues(text: str, who: str) -> tuple[float, frozenset[str]]:
    value, cues = 0.0, set()
    for cue in CUES:
        weight = cue.human if who == "human" else cue.agent
        if weight and cue.pattern.search(text):
            value += weight
            cues.add(cue.name)
    specific = len(set(SPECIFIC.findall(text)))
    return value + _SPECIFIC * min(specific, _MOST_SPECIFIC), frozenset(cues)
