"""An MCP server by hand that knows one tool and does nothing: the least that any server in Python starts with."""

import json
import sys

_TOOLS = [{"name": "nothing", "description": "Does nothing.", "inputSchema": {"type": "object", "properties": {}}}]
_ANSWERS = {
    "initialize": {
        "protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
        "serverInfo": {"name": "empty", "version": "1"},
    },
    "tools/list": {"tools": _TOOLS},
}  # fmt: skip
for line in sys.stdin.buffer:
    message = json.loads(line)
    if "id" in message:
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": _ANSWERS.get(message["method"], {})}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
        sys.stdout.buffer.flush()
