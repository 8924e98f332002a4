"""Recall's pipelines: visible tuples of steps over candidates, one tuple for each occasion."""

from __future__ import annotations

import os

from memem.models import NOTE_BYTES, UNCONFIRMED, UNTRUSTED, Candidate, Memory, Query
from memem.recall.ranking import near, newer
from memem.recall.render import LEAST_BODY, body_size, room
from memem.text import etag, one_line
from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Step = Callable[["Occasion", list[Candidate]], list[Candidate]]


_OF_BEST = 0.4  # of its score: with 0.5 a served prompt in forty loses the note that it needed


class Occasion(Value):
    """What the steps may look at besides the candidates."""

    query: Query
    vault: str = ""  # the memem folder, to check notes against their files; "" trusts the index
    shown: Mapping[str, str] = {}  # memory id → etag of what the session has seen


def near_best(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """Without those that fit far worse than the best: they share some of its words, and are seldom what is needed."""
    least = max((candidate.score for candidate in found), default=0.0) * _OF_BEST
    return [candidate for candidate in found if candidate.score >= least]


def live(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """Without superseded, deprecated, archived and resolved memories."""
    return [candidate for candidate in found if candidate.memory.live]


def current(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """Without what was over before today, or begins after it: by days, since clocks and zones of machines differ."""
    today = occasion.query.today
    if not today:
        return found
    return [candidate for candidate in found if _begin(candidate.memory) <= today <= _end(candidate.memory, today)]


def not_archival(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """Without layer 3, which only an explicit search finds."""
    return [candidate for candidate in found if candidate.memory.layer < 3]


def trusted(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """Without guesses, and what was learned from tool output or the web: they may be asked for, never volunteered."""
    return [
        candidate
        for candidate in found
        if candidate.memory.trust not in UNTRUSTED and UNCONFIRMED not in candidate.memory.tags
    ]


def in_scope(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """With `strict`, only the scope's own."""
    query = occasion.query
    return [candidate for candidate in found if not query.strict or query.scope.holds(candidate.memory.project)]


def valid_then(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """What was known and in force at the time that is asked about, whatever became of it since."""
    return [candidate for candidate in found if held_at(candidate.memory, occasion.query.at)]


def held_at(memory: Memory, at: str) -> bool:
    """Whether a memory was in force at a time (ISO 8601)."""
    if (memory.valid_at or memory.created) > at or (memory.invalid_at and memory.invalid_at <= at):
        return False
    # When it was put away without a date, its last change is the latest that can have been.
    return memory.live or bool(memory.invalid_at) or memory.updated > at


def said_anew(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """Without the older of two statements about one thing, where the newer fits as well: one of them may be over."""
    kept: list[Candidate] = []
    for candidate in found:
        if not any(newer(other, candidate) and near(other, candidate) for other in kept):
            kept.append(candidate)
    return kept


def unseen(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """Without what the session was shown before, unless its note changed since."""
    return [candidate for candidate in found if occasion.shown.get(candidate.memory.id) != candidate.etag]


def distinct(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """One of several notes with the same text: copies made by hand or by sync."""
    texts: dict[str, Candidate] = {}
    for candidate in found:
        texts.setdefault(one_line(candidate.memory.body), candidate)
    return list(texts.values())


def one_version(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """Of several notes with one id (a conflict of two machines), the newest; which one never depends on chance."""
    winners: dict[str, Candidate] = {}
    for candidate in found:
        rival = winners.get(candidate.memory.id)
        if rival is None or _age(candidate) > _age(rival):
            winners[candidate.memory.id] = candidate
    return [candidate for candidate in found if winners[candidate.memory.id] is candidate]


def readable(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """Without notes that are broken, half synced or full of conflict marks, which only a search may find."""
    return [candidate for candidate in found if not candidate.problem]


def on_disk(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """Without notes that were deleted or changed since they were indexed; their rows heal with the next sync."""
    return [candidate for candidate in found if not is_stale(candidate, occasion.vault)]


def is_stale(candidate: Candidate, vault: str) -> bool:
    """Whether a note says something else than its row. A touched or restored file with the same content does not."""
    path = f"{vault}/{candidate.path}"
    return bool(vault) and _etag_now(path) != candidate.etag and _hash_now(path) != candidate.hash


def within_limit(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """The best few."""
    return found[: occasion.query.limit]


def within_budget(occasion: Occasion, found: list[Candidate]) -> list[Candidate]:
    """As many as the renderer has room for; the first is shortened to fit, if there is room for anything.

    Exactly those count as shown to the session: what the renderer would leave out must not be among them.
    """
    left = room(occasion.query.budget)
    kept: list[Candidate] = []
    for candidate in found:
        size = body_size(candidate)
        if size > left and (kept or left < LEAST_BODY):
            break
        kept.append(candidate)
        left -= size
    return kept


_TO_VOLUNTEER: tuple[Step, ...] = (live, current, readable, not_archival, trusted, one_version, distinct, said_anew)
_TO_SHOW: tuple[Step, ...] = (unseen, on_disk, within_limit, within_budget)
PROMPT_STEPS: tuple[Step, ...] = (*_TO_VOLUNTEER, near_best, *_TO_SHOW)
GIVEN_STEPS: tuple[Step, ...] = (*_TO_VOLUNTEER, *_TO_SHOW)  # chosen by a file or a task, not by score
SEARCH_STEPS: tuple[Step, ...] = (live, in_scope, distinct, within_limit)
HISTORY_STEPS: tuple[Step, ...] = (valid_then, in_scope, distinct, within_limit)
SESSION_STEPS: tuple[Step, ...] = (live, current, readable, not_archival, trusted, one_version, distinct, on_disk)


def run(occasion: Occasion, found: list[Candidate], steps: tuple[Step, ...]) -> list[Candidate]:
    """Pass candidates through the steps of an occasion."""
    for step in steps:
        found = step(occasion, found)
    return found


def _age(candidate: Candidate) -> tuple[str, str, str]:
    return (candidate.memory.updated, candidate.memory.body, candidate.path)


def _begin(memory: Memory) -> str:
    # What begins with its note does so now, whatever the clock said by which it was written.
    return _day(memory.valid_at) if memory.valid_at != memory.created else ""


def _end(memory: Memory, today: str) -> str:
    return _day(memory.invalid_at) or today


def _day(time: str) -> str:
    """The day of a time as ISO 8601 has it; nothing for what is none, which a human may have written there."""
    day = time[:10]
    parts = day.split("-")
    return day if [len(part) for part in parts if part.isdigit()] == [4, 2, 2] else ""


def _etag_now(path: str) -> str:
    try:
        return etag(os.lstat(path))
    except (OSError, ValueError):
        return ""


def _hash_now(path: str) -> str:
    from _blake2 import blake2b  # hashlib costs more than the hook

    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError):
        return ""
    try:
        data = b""
        while len(data) < NOTE_BYTES and (chunk := os.read(handle, NOTE_BYTES - len(data))):
            data += chunk
        return blake2b(data, digest_size=16).hexdigest()
    except OSError:
        return ""
    finally:
        os.close(handle)
