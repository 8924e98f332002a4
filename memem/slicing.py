"""Slicing: the verb behind the Active Memory Slice, with what it remembers of a session and what it may write."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from memem import sqlite
from memem.active import MODES, ActiveSlice, Item, Past, Task
from memem.errors import BadInput, NotReady, TooNew
from memem.graph import settle
from memem.models import GENERAL, Query, Scope
from memem.project import branch_of, find_checkout
from memem.recall.activation import activate
from memem.recall.candidates import Asked
from memem.recall.continuity import compared
from memem.recall.render import slice_markdown
from memem.stores import Stores, verb
from memem.text import clean, one_line, utf16_length

if TYPE_CHECKING:
    from memem.sources.search import Passage

Judge = Callable[[ActiveSlice], ActiveSlice]
_LONGEST = 500  # characters of a name, a path, an id
_LONGEST_TEXT = 2000
_MOST_FILES = 50
_HEAD = 600  # UTF-16 units of a slice beside its items: what it is for, and titles of sections
_SETTLE_SECONDS = 0.3
_SPARSE = 3  # memories; a briefing with fewer asks `general` as well
_NAMES = ("session", "mode", "current_file", "artifact", "branch", "name", "stakeholder", "deadline")


def activated(
    stores: Stores, task: Task, said: Sequence[Passage] = (), writeback: str = "", judge: Judge | None = None
) -> ActiveSlice:
    """The working state for a task and passages of sessions, told apart from the session's previous one.

    No verb as a whole: others need not wait while a judge thinks.
    """
    found, past = _found(stores, task, said)
    if judge:
        found = judge(found)
        found = found.replace(continuity=compared(past, found.items, found.resolved)) if past else found
    return _kept(stores, found, writeback)


@verb
def _found(stores: Stores, task: Task, said: Sequence[Passage]) -> tuple[ActiveSlice, Past | None]:
    """The slice, and the one of the session before it."""
    stores.freshen()
    settle(stores, seconds=_SETTLE_SECONDS)
    folder = os.path.realpath(task.folder or stores.folder or "/")
    task = _checked(task, folder)
    scope = stores.scope(task.scope, folder if task.folder else "")
    query = Query(
        text=f"{task.text} {task.name}".strip(),
        scope=scope,
        paths=tuple(path for path, _ in task.files),
        session=task.session or stores.session,
        limit=task.limit,
        budget=task.budget,
        strict=task.strict,
    )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    asked = Asked(index=stores.index, query=query, task=task, passages=tuple(said))
    past = _past(stores, query.session, scope)
    return activate(asked, str(uuid.uuid4()), now, _environment(folder, scope, task), past), past


@verb
def _kept(stores: Stores, found: ActiveSlice, writeback: str) -> ActiveSlice:
    """The slice with what it suggests to write, remembered for the next one."""
    found = _with_deltas(stores, found, writeback)
    _remember(stores, found, found.query.session)
    return found.replace(warnings=(*stores.warnings(), *found.warnings))


def assembled(stores: Stores, text: str, project: str = "", budget: int = 6000) -> tuple[ActiveSlice, ...]:
    """A briefing in one or two slices: the project's own, and `general` when that one holds little.

    `budget` is shared by both, in UTF-16 units; the frame of a slice counts about 600 of them.

    Raises:
        BadInput: there is no question.
    """
    if not text.strip():
        raise BadInput("the query is empty: say what the briefing is for.")
    text = text[:_LONGEST_TEXT]
    own = activated(stores, Task(text=text, scope=project, budget=budget - _HEAD, limit=50, mode="session_start"))
    own = own.replace(results=())  # a briefing tells what is, not what could be written
    if own.query.scope.id == GENERAL or sum(item.origin == "memory" for item in own.items) >= _SPARSE:
        return (own,)
    left = budget - utf16_length(slice_markdown(own)) - _HEAD
    more = activated(stores, Task(text=text, scope=GENERAL, budget=max(left, 0), strict=True))
    known = {item.id for item in own.items}
    fresh = tuple(item for item in more.items if item.id not in known)
    return (own, more.replace(items=fresh, results=())) if fresh else (own,)


def _with_deltas(stores: Stores, found: ActiveSlice, writeback: str) -> ActiveSlice:
    try:
        from memem.ingest import deltas
    except ModuleNotFoundError:
        if writeback:
            raise
        return found  # dependencies are still being installed, and reading needs none of them

    proposed = deltas.propose(found, found.at)
    if not proposed:
        return found
    try:
        gate = stores.gate()
    except TooNew:
        if writeback:
            raise
        return found  # nothing may be written here, so nothing is suggested
    results = deltas.settle(proposed, writeback, gate, found.query.scope, stores.human_owned)
    return found.replace(results=tuple(results))


def _past(stores: Stores, session: str, scope: Scope) -> Past | None:
    from memem.state.history import History

    if not session or stores.state is None:
        return None
    try:
        return History(stores.state.connection).latest(session, _known_as(stores, scope).id)
    except (ModuleNotFoundError, NotReady, sqlite.Error):
        return None  # busy: the slice begins anew, which loses what would have been carried, nothing else


def _remember(stores: Stores, found: ActiveSlice, session: str) -> None:
    from memem.state.history import History

    if not session or stores.state is None:
        return
    try:
        safe = tuple(
            item.replace(id=stores.redactor(item.id).text) if _is_named(item) else item for item in found.items
        )
        query = found.query.replace(scope=_known_as(stores, found.query.scope))
    except (ModuleNotFoundError, NotReady):
        return  # what cannot be searched for secrets is not written down
    with contextlib.suppress(sqlite.Error):
        History(stores.state.connection).record(found.replace(items=safe, query=query), session, time.time())


def _known_as(stores: Stores, scope: Scope) -> Scope:
    """The scope as it is written down: any other than this project's is a word of the caller's."""
    return scope if scope.id == stores.scope().id else scope.replace(id=stores.redactor(scope.id).text)


def _checked(task: Task, folder: str) -> Task:
    """The task with clean, short names and files below the folder or its checkout.

    Raises:
        BadInput: an unknown mode, or more files than anybody works on.
    """
    names = {field: one_line(clean(getattr(task, field)))[:_LONGEST] for field in _NAMES}
    if names["mode"] and names["mode"] not in MODES:
        raise BadInput(f"{names['mode']!r} is no task mode: {', '.join(MODES)}.")
    if len(task.open_files) + len(task.modified_files) > _MOST_FILES:
        raise BadInput(f"at most {_MOST_FILES} open and modified files: name those that matter for the task.")
    checkout = find_checkout(folder)
    top = checkout.top if checkout else folder
    for field in ("current_file", "artifact"):
        names[field] = _below(names[field], folder, top)
    files = {
        field: tuple(_below(one_line(clean(path))[:_LONGEST], folder, top) for path in getattr(task, field) if path)
        for field in ("open_files", "modified_files")
    }
    return task.replace(**names, **files)


def _below(path: str, folder: str, top: str) -> str:
    """A path as notes name it: from the top of the checkout."""
    if not path:
        return ""
    whole = os.path.normpath(os.path.join(folder, path))  # noqa: PTH118 - it need not exist
    return whole.removeprefix(f"{top.rstrip('/')}/") if whole.startswith(f"{top.rstrip('/')}/") else whole


def _environment(folder: str, scope: Scope, task: Task) -> tuple[tuple[str, str], ...]:
    checkout = find_checkout(folder)
    facts = (
        ("scope_id", scope.id),
        ("repo", checkout.top if checkout else ""),
        ("branch", task.branch or (branch_of(checkout) if checkout else "")),
        ("cwd", folder),
    )
    return tuple((name, one_line(clean(value))[:_LONGEST]) for name, value in facts if value)


def _is_named(item: Item) -> bool:
    """Whether its id holds words that somebody chose."""
    return item.origin in ("artifact", "transcript")
