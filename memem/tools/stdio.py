"""MCP over stdin and stdout by hand: one JSON-RPC message per line, tool calls in a few threads.

The reading thread answers everything but tool calls itself, so that `initialize` and `tools/list` never wait for one.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque

from memem.errors import MememError
from memem.text import clean
from memem.tools.arguments import names, validate, whole
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, BinaryIO, TypeGuard

    from memem.tools.table import Tool

    Id = str | int | float
    Message = dict[str, Any]

VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
LINE_LIMIT = 4 * 1024 * 1024  # bytes
WORKERS = 8
WAITING_LIMIT = 1000  # calls
GRACE = 1.7  # seconds for running calls after hang-up; the process must be gone after two

PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD, INVALID_PARAMS, BUSY = -32700, -32600, -32601, -32602, -32000
_EDGE = 256  # bytes at both ends of an unreadable line that are searched for its id


def serve(tools: Sequence[Tool], name: str, version: str, instructions: str, stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Answer until stdin ends or stdout is closed, then give running calls `GRACE` seconds.

    Threads may be left behind, one of them reading stdin: end the process with `os._exit` after this returns.
    """
    hung_up = threading.Event()
    out = Out(stdout, hung_up)
    calls = Calls(out.write)
    server = Server(tools, {"name": name, "version": version}, instructions, calls)

    def read() -> None:
        try:
            while not hung_up.is_set() and (line := stdin.readline(LINE_LIMIT + 1)):
                out.write(_too_long(line, stdin) if len(line) > LINE_LIMIT else server.answer(line))
        except (OSError, ValueError):
            return  # stdin was closed under our hands
        finally:
            hung_up.set()

    # The reader cannot be woken when only stdout is closed, so it is not the thread that returns.
    try:
        try:
            threading.Thread(target=read, name="memem-read", daemon=True).start()
            hung_up.wait()
        finally:
            calls.finish(GRACE, drop=out.closed)
    except KeyboardInterrupt:  # some clients interrupt to hang up, and again when that takes too long
        return


def private_stdout() -> BinaryIO:
    """Stdout for the protocol alone: what anyone else prints, libraries and child processes too, goes to stderr."""
    try:
        os.fstat(2)
    except OSError:  # stderr is closed, and the next file opened would take its number
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    private = os.dup(1)
    os.dup2(2, 1)
    os.set_blocking(private, True)  # a terminal may have been left otherwise, and half a line would be lost
    return os.fdopen(private, "wb")


class Out:
    """Writes whole replies; a failure to write is a hang-up."""

    def __init__(self, stdout: BinaryIO, hung_up: threading.Event) -> None:
        self.closed = False
        self._stdout = stdout
        self._hung_up = hung_up
        self._lock = threading.Lock()

    def write(self, message: Message | None) -> None:
        """Write one message as one line; None is the answer to what needs none."""
        if message is None:
            return
        # ASCII only: an id that is half a surrogate pair must come back as it was, and UTF-8 could not.
        line = json.dumps({"jsonrpc": "2.0"} | message, separators=(",", ":")).encode("ascii") + b"\n"
        with self._lock:
            try:
                self._stdout.write(line)
                self._stdout.flush()
            except (OSError, ValueError):
                self.closed = True
                self._hung_up.set()


class Call:
    """A tool call under way."""

    __slots__ = ("arguments", "id", "tool")

    def __init__(self, id_: Id, tool: Tool, arguments: dict[str, Any]) -> None:
        self.id = id_
        self.tool = tool
        self.arguments = arguments

    def result(self) -> Message:
        """Run the tool; whatever happens is a result that the model can read."""
        try:
            arguments, ignored = validate(self.tool.schema, self.arguments)
            text = whole(self.tool.run(arguments))
            return _text(text, *([f"ignored arguments: {names(ignored)}"] if ignored else []))
        except MememError as error:
            return _text(clean(whole(str(error))), failed=True)
        # A door: one tool's bug, or a library that wants to exit, must not end the session of all tools.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            _complain(self.tool.name, error)
            return _text(f"internal error ({type(error).__name__}); see `memem doctor`", failed=True)


