"""Whether a note's paths concern a file. Globs as people write them: `src/auth/`, `*.sql`, `src/**/routes.ts`.

A glob with a slash is meant from the top of the project, one without names a file or folder anywhere. What leads to
a file concerns it. Brackets are no wildcard, because frameworks name files like `[id].tsx`.
"""

from __future__ import annotations

from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LONGEST = 300
_MOST = 100
_LONGEST_TEXT = 20_000


def closeness(globs: Sequence[str], names: Iterable[str]) -> float:
    """How closely one of the globs names a file, known by several paths: the letters of the best; 0 for none."""
    files = [name.split("/") for name in names]
    return max((_letters(glob) for glob in globs[:_MOST] if any(_concerns(glob, file) for file in files)), default=0)


def _letters(glob: str) -> int:
    return sum(char.isalnum() for char in glob)


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


def _concerns(glob: str, file: list[str]) -> bool:
    glob = glob.strip()[:_LONGEST]
    steps = [step for step in glob.removeprefix("./").split("/") if step]
    if not _letters(glob):  # `*` says nothing about any file
        return False
    if len(steps) == 1:
        return any(_fits(steps[0], part) for part in (file[:-1] if glob.endswith("/") else file))
    reached = {0}
    for step in steps:
        if step == "**":
            reached = set(range(min(reached), len(file)))
        else:
            reached = {at + 1 for at in reached if at < len(file) and _fits(step, file[at])}
        if not reached:
            return False
    return True


def _fits(step: str, part: str) -> bool:
    """Whether a glob of one step fits a name. Greedy with one place to return to, so that no glob takes for ever."""
    at = star = after = 0
    starred = False
    place = 0
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
