"""Which memory a human means by an id or by its beginning."""

from __future__ import annotations

from memem.app import Memem
from memem.errors import BadInput, NotFound
from memem.models import SHORTEST_ID
from memem.text import one_line

_MOST_NAMED = 5


def meant(memem: Memem, name: str) -> str:
    """The whole id, of a note or of a save that waits for the vault.

    Raises:
        BadInput: it is too short, or begins several ids; names them.
        NotFound: there is none.
    """
    waiting = (memory for memory in memem._spool().waiting() if len(name) >= SHORTEST_ID and memory.id.startswith(name))
    noted = (item.memory for item in memem.index.named(name))
    found = {memory.id: memory.title for memory in (*noted, *waiting)}
    if len(found) > 1:
        several = ", ".join(f"{one} “{one_line(title)[:60]}”" for one, title in list(found.items())[:_MOST_NAMED])
        raise BadInput(f"{name!r} begins several ids; give more of the one to forget: {several}")
    if not found and len(name) < SHORTEST_ID:
        raise BadInput(f"{name!r} is too short: give at least {SHORTEST_ID} characters of an id.")
    if not found:
        raise NotFound(f"no memory {name}; memem list --all --history shows ids.")
    return next(iter(found))
