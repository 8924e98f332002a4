"""What needs a human's decision in the vault: each conflict with the files it concerns and the next step."""

from __future__ import annotations

from memem.index.reader import Index
from memem.models import Candidate
from memem.text import one_line
from memem.value import Value
from memem.vault.conflicts import copied_by


class Conflict(Value):
    """One thing to decide: what it is, the files (newest first), and what to do. memem itself touches none of them."""

    what: str
    paths: tuple[str, ...]
    fix: str


def find_conflicts(index: Index) -> list[Conflict]:
    """Conflict copies, several notes with one id, and notes that cannot be read as they should."""
    notes = index.notes(order="updated DESC, path")
    groups: dict[str, list[Candidate]] = {}
    by_path = {item.path: item for item in notes}
    for item in notes:
        original = by_path.get(copied_by(item.path)[1])
        groups.setdefault((original or item).memory.id, []).append(item)
    several = [_several(group) for key, group in groups.items() if key and len(group) > 1]
    alone = [
        Conflict(
            what=f"a copy made by {copied_by(item.path)[0]}, whose original is gone", paths=(item.path,), fix=_ALONE
        )
        for item in notes
        if copied_by(item.path)[0] and copied_by(item.path)[1] not in by_path
    ]
    live = {item.memory.id: item for item in notes if item.memory.live}
    against = [
        Conflict(
            what="a lesson says otherwise than an older one; both are in force",
            paths=(item.path, *(live[other].path for other in item.memory.contradicts if other in live)),
            fix="delete the one that is wrong, or set its status to deprecated; or empty `contradicts` to keep both",
        )
        for item in live.values()
        if any(other in live for other in item.memory.contradicts)
    ]
    broken = [Conflict(what=problem, paths=(path,), fix=_fix(problem)) for path, problem in index.problems()]
    return [*several, *alone, *against, *broken]


_ALONE = "rename it, and delete what is outdated in it"
_FIXES = (
    ("git conflict", "choose one version in an editor and remove the <<<<<<< ======= >>>>>>> lines"),
    ("not downloaded", "let the sync program download it; the last version that was read stays in use"),
    ("empty", "restore it from a backup or delete it; the last version that was read stays in use"),
    ("cut short", "wait for the sync to finish; the last version that was read stays in use"),
    ("link", "replace it by the file itself if memem should read it"),
    ("not a regular file", "remove it from the vault's memem folder"),
    ("UTF-8", "save it as UTF-8 in an editor"),
    ("cannot be", "check its permissions"),
    ("YAML reader", "wait until the setup has finished"),
)


def _several(group: list[Candidate]) -> Conflict:
    paths = tuple(item.path for item in group)
    programs = {program for path in paths if (program := copied_by(path)[0])}
    texts = {one_line(item.memory.body) for item in group}
    origin = f" ({', '.join(sorted(programs))})" if programs else ""
    if len(texts) == 1:
        return Conflict(what=f"the same note {len(paths)} times{origin}", paths=paths, fix="delete all but one")
    return Conflict(
        what=f"{len(paths)} versions of one note{origin}; the newest is injected, search finds all",
        paths=paths,
        fix="bring into one file what should stay, then delete the others",
    )


def _fix(problem: str) -> str:
    return next((fix for sign, fix in _FIXES if sign in problem), "mend it in Obsidian or any editor")
