"""The tool of the `full` profile that makes a briefing: `assembled(memem)` gives its row."""

from __future__ import annotations

from memem.text import cut
from memem.tools.memory import SCOPE, opened
from memem.tools.table import Tool
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from memem.app import Memem


def assembled(memem: Callable[[], Memem]) -> tuple[Tool, ...]:
    """The row for `context_assemble`; `memem` is called when the tool is."""
    return (
        Tool(
            name="context_assemble",
            description="A briefing for a task within a budget: the project's slice, and what is known of every "
            "project when that holds little.",
            schema={
                "type": "object",
                "properties": {
                    "query": {"type": "string", "minLength": 1, "maxLength": 2000},
                    "project": SCOPE,
                    "budget": {"type": "integer", "minimum": 500, "maximum": 9500, "default": 6000},
                },
                "required": ["query"],
            },
            run=opened(memem, context_assemble),
        ),
    )


def context_assemble(memem: Memem, arguments: dict[str, Any]) -> str:
    """context_assemble."""
    from memem.recall.render import slice_markdown

    found = memem.assembled(arguments["query"], arguments.get("project", ""), arguments["budget"])
    return cut("\n\n".join(slice_markdown(part) for part in found), arguments["budget"])
