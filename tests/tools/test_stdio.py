"""The stdio transport, mostly as a real process; the letters M1 to M5 are rows of the fault catalogue."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import MCPError
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from memem.errors import BadInput
from memem.tools import stdio
from memem.tools.table import Tool

ROOT = Path(__file__).parents[2]
PATIENCE = 20  # seconds that a reply may take on a busy machine before the test fails
SERVER = """
import os, sys
sys.path.insert(0, sys.argv[1])
started, gate = int(sys.argv[2]), int(sys.argv[3])
from memem.errors import NotFound
from memem.tools.stdio import private_stdout, serve
from memem.tools.table import Tool

def hold(arguments):
    os.write(started, b"s")
    os.read(gate, 1)
    if "file" in arguments:
        with open(arguments["file"], "w") as file:
            file.write("saved")
    return "released " + arguments.get("label", "")

def fail(arguments):
    raise NotFound("no such memory: give an id from memory_search")

def crash(arguments):
    raise RuntimeError("secret")

def leave(arguments):
    sys.exit(3)

def pollute(arguments):
    print("polluted by print", flush=True)
    os.write(1, b"polluted by a library\\n")
    os.system("echo polluted by a child")
    return "clean"

def tool(name, run, **properties):
    return Tool(name=name, description=f"The {name} tool.", run=run,
                schema={"type": "object", "properties": properties, "required": []})

TEXT = {"type": "string"}
TOOLS = (
    tool("echo", lambda a: a.get("text", "") * a["times"], text=TEXT,
         times={"type": "integer", "default": 1, "maximum": 3}),
    tool("hold", hold, label=TEXT, file=TEXT),
    tool("fail", fail), tool("crash", crash), tool("leave", leave), tool("pollute", pollute),
)
serve(TOOLS, "fake", "1.2", "Use it.", sys.stdin.buffer, private_stdout())
os._exit(0)
"""

Message = dict[str, Any]


class Peer:
    """A server process and the client's ends of its pipes; `hold` calls report and wait through two more."""

    def __init__(self, script: Path) -> None:
        self.started, started = os.pipe()
        gate, self.gate = os.pipe()
        arguments = [sys.executable, "-I", "-S", str(script), str(ROOT), str(started), str(gate)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            arguments, stdin=pipe, stdout=pipe, stderr=pipe, pass_fds=(started, gate), bufsize=0
        )
        os.close(started)
        os.close(gate)
        self._received = b""

    def send(self, *messages: Message | bytes) -> None:
        lines = [m if isinstance(m, bytes) else json.dumps(m).encode() for m in messages]
        data = memoryview(b"".join(line + b"\n" for line in lines))
        assert self.process.stdin
        while data:
            data = data[os.write(self.process.stdin.fileno(), data) :]

    def receive(self) -> Message:
        while b"\n" not in self._received:
            part = self._read()
            assert part, "the server hung up"
            self._received += part
        line, _, self._received = self._received.partition(b"\n")
        return dict(json.loads(line.decode("utf-8")))

    def receive_by_id(self, count: int) -> dict[Any, Message]:
        replies = [self.receive() for _ in range(count)]
        found = {reply["id"]: reply for reply in replies}
        assert len(found) == count
        return found

    def ask(self, message: Message | bytes) -> Message:
        self.send(message)
        return self.receive()

    def wait_until_started(self, count: int) -> None:
        for _ in range(count):
            assert select.select([self.started], [], [], PATIENCE)[0], "no call was started"
            os.read(self.started, 1)

    def release(self, count: int) -> None:
        os.write(self.gate, b"g" * count)

    def lives(self) -> bool:
        return self.ask(request("ping", id="alive?")) == {"jsonrpc": "2.0", "id": "alive?", "result": {}}

    def hang_up(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def stop_reading(self) -> None:
        assert self.process.stdout
        self.process.stdout.close()

    def rest(self) -> tuple[bytes, bytes]:
        """What was still written to stdout and stderr, after hanging up."""
        self.hang_up()
        while part := self._read():
            self._received += part
        self.process.wait(PATIENCE)
        assert self.process.stderr
        return self._received, self.process.stderr.read()

    def _read(self) -> bytes:
        assert self.process.stdout
        assert select.select([self.process.stdout], [], [], PATIENCE)[0], "no reply"
        return os.read(self.process.stdout.fileno(), 1 << 20)

    def close(self) -> None:
        self.process.kill()
        with self.process:
            os.close(self.started)
            os.close(self.gate)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "server.py"
    path.write_text(SERVER, encoding="utf-8")
    return path


@pytest.fixture
def peer(script: Path) -> Iterator[Peer]:
    peer = Peer(script)
    yield peer
    peer.close()


def request(method: str, params: Any = None, id: Any = 1) -> Message:
    return {"jsonrpc": "2.0", "id": id, "method": method} | ({} if params is None else {"params": params})


def notify(method: str, **params: Any) -> Message:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def call(tool: str, id: Any = 1, **arguments: Any) -> Message:
    return request("tools/call", {"name": tool, "arguments": arguments}, id)


def text(reply: Message) -> str:
    assert not reply["result"]["isError"]
    return "\n".join(part["text"] for part in reply["result"]["content"])


def failure(reply: Message) -> str:
    assert reply["result"]["isError"]
    return str(reply["result"]["content"][0]["text"])


def code(reply: Message) -> tuple[int, Any]:
    return reply["error"]["code"], reply["id"]


# The protocol


def test_initialize_answers_the_version_asked_for_and_who_we_are(peer: Peer) -> None:
    for version in ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"):
        assert peer.ask(request("initialize", {"protocolVersion": version}))["result"] == {
            "protocolVersion": version,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "fake", "version": "1.2"},
            "instructions": "Use it.",
        }


