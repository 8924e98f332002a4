"""Notes that grow: playbooks and summaries, where memem owns one marked part and a human everything around it.

The marker carries a hash of the part as memem left it. Where a human edited inside, the part is theirs from then on
and memem stops; deleting the lines between and with the markers lets it begin anew.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from memem import sqlite
from memem.index.writer import IndexWriter
from memem.ingest.secrets import Redaction
from memem.ingest.secrets import redact as plainly
from memem.models import Memory
from memem.state.store import State
from memem.sync import sync_path
from memem.text import clean
from memem.vault import note
from memem.vault.store import Vault

Redact = Callable[[str, str], Redaction]  # of a text, and where it is kept
_PART = re.compile(r"<!-- memem:begin ([0-9a-f]{16})[^\n]*-->\r?\n(.*?)\r?\n?<!-- memem:end -->", re.DOTALL)
_BEGIN = "<!-- memem:begin {} generated; what you write outside of these two lines stays -->"
_END = "<!-- memem:end -->"


def grow(
    vault: Vault,
    index: IndexWriter,
    state: State | None,
    path: str,
    memory: Memory,
    part: Callable[[str], str],
    redact: Redact = lambda text, _place: plainly(text),
) -> bool:
    """Write the marked part of a note, or the whole note when it is new; False when it is a human's or unchanged.

    `memory` gives the frontmatter of a new note; `part` makes the new text of the part from that of now,
    which goes through `redact`.

    Raises:
        VaultUnavailable: the note cannot be written now; it is as it was.
    """
    if state and memory.id in state.buried_ids():
        return False  # a human deleted it
    moved = next((item.path for item in index.by_prefix(memory.id)), path)  # or renamed; or it began on another day
    path = path if vault.stat(path) or not vault.stat(moved) else moved

    def safe(before: str) -> str:
        text = redact(clean(part(before)), f"{memory.kind} of {memory.project}").text
        return text.replace("<!--", "<! --").strip()

    if vault.stat(path):
        before, after = vault.edit(path, lambda data: _changed(data, safe, memory.updated))
        if before == after:
            return False
    else:
        vault.place(path, note.render(memory.replace(body=_marked(safe("")))))
    try:
        sync_path(vault, index, path)
    except sqlite.Error:
        pass  # the next sync finds it
    return True


def _changed(data: bytes, part: Callable[[str], str], updated: str) -> bytes:
    text = note.decode(data)
    found = _PART.search(text)
    if found is None:
        marked = f"{text.rstrip()}\n\n{_marked(part(''))}\n"
        return note.with_fields(note.encode(marked), {"updated": updated})
    if _hash(found[2]) != found[1]:
        return data
    new = part(found[2])
    if _hash(new) == found[1]:
        return data
    text = f"{text[: found.start()]}{_marked(new)}{text[found.end() :]}"
    return note.with_fields(note.encode(text), {"updated": updated})


def _marked(part: str) -> str:
    return f"{_BEGIN.format(_hash(part))}\n{part}\n{_END}"


def _hash(part: str) -> str:
    # Line ends are not counted: git and editors change them without anyone's wish.
    return hashlib.sha256(part.replace("\r\n", "\n").strip().encode("utf-8", "replace")).hexdigest()[:16]
