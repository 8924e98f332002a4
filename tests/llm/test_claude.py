"""The claude program as a backend, played by shell scripts that fail in every way it is known to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from memem.errors import (
    Malformed,
    MememError,
    ModelUnusable,
    PermanentError,
    Refused,
    Stopped,
    TransientError,
    Truncated,
)
from memem.llm.claude import Claude
from memem.llm.protocol import Answer
from memem.process import never, started
from tests.daemon.guard import soon
from tests.home import ROOT

from .servers import GOOD, SCHEMA

USAGE = {"input_tokens": 70, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 10, "output_tokens": 10}
NO_USAGE = dict.fromkeys(USAGE, 0)


class Fake:
    """A program `claude` made of shell, first on a PATH of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "state" / "llm" / "empty"
        (root / "bin").mkdir()
        self.environ = {"HOME": str(root), "PATH": f"{root / 'bin'}:/usr/bin:/bin"}

    def script(self, text: str) -> None:
        path = self.root / "bin" / "claude"
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)

    def says(self, *runs: list[dict[str, Any] | str], code: int = 0) -> None:
        """One list of output lines for each run, the last one for ever."""
        for number, lines in enumerate(runs):
            text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
            (self.root / f"run-{min(number, 1)}").write_text(text + "\n", encoding="utf-8")
        last = min(len(runs), 2) - 1
        self.script(
            f"cd '{self.root}'; cat >stdin-$(ls stdin-* 2>/dev/null | wc -l); "
            f"n=$(ls stdin-* | wc -l); [ $n = 1 ] && cat run-0 || cat run-{last}; exit {code}"
        )

    def precede(self, script: str) -> None:
        """Do something else before."""
        text = (self.root / "bin" / "claude").read_text(encoding="utf-8")
        self.script(script + text.removeprefix("#!/bin/sh"))

    def ask(self, seconds: float = 20, stop: Any = never) -> Answer:
        return Claude(self.environ, str(self.folder), "", seconds).ask("Read this: höre ☕", SCHEMA, stop=stop)

    def fault(self, seconds: float = 20, stop: Any = never) -> Any:
        with pytest.raises(MememError) as caught:
            self.ask(seconds, stop)
        return caught.value

    @property
    def prompts(self) -> list[str]:
        return [path.read_text(encoding="utf-8") for path in sorted(self.root.glob("stdin-*"))]


@pytest.fixture
def claude(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


def result(**fields: Any) -> dict[str, Any]:
    """The last record of a run that went well, but for the fields given."""
    return {
        "type": "result", "subtype": "success", "is_error": False, "api_error_status": None, "result": "",
        "stop_reason": "end_turn", "session_id": "11111111-2222", "total_cost_usd": 0.0007, "usage": USAGE,
        "modelUsage": {"claude-haiku-5-5": {}}, "terminal_reason": "completed",
    } | fields  # fmt: skip


def assistant(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}} | fields


def failing(kind: str, status: int | None = None, **fields: Any) -> list[dict[str, Any] | str]:
    """A run in which the program itself speaks, as both known versions put it."""
    head = assistant("Something is wrong", error=kind)
    return [head, result(is_error=True, api_error_status=status, usage=NO_USAGE, result="Something is wrong", **fields)]


def test_answer_tells_cost_model_and_session(claude: Fake) -> None:
    claude.says([{"type": "system", "subtype": "init"}, result(structured_output=GOOD)])
    answer = claude.ask()
    spent = Answer(data=GOOD, input_tokens=100, output_tokens=10, cost_usd=0.0007, model="claude-haiku-5-5")
    assert answer == spent.replace(session="11111111-2222")
    assert claude.prompts == ["Read this: höre ☕"]


