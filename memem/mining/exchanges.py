"""A session as exchanges: what the human said, and all that happened until the human spoke again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from memem.mining import sentences
from memem.mining.marks import AGREED, GO_AHEAD, REFUTES, RETIRED
from memem.mining.sentences import Sentence, Turn
from memem.sources.events import HUMAN, Event
from memem.value import Value

_MOST_PROSE = 6000  # characters of one reply; what matters stands at its ends
_REPEATED = 0.8
_ENGLISH = frozenset("the a an is are to of and in it that this for on with not be as we by from".split())
_LEAST_ENGLISH = 0.1


class Said(Value):
    """A sentence of the agent, with the record it stands in and how many events came before it."""

    sentence: Sentence
    uuid: str
    at: int
    words: frozenset[str]

    @property
    def text(self) -> str:
        """The words of the sentence."""
        return self.sentence.text


class Exchange(Value):
    """One human event and what followed. `said` is the agent's prose, sentence by sentence."""

    number: int
    human: Event | None
    turn: Turn
    words: frozenset[str]
    said: tuple[Said, ...]
    events: tuple[Event, ...]
    start: int  # place of the first event in the session
    next: Event | None = None

    @property
    def go_ahead(self) -> bool:
        """Whether the human only said yes, or picked a number."""
        if self.human is None or self.turn.error:
            return False
        return not self.turn.own or bool(GO_AHEAD.match(self.human.text[:_MOST_PROSE].strip()))

    @property
    def refuted(self) -> bool:
        """Whether the human's next words say no, or paste the same error once more."""
        if self.next is None or self.next.kind == "answer":
            return False
        error = sentences.words(self.turn.error)
        again = bool(error) and len(error & sentences.words(sentences.human(self.next.text).error)) >= 0.6 * len(error)
        return again or bool(REFUTES.search(self.next.text[:160]))

    @property
    def edited(self) -> int:
        """How many events of the session came before the first edit or commit; of no edit, the end."""
        kinds = [event.kind for event in self.events]
        return self.start + min((kinds.index(kind) for kind in ("edit", "commit") if kind in kinds), default=len(kinds))

    @property
    def agreed(self) -> bool:
        """Whether the agent's first words say that the human is right."""
        first = next((event.text for event in self.events if event.kind == "prose"), "")
        return bool(AGREED.search(first[:90]))


class Session(Value):
    """All exchanges, and in how many of them each word occurs."""

    exchanges: tuple[Exchange, ...]
    spread: dict[str, int]
    retired: tuple[tuple[int, str], ...] = ()  # names that a human took back, with the place where
    english: bool = True  # the cues know fewer words of other languages

    def central(self, words: Iterable[str]) -> int:
        """How many of the words the session keeps coming back to."""
        least = max(2, min(4, len(self.exchanges) // 4))
        return sum(self.spread.get(word, 0) >= least for word in words)

    def takes_back(self, text: str, place: int) -> bool:
        """Whether a human says after that place that a name in the text no longer holds."""
        return any(later > place and name in text for later, name in self.retired)


def read(events: Iterable[Event]) -> Session:
    """Group events by the human turn before them; what an agent wrote to a sub-agent is nobody's word."""
    groups: list[list[Event]] = [[]]
    for event in events:
        if event.agent:
            continue
        if event.kind in HUMAN:
            groups.append([])
        groups[-1].append(event)
    groups = [group for group in groups if group]
    kept = [group for group, after in pairwise([*groups, []]) if not _said_again(group, after)]
    exchanges: list[Exchange] = []
    start = 0
    for number, group in enumerate(kept):
        after = kept[number + 1][0] if number + 1 < len(kept) else None
        exchanges.append(_exchange(number, group, start, after))
        start += len(group)
    spread: Counter[str] = Counter()
    for exchange in exchanges:
        spread.update(exchange.words.union(*(said.words for said in exchange.said)))
    prose = " ".join(said.text.lower() for exchange in exchanges for said in exchange.said[:40]).split()
    english = not prose or sum(word in _ENGLISH for word in prose) >= _LEAST_ENGLISH * len(prose)
    retired = tuple(
        (exchange.start, name.strip())
        for exchange in exchanges
        if exchange.human is not None
        for pattern in RETIRED
        for name in pattern.findall(exchange.human.text[:_MOST_PROSE])
    )
    return Session(exchanges=tuple(exchanges), spread=dict(spread), retired=retired, english=english)


def _exchange(number: int, group: Sequence[Event], start: int, after: Event | None) -> Exchange:
    human = group[0] if group[0].kind in HUMAN else None
    turn = sentences.human(human.text) if human and human.kind != "answer" else Turn(own=())
    said: list[Said] = []
    for at, event in enumerate(group):
        if event.kind == "prose":
            for sentence in sentences.agent(_ends(event.text)):
                said.append(
                    Said(sentence=sentence, uuid=event.uuid, at=start + at, words=sentences.words(sentence.text))
                )
    return Exchange(
        number=number,
        human=human,
        turn=turn,
        words=frozenset().union(*(sentences.words(sentence.text) for sentence in turn.own)),
        said=tuple(said),
        events=tuple(group),
        start=start,
        next=after,
    )


def _ends(text: str) -> str:
    return text if len(text) <= _MOST_PROSE else f"{text[: _MOST_PROSE // 2]}\n\n{text[-_MOST_PROSE // 2 :]}"


def _said_again(group: Sequence[Event], after: Sequence[Event]) -> bool:
    """Whether a turn that got no answer is sent once more, as after an interrupt."""
    if not after or group[0].kind not in HUMAN or after[0].kind not in HUMAN:
        return False
    if any(event.kind in ("prose", "command", "edit") for event in group):
        return False
    ours, theirs = sentences.words(group[0].text), sentences.words(after[0].text)
    return bool(ours) and len(ours & theirs) / len(ours) >= _REPEATED
