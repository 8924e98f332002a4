"""A search answered without the facade, while a glance at the vault shows nothing that the index does not know.

The facade loads what writes, connects and mends, which takes several times as long as the search. Wherever there is
something to take in, to mend or to tell, there is no answer here, and the facade gives it.
"""

from __future__ import annotations

import os

from memem import sqlite
from memem.config import load, project_folder
from memem.errors import MememError
from memem.index.reader import index_folder, open_reader
from memem.models import Query
from memem.project import find_checkout, scope_at
from memem.recall.render import compact_index
from memem.recall.slices import for_search
from memem.value import TYPE_CHECKING
from memem.vault.listing import differing

if TYPE_CHECKING:
    from memem.config import Config
    from memem.index.reader import Index

LIMIT, LONGEST = 10, 2000  # as the command's default, and as the facade cuts a question


def search(text: str) -> str | None:
    """What a search for a text prints, or None."""
    try:
        config = load()
        index = open_reader(index_folder(config.dir, config.cache_dir))
        if index is None:
            return None
        try:
            return _answer(config, index, text[:LONGEST])
        finally:
            index.close()
    except (MememError, OSError, ValueError, *sqlite.FAULTS):
        return None


def _answer(config: Config, index: Index, text: str) -> str | None:
    if index.unsettled() or any(name.endswith(".md") for name in _names(config.state_path("spool"))):
        return None
    folder = project_folder()
    checkout = find_checkout(os.path.realpath(folder)) if folder else None
    if checkout and not index.root_commit(checkout.common):
        return None
    changed, unmet = differing(os.path.realpath(config.memory_root), index.settled())  # last, as it costs the most
    if changed or unmet:
        return None
    scope = scope_at(folder, config.project_aliases, index.root_commit)
    return compact_index(for_search(index, Query(text=text, scope=scope, limit=LIMIT)))


def _names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []  # noqa: PTH112, PTH208 - pathlib costs as much as this