def test_l16_program_gets_guards_and_nothing_of_a_session_around_it(claude: Fake) -> None:
    around = (
        "CLAUDECODE CLAUDE_CODE_ENTRYPOINT CLAUDE_CODE_SESSION_ID CLAUDE_CODE_CHILD_SESSION CLAUDE_PID CLAUDE_EFFORT "
        "CLAUDE_CODE_MESSAGING_SOCKET CLAUDE_CODE_MESSAGING_TOKEN CLAUDE_PLUGIN_ROOT CLAUDE_PROJECT_DIR CLAUDE_ENV_FILE"
    ).split()
    logins = ["ANTHROPIC_API_KEY", "CLAUDE_CONFIG_DIR", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK"]
    claude.environ |= dict.fromkeys(around + logins, "x")
    claude.says([result(structured_output=GOOD)])
    claude.precede(f"env >'{claude.root}/env'")
    claude.ask()
    names = dict(line.split("=", 1) for line in (claude.root / "env").read_text(encoding="utf-8").splitlines())
    assert not set(around) & set(names)
    assert set(logins) <= set(names)
    assert (names["MEMEM_MINER"], names["MEMEM_HOOK_DISABLE"], names["CLAUDE_CODE_MAX_RETRIES"]) == ("1", "1", "0")
    assert names["MEMEM_CHILD"].startswith(f"{os.getpid()}:")
    assert list(claude.folder.iterdir()) == []
    assert claude.folder.stat().st_mode & 0o777 == 0o700


def test_l1_limit_waits_until_it_is_said_to_end(claude: Fake) -> None:
    claude.says(failing("rate_limit", 429), code=1)
    assert (type(claude.fault()), claude.fault().retry_after) == (TransientError, None)
    for seconds, expected in ((600, 600), (90_000, 3600), (-50, 0)):
        event = {"type": "rate_limit_event", "rate_limit_info": {"resetsAt": int(time.time()) + seconds}}
        claude.says([event, *failing("rate_limit", 429)], code=1)
        error = claude.fault()
        assert type(error) is TransientError
        assert error.retry_after == pytest.approx(expected, abs=5)


@pytest.mark.parametrize(
    ("records", "kind"),
    [
        (failing("server_error", 529), TransientError),  # L2
        (failing("server_error", 500), TransientError),
        (failing("server_error"), TransientError),  # L3, connection refused
        (failing("unknown", api_error="connection_failed"), TransientError),
        (failing("unknown", subtype="error_during_execution"), TransientError),
        (failing("authentication_failed", 401), ModelUnusable),  # L5
        (failing("authentication_failed"), ModelUnusable),  # not logged in
        (failing("unknown", 403), ModelUnusable),
        (failing("unknown", 404), ModelUnusable),
        (failing("billing_error", 400), ModelUnusable),  # L6
        (failing("never_heard_of"), ModelUnusable),
        (failing("max_output_tokens"), Truncated),  # L8
        (failing("invalid_request", 400, terminal_reason="prompt_too_long"), Truncated),
        (failing("invalid_request", 400), PermanentError),
        (failing("invalid_request", stop_reason="refusal"), Refused),  # L9
    ],
)
def test_faults_are_told_apart_by_their_envelope(claude: Fake, records: list[Any], kind: type[MememError]) -> None:
    claude.says(records, code=1)
    assert type(claude.fault()) is kind


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize(
    "prose",
    ["Failed to authenticate. API Error: 401", "You've hit your spend limit · resets 3pm", "", '{"lessons": []}'],
)
def test_l5_l6_prose_without_an_envelope_pauses(claude: Fake, prose: str, code: int) -> None:
    claude.says([prose], code=code)
    assert type(claude.fault()) is ModelUnusable
    assert len(claude.prompts) == 1


def test_l6_prose_in_an_envelope_that_no_model_was_paid_for_pauses(claude: Fake) -> None:
    limit = "You've hit your spend limit"
    claude.says([assistant(limit), result(result=limit, usage=NO_USAGE, total_cost_usd=0)])
    assert type(claude.fault()) is ModelUnusable


def test_l7_text_instead_of_the_tool_is_asked_for_once_more(claude: Fake) -> None:
    claude.says([assistant("Here you are"), result(result="Here you are")], [result(structured_output=GOOD)])
    answer = claude.ask()
    assert (answer.data, answer.input_tokens, answer.cost_usd) == (GOOD, 200, pytest.approx(0.0014))
    assert "was not usable" in claude.prompts[1]


def test_l7_answer_against_the_schema_is_asked_for_once_more_and_then_malformed(claude: Fake) -> None:
    wrong = [assistant(""), result(subtype="error_max_turns", is_error=True, terminal_reason="max_turns")]
    claude.says(wrong, code=1)
    error = claude.fault()
    assert (type(error), error.spent.output_tokens, len(claude.prompts)) == (Malformed, 20, 2)
    claude.says([result(structured_output={"lessons": [7]})])
    assert type(claude.fault()) is Malformed


def test_l7_text_that_fits_the_schema_needs_no_second_call(claude: Fake) -> None:
    told = assistant(json.dumps(GOOD))
    claude.says([told, result(subtype="error_max_turns", is_error=True)], code=1)
    assert (claude.ask().data, len(claude.prompts)) == (GOOD, 1)


def test_l10_flood_of_output_ends_the_program(claude: Fake) -> None:
    claude.script("yes")
    assert type(claude.fault()) is Malformed


def test_l11_nothing_to_tell_is_an_answer(claude: Fake) -> None:
    claude.says([result(structured_output={"lessons": []})])
    assert claude.ask().data == {"lessons": []}


@pytest.mark.parametrize("script", ["sleep 60", "while :; do echo '{}'; sleep 0.1; done"])
def test_l4_program_that_hangs_or_drips_ends_at_the_deadline(claude: Fake, script: str) -> None:
    claude.script(script)
    begin = time.monotonic()
    assert type(claude.fault(0.5)) is TransientError
    assert time.monotonic() - begin < 3


def test_l14_flood_of_errors_does_not_hide_the_answer(claude: Fake) -> None:
    claude.says([result(structured_output=GOOD)])
    claude.precede("head -c 50000000 /dev/zero >&2")
    assert claude.ask().data == GOOD


def test_p3_stop_flag_ends_the_program(claude: Fake) -> None:
    claude.script(f"touch '{claude.root}/begun'; exec sleep 60")
    stop = threading.Event()

    def asked_to_stop() -> bool:
        if (claude.root / "begun").exists():
            stop.set()
        return stop.is_set()

    assert type(claude.fault(60, asked_to_stop)) is Stopped


@pytest.mark.parametrize("script", ["kill -9 $$", "exit 137"])
def test_p8_killed_program_is_transient_but_counts(claude: Fake, script: str) -> None:
    claude.script(script)
    error = claude.fault()
    assert (type(error), error.counted) == (TransientError, True)


def test_l15_missing_program_is_named(claude: Fake) -> None:
    assert "install Claude Code" in Claude(claude.environ, str(claude.folder)).ready()
    assert type(claude.fault()) is ModelUnusable


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo '2.1.197 (Claude Code)'", ""),
        ("echo '3.0.0 (Claude Code)'", ""),
        ("echo '1.0.88 (Claude Code)'", "too old"),
        ("echo 'segmentation fault'; exit 1", "does not tell its version"),
        ("read -r answer && sleep 60; echo 'Do you trust this folder? (y/n)'", "does not tell its version"),
    ],
)
def test_l15_readiness_is_known_without_a_token(claude: Fake, script: str, reason: str) -> None:
    claude.script(script)
    told = Claude(claude.environ, str(claude.folder)).ready()
    assert reason in told
    assert bool(told) == bool(reason)


