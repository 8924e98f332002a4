"""What the host tells the model by itself: instruction files, and the index of its own memory. They are only read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from memem.text import etag, terms

_MOST_BYTES = 100_000  # of one file; the host shows less of its own memory
_OF_FOLDER = ("CLAUDE.md", ".claude/CLAUDE.md", "CLAUDE.local.md")
_SENTENCE_END = re.compile(r"(?<=[.!?;。！？])\s+|\n")
_LINK = re.compile(r"\[([^\]\n]*)\]\([^)\n]*\)")


def files(claude_dir: str, folders: Iterable[str]) -> list[str]:
    """The files that the host reads for a session in these folders, whether they are there or not."""
    named = [f"{claude_dir}/CLAUDE.md"]
    for folder in dict.fromkeys(folders):
        named += [f"{folder}/{name}" for name in _OF_FOLDER]
        slug = "".join(char if char.isascii() and char.isalnum() else "-" for char in folder)
        named.append(f"{claude_dir}/projects/{slug}/memory/MEMORY.md")
    return named


def stamp(paths: Iterable[str]) -> str:
    """What changes when one of the files does."""
    found = []
    for path in paths:
        try:
            found.append(etag(os.stat(path)))  # noqa: PTH116
        except (OSError, ValueError):
            found.append("")
    return ",".join(found)


def sentences(paths: Iterable[str]) -> set[str]:
    """Every sentence and every line of the files, as `keys_of` writes them."""
    return {key for path in paths for key in keys_of(_LINK.sub(r"\1", _read(path)))}


def keys_of(text: str) -> set[str]:
    """The sentences and lines of a text without case, marks and spacing."""
    lines = text.split("\n")
    return {key for part in (*lines, *_SENTENCE_END.split(text)) if (key := " ".join(terms(part)))}


def says(told: set[str], text: str) -> bool:
    """Whether every sentence of a text is among those told. Words alone are not enough: "use tabs" is in "do not"."""
    parts = [" ".join(terms(part)) for part in _SENTENCE_END.split(text)]
    parts = [part for part in parts if part]
    return bool(parts) and all(part in told for part in parts)


def _read(path: str) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError):
        return ""
    try:
        return os.read(handle, _MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(handle)
