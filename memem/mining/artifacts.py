"""What a session leaves behind: commit messages, answers, plans, documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memem.mining import scoring, sentences, wording
from memem.mining.exchanges import Session
from memem.mining.lessons import Lesson, lesson
from memem.mining.marks import BECAUSE, CHECKING
from memem.mining.scoring import Score
from memem.mining.sentences import Sentence
from memem.sources.commits import messages
from memem.text import cut

_TRAILER = re.compile(
    r"^[A-Z][\w-]+(?: [Bb]y)?: \S|^🤖|^Generated (?:with|by)|^\(cherry picked|^Signed-off", re.MULTILINE
)
_FENCED = re.compile(r"^[ \t]*```\w*\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
_HOUSEKEEPING = re.compile(
    r"\W*(?:todos?\b|wip\b|archive\b|merge\b|bump\b|release\b|chore\(release|v?\d+\.\d+)", re.IGNORECASE
)
_REVIEW = re.compile(
    r"\b(?:address|apply|respond|incorporate|resolve)\w*\b.*\b(?:review|feedback|comments?|findings|suggestions)\b",
    re.IGNORECASE,
)
_REPORT = re.compile(
    r"^(?:also|now|verified|tested|confirmed|noted|demonstrated|bump(?:s|ed)?|(?:in )?this commit)\b"
    r"|^\w+ed (?:in|off|on|to|so|against|from|with)\b"
    r"|(?<![.\d])\b\d+ (?:(?:\w+ )?tests?|pass(?:ed|es)?|failed)\b|\bunchanged\b",
    re.IGNORECASE,
)
_ITEM = re.compile(r"\s*[-*•]\s")
_PREFIX = re.compile(r"^[a-z]+(?:\([^)]*\))?!?: ")
_LEAST_FURTHER = 0.6  # of a second paragraph
_PARAGRAPH = re.compile(r"\n\s*\n|\n(?=\s*[-*•]\s)")
_MOST_REASONS, _SHORTEST_REASON, _REASON_LENGTH = 3, 50, 380
_MINOR = re.compile(r"(?:docs(?!\((?:adr|decision))|style|chore|test)\b", re.IGNORECASE)
_KEPT_DOCS = re.compile(
    r"(?:^|/)(?:adrs?|decisions?|solutions|rfcs?|memory|lessons?)/[^/]+\.md$|(?:^|/)(?:CLAUDE|AGENTS|MEMORY|"
    r"LESSONS\w*|CONVENTIONS|DECISIONS?|GEMINI)\.md$|\badr-?\d+\S*\.md$",
    re.IGNORECASE,
)
_CONTEXT = re.compile(
    r"context|why|problem|motivation|background|decision|rationale|cause|constraint|approach", re.IGNORECASE
)
_PASSING = re.compile(
    r"\b(?:proceed|continue|commit|merge|push|next|start|ready|^(?:can|could|did|do|does|is|are|have) (?:you|it|"
    r"this|the)|review this|which (?:file|task|one)|would you like to|want to do|todo)\b",
    re.IGNORECASE,
)


def commits(session: Session) -> Iterator[Lesson]:
    """The paragraph of a commit message that gives its reason, below the subject; made or offered by the agent."""
    for exchange in session.exchanges:
        for event in exchange.events if not exchange.refuted else ():
            for message in _messages(event.kind, event.text):
                subject, _, body = message.partition("\n")
                title = wording.ended(wording.without_filler(_PREFIX.sub("", sentences.plain(subject))))
                if _HOUSEKEEPING.match(subject) or _HOUSEKEEPING.match(title) or _REVIEW.search(title[:200]):
                    continue
                for rank, (value, told) in enumerate(_reasons(body)):
                    text = f"{title} {told}"
                    yield lesson(
                        text,
                        kind="fix" if subject.startswith("fix") else "",
                        evidence=wording.evidence(exchange, event.uuid),
                        score=3.6 + 0.3 * min(value, 3.0) - 0.3 * rank - 1.2 * bool(_MINOR.match(subject)),
                        reasons=("commit",),
                        paths=wording.paths(exchange, text),
                    )


def _reasons(body: str) -> list[tuple[float, str]]:
    """What a body explains, best first: its paragraphs, two together where they are short."""
    parts = list(enumerate(_PARAGRAPH.split(body)))
    prose = [(*_reason(at, part), at) for at, part in parts if not _ITEM.match(part)]
    items = [(*_reason(at, part), at) for at, part in parts if _ITEM.match(part)]
    found = prose if any(reason[0] > 0 for reason in prose) else items  # items say what was done
    packed: list[list[tuple[float, str, int]]] = []
    for reason in sorted((reason for reason in found if reason[0] > 0), key=lambda reason: -reason[0]):
        alone = (pack for pack in packed if len(pack) == 1 and len(pack[0][1]) + len(reason[1]) <= _REASON_LENGTH)
        room = next(alone, None)
        if room is not None:
            room.append(reason)
        elif len(packed) < _MOST_REASONS and (not packed or reason[0] >= _LEAST_FURTHER):
            packed.append([reason])
    return [(pack[0][0], " ".join(one[1] for one in sorted(pack, key=lambda one: one[2]))) for pack in packed]


def _reason(at: int, paragraph: str) -> tuple[float, str]:
    """How much a paragraph explains, and its sentences from the first on, without those that report."""
    kept, value = "", -0.15 * at
    for sentence in sentences.agent(_unwrapped(paragraph)):
        score = scoring.agent(sentence.text)
        if _TRAILER.match(sentence.text):
            continue
        if sentence.text.endswith(":") or _REPORT.search(sentence.text):
            break  # what follows is about it
        if len(kept) + len(sentence.text) > _REASON_LENGTH or (not kept and scoring.leans(sentence.text)):
            break
        kept = f"{kept} {wording.ended(sentence.text)}".strip()
        value += score.lasting + 0.5 * bool(BECAUSE.search(sentence.text))
    return (value if len(kept) >= _SHORTEST_REASON else 0.0), kept


def _messages(kind: str, text: str) -> list[str]:
    if kind == "commit":
        return [text]
    if kind != "prose" or "git commit" not in text:
        return []
    return [message for block in _FENCED.findall(text) for message in messages(block)]


def _unwrapped(body: str) -> str:
    """A body of wrapped lines with one line for each paragraph or item."""
    return re.sub(r"(?<=\S)\n(?!\s*(?:[-*•]|\d+[.)]|\n|[A-Z][\w-]+: ))\s*", " ", body)


def answers(session: Session) -> Iterator[Lesson]:
    """What the human chose when asked."""
    for exchange in session.exchanges:
        if exchange.human is None or exchange.human.kind != "answer":
            continue
        asked, _, answer = exchange.human.text.partition(" — ")
        answer = sentences.plain(answer)
        score = scoring.human(answer)
        if (
            len(answer) < 12
            or _PASSING.search(asked)
            or asked.startswith("{")
            or not score.cues.isdisjoint(scoring.PASSING)
        ):
            continue
        yield lesson(
            f"{cut(sentences.plain(asked), 220)} — {cut(answer, 260)}",
            kind="decision",
            evidence=(exchange.human.uuid,),
            human=score.worded,
            score=2.6,
            reasons=("answer", *sorted(score.cues)),
        )


def plans(session: Session) -> Iterator[Lesson]:
    """Why a plan was made, and how its result is checked."""
    for exchange in session.exchanges:
        for event in exchange.events:
            if event.kind != "plan":
                continue
            title = next((line.lstrip("# ") for line in event.text.split("\n") if line.startswith("# ")), "")
            text = re.sub(
                r"^(?:plan|fix|feature|"
                r"implementation plan)\s*[:—-]\s*",
                "",
                sentences.plain(title),
                flags=re.IGNORECASE,
            )
            told = [
                (scoring.agent(s.text), s)
                for s in sentences.agent(_unwrapped(event.text))
                if _CONTEXT.search(s.heading) and not s.text.endswith(":")
            ]
            best = sorted((pair for pair in told if pair[0].lasting and pair[0].value >= 1.2), key=_value)[:3]
            checks = list(dict.fromkeys(match.group() for match in CHECKING.finditer(event.text)))[:3]
            if checks:
                named = " and ".join(f"`{check}`" for check in checks)
                content = f"Changes are verified with {named}; {'all' if len(checks) > 1 else 'it'} must pass."
                yield lesson(content, kind="procedure", evidence=(event.uuid,), score=2.6, reasons=("plan", "check"))
            if not best:
                continue
            for _, sentence in sorted(best, key=lambda pair: pair[1].line):
                if len(text) + len(sentence.text) < 420:
                    text = (
                        f"{wording.ended(text)} {wording.ended(sentence.text)}"
                        if text
                        else wording.ended(sentence.text)
                    )
            yield lesson(
                text, evidence=(event.uuid,), score=2.6, reasons=("plan",), paths=wording.paths(exchange, text)
            )


def documents(session: Session) -> Iterator[Lesson]:
    """Rules and decisions that the agent wrote into files meant to keep them."""
    for exchange in session.exchanges:
        for event in exchange.events:
            if event.kind != "edit" or not _KEPT_DOCS.search(event.path):
                continue
            told = [
                (scoring.agent(s.text, session.central(sentences.words(s.text))), s)
                for s in sentences.agent(_unwrapped(event.text))
            ]
            best = sorted((pair for pair in told if pair[0].lasting and pair[0].value >= 2.0), key=_value)[:2]
            text = ""
            for _, sentence in sorted(best, key=lambda pair: pair[1].line):
                text = f"{text} {wording.ended(sentence.text)}".strip()
            if len(text) > 60:
                yield lesson(
                    cut(text, 420),
                    evidence=wording.evidence(exchange, event.uuid),
                    score=best[0][0].value - 0.8,
                    reasons=("document",),
                )


def _value(pair: tuple[Score, Sentence]) -> float:
    return -pair[0].value
