"""A scripted stand-in for the Messages API on the loopback, so that the real client runs without network or model.

A script is a list of turns, one per request of the main conversation; when it is used up, the answer is "ok".
Requests for titles, summaries and quotas carry no tools: they get a plain answer and use up no turn.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

API_KEY = "sk-ant-stub-0000000000-only-for-the-loopback"
_HOOK_CONTEXT = " hook additional context: "


@dataclass(frozen=True, slots=True)
class Use:
    """A turn in which the model calls a tool; a tool whose schema is deferred is looked up first, as models do."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the client, as the model would read it."""

    body: dict[str, Any] = field(repr=False)

    @property
    def tools(self) -> dict[str, dict[str, Any]]:
        """The tools whose schema the model sees, by name."""
        return {tool["name"]: tool for tool in self.body.get("tools") or () if "name" in tool}

    @property
    def texts(self) -> list[str]:
        """Every text block of the conversation in its order; tool results are included."""
        return [text for message in self.body.get("messages") or () for text in _texts(message.get("content"))]

    @property
    def text(self) -> str:
        """The whole conversation as one text."""
        return "\n".join(self.texts)

    def last_tool_result(self) -> str:
        """The text of the last tool result, or nothing."""
        for message in reversed(self.body["messages"]):
            if isinstance(message["content"], list):
                for block in reversed(message["content"]):
                    if block.get("type") == "tool_result":
                        return "\n".join(_texts(block.get("content")))
        return ""

    def context_of(self, event: str) -> str:
        """What hooks of one event have added to the conversation, or nothing.

        The client joins what belongs to one turn by blank lines and writes no end mark: a context reaches up to
        the next context, and may be followed by text of the client.
        """
        found = []
        for text in self.texts:
            parts = text.split(_HOOK_CONTEXT)
            for before, after in itertools.pairwise(parts):
                if before.endswith(event):
                    found.append(after.rpartition("\n\n")[0] if after is not parts[-1] else after)
        return "\n".join(found)


class MessagesStub:
    """The API server. Use it as a context manager; `requests` holds those of the main conversation.

    `script` holds the turns that are left.
    """

    def __init__(self, script: Iterable[str | Use] = ()) -> None:
        self.requests: list[Request] = []
        self.script = list(script)
        self.failure: tuple[int, str, str] | None = None  # status, type and text of every answer instead
        self._searched: set[str] = set()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stub": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> MessagesStub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def environment(self) -> dict[str, str]:
        """What makes the client talk to this server."""
        return {
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{self._server.server_address[1]}",
            "ANTHROPIC_API_KEY": API_KEY,
        }

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """The content block that answers a request."""
        request = Request(body)
        if not request.tools:
            return {"type": "text", "text": '{"title": "stub"}'}
        with self._lock:
            self.requests.append(request)
            turn = self.script.pop(0) if self.script else "ok"
            if isinstance(turn, str):
                return {"type": "text", "text": turn}
            name, arguments = turn.tool, turn.arguments
            if name not in request.tools and "ToolSearch" in request.tools and name not in self._searched:
                self._searched.add(name)
                self.script.insert(0, turn)
                name, arguments = "ToolSearch", {"query": f"select:{name}"}
            return {"type": "tool_use", "id": f"toolu_{len(self.requests):08}", "name": name, "input": arguments}


class _Handler(BaseHTTPRequestHandler):
    """Translates HTTP to `MessagesStub.answer`, streamed when the client asks for it."""

    stub: MessagesStub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: pytest shows what the tests print."""

    def do_HEAD(self) -> None:
        self._send(200, b"", "text/plain")

    def do_GET(self) -> None:
        self._send(404, b"{}", "application/json")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0]
        if path.endswith("/count_tokens"):
            self._send(200, json.dumps({"input_tokens": len(raw) // 4}).encode(), "application/json")
        elif path.endswith("/v1/messages"):
            if self.stub.failure:
                status, kind, text = self.stub.failure
                error = {"type": "error", "error": {"type": kind, "message": text}}
                self._send(status, json.dumps(error).encode(), "application/json")
                return
            body = json.loads(raw)
            block = self.stub.answer(body)
            if body.get("stream"):
                stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in _events(block))
                self._send(200, stream.encode(), "text/event-stream; charset=utf-8")
            else:
                self._send(200, json.dumps(_message([block], _stop_reason(block))).encode(), "application/json")
        else:
            self._send(404, b"{}", "application/json")

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _message(content: Sequence[dict[str, Any]], stop_reason: str | None) -> dict[str, Any]:
    return {
        "id": "msg_stub",
        "type": "message",
        "role": "assistant",
        "model": "claude-stub",
        "content": list(content),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 100, "output_tokens": 10},
    }


def _stop_reason(block: dict[str, Any]) -> str:
    return "tool_use" if block["type"] == "tool_use" else "end_turn"


def _events(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        empty, delta = block | {"text": ""}, {"type": "text_delta", "text": block["text"]}
    else:
        arguments = json.dumps(block["input"])
        empty, delta = block | {"input": {}}, {"type": "input_json_delta", "partial_json": arguments}
    yield {"type": "message_start", "message": _message([], None)}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": _stop_reason(block), "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": 10}}
    yield {"type": "message_stop"}


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    found = []
    for block in content or ():
        if block.get("type") == "text":
            found.append(block["text"])
        elif block.get("type") == "tool_result":
            found += _texts(block.get("content"))
    return found
