"""A model server on the loopback that speaks three protocols as scripted, and whatever a broken server may do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from memem.llm.anthropic import Anthropic
from memem.llm.ollama import Ollama
from memem.llm.openai import OpenAI
from memem.llm.protocol import LLM

KEY = "sk-test-Kq7vN2xW9eR4tY6u"
SCHEMA = {
    "type": "object",
    "properties": {"lessons": {"type": "array", "items": {"type": "string"}, "maxItems": 50}},
    "required": ["lessons"],
    "additionalProperties": False,
}
GOOD = {"lessons": ["Prices are integer cents"]}
Turn = Callable[["_Handler"], None]


class Server:
    """Answers each request by the next turn of its script, the last one for ever; keeps what was asked."""

    def __init__(self, *script: Turn) -> None:
        self.script = list(script)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.begun = threading.Event()  # a request has arrived
        self.ending = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    owner: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        self._turn()

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        self.owner.requests.append(json.loads(raw))
        self._turn()

    def _turn(self) -> None:
        self.owner.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.owner.paths.append(self.path)
        self.owner.begun.set()
        script = self.owner.script
        turn = script.pop(0) if len(script) > 1 else script[0]
        try:
            turn(self)
        except OSError:
            self.close_connection = True  # the client has gone

    def send(self, status: int, data: bytes, **headers: str) -> None:
        """One whole response."""
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(data))}.items():
            self.send_header(name, headers.pop(name.replace("-", "_"), value))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)


def reply(status: int, document: Any, **headers: str) -> Turn:
    """A response with a JSON document, or with text as it is."""
    data = document.encode() if isinstance(document, str) else json.dumps(document).encode()
    return lambda handler: handler.send(status, data, **headers)


def silence(handler: _Handler) -> None:
    """Accept the request and say nothing."""
    handler.owner.ending.wait(60)
    handler.close_connection = True


def drip(handler: _Handler) -> None:
    """One byte at a time, for ever."""
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", "100000")
    handler.end_headers()
    while not handler.owner.ending.wait(0.1):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def reset(handler: _Handler) -> None:
    """Break off in the middle of the body."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"half')
    handler.close_connection = True


def flood(handler: _Handler) -> None:
    """50 MB of a document."""
    handler.send_response(200)
    handler.send_header("content-length", str(50_000_000))
    handler.end_headers()
    for _ in range(500):
        handler.wfile.write(b'{"a":"' + b"x" * 99_994)


@dataclass(frozen=True)
class Protocol:
    """How one backend is made and how its server words things."""

    name: str
    make: Callable[..., LLM]
    says: Callable[..., Turn]
    fails: Callable[..., Turn]


def _anthropic_says(text: Any, *, cut: bool = False, refused: bool = False) -> Turn:
    ending = "refusal" if refused else "max_tokens" if cut else "tool_use"
    block = {"type": "tool_use", "id": "toolu_1", "name": "answer", "input": text}
    content = [{"type": "text", "text": text}] if isinstance(text, str) else [block]
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5-20251001",
        "content": content, "stop_reason": ending, "stop_sequence": None,
        "usage": {"input_tokens": 70, "cache_read_input_tokens": 30, "output_tokens": 10},
    }  # fmt: skip
    return reply(200, message)


def _anthropic_fails(status: int, code: str, words: str = "", **headers: str) -> Turn:
    return reply(status, {"type": "error", "error": {"type": code, "message": words}}, **headers)


def _openai_says(text: Any, *, cut: bool = False, refused: bool = False) -> Turn:
    message: dict[str, Any] = {"role": "assistant", "content": text if isinstance(text, str) else json.dumps(text)}
    if refused:
        message |= {"content": None, "refusal": "I can't help with that."}
    choice = {"index": 0, "message": message, "finish_reason": "length" if cut else "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return reply(200, {"id": "c", "object": "chat.completion", "model": "m-1", "choices": [choice], "usage": usage})


def _openai_fails(status: int, code: str, words: str = "", **headers: str) -> Turn:
    return reply(status, {"error": {"message": words, "type": "error", "param": None, "code": code}}, **headers)


def _ollama_says(text: Any, *, cut: bool = False, refused: bool = False) -> Turn:
    assert not refused
    content = text if isinstance(text, str) else json.dumps(text)
    document = {
        "model": "m-1", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", "content": content},
        "done": True, "done_reason": "length" if cut else "stop", "prompt_eval_count": 100, "eval_count": 10,
    }  # fmt: skip
    return reply(200, document)


def _ollama_fails(status: int, code: str, words: str = "", **headers: str) -> Turn:
    return reply(status, {"error": words or code}, **headers)


def _anthropic(url: str, seconds: float = 10) -> LLM:
    return Anthropic(KEY, url, "", seconds)


def _openai(url: str, seconds: float = 10) -> LLM:
    return OpenAI(KEY, f"{url}/v1", "m-1", seconds)


def _ollama(url: str, seconds: float = 10) -> LLM:
    return Ollama(url, "m-1", seconds)


PROTOCOLS = (
    Protocol("anthropic", _anthropic, _anthropic_says, _anthropic_fails),
    Protocol("openai", _openai, _openai_says, _openai_fails),
    Protocol("ollama", _ollama, _ollama_says, _ollama_fails),
)
