"""Projects whose sessions the user wants left alone: they are neither archived nor mined nor searched."""

from __future__ import annotations

import os
import re
from pathlib import Path

_NOTHING = ("", "0", "false", "none")


class Excluded:
    """Projects by the name of their folder below `projects/`, or by the folder that sessions begin in."""

    def __init__(self, setting: str = "") -> None:
        named = [name.strip() for name in setting.replace(",", ":").split(":")]
        given = named if setting.strip().lower() not in _NOTHING else []
        self._names = frozenset(name for one in given if one for name in _as_named(one))

    def __bool__(self) -> bool:
        return bool(self._names)

    def holds_path(self, path: Path) -> bool:
        """Whether a transcript, of a session or of a sub-agent in one, lies in the folder of such a project."""
        return not self._names.isdisjoint((*path.parts[-2:-1], *path.parts[-4:-3]))

    def holds_folder(self, folder: str) -> bool:
        """Whether a session that began in a folder is of such a project."""
        return bool(folder) and not self._names.isdisjoint(_as_named(folder))


def _as_named(folder: str) -> set[str]:
    """The names that the client gives to the sessions of a folder, also where links lead; one of that kind stays."""
    if folder.startswith("~/"):
        folder = str(Path.home()) + folder[1:]
    if not folder.startswith("/"):
        return {folder}
    return {re.sub(r"[^a-zA-Z0-9]", "-", path.rstrip("/")) for path in (folder, os.path.realpath(folder))}
