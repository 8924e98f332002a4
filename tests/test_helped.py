"""Whether recall helped: signs of use in a session's transcript, sessions held out, and what stats tells."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memem import consent
from memem.background import queue
from memem.consent import Consent
from memem.daemon.settle import settle as queued
from memem.daemon.worker import DONE, work
from memem.helped import report, settle
from memem.miner import Miner
from memem.off import turn_off
from memem.state import helped

from .daemon.test_worker import Log
from .home import Home
from .sources import transcripts
from .sources.transcripts import SESSION

LESSON = "Integration tests need Redis on port 6380, set by REDIS_TEST_URL in compose.test.yml"
ASKED = "why can the integration tests not reach redis?"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def at(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat().replace("+00:00", "Z")


def session(home: Home, *later: object) -> None:
    path = home.root / ".claude" / "projects" / "harbor" / f"{SESSION}.jsonl"
    asked = transcripts.user(ASKED, timestamp=at(-1))
    transcripts.write(path, asked, *({**one, "timestamp": at(60)} for one in later))


def told(home: Home) -> dict[str, object]:
    memem = home.open()
    found = report(memem)
    memem.close()
    return found


@pytest.mark.parametrize(
    ("later", "sign"),
    [
        (lambda note: [transcripts.agent(f"As [{note.id8}] says, the port is another one.")], "cited"),
        (lambda note: [transcripts.call("Edit", file_path="/x/tests/redis_fixture.py", old_string="a", new_string="b"),
                       transcripts.result("done")], "file"),
        (lambda note: [transcripts.agent("I set REDIS_TEST_URL and try once more.")], "identifier"),
        (lambda note: [transcripts.agent("I look into the tests of redis first.")], ""),
        (lambda note: [transcripts.user("REDIS_TEST_URL is not set here")], ""),
        (lambda note: [], ""),
    ],
)  # fmt: skip
def test_use_of_a_memory_is_known_by_its_signs(home: Home, later, sign: str) -> None:
    note = home.save(LESSON, paths=("tests/*.py",))
    assert "REDIS_TEST_URL" in home.prompt(ASKED, session_id=SESSION)
    session(home, *later(note))
    found = told(home)["injected"]
    assert (found["compared"], found["used"], found["by_sign"]) == (1, int(bool(sign)), {sign: 1} if sign else {})
    memem = home.open()
    assert helped.uses(memem.state.connection) == ({note.id: 1} if sign else {})
    memem.close()


def test_what_was_said_before_is_no_use_of_a_memory(home: Home) -> None:
    home.save(LESSON)
    assert home.prompt(f"{ASKED} REDIS_TEST_URL compose.test.yml 6380", session_id=SESSION)
    path = home.root / ".claude" / "projects" / "harbor" / f"{SESSION}.jsonl"
    words = "REDIS_TEST_URL in compose.test.yml gives 6380"
    transcripts.write(path, transcripts.agent(words, timestamp=at(-60)), transcripts.agent(words, timestamp=at(60)))
    assert told(home)["injected"]["used"] == 0


def test_session_is_read_again_only_when_it_changed(home: Home) -> None:
    home.save(LESSON)
    home.prompt(ASKED, session_id=SESSION)
    session(home, transcripts.agent("REDIS_TEST_URL"))
    path = home.root / ".claude" / "projects" / "harbor" / f"{SESSION}.jsonl"
    os.utime(path, (1_000_000, 1_000_000))
    memem = home.open()
    assert [settle(memem, 2_000_000), settle(memem, 2_000_000)] == [1, 0]
    os.utime(path, (3_000_000, 3_000_000))
    assert settle(memem, 4_000_000) == 1
    memem.close()


def test_use_stays_known_when_its_memory_was_shown_longer_ago_than_the_log_tells(home: Home) -> None:
    note = home.save(LESSON)
    home.prompt(ASKED, session_id=SESSION)
    session(home, transcripts.agent(f"As [{note.id8}] says, the port is another one."))
    assert told(home)["injected"]["used"] == 1
    log = home.state / "events.jsonl"
    line = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
    log.write_text(json.dumps(line | {"at": line["at"] + 600}) + "\n", encoding="utf-8")  # after a compaction
    path = home.root / ".claude" / "projects" / "harbor" / f"{SESSION}.jsonl"
    os.utime(path, (time.time() + 700, time.time() + 700))
    assert told(home)["injected"]["used"] == 1


def test_session_that_is_off_is_not_read(home: Home) -> None:
    note = home.save(LESSON)
    home.prompt(ASKED, session_id=SESSION)
    session(home, transcripts.agent(f"As [{note.id8}] says, the port is another one."))
    turn_off(str(home.state), SESSION)
    assert told(home)["injected"]["compared"] == 0


def worked(home: Home) -> dict[str, object]:
    """What is known after the miner did what was due, without anybody asking."""
    memem = home.open()
    consent.write(str(home.state), Consent(capture=True, mining=True, history=True))
    queued(memem.config, queue(memem), ended=True)
    assert work(Miner(memem), model=None, log=Log(), stop=lambda: False) == DONE
    found = helped.uses(memem.state.connection)
    memem.close()
    return found


def test_settled_session_is_compared_by_the_miner_once(home: Home) -> None:
    note = home.save(LESSON)
    home.prompt(ASKED, session_id=SESSION)
    session(home, transcripts.agent("REDIS_TEST_URL"))
    assert worked(home) == {note.id: 1}
    path = home.root / ".claude" / "projects" / "harbor" / f"{SESSION}.jsonl"
    transcripts.write(path, *(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()),
                      transcripts.agent("REDIS_TEST_URL again", timestamp=at(90)))  # fmt: skip
    assert worked(home) == {note.id: 1}


def test_session_held_out_is_told_nothing_and_its_finds_are_noted(home: Home) -> None:
    home.welcomed()
    note = home.save(LESSON, kind="directive")
    home.environ["MEMEM_HOLDOUT"] = "100"
    assert home.prompt(ASKED, session_id=SESSION) == ""
    assert home.start(session_id=SESSION) == ""
    line = json.loads((home.state / "events.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert (line["served"], line["shown"], line["held"]) == (0, [note.id], True)
    session(home, transcripts.agent("REDIS_TEST_URL is what I found out myself."))
    found = told(home)
    assert (found["injected"]["compared"], found["held_out"]["compared"], found["held_out"]["used"]) == (0, 1, 1)
    assert found["tokens_injected"] == 0
    memem = home.open()
    assert helped.uses(memem.state.connection) == {}
    memem.close()


def test_what_was_withheld_may_be_shown_once_the_session_is_not_held_out(home: Home) -> None:
    home.welcomed()
    home.save(LESSON, kind="directive")
    held = {"MEMEM_HOLDOUT": "100"}
    for _ in range(2):
        assert home.hook("UserPromptSubmit", {"prompt": ASKED, "session_id": SESSION}, **held) == ""
    assert "REDIS_TEST_URL" in home.prompt(ASKED, session_id=SESSION)
    assert home.prompt(ASKED, session_id=SESSION) == ""


def test_files_and_sub_agents_of_a_session_held_out_are_told_nothing(home: Home) -> None:
    home.save(LESSON, layer=0, paths=("tests/",))
    (home.project / "tests").mkdir()
    read = {"tool_name": "Read", "tool_input": {"file_path": str(home.project / "tests" / "a.py")}}
    agent = {"agent_type": "general-purpose", "agent_id": "a-1"}
    gating, held = {"MEMEM_PRETOOL_GATING": "1"}, {"MEMEM_HOLDOUT": "100"}
    assert home.hook("PreToolUse", read, **gating, **held) == home.hook("SubagentStart", agent, **held) == ""
    assert "REDIS_TEST_URL" in home.hook("PreToolUse", read, **gating)
    assert "REDIS_TEST_URL" in home.hook("SubagentStart", agent)


def test_stats_tells_what_was_used(home: Home) -> None:
    home.save(LESSON)
    home.prompt(ASKED, session_id=SESSION)
    session(home, transcripts.agent("REDIS_TEST_URL"))
    shown = home.run("stats").stdout
    assert "injected: 1 of 1 used later in the session (1 by identifier), at most 0% beside the point" in shown
    assert "tokens injected" in shown
