"""Whether a note concerns a file: by the globs of its paths, or because its text names the file.

Globs are as people write them: `src/auth/`, `*.sql`, `src/**/routes.ts`. One with a slash is meant from the top of the
project, one without names a file or folder anywhere; what leads to a file concerns it. Brackets are no wildcard,
because frameworks name files like `[id].tsx`.
"""

from __future__ import annotations

from memem.index.schema import LONGEST_GLOB, MOST_GLOBS
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LONGEST_TEXT = 20_000


class File:
    """A file by its paths: below the checkout, and below the session's folder."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = [path.split("/") for path in paths]
        self.parts = {part for path in self._paths for part in path}
        self._known: dict[str, int] = {}  # many notes have the same globs

    def closeness(self, globs: Sequence[str]) -> int:
        """How closely one of the globs names the file: the letters of the best; 0 for none."""
        return max((self._close(glob) for glob in globs[:MOST_GLOBS]), default=0)

    def _close(self, glob: str) -> int:
        known = self._known.get(glob)
        if known is None:
            short = glob.strip()[:LONGEST_GLOB]
            known = self._known[glob] = sum(char.isalnum() for char in short) if self._named_by(short) else 0
        return known

    def _named_by(self, glob: str) -> bool:
        steps = [step for step in glob.removeprefix("./").split("/") if step]
        # Most globs begin with a name, and most of these with another one than the file's.
        if not steps or not (_is_wild(steps[0]) or steps[0] in self.parts):
            return False
        if len(steps) > 1:
            return any(_leads_to(path, steps) for path in self._paths)
        ends = -1 if glob.endswith("/") else None
        return any(_fits(steps[0], part) for path in self._paths for part in path[:ends])


def names(text: str, path: str) -> bool:
    """Whether a text names a file, by its path or by its name alone; `lib/index.ts` is not `src/index.ts`."""
    folders, _, name = f"/{path.lower()}".rpartition("/")
    text = text[:_LONGEST_TEXT].lower()
    at = text.find(name)
    while name and at >= 0:
        before, after = text[:at], text[at + len(name) : at + len(name) + 1]
        if not (after.isalnum() or after == "_"):
            if not before.endswith("/"):
                if not (before[-1:].isalnum() or before.endswith(("_", "-", "."))):
                    return True
            elif (parent := _last_name(before[:-1])) in ("", ".") or folders.endswith(f"/{parent}"):
                return True
        at = text.find(name, at + 1)
    return False


def _last_name(text: str) -> str:
    at = len(text)
    while at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_-.[]@+~"):
        at -= 1
    return text[at:]


def _is_wild(step: str) -> bool:
    return "*" in step or "?" in step


def _leads_to(path: Sequence[str], steps: Iterable[str]) -> bool:
    reached = {0}
    for step in steps:
        if step == "**":
            reached = set(range(min(reached), len(path)))
        else:
            reached = {at + 1 for at in reached if at < len(path) and _fits(step, path[at])}
        if not reached:
            return False
    return True


def _fits(step: str, part: str) -> bool:
    """Whether a glob of one step fits a name. Greedy with one place to return to, so that no glob takes for ever."""
    if not _is_wild(step):
        return step == part
    at = place = star = after = 0
    starred = False
    while place < len(part):
        if at < len(step) and step[at] == "*":
            starred, star, after = True, at, place
            at += 1
        elif at < len(step) and step[at] in ("?", part[place]):
            at += 1
            place += 1
        elif starred:
            after += 1
            at, place = star + 1, after
        else:
            return False
    return not step[at:].strip("*")
