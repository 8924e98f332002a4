"""What the human says and how the agent answers: statements, questions, requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memem.mining import scoring, sentences, wording
from memem.mining.exchanges import Exchange, Said, Session
from memem.mining.lessons import Lesson, lesson
from memem.mining.marks import PRONOUN
from memem.mining.scoring import Score
from memem.mining.sentences import Sentence
from memem.text import cut
from memem.value import Value

_KEEP = 1.0  # a human sentence with less is no statement
_STATEMENT, _TAIL, _MOST_SAID = 300, 340, 3
_ANCHOR = 170
_SHARED, _OVERLAP = 2, 0.3
_ANSWERING, _ANSWER = 3, 1.4  # words shared with the question, least score
_LEFT_OUT = {"deixis", "offer", "option", "outcome"}
_REASONING = {"reason", "cause", "constraint"}  # all that a human's own words need besides
_UNSURE = {"hedge", "question"}
_SPEAKING = 90  # characters of an answer that needs no question
_ALONE = 6  # words that carry a topic
_TELLING = 4  # a question of fewer words does not say what it is about


class Statement(Value):
    """Neighbouring sentences of a human that belong together."""

    text: str
    score: float
    cues: frozenset[str]
    words: frozenset[str]
    worded: bool  # the human's own rule, correction or reason


def exchanges(session: Session) -> Iterator[Lesson]:
    """A human's statement with what the agent said of the same matter; a question with its durable answer."""
    for exchange in session.exchanges:
        human = exchange.human
        if human is None or human.kind == "answer" or exchange.go_ahead:
            continue
        scored = [
            (sentence, _scored(session, sentence))
            for sentence in exchange.turn.own
            if not session.takes_back(sentence.text, exchange.start)
        ]
        if scored and "prompt" in scored[0][1].cues:
            continue
        statements = _statements(scored)
        statements = [_own(session, exchange, statement) for statement in statements[:3]]
        for statement in statements:
            yield from _stated(session, exchange, statement)
        asked = [pair for pair in scored if "question" in pair[1].cues] if statements else scored
        if asked or not statements:
            yield from _asked(session, exchange, asked)


def _scored(session: Session, sentence: Sentence) -> Score:
    central = session.central(sentences.words(sentence.text))
    if not sentence.pasted:
        return scoring.human(sentence.text, central)
    return scoring.agent(sentence.text, central)  # a human showed it, another wrote it


def _stated(session: Session, exchange: Exchange, statement: Statement) -> Iterator[Lesson]:
    tail = [] if exchange.refuted else _tail(session, exchange, statement.words, least=_SHARED + statement.worded)
    if "question" in statement.cues and not (tail and exchange.agreed):
        return
    best = max((score.value for _, score in tail), default=0.0)
    agreed = exchange.agreed * (0.8 if "proposal" in statement.cues else 0.6)
    if statement.worded:
        tail = [(said, score) for said, score in tail if score.cues & _REASONING][:1]
    text = wording.joined(statement.text, (said.text for said, _ in tail))
    yield lesson(
        text,
        evidence=wording.evidence(exchange, *(said.uuid for said, _ in tail)),
        human=statement.worded,
        score=statement.score + 0.4 * min(best, 3.0) + agreed - bool(PRONOUN.match(statement.text)),
        reasons=("exchange", *sorted(statement.cues)),
        paths=wording.paths(exchange, text),
    )


def _own(session: Session, exchange: Exchange, statement: Statement) -> Statement:
    """The statement, no longer the human's when it repeats what the agent wrote before."""
    before = session.exchanges[max(0, exchange.number - 6) : exchange.number]
    quoted = (
        "correction" not in statement.cues
        and len(statement.words) > 5
        and any(
            len(statement.words & said.words) >= 0.7 * min(len(statement.words), max(6, len(said.words)))
            for earlier in before
            for said in earlier.said
        )
    )
    return statement.replace(worded=False) if quoted else statement


