"""What the agent states on its own: causes that a green run confirms, rules, limits."""

from __future__ import annotations

from collections.abc import Iterator

from memem.mining import scoring, wording
from memem.mining.exchanges import Exchange, Said, Session
from memem.mining.lessons import Lesson, lesson
from memem.mining.marks import CAUSAL, FAILED, PASSED, REMEDY


def causes(session: Session) -> Iterator[Lesson]:
    """A cause that the agent named and that a later green run confirms."""
    for exchange in session.exchanges:
        if exchange.refuted:
            continue
        for at, said in enumerate(exchange.said):
            if not CAUSAL.search(said.text):
                continue
            score = scoring.agent(said.text, session.central(said.words), bold=said.sentence.bold)
            if score.value < 2.0 or not _green_after(session, exchange, said.at):
                continue
            around = _with_neighbours(exchange, at)
            if scoring.leans(around[0].text):
                continue
            text = " ".join(wording.ended(other.text) for other in around)
            yield lesson(
                wording.without_filler(text),
                kind="fix",
                evidence=wording.evidence(exchange, *(other.uuid for other in around)),
                score=score.value + 0.5,
                reasons=("cause", *sorted(score.cues)),
                paths=wording.paths(exchange, text),
            )


def findings(session: Session) -> Iterator[Lesson]:
    """A sentence of the agent that states a rule, a cause or a limit of the session's main matter."""
    for exchange in session.exchanges:
        if exchange.refuted:
            continue
        for at, said in enumerate(exchange.said):
            score = scoring.agent(said.text, session.central(said.words), bold=said.sentence.bold)
            if score.value < 2.0 or not score.lasting or score.passing or scoring.leans(said.text):
                continue
            around = _with_neighbours(exchange, at)
            if scoring.leans(around[0].text):
                continue
            text = " ".join(wording.ended(other.text) for other in around)
            yield lesson(
                wording.without_filler(text),
                evidence=wording.evidence(exchange, *(other.uuid for other in around)),
                score=score.value - 1.0 + 0.6 * _confirmed(session, exchange),
                reasons=("prose", *sorted(score.cues)),
                paths=wording.paths(exchange, text),
            )


def _with_neighbours(exchange: Exchange, at: int) -> list[Said]:
    """The sentence, with the one before it when it leans on it, and the next when that names a reason or a remedy."""
    said = exchange.said[at]
    around = [said]
    if at and scoring.leans(said.text) and exchange.said[at - 1].uuid == said.uuid:
        around.insert(0, exchange.said[at - 1])
    if at + 1 < len(exchange.said):
        after = exchange.said[at + 1]
        score = scoring.agent(after.text)
        if after.uuid == said.uuid and score.lasting and score.value >= 0.8 and score.cues.isdisjoint(scoring.PASSING):
            around.append(after)
    remedies = (
        other for other in exchange.said[at + 1 : at + 4] if other.uuid == said.uuid and REMEDY.search(other.text)
    )
    around += [other for other in remedies if other not in around][:1]
    while sum(len(other.text) for other in around) > 400 and len(around) > 1:
        around.remove(around[-1] if around[-1] is not said else around[0])
    return around


def _green_after(session: Session, exchange: Exchange, at: int) -> bool:
    """Whether the first check after that event, or else the last before it in the exchange, says that all is well."""
    before: list[str] = []
    after: list[str] = []
    for later in session.exchanges[exchange.number : exchange.number + 3]:
        for place, event in enumerate(later.events, later.start):
            verdict = _verdict(event.text[-3000:]) if event.kind == "result" else ""
            if verdict:
                (after if place > at else before).append(verdict)
    return (after[0] if after else before[-1] if before else "") == "green"


def _verdict(output: str) -> str:
    if FAILED.search(output):
        return "red"
    return "green" if PASSED.search(output) else ""


def _confirmed(session: Session, exchange: Exchange) -> bool:
    after = session.exchanges[exchange.number + 1 : exchange.number + 2]
    return any(other.go_ahead and bool(other.turn.own or other.human) for other in after)
