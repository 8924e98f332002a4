"""The table of MCP tools: name, description, schema and function; every transport serves this one list."""

from __future__ import annotations

from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Tool(Value):
    """One tool. `run` takes the validated arguments and answers with text or raises `MememError`."""

    name: str
    description: str
    schema: dict[str, Any]  # JSON schema of the arguments: type object, flat properties
    run: Callable[[dict[str, Any]], str]
    always: bool = False  # the host may not defer its schema: the agent uses it unasked

    def listing(self) -> dict[str, Any]:
        """The tool as `tools/list` answers it."""
        listed = {"name": self.name, "description": self.description, "inputSchema": self.schema}
        return listed | ({"_meta": {"anthropic/alwaysLoad": True}} if self.always else {})
