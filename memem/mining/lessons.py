"""What mining finds, and how it is offered to the write gate."""

from __future__ import annotations

from memem.ingest.classify import classify
from memem.models import GENERAL, UNCONFIRMED, Draft
from memem.value import Value

LONGEST = 600
SOURCE = "mined"


class Lesson(Value):
    """A durable lesson of one session. `human` tells that a human worded its rule, correction or reason."""

    content: str
    kind: str
    importance: int = 3
    layer: int = 2
    paths: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()  # uuids of the records it stands on
    human: bool = False
    score: float = 0.0
    reasons: tuple[str, ...] = ()  # the finder first, then the cues


def lesson(
    content: str,
    kind: str = "",
    *,
    evidence: tuple[str, ...],
    score: float,
    reasons: tuple[str, ...],
    paths: tuple[str, ...] = (),
    human: bool = False,
) -> Lesson:
    """A lesson with kind, importance and layer by its wording. What is pinned in every session is never guessed."""
    draft = classify(Draft(content=content, kind=kind), 0)
    return Lesson(
        content=content,
        kind=draft.kind,
        importance=draft.importance,
        layer=draft.layer or 2,
        paths=paths,
        evidence=evidence,
        human=human,
        score=score,
        reasons=reasons,
    )


def to_draft(found: Lesson, session: str, project: str = GENERAL) -> Draft:
    """The lesson as a draft. What no human worded is a guess: search finds it, recall does not volunteer it."""
    return Draft(
        content=found.content,
        project=project,
        kind=found.kind,
        layer=found.layer,
        importance=found.importance,
        tags=() if found.human else (UNCONFIRMED,),
        paths=found.paths,
        trust="agent",
        source_type=SOURCE,
        source_session=session,
        evidence=found.evidence,
    )