@pytest.mark.parametrize("asked", ["2026-07-28", "1999-01-01", None, 7, ["2024-11-05"], {}])
def test_initialize_answers_the_newest_version_to_what_it_does_not_know(peer: Peer, asked: object) -> None:
    assert peer.ask(request("initialize", {"protocolVersion": asked}))["result"]["protocolVersion"] == "2025-11-25"


def test_tools_are_listed_with_their_schemas(peer: Peer) -> None:
    tools = peer.ask(request("tools/list"))["result"]["tools"]
    assert [tool["name"] for tool in tools] == ["echo", "hold", "fail", "crash", "leave", "pollute"]
    assert tools[2] == {
        "name": "fail",
        "description": "The fail tool.",
        "inputSchema": {"type": "object", "properties": {}, "required": []},
    }


def test_a_call_gets_clean_arguments_and_is_told_what_was_ignored(peer: Peer) -> None:
    assert text(peer.ask(call("echo", text="ab", times="2"))) == "abab"
    assert text(peer.ask(call("echo", text="ab", b=1, a=2))) == "ab\nignored arguments: b, a"
    assert text(peer.ask(request("tools/call", {"name": "echo"}))) == ""


def test_unknown_methods_are_answered_and_unknown_notifications_are_not(peer: Peer) -> None:
    peer.send(
        notify("notifications/initialized"),
        notify("notifications/whatever"),
        notify("tools/call", name="echo"),
        notify("notifications/cancelled", requestId=99),
        notify("notifications/cancelled", requestId=[[]]),
        {"jsonrpc": "2.0", "id": 4, "result": {}},
        b"",
        b" \r",
    )
    assert code(peer.ask(request("server/discover", {}, id=5))) == (-32601, 5)
    assert code(peer.ask(request("resources/list", id="six"))) == (-32601, "six")
    assert peer.lives()


def test_errors_of_tools_are_results_without_inner_details(peer: Peer) -> None:
    assert failure(peer.ask(call("fail"))) == "no such memory: give an id from memory_search"
    assert failure(peer.ask(call("crash"))) == "internal error (RuntimeError); see `memem doctor`"
    assert failure(peer.ask(call("leave"))) == "internal error (SystemExit); see `memem doctor`"
    assert peer.lives()
    _, complaints = peer.rest()
    assert [line.split(b" at ")[0] for line in complaints.splitlines()] == [
        b"memem: crash failed: RuntimeError",
        b"memem: leave failed: SystemExit",
    ]


