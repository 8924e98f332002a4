"""The tools that the `full` profile adds: lists, import and the graph, over the facade."""

from __future__ import annotations

from memem.tools.memory import SCOPE, core, tools
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from memem.app import Memem
    from memem.graph import Step
    from memem.tools.memory import Row
    from memem.tools.table import Tool

    Arguments = dict[str, Any]

_SCOPE = {"type": "string", "description": "project; default: the one here, `general` for none, `*` for all"}
_ID = {"type": "string", "minLength": 1}
_RECALL_BUDGET = 16_000  # UTF-16 units of memory_recall


def profile(name: str, memem: Callable[[], Memem]) -> tuple[Tool, ...]:
    """The tools of a profile: `core`, or `full`, which is core and more."""
    return (*core(memem), *additional(memem)) if name == "full" else core(memem)


def additional(memem: Callable[[], Memem]) -> tuple[Tool, ...]:
    """What `full` has beyond `core`; `memem` is called when the first of them is."""
    return tools(ROWS, memem)


def recall(memem: Memem, arguments: Arguments) -> str:
    """memory_recall."""
    from memem.active import Task
    from memem.recall import render
    from memem.text import cut

    query, scope = arguments["query"], arguments.get("scope_id", "")
    if arguments.get("compact"):
        return render.compact_index(memem.search(query, arguments["limit"], scope))
    found = memem.slice(Task(text=query, scope=scope, limit=arguments["limit"]))
    return cut(render.slice_markdown(found), _RECALL_BUDGET)


def list_(memem: Memem, arguments: Arguments) -> str:
    """memory_list."""
    from memem.recall import listing, render

    start, limit = arguments["offset"], arguments["limit"]
    found = _memories(memem, arguments, history=arguments.get("include_history", False))
    return render.warned(listing.by_project(found[start : start + limit], len(found), start), memem.warnings())


def recent(memem: Memem, arguments: Arguments) -> str:
    """memory_recent."""
    from memem.recall import listing, render

    found = sorted(_memories(memem, arguments), key=lambda memory: (memory.updated, memory.id), reverse=True)
    return render.warned(listing.newest(found[: arguments["limit"]]), memem.warnings())


def import_(memem: Memem, arguments: Arguments) -> str:
    """memory_import."""
    from memem.recall import listing

    dry_run = arguments["dry_run"]
    done = list(memem.import_from(arguments["source_path"], arguments.get("scope_id", ""), dry_run=dry_run))
    text = listing.imported(done, applied=not dry_run)
    return f"{text}\nNothing was written. To save them: dry_run=false." if dry_run and done else text


def neighbors(memem: Memem, arguments: Arguments) -> str:
    """memory_graph."""
    from memem import graph
    from memem.recall import connections

    history = arguments.get("include_history", False)
    start, found = graph.neighbors(memem, arguments["memory_id"], arguments["limit"], history=history)
    return connections.neighbors(start, _reached(found)) + connections.unsettled(graph.unsettled(memem))


def explore(memem: Memem, arguments: Arguments) -> str:
    """memory_explore."""
    from memem import graph
    from memem.recall import connections

    start, scope = arguments["start"], arguments.get("scope_id", "")
    found = graph.explore(memem, start, scope, depth=arguments["depth"], limit=arguments["limit"])
    return connections.walk(_reached(found)) + connections.unsettled(graph.unsettled(memem))


def connect(memem: Memem, arguments: Arguments) -> str:
    """memory_connect."""
    from memem import graph

    relation = arguments["relation"]
    relation = "related" if relation == "related_to" else relation
    new = graph.connect(memem, arguments["source_id"], relation, arguments["target_id"])
    return "Connected; it is written in the note." if new else "The note says so already."


def audit(memem: Memem, arguments: Arguments) -> str:
    """memory_graph_audit."""
    from memem import graph
    from memem.recall import connections

    return connections.flaws(graph.audit(memem)) + connections.unsettled(graph.unsettled(memem))


def rebuild(memem: Memem, arguments: Arguments) -> str:
    """memory_graph_rebuild."""
    from memem import graph

    return f"Connections of {graph.rebuild(memem, arguments.get('scope_id') or '*')} memories made anew."