def test_l15_program_for_another_machine_pauses(claude: Fake) -> None:
    path = claude.root / "bin" / "claude"
    path.write_bytes(b"\x7fELF not for here")
    path.chmod(0o755)
    assert "cannot be started" in Claude(claude.environ, str(claude.folder)).ready()
    assert type(claude.fault()) is ModelUnusable


def test_state_folder_that_cannot_be_used_pauses(claude: Fake) -> None:
    claude.says([result(structured_output=GOOD)])
    (claude.root / "state").write_text("a file", encoding="utf-8")
    assert type(claude.fault()) is ModelUnusable


def test_messages_never_repeat_what_the_program_said(claude: Fake) -> None:
    claude.says(failing("invalid_request", 400, errors=["secret prompt"]), code=1)
    assert "Something is wrong" not in str(claude.fault())
    assert "secret" not in str(claude.fault())


ASKING = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from memem.llm.claude import Claude
from memem.process import never
home = sys.argv[1]
Claude({{"HOME": home, "PATH": home + "/bin:/usr/bin:/bin"}}, home + "/empty").ask("", {{}}, stop=never)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_p1_client_ends_with_an_owner_that_is_killed(claude: Fake) -> None:
    claude.script('trap \'\' TERM; echo $$ >"$HOME/pid.tmp"; mv "$HOME/pid.tmp" "$HOME/pid"; exec sleep 600')
    with subprocess.Popen([sys.executable, "-c", ASKING, str(claude.root)]) as owner:
        assert soon((claude.root / "pid").exists)
        owner.kill()
    assert soon(lambda: not started(int((claude.root / "pid").read_text())))


def test_p1_client_carries_its_deadline(claude: Fake) -> None:
    claude.script('echo "$API_TIMEOUT_MS" >"$HOME/timeout"; exit 1')
    with pytest.raises(ModelUnusable):
        Claude(claude.environ, str(claude.folder), "", 90).ask("", SCHEMA, stop=never)
    assert (claude.root / "timeout").read_text() == "90000\n"
