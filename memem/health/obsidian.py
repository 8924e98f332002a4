"""Whether a plugin of Obsidian would run code that stands in one of memem's notes, which quote what others wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from memem.app import Memem
from memem.health.check import DEGRADED, OK, Check

_MOST_NAMED, _MOST_BYTES = 3, 1_000_000
# Plugin → the setting that makes it run code, if it needs one; and what such code begins with in a note.
_RUNNERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("templater-obsidian", "", ("<%",)),
    ("dataview", "enableDataviewJs", ("```dataviewjs",)),
    ("dataview", "enableInlineDataviewJs", ("`$=",)),
)


def code(memem: Memem) -> Check:
    """Notes with something that an enabled plugin of the vault takes for a program."""
    folder = Path(memem.config.vault, ".obsidian")
    enabled = _read(folder / "community-plugins.json")
    runs: dict[str, tuple[str, ...]] = {}
    for plugin, setting, begins in _RUNNERS if isinstance(enabled, list) else ():
        settings = _read(folder / "plugins" / plugin / "data.json")
        if plugin in enabled and (not setting or (isinstance(settings, dict) and settings.get(setting))):
            runs[plugin] = (*runs.get(plugin, ()), *begins)
    found = {
        item.path: plugin
        for plugin, begins in runs.items()
        for begin in begins
        for item in memem.index.notes("instr(body, ?1) OR instr(title, ?1)", (begin,), order="path")
    }
    if not found:
        return Check(name="code in notes", level=OK, text="none that a plugin of Obsidian would run")
    paths = sorted(found)
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    named = ", ".join(sorted(set(found.values())))
    text = f"{named} may run what stands in {', '.join(paths[:_MOST_NAMED])}{more}"
    fix = "look at them; turn the plugin off, or keep memem's notes in a vault of their own (MEMEM_OBSIDIAN_VAULT)"
    return Check(name="code in notes", level=DEGRADED, text=text, fix=fix)


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
