"""The journal of what memem changed in notes: for each change what it takes to undo it, kept before it is made.

Of a note that was changed only the stretch that differs is kept, of one that was made nothing, of one that was taken
away all. What holds a secret is not kept, so such a change cannot be undone. Bounded in number and size, oldest first.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from memem.value import Value

FOLDER = "undo"
MADE, CHANGED, REMOVED = "made", "changed", "removed"
MOST, MOST_BYTES = 500, 5_000_000
_SUFFIX = ".json"
_PRUNED_EVERY = 16


class Change(Value):
    """One change of one note: `before` and `after` are the content hashes around it ("" for no note), `old` what stood
    from `start` to `end` (of what it left) before. Changes with one `cause` belong together. After a crash a change may
    be listed that never came about, and once more when it did."""

    number: int
    kind: str
    path: str
    cause: str
    at: int
    before: str = ""
    after: str = ""
    start: int = 0
    end: int = 0
    old: bytes = b""

    def undone(self, data: bytes) -> bytes:
        """The bytes of the note before, made from those that the change left."""
        return data[: self.start] + self.old + data[self.end :]


class Changes:
    """The journal in a state folder. `safe` tells whether a text holds no secret."""

    def __init__(self, folder: str, safe: Callable[[str], bool] = lambda _: True) -> None:
        self._folder = Path(folder, FOLDER)
        self._safe = safe

    def keep(self, path: str, cause: str, before: bytes | None, after: bytes | None) -> Callable[[], None]:
        """Take a change down, durably when there is something to lose; answers what takes it back.

        Without a usable state folder the change goes on, and cannot be undone.
        """
        change = _change(path, cause, before, after)
        if change.old and not self._safe(change.old.decode("utf-8", "replace")):
            return _nothing
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept = self._store(change)
        except OSError:
            return _nothing

        def take_back() -> None:
            with contextlib.suppress(OSError):
                kept.unlink()

        return take_back

    def all(self) -> list[Change]:
        """All changes, oldest first; what cannot be read is left out."""
        found = (_read(self._path(number)) for number in self._numbers())
        return [change for change in found if change is not None]

    def drop(self, changes: list[Change]) -> None:
        """Forget some changes."""
        for change in changes:
            self._path(change.number).unlink(missing_ok=True)

    def _store(self, change: Change) -> Path:
        numbers = self._numbers()
        number = numbers[-1] + 1 if numbers else 1
        while True:
            path = self._path(number)
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                break
            except FileExistsError:  # another process was faster
                number += 1
        line = change.as_dict() | {"number": number, "old": base64.b64encode(change.old).decode()}
        with open(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(line))
            if change.kind != MADE:
                file.flush()
                os.fsync(file.fileno())
        if number % _PRUNED_EVERY == 0:
            self._prune(numbers)
        return path

    def _prune(self, numbers: list[int]) -> None:
        left = MOST_BYTES
        for place, path in enumerate(map(self._path, reversed(numbers))):
            with contextlib.suppress(OSError):
                left -= path.stat().st_size
                if left < 0 or place >= MOST:
                    path.unlink()

    def _numbers(self) -> list[int]:
        """The changes that are kept, oldest first: by number, because clocks jump. Every save asks for them."""
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 - a path for each of them takes ten times as long
        except OSError:
            return []
        return sorted(int(name[: -len(_SUFFIX)]) for name in names if name[: -len(_SUFFIX)].isdigit())

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}{_SUFFIX}"


def _change(path: str, cause: str, before: bytes | None, after: bytes | None) -> Change:
    kind = MADE if before is None else REMOVED if after is None else CHANGED
    made = Change(
        number=0,
        kind=kind,
        path=path,
        cause=cause,
        at=int(time.time()),
        before=_hash(before),
        after=_hash(after),
    )
    if before is None or after is None:
        return made.replace(old=before or b"")
    start = _shared(before, after)
    same_end = _shared(before[start:][::-1], after[start:][::-1])
    return made.replace(start=start, end=len(after) - same_end, old=before[start : len(before) - same_end])


def _hash(data: bytes | None) -> str:
    return "" if data is None else hashlib.blake2b(data, digest_size=16).hexdigest()


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes two texts begin with together."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def _read(path: Path) -> Change | None:
    try:
        line = json.loads(path.read_text(encoding="utf-8"))
        old = base64.b64decode(line["old"], validate=True)
        return Change(
            number=int(path.stem),
            kind=str(line["kind"]),
            path=str(line["path"]),
            cause=str(line["cause"]),
            at=int(line["at"]),
            before=str(line["before"]),
            after=str(line["after"]),
            start=int(line["start"]),
            end=int(line["end"]),
            old=old,
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # half of one, which a crash left


def _nothing() -> None:
    pass
