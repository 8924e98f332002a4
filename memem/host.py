"""What the host tells the model by itself: instruction files, and the index of its own memory. They are only read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from unicodedata import normalize

from memem.text import etag

_MOST_BYTES = 100_000  # of one file; the host shows less of its own memory
_START = 8  # characters
_LONGEST_LESSON = 1000  # characters; nobody says more than that twice in the same words
_OF_FOLDER = ("CLAUDE.md", ".claude/CLAUDE.md", "CLAUDE.local.md")
_SENTENCE_END = re.compile(r"(?<=[.!?;。！？])\s+|\n")
_MARKS = re.compile(r"[\W_]+")
_LINK = re.compile(r"\[([^\]\n]{0,300})\]\([^)\n]{0,2000}\)")


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


class Told:
    """Every sentence and every line that the host tells."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._keys = {key for text in texts for key in _keys_of(_LINK.sub(r"\1", text))}
        self._starts = {key[:_START] for key in self._keys}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def says(self, text: str) -> bool:
        """Whether every sentence of a text is among those told; words alone would find "use tabs" in "do not use"."""
        # All notes of a project are asked for after a change, and nearly all of them begin with other words.
        if len(text) > _LONGEST_LESSON or _key(text[: _START * 4])[:_START] not in self._starts:
            return False
        return all(key in self._keys for part in _SENTENCE_END.split(text) if (key := _key(part)))


def told(paths: Iterable[str]) -> Told:
    """What the files say, as far as they can be read."""
    return Told([_read(path) for path in paths])


def _keys_of(text: str) -> set[str]:
    return {key for part in (*text.split("\n"), *_SENTENCE_END.split(text)) if (key := _key(part))}


def _key(text: str) -> str:
    """A sentence without case, marks and spacing."""
    return _MARKS.sub(" ", normalize("NFC", text).casefold()).strip()


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
