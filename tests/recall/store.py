"""A real index in memory, filled by hand: what recall reads, without a vault."""

from __future__ import annotations

from typing import Any

from memem import sqlite
from memem.index.writer import Entry, IndexWriter, memory_index
from memem.models import Candidate, Memory, Scope

HARBOR = Scope(id="local:harbor", names=("local:harbor", "harbor", "general"))
# Distinct sentences of an ordinary project, to make a store of any size around the notes of a test.
_THINGS = "crane berth tide buoy anchor pilot ferry cargo quay lock dock winch hull mast keel ballast".split()
_DEEDS = "deploys rejects caches retries mirrors signs compresses throttles archives validates".split()


def memory(number: int, body: str, **fields: Any) -> Memory:
    """A memory of the project with an id made from a number."""
    values = {"title": body.partition("\n")[0], "project": "local:harbor", "updated": "2026-01-01T00:00:00+00:00"}
    return Memory(**{"id": f"{number:08d}-0000-4000-8000-000000000000", "body": body} | values | fields)


def filled(*memories: Memory, others: int = 0) -> IndexWriter:
    """An index of some memories, and as many other ones."""
    index = memory_index()
    rest = [memory(90_000_000 + at, _sentence(at)) for at in range(others)]
    with sqlite.transaction(index.connection):
        for at, item in enumerate((*memories, *rest)):
            index.put(Entry(path=f"memories/{at}.md", etag=str(at), hash="", read_ns=0), item)
    return index


def candidate(number: int, body: str, **fields: Any) -> Candidate:
    """A candidate as the index gives it."""
    return Candidate(memory=memory(number, body, **fields), path=f"memories/{number}.md", etag=str(number), row=number)


def _sentence(at: int) -> str:
    one, two = _THINGS[at % len(_THINGS)], _THINGS[(at // len(_THINGS)) % len(_THINGS)]
    return f"The {one} service {_DEEDS[at % len(_DEEDS)]} every {two} record number{at}"