def test_the_official_client_is_content(script: Path) -> None:
    parameters = StdioServerParameters(command=sys.executable, args=["-I", "-S", str(script), str(ROOT), "2", "0"])

    async def converse() -> None:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            async with Client(stdio_client(parameters, errlog=nowhere), read_timeout_seconds=PATIENCE) as client:
                assert client.protocol_version == "2025-11-25"
                assert client.instructions == "Use it."
                assert client.server_info and client.server_info.name == "fake"
                await client.session.send_ping()
                listed = await client.list_tools()
                assert [tool.name for tool in listed.tools][:2] == ["echo", "hold"]
                found = await client.call_tool("echo", {"text": "h\xe9 \u2028 \U0001f600 \x00"})
                assert not found.is_error
                assert [block.model_dump()["text"] for block in found.content] == ["h\xe9 \u2028 \U0001f600 \x00"]
                failed = await client.call_tool("fail")
                assert failed.is_error
                refused = await client.call_tool("echo", {"times": 4})
                assert refused.is_error
                with pytest.raises(MCPError, match="no tool nothing; there are echo"):
                    await client.call_tool("nothing")

    anyio.run(converse)


# M1: the client disconnects


def test_m1_client_disconnecting_mid_call_ends_the_server_within_two_seconds(peer: Peer) -> None:
    peer.send(call("hold"))
    peer.wait_until_started(1)
    peer.stop_reading()
    peer.hang_up()
    before = time.monotonic()
    assert peer.process.wait(PATIENCE) == 0
    assert time.monotonic() - before <= 2