def _asked(session: Session, exchange: Exchange, scored: Sequence[tuple[Sentence, Score]]) -> Iterator[Lesson]:
    """A question, a request or a pasted error, when the answer holds a lesson of its own."""
    anchor = exchange.turn.error
    if scored and not anchor:
        anchor = max(scored, key=lambda pair: pair[1].value + len(sentences.words(pair[0].text)) * 0.1)[0].text
    if not anchor or exchange.refuted:
        return
    asks = bool(exchange.turn.error) or any("question" in score.cues for _, score in scored)
    about = exchange.words | sentences.words(anchor)
    tail = _tail(
        session, exchange, about, least=min(1, len(exchange.words) // _TELLING) if asks else _SHARED, asks=True
    )
    if not tail:
        return
    shared = min(4, max(len(about) < _TELLING, *(len(about & said.words) for said, _ in tail)))
    best = max(score.value for _, score in tail) + _OVERLAP * shared
    requested = any("request" in score.cues for _, score in scored) and not exchange.turn.error
    if any("one-off" in score.cues for _, score in scored) and not exchange.turn.error:
        return
    if not exchange.turn.error:
        first = tail[0][0]
        shared, leans = len(about & first.words), scoring.leans(first.text)
        telling = not requested and not scoring.leans(anchor) and len(sentences.words(anchor)) >= _TELLING
        if not telling and (leans or (shared < _ANSWERING and len(first.words) < _ALONE)):
            return
        if not telling or (shared >= _ANSWERING and not leans and len(first.text) >= _SPEAKING):
            anchor = ""  # the answer says itself what it is about
    text = wording.joined(
        wording.without_filler(cut(anchor, _ANCHOR)), (wording.without_filler(said.text) for said, _ in tail), " — "
    )
    yield lesson(
        text,
        evidence=wording.evidence(exchange, *(said.uuid for said, _ in tail)),
        score=best + 0.25 * (len(tail) - 1) - 0.4,
        reasons=(
            "error" if exchange.turn.error else "question",
            *sorted(set().union(*(score.cues for _, score in tail))),
        ),
        paths=wording.paths(exchange, text),
    )


def _statements(scored: Sequence[tuple[Sentence, Score]]) -> list[Statement]:
    """Groups of kept sentences, best first. One that begins with a pronoun takes the sentence before it along."""
    kept = {at for at, (_, score) in enumerate(scored) if _is_statement(score)}
    for at in sorted(kept):
        if at and PRONOUN.match(scored[at][0].text) and not scored[at - 1][1].cues & {"retraction", "chat", "hedge"}:
            kept.add(at - 1)
    groups: list[list[int]] = []
    for at in sorted(kept):
        if groups and at - groups[-1][-1] <= 2 and _size(scored, [*groups[-1], at]) <= _STATEMENT:
            groups[-1].append(at)
        else:
            groups.append([at])
    for group in groups:
        # A human's own words say enough, unless they are few: then what stands before them names the matter.
        worded = any(scored[at][1].worded and not scored[at][0].pasted for at in group)
        few = len(sentences.words(scored[group[0]][0].text)) <= _TELLING
        around = [group[0] - 1] * (few or not worded) + [group[-1] + 1] * (not worded)
        for at in (*around, *range(group[0], group[-1])):
            fits = 0 <= at < len(scored) and at not in kept and _size(scored, [*group, at]) <= _STATEMENT
            if fits and scored[at][1].value >= 0.0 and scored[at][1].cues.isdisjoint(scoring.PASSING):
                group.append(at)
                kept.add(at)
        group.sort()
    found = [_statement([scored[at] for at in group]) for group in groups]
    return sorted(found, key=lambda statement: -statement.score)


def _is_statement(score: Score) -> bool:
    if score.value < _KEEP or "retraction" in score.cues:
        return False
    if score.cues & _UNSURE and "proposal" not in score.cues:
        return False
    return "request" not in score.cues or not score.cues.isdisjoint(
        ("rule", "preference", "choice", "correction", "decision")
    )


def _size(scored: Sequence[tuple[Sentence, Score]], group: Sequence[int]) -> int:
    return sum(len(scored[at][0].text) for at in group)


def _statement(group: Sequence[tuple[Sentence, Score]]) -> Statement:
    text = " ".join(wording.ended(wording.without_filler(sentence.text)) for sentence, _ in group)
    best = max(group, key=lambda pair: pair[1].value)
    values = sorted((score.value for _, score in group), reverse=True)
    return Statement(
        text=text,
        score=values[0] + 0.3 * sum(value for value in values[1:] if value > 0),
        cues=frozenset().union(*(score.cues for _, score in group)),
        words=sentences.words(text),
        worded=best[1].worded
        and not PRONOUN.match(text)
        and not any(sentence.pasted or score.cues & _UNSURE for sentence, score in group),
    )


def _tail(
    session: Session, exchange: Exchange, about: frozenset[str], *, least: int, asks: bool = False
) -> list[tuple[Said, Score]]:
    """At most three sentences of the reply that last and speak of the same matter, in their order.

    To who asks, a sentence that names things and shares much with the question is an answer, whatever its words.
    """
    ranked: list[tuple[float, int, Score]] = []
    agreed, edited = exchange.agreed, exchange.edited
    for at, said in enumerate(exchange.said):
        if said.at > edited and asks:
            break  # from the first edit on the agent reports
        score = scoring.agent(said.text, session.central(said.words), bold=said.sentence.bold)
        shared = len(about & said.words)
        answers = (asks or agreed) and shared >= _ANSWERING and score.value >= _ANSWER and not score.passing
        if not ((score.lasting and score.value >= 1.0) or answers) or score.cues & _LEFT_OUT:
            continue
        if shared >= least or (agreed and at < 6):
            ranked.append((score.value + _OVERLAP * min(shared, 4), at, score))
    ranked.sort(key=lambda entry: (-entry[0], entry[1]))
    chosen: dict[int, Score] = {}
    room = _TAIL
    for _, at, score in ranked:
        size = len(exchange.said[at].text)
        if len(chosen) < _MOST_SAID and size <= room and not _known(exchange, at, chosen):
            chosen[at] = score
            room -= size
    follows = {at for at in chosen if at - 1 in chosen or (asks and at == 0)}
    return [(exchange.said[at], chosen[at]) for at in sorted(chosen) if at in follows or not _leans(exchange, at)]


def _leans(exchange: Exchange, at: int) -> bool:
    return scoring.leans(exchange.said[at].text)


def _known(exchange: Exchange, at: int, chosen: dict[int, Score]) -> bool:
    ours = exchange.said[at].words
    return any(
        len(ours & exchange.said[other].words) > 0.6 * max(1, min(len(ours), len(exchange.said[other].words)))
        for other in chosen
    )
