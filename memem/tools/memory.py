"""The `core` tools: save, search, get, timeline, the Active Memory Slice and sessions, over the facade."""

from __future__ import annotations

from memem.active import MODES, Task
from memem.errors import BadInput, NotReady
from memem.install import why_missing
from memem.models import Draft
from memem.recall import render
from memem.tools.table import Tool
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from memem.app import Memem

    Arguments = dict[str, Any]
    # Name, description, arguments, the required ones, function.
    Row = tuple[str, str, dict[str, Any], tuple[str, ...], Callable[[Memem, Arguments], str]]

ALWAYS = ("memory_save", "memory_search")  # the host may not defer their schemas: the agent uses them unasked
SCOPE = {"type": "string", "description": "project; default: the one here, `general` for none"}


def opened(memem: Callable[[], Memem], run: Callable[[Memem, Arguments], str]) -> Callable[[Arguments], str]:
    """A tool's function over the facade, which is opened by the first call."""

    def call(arguments: Arguments) -> str:
        try:
            return run(memem(), arguments)
        except ModuleNotFoundError as error:
            raise NotReady(why_missing(error.name or "a module")) from error

    return call


def core(memem: Callable[[], Memem]) -> tuple[Tool, ...]:
    """The tools of the default profile; `memem` is called when the first of them is."""
    return tools(ROWS, memem)


def tools(rows: Iterable[Row], memem: Callable[[], Memem]) -> tuple[Tool, ...]:
    """The tools of some rows over the facade."""
    return tuple(
        Tool(
            name=name,
            description=text,
            schema=schema(properties, required),
            run=opened(memem, run),
            always=name in ALWAYS,
        )
        for name, text, properties, required, run in rows
    )


def save(memem: Memem, arguments: Arguments) -> str:
    """memory_save."""
    draft = Draft(
        content=arguments["content"],
        title=arguments.get("title", ""),
        kind=arguments.get("kind", "").strip().lower(),
        layer=arguments.get("layer", -1),
        tags=_texts(arguments.get("tags")),
        keys=_texts(arguments.get("keys")),
        paths=_texts(arguments.get("paths")),
        supersedes=_texts(arguments.get("supersedes")),
        trust="agent",
        source_type="agent",
    )
    return render.outcome(memem.save(draft, arguments.get("scope_id", "")))


def search(memem: Memem, arguments: Arguments) -> str:
    """memory_search."""
    query, limit, scope = arguments["query"], arguments["limit"], arguments.get("scope_id", "")
    return render.compact_index(memem.search(query, limit, scope, as_of=arguments.get("as_of", "")))


def get(memem: Memem, arguments: Arguments) -> str:
    """memory_get."""
    text = render.full(*memem.get(_texts(arguments["ids"])))
    return render.warned(text, memem.warnings())


def timeline(memem: Memem, arguments: Arguments) -> str:
    """memory_timeline."""
    found = memem.timeline(arguments["memory_id"], arguments["depth_before"], arguments["depth_after"])
    text = render.timeline(found.anchor, found.before, found.after, found.linked)
    return render.warned(text, memem.warnings())


def slice_(memem: Memem, arguments: Arguments) -> str:
    """active_memory_slice."""
    from memem.recall.formats import slice_json

    preview, commit = (arguments.get(name, False) for name in ("writeback_preview", "auto_commit_safe"))
    if preview and commit:
        raise BadInput("writeback_preview only shows, auto_commit_safe writes: give one of them.")
    task = Task(
        text=arguments["query"],
        scope=arguments.get("scope_id", ""),
        folder=arguments.get("repo_path", ""),
        session=arguments.get("session_id", ""),
        mode=arguments.get("task_mode", ""),
        current_file=arguments.get("current_file", ""),
        open_files=_texts(arguments.get("open_files")),
        modified_files=_texts(arguments.get("modified_files")),
        artifact=arguments.get("artifact_path", ""),
        branch=arguments.get("branch", ""),
        strict=arguments.get("scope_strict", False) or arguments.get("scope_strict_evict", False),
        history=arguments.get("include_history", False),
        transcripts=arguments.get("include_transcripts", False),
        judge=arguments.get("use_llm", False),
    )
    found = memem.slice(task, "commit" if commit else "preview" if preview else "")
    if arguments.get("raw_json"):
        return slice_json(found, writeback=preview or commit)
    return render.slice_markdown(found)


