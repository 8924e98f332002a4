"""Deltas: what a slice suggests to write. Four types, each judged by one policy; nothing is written unless asked.

A delta is idempotent: its id is a hash of what it does, and what is already so is skipped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from memem.active import ActiveSlice, Delta, Item, Result
from memem.errors import BadInput, MememError
from memem.ingest import likeness
from memem.ingest.classify import classify
from memem.ingest.gate import Gate
from memem.models import Draft, Memory, Scope
from memem.text import cut, one_line, terms

SAVE, DEPRECATE, LINK, TENSION = (
    "save_new_memory", "deprecate_memory", "add_related_link", "add_open_tension_memory",
)  # fmt: skip
SAFE, REVIEW, BLOCKED = "auto_safe", "manual_review", "blocked"
MODES = ("", "preview", "commit")
SAFE_CONFIDENCE = 0.72
_LEAST_CONFIDENCE = 0.45
_MOST_OF_TYPE = 3
_COMPARED = 12
_FEWEST_WORDS = 4
_LESSONS = ("decision", "convention", "preference", "directive")


def propose(found: ActiveSlice, now: str) -> list[Delta]:
    """What the memories and passages of a slice suggest, the surest of each type first."""
    items = [item for item in found.items if item.memory and item.origin == "memory"][:_COMPARED]
    memories = [item.memory for item in items if item.memory]
    proposed = [*_links(memories), *_deprecations(memories, now), *_tensions(memories), *_lessons(found.items)]
    kept: list[Delta] = []
    for delta in sorted(proposed, key=lambda delta: (-delta.confidence, delta.id)):
        if sum(other.type == delta.type for other in kept) < _MOST_OF_TYPE:
            kept.append(delta)
    return kept


def settle(
    deltas: Iterable[Delta], mode: str, gate: Gate, scope: Scope, human_owned: Callable[[Memory], bool]
) -> list[Result]:
    """What becomes of proposals: nothing ("", not_run), a dry run ("preview"), or the safe ones are written ("commit").

    Raises:
        BadInput: the mode is none of these.
    """
    if mode not in MODES:
        raise BadInput(f"{mode!r} is no way to treat deltas: {', '.join(repr(name) for name in MODES)}.")
    return [_settled(delta, mode, gate, scope, human_owned) for delta in deltas]


def _settled(delta: Delta, mode: str, gate: Gate, scope: Scope, human_owned: Callable[[Memory], bool]) -> Result:
    affected, errors = _affected(delta, gate)
    policy = _policy(delta, affected, human_owned)
    result = Result(delta=delta, status="not_run", policy=policy)
    if errors:
        return result.replace(status="rejected", errors=tuple(errors))
    if delta.type == LINK and all(_linked(*pair) for pair in (affected, affected[::-1])):
        return result.replace(status="skipped", message="they are linked already")
    if not mode:
        return result
    if mode == "preview":
        return result.replace(status="dry_run", message=_told(delta, gate, scope))
    if policy != SAFE:
        return result.replace(status="blocked", message=_next_step(delta, policy))
    try:
        gate.link(affected[0].id, affected[1].id)
    except MememError as error:
        return result.replace(status="rejected", errors=(str(error),))
    return result.replace(status="committed", message="both notes name each other as related")


def _policy(delta: Delta, affected: Sequence[Memory], human_owned: Callable[[Memory], bool]) -> str:
    """Only links are safe, and only between notes that no human wrote or edited: those are never touched unasked."""
    if delta.type != LINK or delta.confidence < SAFE_CONFIDENCE:
        return REVIEW
    return BLOCKED if any(human_owned(memory) for memory in affected) else SAFE


def _affected(delta: Delta, gate: Gate) -> tuple[list[Memory], list[str]]:
    """The memories as the index knows them now, and what is wrong with the delta."""
    found: list[Memory] = []
    errors = []
    for name in delta.memories:
        notes = gate.index.notes("id = ?", (name,))
        if len(notes) != 1:
            errors.append(f"{name[:8]} is in {len(notes)} notes, not in one")
        elif not notes[0].memory.live:
            errors.append(f"{name[:8]} is no longer in force")
        else:
            found.append(notes[0].memory)
    if delta.type == LINK and len(set(delta.memories)) != 2:
        errors.append("a link needs two different memories")
    if delta.type in (SAVE, TENSION) and not delta.content:
        errors.append("there is nothing to save")
    return found, errors


def _told(delta: Delta, gate: Gate, scope: Scope) -> str:
    """What committing would do; the write gate is asked in a dry run."""
    if delta.type in (SAVE, TENSION):
        try:
            outcome = gate.ingest(_draft(delta), scope, dry_run=True)
        except MememError as error:
            return f"could not be saved: {error}"
        return f"would be {outcome.action}" + (f" ({outcome.reason})" if outcome.reason else "")
    return "would name each other as related" if delta.type == LINK else "would be marked as deprecated"


def _next_step(delta: Delta, policy: str) -> str:
    if policy == BLOCKED:
        return "a human wrote or edited one of the notes: add the link there by hand"
    if delta.type == DEPRECATE:
        return f"set `status: deprecated` in the note of {delta.memories[0][:8]}, or save what holds now"
    if delta.type == LINK:
        return "not sure enough: add the link by hand if it helps"
    return "needs a decision: save it with memory_save if it is right"


def _draft(delta: Delta) -> Draft:
    return Draft(content=delta.content, kind=delta.kind, trust="agent", source_type="delta")


def _links(memories: Sequence[Memory]) -> list[Delta]:
    """Pairs that speak of the same and do not name each other."""
    words = {memory.id: set(terms(f"{memory.title} {memory.lesson}")) for memory in memories}
    found = []
    for one, other in combinations(memories, 2):
        fewer = min(len(words[one.id]), len(words[other.id]))
        shared = len(words[one.id] & words[other.id])
        confidence = round(shared / fewer, 2) if fewer >= _FEWEST_WORDS else 0.0
        tied = _linked(one, other) and _linked(other, one)
        if confidence >= _LEAST_CONFIDENCE and one.project == other.project and not tied and one.id != other.id:
            reason = f"share {shared} of {fewer} words"
            found.append(_delta(LINK, reason, confidence, memories=tuple(sorted((one.id, other.id)))))
    return found


def _deprecations(memories: Sequence[Memory], now: str) -> list[Delta]:
    """Memories whose own date says that they hold no longer."""
    return [
        _delta(DEPRECATE, f"held until {memory.invalid_at[:10]}", 0.9, memories=(memory.id,))
        for memory in memories
        if memory.invalid_at and memory.invalid_at < now
    ]


def _tensions(memories: Sequence[Memory]) -> list[Delta]:
    """Pairs in force that contradict each other."""
    words = {memory.id: set(terms(memory.lesson)) for memory in memories}
    found = []
    for one, other in combinations(memories, 2):
        asserted = other.id in one.contradicts or one.id in other.contradicts
        # To compare two texts takes milliseconds: those with other words cannot be versions of one statement.
        akin = len(words[one.id] & words[other.id]) * 2 >= min(len(words[one.id]), len(words[other.id]))
        if asserted or (akin and likeness.compare(one.lesson, other.lesson) == likeness.CORRECTION):
            first, second = sorted((one, other), key=lambda memory: memory.id)
            titles = [cut(one_line(memory.title), 120) for memory in (first, second)]
            content = f"Contradiction, undecided: “{titles[0]}” [{first.id8}] or “{titles[1]}” [{second.id8}]?"
            reason = "they contradict each other" if asserted else "they differ in a detail that both cannot have"
            found.append(
                _delta(TENSION, reason, 0.9 if asserted else 0.6, (first.id, second.id), content=content, kind="todo")
            )
    return found


def _lessons(items: Sequence[Item]) -> list[Delta]:
    """What a human said in an earlier session and that sounds like a lesson; a passage may be cut, so it is a hint."""
    found = []
    for item in items:
        if item.origin == "transcript" and item.title.endswith("(human)"):
            kind = classify(Draft(content=item.text), 0).kind
            if kind in _LESSONS:
                found.append(_delta(SAVE, f"said in {item.why[0]}", 0.5, content=item.text, kind=kind))
    return found


def _delta(
    type_: str, reason: str, confidence: float, memories: tuple[str, ...] = (), content: str = "", kind: str = ""
) -> Delta:
    key = "\x1f".join((type_, *memories, " ".join(terms(content))))
    name = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:12]
    return Delta(
        id=f"delta-{name}", type=type_, reason=reason, confidence=confidence, memories=memories, content=content,
        kind=kind,
    )  # fmt: skip


def _linked(one: Memory, other: Memory) -> bool:
    return other.id in one.related or other.id8 in one.related