class Calls:
    """Runs tool calls in up to `WORKERS` threads, started as they are needed; more calls wait in order."""

    def __init__(self, reply: Callable[[Message], None]) -> None:
        self._reply = reply
        self._waiting: deque[Call] = deque()
        self._open: dict[Id, Call] = {}  # those waiting or running whose reply is wanted
        self._threads = self._idle = 0
        self._over = False
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._settled = threading.Condition(self._lock)

    def start(self, call: Call) -> Message | None:
        """Run it as soon as a thread is free; a message is the reason why not."""
        with self._lock:
            if call.id in self._open:
                return _error(call.id, INVALID_REQUEST, "id is in use by a call that is not answered yet")
            if len(self._waiting) >= WAITING_LIMIT or not self._thread_for_one_more():
                return _error(call.id, BUSY, "too many calls are waiting: send this one again later")
            self._open[call.id] = call
            self._waiting.append(call)
            self._arrived.notify()
        return None

    def cancel(self, id_: Id) -> None:
        """Drop the call if it waits; if it runs, let it finish and drop its reply."""
        with self._lock:
            call = self._open.pop(id_, None)
            if call and call in self._waiting:
                self._waiting.remove(call)

    def finish(self, seconds: float, *, drop: bool) -> None:
        """Wait for running calls, and for waiting ones unless they are to be dropped, but no longer than that."""
        with self._lock:
            if drop:
                self._waiting.clear()
            self._settled.wait_for(lambda: not self._waiting and self._idle == self._threads, seconds)
            self._over = True
            self._arrived.notify_all()

    def _thread_for_one_more(self) -> bool:
        if self._idle <= len(self._waiting) and self._threads < WORKERS:
            try:
                threading.Thread(target=self._work, name="memem-call", daemon=True).start()
            except RuntimeError:  # the system gives no thread: those there are must do
                return self._threads > 0
            self._threads, self._idle = self._threads + 1, self._idle + 1
        return True

    def _work(self) -> None:
        while self._answer_next():  # a function of its own, so that arguments are not kept until the next call
            pass

    def _answer_next(self) -> bool:
        with self._lock:
            self._arrived.wait_for(lambda: self._waiting or self._over)
            if self._over:
                return False
            self._idle -= 1
            call = self._waiting.popleft()
        result = call.result()
        with self._lock:
            if wanted := self._open.get(call.id) is call:
                del self._open[call.id]
        if wanted:
            self._reply({"id": call.id, "result": result})
        with self._lock:
            self._idle += 1
            self._settled.notify_all()
        return True


