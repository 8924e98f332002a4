"""`memem undo`: the last change by memem taken back, as a whole and only where nobody has changed the note since."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from memem import sqlite
from memem.app import Memem
from memem.errors import BadInput, NotFound
from memem.state.changes import CHANGED, MADE, REMOVED, Change, Changes
from memem.value import Value
from memem.vault import note
from memem.vault.note import content_hash

_UNDO = "undo "
_SHORTEST_ID = 8
_SAYS = {MADE: "a new note", CHANGED: "changed", REMOVED: "taken away"}
_TAKEN_BACK = {MADE: "is taken out again", CHANGED: "is as it was before", REMOVED: "is back"}


class Deed(Value):
    """What memem did at once: the changes of one save, correction, link or undo, oldest first."""

    cause: str
    changes: tuple[Change, ...]
    passed: tuple[str, ...] = ()  # later ones of which there is nothing to take back, each with its reason

    @property
    def is_undo(self) -> bool:
        """Whether it took another one back."""
        return self.cause.startswith(_UNDO)

    @property
    def number(self) -> int:
        """By which the latest of several is known."""
        return self.changes[-1].number

    def lines(self) -> list[str]:
        """What was done to which note."""
        return [f"{change.path}: {_SAYS.get(change.kind, '')}" for change in self.changes]


def deeds(memem: Memem) -> list[Deed]:
    """Everything that can still be taken back, oldest first."""
    by_cause: dict[str, list[Change]] = {}
    for change in _journal(memem).all():
        by_cause.setdefault(change.cause or f"alone {change.number}", []).append(change)
    found = [Deed(cause=cause, changes=tuple(changes)) for cause, changes in by_cause.items()]
    return sorted(found, key=lambda deed: deed.number)


def chosen(memem: Memem, name: str = "", *, redo: bool = False) -> Deed:
    """The last thing that memem did, or did to the memory of an id; with `redo` the last undo. Nothing is changed.

    What of it is there, under whatever name, is meant; later deeds of which nothing is there are named in it as passed.

    Raises:
        NotFound: there is none; names those that were passed.
        BadInput: the id is too short.
    """
    name = name.strip().strip("[]")
    if name and len(name) < _SHORTEST_ID:
        raise BadInput(f"give at least {_SHORTEST_ID} characters of the id: memem list shows it.")
    memem.sync()
    paths = {item.path for item in memem.index.by_prefix(name)} if name else set()
    found = [deed for deed in deeds(memem) if deed.is_undo == redo and (not name or _concerns(deed, name, paths))]
    passed: list[str] = []
    while found:
        last = found.pop()
        reasons = [_nothing_left(memem, change) for change in last.changes]
        if not all(reasons):
            return last.replace(passed=tuple(passed))
        passed += reasons
    what = "undone" if redo else "done"
    whom = f"to {name!r}" if name else "lately"
    gone = f" ({'; '.join(passed)})" if passed else ""
    raise NotFound(f"nothing that memem has {what} {whom} can be taken back{gone}: memem undo --list shows what can.")


def _nothing_left(memem: Memem, change: Change) -> str:
    """Why there is nothing to take back of a change, or ""."""
    places = _places(memem, change)
    if any(_hash_now(memem, path) != change.before for path in places):
        return ""
    return f"{change.path} is as it was before" if places else f"{change.path} is gone"


def take_back(memem: Memem, deed: Deed) -> list[str]:
    """Take a deed back, all of it or nothing; answers what became of each note. `chosen(redo=True)` repeats it.

    Raises:
        BadInput: a note was changed since, by hand or by memem; says by which, and the next step.
        VaultUnavailable: a note cannot be written.
    """
    if memem._too_new:
        raise memem._too_new
    places = _checked(memem, deed)
    cause = deed.cause.removeprefix(_UNDO) if deed.is_undo else f"{_UNDO}{deed.cause}"
    said = []
    for change, path in places:
        _undo_one(memem, change, path, cause)
        _journal(memem).drop([change])  # one by one: what a full disk stops here goes on from here
        said.append(f"{path} {_TAKEN_BACK[change.kind]}")
    _journal(memem).drop(list(deed.changes))  # those that never came about
    spool = memem._spool()
    for memory in spool.waiting():  # a correction that a crash had cut in two must not be finished now
        if memory.id == deed.cause:
            spool.remove(memory)
    memem.sync()
    return said


def keep_ownership(memem: Memem, data: bytes, instead_of: str = "") -> None:
    """Note that the bytes of a note are memem's, if those were in whose place they are; else they stay a human's."""
    memory = note.parse(data, "").memory.id
    with contextlib.suppress(sqlite.Error):
        if memem.state and instead_of in ("", memem.state.written(memory)):
            memem.state.remember_written(memory, content_hash(data))


def _checked(memem: Memem, deed: Deed) -> list[tuple[Change, str]]:
    """What is to be taken back, the latest first, and where each note is now: as the deed left it, or it is refused."""
    found: list[tuple[Change, str]] = []
    states: dict[str, str] = {}
    moved: dict[str, list[str]] = {}
    for change in reversed(deed.changes):
        places = moved.setdefault(change.path, _places(memem, change))
        if len(places) != 1:
            raise BadInput(f"{change.path} is gone, or renamed and edited or copied: change it by hand.")
        path = places[0]
        state = states.get(change.path, _hash_now(memem, path))
        if state == change.after:
            found.append((change, path))
            states[change.path] = change.before
        elif state != change.before:
            raise BadInput(_why_not(memem, deed, change, path))
    return found


def _why_not(memem: Memem, deed: Deed, change: Change, path: str) -> str:
    if change.kind == REMOVED:
        return f"{path} is another note by now: rename that one first, then memem undo --redo."
    if any(other.number > deed.number and path in _paths(other) for other in deeds(memem)):
        return f"{path} was changed again since, by memem: undo that first."
    by_hand = "" if change.kind == MADE else " To take a mark back by hand: `status: active`, and no `replaced_by`."
    return f"{path} was edited since, and what you wrote stays: change it by hand.{by_hand}"


def _hash_now(memem: Memem, path: str) -> str:
    """The content hash of a note, "" where there is none."""
    try:
        return content_hash(memem.vault.whole(path))
    except OSError:
        return ""


def _places(memem: Memem, change: Change) -> list[str]:
    """Where a note is now, which a human may have renamed: where there are the bytes around the change, or its id."""
    if change.kind == REMOVED or memem.vault.stat(change.path):
        return [change.path]
    same = memem.index.notes("hash IN (?, ?)", (change.after, change.before))
    found = same or [item for item in memem.index.notes("id != ''") if _is_of(item.memory.id, change)]
    return [item.path for item in found if memem.vault.stat(item.path)]


def _is_of(memory: str, change: Change) -> bool:
    """Whether a change is of the note of an id: by the name that memem gave it, or because it was made with it."""
    return change.path.endswith((f"-{memory[:8]}.md", f"-{memory}.md")) or (change.kind, change.cause) == (MADE, memory)


def _undo_one(memem: Memem, change: Change, path: str, cause: str) -> None:
    vault = memem.vault
    if change.kind == REMOVED:
        vault.place(path, change.old, cause)
        keep_ownership(memem, change.old)
    elif change.kind == MADE:
        if not vault.remove(path, change.after, cause):
            raise BadInput(f"{path} was edited in this moment, and stays: look at it, then try again.")
    else:
        seen, left = vault.edit(path, lambda data: _before(change, path, data), cause)
        keep_ownership(memem, vault.whole(path), instead_of=seen) if seen != left else None


def _before(change: Change, path: str, data: bytes) -> bytes:
    if content_hash(data) != change.after:
        raise BadInput(f"{path} was edited in this moment, and stays: look at it, then try again.")
    return change.undone(data)


def _concerns(deed: Deed, name: str, paths: Iterable[str]) -> bool:
    return (
        deed.cause.removeprefix(_UNDO).startswith(name)
        or bool(_paths(deed) & set(paths))
        or any(f"-{name[:8]}" in path for path in _paths(deed))
    )


def _paths(deed: Deed) -> set[str]:
    return {change.path for change in deed.changes}


def _journal(memem: Memem) -> Changes:
    return Changes(memem.config.dir)