def test_m1_a_running_save_finishes_after_the_client_disconnected(peer: Peer, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    peer.send(call("hold", file=str(saved)))
    peer.wait_until_started(1)
    peer.stop_reading()
    peer.hang_up()
    peer.release(1)
    assert peer.process.wait(PATIENCE) == 0
    assert saved.read_text(encoding="utf-8") == "saved"


def test_m1_calls_sent_before_eof_are_answered(peer: Peer) -> None:
    peer.send(*(call("echo", id=i, text=str(i)) for i in range(50)))
    replies, complaints = peer.rest()
    assert {json.loads(line)["id"] for line in replies.splitlines()} == set(range(50))
    assert complaints == b""


def test_m1_an_idle_server_ends_at_eof_even_in_the_middle_of_a_line(peer: Peer) -> None:
    assert peer.lives()
    assert peer.process.stdin
    os.write(peer.process.stdin.fileno(), b'{"jsonrpc": "2.0", "id": 3, "meth')
    replies, complaints = peer.rest()
    assert code(json.loads(replies)) == (-32700, 3)
    assert (peer.process.returncode, complaints) == (0, b"")


def test_m1_a_closed_stdout_ends_the_server_though_stdin_is_open(peer: Peer) -> None:
    assert peer.lives()
    peer.stop_reading()
    peer.send(request("ping"))
    assert peer.process.wait(PATIENCE) == 0


def test_m1_an_interrupt_is_a_hang_up(peer: Peer) -> None:
    assert peer.lives()
    peer.process.send_signal(signal.SIGINT)
    assert peer.process.wait(PATIENCE) == 0
    assert peer.rest() == (b"", b"")


def test_m1_repeated_interrupts_end_the_server_quietly(peer: Peer) -> None:
    peer.send(call("hold"))
    peer.wait_until_started(1)
    peer.process.send_signal(signal.SIGINT)
    assert peer.lives()  # the reader still answers while the call has its grace
    peer.process.send_signal(signal.SIGINT)
    assert peer.process.wait(PATIENCE) == 0
    assert peer.rest() == (b"", b"")


# M2: arguments from hell


@pytest.mark.parametrize("id_first", [True, False])
def test_m2_a_line_of_ten_megabytes_is_refused_by_its_id(peer: Peer, id_first: bool) -> None:
    message = call("echo", id=7, text='"id":8,' * 1_500_000)
    if not id_first:
        message["id"] = message.pop("id")
    assert code(peer.ask(message)) == (-32600, 7)
    assert peer.lives()


def test_m2_a_line_just_within_the_limit_is_served(peer: Peer) -> None:
    size = stdio.LINE_LIMIT - len(json.dumps(call("echo", text=""))) - 1
    assert len(text(peer.ask(call("echo", text="x" * size)))) == size
    assert code(peer.ask(call("echo", text="x" * (size + 2)))) == (-32600, 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak memory from /proc")
def test_m2_memory_is_bounded_however_long_a_line(peer: Peer) -> None:
    assert peer.lives()
    for _ in range(3):
        assert code(peer.ask(b"x" * (60 * 1024 * 1024))) == (-32600, None)
    status = Path(f"/proc/{peer.process.pid}/status").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak < 50_000  # kB


@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_m2_nesting_ten_thousand_deep_is_answered(peer: Peer, brackets: tuple[str, str]) -> None:
    deep = brackets[0] * 10_000 + "1" + brackets[1] * 10_000
    line = f'{{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":{deep}}}}}}}'
    reply = peer.ask(line.encode())
    assert reply["id"] == 9
    assert "error" in reply or failure(reply)
    assert peer.ask(deep.encode())["id"] is None
    assert peer.lives()


def test_m2_wrong_types_are_refused_by_name(peer: Peer) -> None:
    assert failure(peer.ask(call("echo", text=5))) == "text has the wrong type; give text"
    assert failure(peer.ask(call("echo", times=4))) == "times is out of bounds; give a whole number of at most 3"
    for params, word in (
        ({"name": "echo", "arguments": [1]}, "arguments of echo"),
        ({"name": "nothing"}, "no tool nothing"),
        ({"name": 7}, "without a name"),
        ({"name": ["echo"]}, "without a name"),
        ({}, "without a name"),
        ([], "params"),
        ("text", "params"),
    ):
        reply = peer.ask(request("tools/call", params))
        assert code(reply) == (-32602, 1)
        assert word in reply["error"]["message"]
    assert peer.lives()


# M3: junk


@pytest.mark.parametrize(
    "line",
    [
        b"junk",
        b"{",
        b"\xff\xfe\x00",
        b"\x00",
        b'"\xed\xa0\x80"',
        b'{"a": NaN}',
        b"1" * 5000,
        b'{"id": "\xff"}',
        b"GET / HTTP/1.1\r",
    ],
)
def test_m3_a_junk_line_is_a_parse_error(peer: Peer, line: bytes) -> None:
    assert code(peer.ask(line)) == (-32700, None)
    assert peer.lives()


@pytest.mark.parametrize(
    ("message", "id_"),
    [
        ({}, None),
        ({"jsonrpc": "2.0"}, None),
        ({"jsonrpc": "2.0", "id": 3}, 3),
        ({"jsonrpc": "1.0", "id": 3, "method": "ping"}, 3),
        ({"jsonrpc": "2.0", "id": 3, "method": ["ping"]}, 3),
        ({"jsonrpc": "2.0", "id": None, "method": "ping"}, None),
        ({"jsonrpc": "2.0", "id": True, "method": "ping"}, None),
        ({"jsonrpc": "2.0", "id": [3], "method": "ping"}, None),
        (b'{"jsonrpc": "2.0", "id": 1e999, "method": "ping"}', None),
        (b"[]", None),
        (b'[{"jsonrpc": "2.0", "id": 3, "method": "ping"}]', None),
        (b"null", None),
        (b'"ping"', None),
    ],
)
def test_m3_an_invalid_request_is_refused(peer: Peer, message: Message | bytes, id_: object) -> None:
    assert code(peer.ask(message)) == (-32600, id_)
    assert peer.lives()


@pytest.mark.parametrize("id_", [0, -1, 2**70, 1.5, "", "x" * 10_000, "\ud800", "\u2028\x00\n", "1"])
def test_m3_odd_ids_come_back_as_they_were(peer: Peer, id_: object) -> None:
    reply = peer.ask(request("ping", id=id_))
    assert (reply["id"], type(reply["id"])) == (id_, type(id_))


def test_m3_an_id_in_use_is_refused_and_free_again_after_the_reply(peer: Peer) -> None:
    peer.send(call("hold", id=5, label="first"))
    peer.wait_until_started(1)
    assert code(peer.ask(call("echo", id=5))) == (-32600, 5)
    peer.release(1)
    assert text(peer.receive()) == "released first"
    assert text(peer.ask(call("echo", id=5, text="again"))) == "again"


def test_m3_half_surrogate_pairs_and_nul_do_not_break_the_output(peer: Peer) -> None:
    assert text(peer.ask(call("echo", text="a\ud800b\udfffc\x00"))) == "a\ufffdb\ufffdc\x00"
    assert text(peer.ask({**call("echo", text="x"), "\ud800": 1})) == "x"
    assert text(peer.ask(call("echo", **{"\ud800": 1}))) == "\nignored arguments: \ufffd"
    assert code(peer.ask(request("\ud800\x00"))) == (-32601, 1)
    assert peer.lives()


# M4: many calls


def test_m4_two_hundred_parallel_calls_are_all_answered(peer: Peer) -> None:
    peer.send(*(call("hold", id=i, label=str(i)) for i in range(200)))
    peer.wait_until_started(8)
    peer.release(200)
    replies = peer.receive_by_id(200)
    assert [text(replies[i]) for i in range(200)] == [f"released {i}" for i in range(200)]


def test_m4_initialize_and_tools_list_do_not_wait_for_slow_calls(peer: Peer) -> None:
    peer.send(*(call("hold", id=i) for i in range(20)))
    peer.wait_until_started(8)
    assert peer.ask(request("initialize", {"protocolVersion": "2025-06-18"}, id="i"))["id"] == "i"
    assert peer.ask(request("tools/list", id="t"))["id"] == "t"
    assert not select.select([peer.started], [], [], 0)[0], "more than eight calls run at once"
    peer.release(20)
    assert set(peer.receive_by_id(20)) == set(range(20))


def test_m4_beyond_a_thousand_waiting_calls_the_next_are_refused(peer: Peer) -> None:
    peer.send(*(call("hold", id=i) for i in range(8)))
    peer.wait_until_started(8)
    peer.send(*(call("echo", id=8 + i) for i in range(stdio.WAITING_LIMIT)))
    assert code(peer.ask(call("echo", id="more"))) == (-32000, "more")
    peer.release(8)
    assert len(peer.receive_by_id(8 + stdio.WAITING_LIMIT)) == 8 + stdio.WAITING_LIMIT


def test_a_cancelled_call_gets_no_reply_and_does_not_start_when_it_waits(peer: Peer, tmp_path: Path) -> None:
    peer.send(*(call("hold", id=i) for i in range(8)))
    peer.wait_until_started(8)
    never = tmp_path / "never"
    peer.send(
        call("hold", id="waiting", file=str(never)),
        notify("notifications/cancelled", requestId="waiting", reason="changed my mind"),
        notify("notifications/cancelled", requestId=3),
    )
    assert peer.lives()
    peer.release(9)
    assert set(peer.receive_by_id(7)) == {0, 1, 2, 4, 5, 6, 7}
    assert peer.rest() == (b"", b"")
    assert not never.exists()


def test_the_id_of_a_cancelled_call_can_be_used_again(peer: Peer) -> None:
    peer.send(call("hold", id=1))
    peer.wait_until_started(1)
    peer.send(notify("notifications/cancelled", requestId=1))
    assert text(peer.ask(call("echo", id=1, text="second"))) == "second"
    peer.release(1)
    assert peer.rest() == (b"", b"")


# M5: stdout


def test_m5_prints_of_libraries_and_children_never_reach_the_protocol(peer: Peer) -> None:
    assert text(peer.ask(call("pollute"))) == "clean"
    replies, complaints = peer.rest()
    assert replies == b""
    assert complaints == b"polluted by print\npolluted by a library\npolluted by a child\n"


def test_m5_a_closed_stderr_does_not_stop_the_server(script: Path) -> None:
    command = f'exec "{sys.executable}" -I -S "{script}" "{ROOT}" 1 0 2>&-'
    lines = json.dumps(call("pollute")) + "\n" + json.dumps(call("crash", id=2)) + "\n"
    done = subprocess.run(["sh", "-c", command], input=lines, capture_output=True, text=True, timeout=PATIENCE)
    assert {json.loads(line)["id"] for line in done.stdout.splitlines()} == {1, 2}


def test_start_loads_nothing_slow() -> None:
    probe = "import sys; sys.path.insert(0, sys.argv[1]); import memem.tools.stdio; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", probe, str(ROOT)]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"typing", "dataclasses", "asyncio", "concurrent", "logging", "traceback", "inspect", "socket"}
    assert not loaded & {"pathlib", "queue", "subprocess", "contextlib", "sqlite3", "yaml", "mcp"}