class Server:
    """The methods; `answer` turns a line into the reply to it, or into None when none is due (yet)."""

    def __init__(self, tools: Sequence[Tool], info: Message, instructions: str, calls: Calls) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._hello = {"capabilities": {"tools": {}}, "serverInfo": info, "instructions": instructions}
        self._calls = calls
        self._list = [tool.listing() for tool in tools]
        self._decoder = json.JSONDecoder(parse_constant=int)  # NaN and Infinity are not JSON, and int() refuses them
        self._methods: dict[str, Callable[[Id, Message], Message | None]] = {
            "initialize": self._initialize,
            "ping": lambda id_, _params: {"id": id_, "result": {}},
            "tools/list": lambda id_, _params: {"id": id_, "result": {"tools": self._list}},
            "tools/call": self._call,
        }

    def answer(self, line: bytes) -> Message | None:
        """The reply to one line, which may be anything."""
        if line.isspace():
            return None
        try:
            message = self._decoder.decode(line.decode("utf-8"))
        except (RecursionError, ValueError):
            return _error(_find_id(line, line), PARSE_ERROR, "a line must be one JSON message in UTF-8, not too deep")
        if not isinstance(message, dict):  # batches, too: only version 2025-03-26 had them
            return _error(None, INVALID_REQUEST, "a line must be one JSON object; send requests one by one")
        return self._dispatch(message)

    def _dispatch(self, message: Message) -> Message | None:
        id_, method, params = message.get("id"), message.get("method"), message.get("params")
        if "method" not in message and ("result" in message or "error" in message):
            return None  # a response, though this server asks nothing
        if message.get("jsonrpc") != "2.0" or not isinstance(method, str):
            return _error(id_ if _is_id(id_) else None, INVALID_REQUEST, "jsonrpc must be 2.0, method a string")
        if "id" not in message:
            if method == "notifications/cancelled" and isinstance(params, dict) and _is_id(params.get("requestId")):
                self._calls.cancel(params["requestId"])
            return None
        if not _is_id(id_):
            return _error(None, INVALID_REQUEST, "id must be a string or a number")
        if not isinstance(params, dict | None):
            return _error(id_, INVALID_PARAMS, "params must be an object")
        run = self._methods.get(method)
        return run(id_, params or {}) if run else _error(id_, UNKNOWN_METHOD, f"no method {names((method,))}")

    def _initialize(self, id_: Id, params: Message) -> Message:
        asked = params.get("protocolVersion")
        return {"id": id_, "result": {"protocolVersion": asked if asked in VERSIONS else VERSIONS[-1]} | self._hello}

    def _call(self, id_: Id, params: Message) -> Message | None:
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str) or name not in self._tools:
            wanted = names((name,)) if isinstance(name, str) else "without a name"
            return _error(id_, INVALID_PARAMS, f"no tool {wanted}; there are {', '.join(self._tools)}")
        if not isinstance(arguments, dict | None):
            return _error(id_, INVALID_PARAMS, f"arguments of {name} must be an object")
        return self._calls.start(Call(id_, self._tools[name], arguments or {}))


def _text(*texts: str, failed: bool = False) -> Message:
    return {"content": [{"type": "text", "text": text} for text in texts], "isError": failed}


def _error(id_: Id | None, code: int, message: str) -> Message:
    return {"id": id_, "error": {"code": code, "message": message}}


def _is_id(value: Any) -> TypeGuard[Id]:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and value not in (1e999, -1e999)


def _too_long(line: bytes, stdin: BinaryIO) -> Message:
    """The answer to a line beyond the limit, after reading past its end without keeping it."""
    part = tail = line[-_EDGE:]
    while not part.endswith(b"\n") and (part := stdin.readline(65536)):
        tail = (tail + part)[-_EDGE:]
    return _error(_find_id(line, tail), INVALID_REQUEST, f"a line must not be longer than {LINE_LIMIT} bytes")


def _find_id(head: bytes, tail: bytes) -> Id | None:
    """The id of a message that cannot be parsed, so that its sender need not wait for a timeout.

    Clients write it before anything nested or as the last member; what lies between may only look like one.
    """
    import re

    id_ = rb'"id"\s*:\s*(-?[1-9]\d{0,17}|0|"[ !#-\[\]-~]{1,100}")\s*'
    found = re.match(rb'\s*\{(?:\s*"[^"\\]*"\s*:\s*"[^"\\]*"\s*,)*\s*' + id_ + rb"[,}]", head[:_EDGE])
    found = found or re.search(rb"[{,]\s*" + id_ + rb"\}\s*$", tail[-_EDGE:])
    return json.loads(found[1]) if found else None


def _complain(tool: str, error: BaseException) -> None:
    """One line on stderr: the place but not the message, which may repeat a secret."""
    trace, place = error.__traceback__, ""
    while trace:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    try:
        os.write(2, f"memem: {tool} failed: {type(error).__name__} at {place}\n".encode("utf-8", "replace"))
    except OSError:
        return
