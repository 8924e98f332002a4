"""Fifty sessions mined by the miner's own processes with the real client as the model: nothing of it leaves a trace."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from memem import consent
from memem.consent import Consent
from memem.daemon import entry
from memem.state import lock
from memem.state.jobs import SESSION, Jobs
from memem.state.store import open_state
from tests.daemon.guard import guarded, soon
from tests.fakes import said
from tests.home import ROOT
from tests.sources.transcripts import agent, user, write

from .client import Client, snapshot
from .messages import MessagesStub, Request

pytestmark = pytest.mark.e2e

SESSIONS, TOGETHER = 50, 2  # small sessions of a project are asked about at once
MOST_AT_ONCE = 2
PATIENCE = 150.0
# Notes when a call begins and ends; a question about the version is none.
WRAPPER = """#!/bin/sh
[ "$1" = -p ] || exec "{program}" "$@"
echo "$(date +%s.%N) +" >>"{root}/calls"
"{program}" "$@"
code=$?
echo "$(date +%s.%N) -" >>"{root}/calls"
exit $code
"""


class Miner(MessagesStub):
    """A model that learns one thing from each session it is asked about."""

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """A structured answer to a question of the miner, anything to the rest."""
        request = Request(body)
        if "StructuredOutput" not in request.tools:
            return super().answer(body)
        with self._lock:
            self.requests.append(request)
        lines = [json.loads(line) for line in request.text.splitlines() if line.startswith('{"n"')]
        found = [
            {"lesson": f"The {name} berth is closed in winter.", "evidence": [line["n"]]}
            for line in lines
            for name in re.findall(r"The (\w+) berth", line["text"])
        ]
        block = {"type": "tool_use", "id": f"toolu_{len(self.requests):08}", "name": "StructuredOutput"}
        return block | {"input": said(*found)}


def name_of(number: int) -> str:
    """A word of its own for each session: notes that differ in a number only would correct one another."""
    return "".join("abcdefghij"[int(digit)] * 3 for digit in f"{number:02}")


@pytest.fixture
def watched(installed: Client) -> Client:
    """A home with the plugin, hooks of its owner for every call, and fifty sessions that ended together."""
    settings = installed.home / ".claude" / "settings.json"
    told = json.loads(settings.read_text(encoding="utf-8")) if settings.exists() else {}
    hook = {"hooks": [{"type": "command", "command": f"echo fired >>'{installed.root}/fired'"}]}
    told["hooks"] = {event: [hook] for event in ("SessionStart", "UserPromptSubmit", "Stop", "SessionEnd")}
    settings.write_text(json.dumps(told), encoding="utf-8")
    for number in range(SESSIONS):
        folder = f"/home/dana/yard{number // TOGETHER}"
        path = installed.home / ".claude" / "projects" / folder.replace("/", "-") / f"{number:04}.jsonl"
        write(path, user(f"The {name_of(number)} berth is closed in winter.", cwd=folder), agent("Noted.", cwd=folder))
    programs = installed.root / "programs"
    programs.mkdir()
    (programs / "claude").write_text(WRAPPER.format(program=installed.program, root=installed.root))
    (programs / "claude").chmod(0o755)
    consent.write(str(installed.state), Consent(capture=True, mining=True, history=True, spend="claude"))
    return installed


def environ(client: Client, stub: MessagesStub) -> dict[str, str]:
    """What the miner's processes inherit: they begin inside a session, as when a hook starts them."""
    around = {"CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "1" * 8, "CLAUDE_CODE_ENTRYPOINT": "cli"}
    ours = {"MEMEM_LLM": "claude", "MEMEM_MINER_SETTLE_SECONDS": "0", "PYTHONPATH": str(ROOT)}
    path = {"PATH": f"{client.root}/programs:/usr/bin:/bin"}
    return client.environment | stub.environment | around | ours | path


def done(client: Client) -> dict[str, int]:
    """The sessions of the queue by state."""
    state = open_state(str(client.state))
    try:
        return Jobs(state.connection).counts(SESSION)
    finally:
        state.close()


def calls(client: Client) -> tuple[int, int]:
    """How many calls there were, and how many at once."""
    at_once = most = total = 0
    for line in sorted((client.root / "calls").read_text().splitlines()):
        at_once += 1 if line.endswith("+") else -1
        total += line.endswith("+")
        most = max(most, at_once)
    return total, most


def alive(client: Client) -> list[str]:
    """Command lines of the processes that still run in a home."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if f"HOME={client.home}\0".encode() in (path / "environ").read_bytes():
                found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200])
        except OSError:
            continue
    return found


def test_p10_l16_fifty_sessions_by_the_real_client_leave_no_trace_of_it(watched: Client) -> None:
    before = snapshot(watched.home / ".claude" / "projects")
    nothing = subprocess.DEVNULL
    with Miner() as stub, guarded(str(watched.state)):
        started = {"env": environ(watched, stub), "cwd": watched.state, "stdin": nothing}
        quiet = started | {"stdout": nothing, "stderr": nothing}
        daemon = subprocess.Popen(entry.command("daemon"), **quiet)  # type: ignore[call-overload]
        assert soon(lambda: lock.owner(str(watched.state)) is not None)
        drain = [sys.executable, "-m", "memem", "miner", "drain", "--now"]
        drains = [subprocess.Popen(drain, **quiet) for _ in range(2)]  # type: ignore[call-overload]
        ended = threading.Event()
        waited = 0.0
        while done(watched)["done"] < SESSIONS and waited < PATIENCE:
            ended.wait(0.2)
            waited += 0.2
        counts = done(watched)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
        assert [drain.wait(20) for drain in drains] == [0, 0]

    assert counts == {"pending": 0, "running": 0, "done": SESSIONS, "dead": 0}, (counts, calls(watched))
    total, most = calls(watched)
    asked = "\n".join(request.text for request in stub.requests)
    assert {name_of(number) for number in range(SESSIONS)} <= set(re.findall(r"The (\w+) berth", asked))
    assert (total, most) == (len(stub.requests), most), "each call asks once"
    assert SESSIONS / TOGETHER <= total <= SESSIONS
    assert most <= MOST_AT_ONCE
    assert len(list(watched.notes.glob("*.md"))) == SESSIONS, "each lesson once"
    assert not (watched.root / "fired").exists(), "no hook fired"
    assert snapshot(watched.home / ".claude" / "projects") == before, "no transcript was written or changed"
    assert "hook additional context" not in asked
    assert done(watched)["done"] == SESSIONS, "no call of ours became a session to mine"
    assert alive(watched) == []
    assert os.listdir(watched.state / "llm" / "empty") == []
