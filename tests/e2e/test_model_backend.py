"""The real client as the model of the miner: our hooks stay silent, nothing is written, the answer fits the schema."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from memem import process
from memem.errors import Malformed, ModelUnusable, TransientError, Truncated
from memem.llm.claude import Claude
from memem.process import never

from .client import Client, snapshot
from .messages import API_KEY, MessagesStub, Use

pytestmark = pytest.mark.e2e

SCHEMA = {
    "type": "object",
    "properties": {"lessons": {"type": "array", "items": {"type": "string"}}},
    "required": ["lessons"],
    "additionalProperties": False,
}
GOOD = {"lessons": ["Prices are integer cents"]}
ANSWER = Use("StructuredOutput", GOOD)
RULE = "Always answer in Latin."


@pytest.fixture
def watched(client: Client, tmp_path: Path) -> Client:
    """A home whose owner has a CLAUDE.md, hooks of their own for every call, and a session around the miner."""
    hook = {"hooks": [{"type": "command", "command": f"echo fired for ${{MEMEM_MINER:-user}} >>'{tmp_path}/fired'"}]}
    settings = {"hooks": {event: [hook] for event in ("SessionStart", "UserPromptSubmit", "Stop", "SessionEnd")}}
    folder = client.home / ".claude"
    folder.mkdir(exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "CLAUDE.md").write_text(RULE, encoding="utf-8")
    return client


def backend(client: Client, stub: MessagesStub, seconds: float = 60) -> Claude:
    around = {"CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "1" * 8, "CLAUDE_CODE_CHILD_SESSION": "1"}
    path = f"{Path(client.root)}/programs"
    Path(path).mkdir(exist_ok=True)
    if not (Path(path) / "claude").exists():
        (Path(path) / "claude").symlink_to(client.program)
    environ = client.environment | stub.environment | around | {"PATH": f"{path}:/usr/bin:/bin"}
    return Claude(environ, str(client.state / "llm" / "empty"), "", seconds)


def transcripts(client: Client) -> list[Path]:
    return sorted((client.home / ".claude" / "projects").rglob("*.jsonl"))


def test_l16_client_answers_by_the_schema_and_leaves_no_trace(watched: Client, tmp_path: Path) -> None:
    assert watched.run("hello").code == 0  # an ordinary session: its hooks fire, its transcript is written
    assert (tmp_path / "fired").read_text(encoding="utf-8").count("fired for user") >= 3
    before = transcripts(watched)
    assert len(before) == 1

    with MessagesStub([ANSWER]) as stub:
        answer = backend(watched, stub).ask("Read this: höre ☕ <system-reminder>", SCHEMA, stop=never)

    assert answer.data == GOOD
    assert (answer.input_tokens, answer.output_tokens) == (100, 10)
    assert answer.cost_usd > 0
    assert answer.model.startswith("claude-haiku")
    assert answer.session
    (request,) = stub.requests
    assert "höre ☕" in request.text
    assert RULE not in request.text
    assert set(request.tools) <= {"StructuredOutput", "DeferredToolPlaceholder"}
    assert "fired for 1" not in (tmp_path / "fired").read_text(encoding="utf-8")
    assert transcripts(watched) == before
    written = b"".join(snapshot(watched.home / ".claude" / "projects").values()).decode()
    assert answer.session not in written
    assert "höre" not in written
    assert list((watched.state / "llm" / "empty").iterdir()) == []
    assert [one for one in process._running() if one.marker.startswith(f"{os.getpid()}:")] == []


def test_l16_installed_plugin_neither_starts_nor_recurs(installed: Client) -> None:
    state = snapshot(installed.home / ".memem")
    with MessagesStub([ANSWER]) as stub:
        assert backend(installed, stub).ask("Read this.", SCHEMA, stop=never).data == GOOD
    assert len(stub.requests) == 1
    assert "hook additional context" not in stub.requests[0].text
    assert "mcp__" not in json.dumps(stub.requests[0].body)
    assert transcripts(installed) == []
    kept = {name: data for name, data in snapshot(installed.home / ".memem").items() if not name.startswith("llm/")}
    assert kept == state


def test_l16_hooks_are_silent_even_where_the_client_would_run_them(installed: Client) -> None:
    installed.extra |= {"MEMEM_HOOK_DISABLE": "1"}
    session = installed.run("Which type should the column for prices have?")
    assert session.code == 0
    assert session.first.context_of("SessionStart") == session.first.context_of("UserPromptSubmit") == ""


def test_l15_client_is_ready_without_a_request(client: Client) -> None:
    with MessagesStub() as stub:
        assert backend(client, stub).ready() == ""
    assert stub.requests == []


def test_l7_client_that_does_not_fit_is_asked_once_more(client: Client) -> None:
    wrong = Use("StructuredOutput", {"notes": []})
    with MessagesStub([wrong, ANSWER]) as stub:
        assert backend(client, stub).ask("Read this.", SCHEMA, stop=never).data == GOOD
    assert len(stub.requests) == 2
    with MessagesStub(["I would rather chat."] * 4) as stub, pytest.raises(Malformed):
        backend(client, stub).ask("Read this.", SCHEMA, stop=never)
    assert len(stub.requests) == 2


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (401, "authentication_error", ModelUnusable),
        (403, "permission_error", ModelUnusable),
        (429, "rate_limit_error", TransientError),
        (529, "overloaded_error", TransientError),
        (500, "api_error", TransientError),
    ],
)
def test_l1_l2_l5_faults_of_the_api_come_through_at_once(client: Client, status: int, kind: str, error: Any) -> None:
    with MessagesStub() as stub:
        stub.failure = (status, kind, "not now")
        with pytest.raises(error) as caught:
            backend(client, stub, 20).ask("Read this.", SCHEMA, stop=never)
    assert type(caught.value) is error
    assert "MEMEM_LLM_TIMEOUT" not in str(caught.value)  # it was told, not waited for


def test_l6_used_up_credit_pauses(client: Client) -> None:
    with MessagesStub() as stub:
        stub.failure = (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.")
        with pytest.raises(ModelUnusable):
            backend(client, stub).ask("Read this.", SCHEMA, stop=never)


def test_l8_question_too_long_is_told_apart(client: Client) -> None:
    with MessagesStub() as stub:
        stub.failure = (400, "invalid_request_error", "prompt is too long: 300000 tokens > 200000 maximum")
        with pytest.raises(Truncated):
            backend(client, stub).ask("Read this.", SCHEMA, stop=never)


def test_l5_client_without_a_login_pauses(client: Client) -> None:
    with MessagesStub() as stub:
        model = backend(client, stub)
    without = {name: value for name, value in model._environ.items() if name != "ANTHROPIC_API_KEY"}
    with pytest.raises(ModelUnusable, match="login"):
        Claude(without, str(client.state / "llm" / "empty"), "", 30).ask("Read this.", SCHEMA, stop=never)
    assert API_KEY not in str(without)


def test_l3_api_that_is_not_there_is_transient(client: Client) -> None:
    with MessagesStub() as stub:
        model = backend(client, stub)
    with pytest.raises(TransientError):
        model.ask("Read this.", SCHEMA, stop=never)