# In this process


def within(seconds: float, work: Callable[[], None]) -> bool:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def talk(lines: bytes, *tools: Tool) -> list[Message]:
    """All replies to these lines, in the order in which they came."""
    out = io.BytesIO()
    assert within(PATIENCE, lambda: stdio.serve(tools, "fake", "1", "", io.BytesIO(lines), out))
    return [json.loads(line) for line in out.getvalue().decode("utf-8").split("\n")[:-1]]


def test_a_system_without_threads_answers_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "memem-call":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert [code(reply) for reply in talk(json.dumps(call("echo")).encode(), ECHO)] == [(-32000, 1)]


def _echo(arguments: Message) -> str:
    if arguments["text"] == "0":
        raise BadInput("not that")
    return str(arguments["text"])


ECHO = Tool(
    name="echo",
    description="",
    schema={"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    run=_echo,
)
WORDS = st.sampled_from(["2.0", "id", "method", "ping", "initialize", "tools/list", "tools/call", "echo", "text", "0"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(WORDS | st.text(), inner), max_leaves=8)
REQUESTS = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": WORDS | JSON},
    optional={
        "id": st.integers() | st.text() | JSON,
        "params": JSON | st.fixed_dictionaries({"name": WORDS}, optional={"arguments": JSON}),
    },
)
CALLS = st.builds(call, st.just("echo"), id=st.integers(0, 3), text=WORDS | st.text() | JSON)
MESSAGES = (REQUESTS | CALLS | JSON | st.lists(REQUESTS)).map(lambda message: json.dumps(message).encode())
LINES = MESSAGES | MESSAGES.flatmap(lambda m: st.integers(0, len(m)).map(lambda cut: m[:cut])) | st.binary()


def expected(line: bytes) -> tuple[int, Any]:
    """How many replies a line must get, and the id of the reply if the line is a valid request."""
    if not line.strip():
        return 0, None
    try:
        message = json.loads(line.decode("utf-8"), parse_constant=int)
    except ValueError:
        return 1, None
    if not isinstance(message, dict):
        return 1, None
    if "method" not in message and ("result" in message or "error" in message):
        return 0, None
    id_ = message.get("id")
    if message.get("jsonrpc") == "2.0" and isinstance(message.get("method"), str):
        if "id" not in message:
            return 0, None
        return 1, id_ if isinstance(id_, str | int | float) and not isinstance(id_, bool) else None
    return 1, None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINES, max_size=12))
def test_m3_fuzzed_lines_never_kill_the_server_and_every_request_gets_one_reply(chunks: list[bytes]) -> None:
    lines = [line for chunk in chunks for line in chunk.split(b"\n")]
    last = json.dumps(request("ping", id="the last one")).encode()
    replies = talk(b"\n".join([*lines, last, b""]), ECHO)
    due = [expected(line) for line in lines]
    assert len(replies) == sum(count for count, _ in due) + 1
    missing = Counter(repr(id_) for _, id_ in due if id_ is not None) - Counter(repr(reply["id"]) for reply in replies)
    assert not missing
    assert "the last one" in [reply["id"] for reply in replies]
    assert all(("result" in reply) != ("error" in reply) and reply["jsonrpc"] == "2.0" for reply in replies)