def transcript_search(memem: Memem, arguments: Arguments) -> str:
    """transcript_search."""
    from memem.recall.formats import passages

    how = {name: arguments.get(name, False) for name in ("everywhere", "by_session", "newest")}
    return passages(memem.transcripts(arguments["query"], arguments["limit"], arguments.get("scope_id", ""), **how))


def schema(properties: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    """The JSON schema of a tool's arguments."""
    return {"type": "object", "properties": properties, "required": list(required)}


def _texts(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value or ()
    return tuple(item.strip() for item in items if item.strip())


ROWS: tuple[Row, ...] = (
    (
        "memory_save",
        "Save one durable lesson as a note: a decision with its reason, a convention, a preference, "
        "a correction, an environment fact, a bug's cause. Self-contained, no secrets. A new fact replaces the "
        "outdated one by itself.",
        {
            "content": {"type": "string", "minLength": 10, "maxLength": 5000},
            "title": {"type": "string", "maxLength": 120},
            "scope_id": SCOPE,
            "tags": {"type": ["string", "array"], "items": {"type": "string"}},
            "layer": {
                "type": "integer",
                "minimum": 0,
                "maximum": 3,
                "description": "0 identity, 1 conventions, 2 domain, 3 archival",
            },
            "kind": {"type": "string"},
            "keys": {
                "type": ["string", "array"],
                "items": {"type": "string"},
                "description": "other words it may be asked for by",
            },
            "paths": {"type": ["string", "array"], "items": {"type": "string"}},
            "supersedes": {
                "type": ["string", "array"],
                "items": {"type": "string"},
                "description": "ids it replaces",
            },
        },
        ("content",),
        save,
    ),
    (
        "memory_search",
        "Search all memories; answers one line each. Read one with memory_get.",
        {
            "query": {"type": "string", "minLength": 1, "maxLength": 500},
            "limit": {"type": "integer", "minimum": 1, "maximum": 50, "default": 10},
            "as_of": {"type": "string", "maxLength": 40, "description": "ISO date: what was valid then"},
            "scope_id": SCOPE,
        },
        ("query",),
        search,
    ),
    (
        "memory_get",
        "Read memories in full by id (first 8 characters suffice).",
        {
            "ids": {"type": ["array", "string"], "items": {"type": "string"}, "minItems": 1, "maxItems": 50},
            "scope_id": SCOPE,
        },
        ("ids",),
        get,
    ),
    (
        "memory_timeline",
        "What was learned before and after one memory, and what it links to.",
        {
            "memory_id": {"type": "string", "minLength": 1},
            "depth_before": {"type": "integer", "minimum": 0, "maximum": 20, "default": 5},
            "depth_after": {"type": "integer", "minimum": 0, "maximum": 20, "default": 5},
            "scope_id": SCOPE,
        },
        ("memory_id",),
        timeline,
    ),
    (
        "active_memory_slice",
        "The working state for a task: project identity, constraints, decisions, failures, "
        "preferences that matter for it.",
        {
            "query": {"type": "string", "minLength": 1, "maxLength": 2000},
            "scope_id": SCOPE,
            "raw_json": {"type": "boolean"},
            "session_id": {"type": "string", "description": "carries forward from its previous slice"},
            "task_mode": {"type": "string", "enum": list(MODES)},
            "repo_path": {"type": "string"},
            "current_file": {"type": "string"},
            "open_files": {"type": ["array", "string"]},
            "modified_files": {"type": ["array", "string"]},
            "artifact_path": {"type": "string"},
            "branch": {"type": "string"},
            "include_history": {"type": "boolean"},
            "include_transcripts": {"type": "boolean"},
            "use_llm": {"type": "boolean", "description": "a model drops what is beside the point"},
            "writeback_preview": {"type": "boolean"},
            "auto_commit_safe": {"type": "boolean", "description": "writes safe links"},
            "scope_strict": {"type": "boolean"},
            "scope_strict_evict": {"type": "boolean"},
        },
        ("query",),
        slice_,
    ),
    (
        "transcript_search",
        "Search what was said and done in earlier sessions of this project, word by word; answers "
        "snippets, newest first among equals. For what no memory holds.",
        {
            "query": {"type": "string", "minLength": 1, "maxLength": 500},
            "limit": {"type": "integer", "minimum": 1, "maximum": 20, "default": 5},
            "scope_id": SCOPE,
            "everywhere": {"type": "boolean", "description": "sessions of all projects"},
            "by_session": {"type": "boolean", "description": "one place of each session, the best session first"},
            "newest": {"type": "boolean", "description": "with by_session: those that began lately sooner"},
        },
        ("query",),
        transcript_search,
    ),
)