def assemble(memem: Memem, arguments: Arguments) -> str:
    """context_assemble."""
    from memem.recall.render import slice_markdown
    from memem.slicing import assembled
    from memem.text import cut

    found = assembled(memem, arguments["query"], arguments.get("project", ""), arguments["budget"])
    return cut("\n\n".join(slice_markdown(part) for part in found), arguments["budget"])


def _memories(memem: Memem, arguments: Arguments, *, history: bool = False) -> list[Any]:
    found = memem.memories(arguments.get("scope_id", ""), history=history, path=arguments.get("path", ""))
    kind = arguments.get("kind", "")
    return [item.memory for item in found if kind in ("", item.memory.kind)]


def _reached(found: Iterable[Step]) -> list[Any]:
    return [(step.memory, step.edge, step.depth) for step in found]


def _limit(most: int, default: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default}


ROWS: tuple[Row, ...] = (
    (
        "memory_recall",
        "Search and read in one call: the memories about a query with their text, by section.",
        {
            "query": {"type": "string", "minLength": 1, "maxLength": 500},
            "limit": _limit(50, 10),
            "scope_id": {"type": "string"},
            "compact": {"type": "boolean", "description": "one line each"},
        },
        ("query",),
        recall,
    ),
    (
        "memory_list",
        "List memories by project, one line each; with path only those about that file.",
        {
            "scope_id": _SCOPE,
            "kind": {"type": "string"},
            "path": {"type": "string", "maxLength": 500, "description": "file they concern"},
            "include_history": {"type": "boolean"},
            "limit": _limit(200, 50),
            "offset": {"type": "integer", "minimum": 0, "default": 0},
        },
        (),
        list_,
    ),
    (
        "memory_recent",
        "The memories that were written or changed last.",
        {"scope_id": _SCOPE, "kind": {"type": "string"}, "limit": _limit(50, 10)},
        (),
        recent,
    ),
    (
        "memory_import",
        "Take in notes of other programs: a markdown, text or JSON file, a chat export, or a folder. Shows what it "
        "would save; saves with dry_run=false, when the user agrees.",
        {
            "source_path": {"type": "string", "minLength": 1, "maxLength": 2000},
            "scope_id": {"type": "string"},
            "dry_run": {"type": "boolean", "default": True},
        },
        ("source_path",),
        import_,
    ),
    (
        "memory_graph",
        "What one memory is connected with: what notes assert, then what they share.",
        {"memory_id": _ID, "include_history": {"type": "boolean"}, "limit": _limit(100, 20)},
        ("memory_id",),
        neighbors,
    ),
    (
        "memory_explore",
        "Walk along connections from a memory's id or from a search.",
        {
            "start": {"type": "string", "minLength": 1, "maxLength": 500, "description": "id or words"},
            "scope_id": {"type": "string"},
            "depth": {"type": "integer", "minimum": 1, "maximum": 4, "default": 2},
            "limit": _limit(100, 30),
        },
        ("start",),
        explore,
    ),
    (
        "memory_connect",
        "Say how one memory relates to another; it is written into the source's note. Superseding makes the target "
        "history.",
        {
            "source_id": _ID,
            "target_id": _ID,
            "relation": {
                "type": "string",
                "enum": ["related", "related_to", "supersedes", "contradicts"],
                "default": "related",
            },
        },
        ("source_id", "target_id"),
        connect,
    ),
    (
        "memory_graph_audit",
        "Dangling ids, circular or half-marked corrections, contradictions, hubs, orphans. Changes nothing.",
        {},
        (),
        audit,
    ),
    ("memory_graph_rebuild", "Make derived connections anew.", {"scope_id": {"type": "string"}}, (), rebuild),
    (
        "context_assemble",
        "A briefing for a task within a budget: the project's slice, and what is known of every project when that "
        "holds little.",
        {
            "query": {"type": "string", "minLength": 1, "maxLength": 2000},
            "project": SCOPE,
            "budget": {"type": "integer", "minimum": 500, "maximum": 9500, "default": 6000},
        },
        ("query",),
        assemble,
    ),
)
