"""Projects whose sessions the user wants left alone: they are neither archived nor mined nor searched."""

from __future__ import annotations

import re
from pathlib import Path

_NOTHING = ("", "0", "false", "none")


class Excluded:
    """Projects by the name of their folder below `projects/`, or by the folder that sessions begin in."""

    def __init__(self, setting: str = "") -> None:
        named = [name.strip() for name in setting.replace(",", ":").split(":")]
        given = named if setting.strip().lower() not in _NOTHING else []
        self._names = frozenset(_as_named(name) for name in given if name)

    def __bool__(self) -> bool:
        return bool(self._names)

    def holds_path(self, path: Path) -> bool:
        """Whether a transcript, of a session or of a sub-agent in one, lies in the folder of such a project."""
        return not self._names.isdisjoint((*path.parts[-2:-1], *path.parts[-4:-3]))

    def holds_folder(self, folder: str) -> bool:
        """Whether a session that began in a folder is of such a project."""
        return bool(folder) and _as_named(folder) in self._names


def _as_named(folder: str) -> str:
    """The name that the client gives to the sessions of a folder; a name of that kind stays."""
    if folder.startswith("~/"):
        folder = str(Path.home()) + folder[1:]
    return re.sub(r"[^a-zA-Z0-9]", "-", folder.rstrip("/")) if folder.startswith("/") else folder
