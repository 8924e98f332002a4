"""The commands of the miner as people type them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from memem import consent
from memem.background import queue
from memem.consent import Consent

from ..home import Home
from ..sources.transcripts import agent, user, write

RULE = "From now on always run the tests with uv run poe test, because bare pytest truncates the database."


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.welcomed()
    path = write(tmp_path / ".claude" / "projects" / "-work" / "one.jsonl", user(RULE), agent("Noted."))
    os.utime(path, (1_700_000_000, 1_700_000_000))  # it has settled
    return made


def test_nothing_is_mined_before_someone_says_so(home: Home) -> None:
    done = home.run("miner", "drain")
    assert (done.returncode, "memem miner start" in done.stderr) == (2, True)
    assert "miner     off" in home.run("miner", "status").stdout
    assert not home.notes.exists() or not list(home.notes.iterdir())


def test_history_shows_an_estimate_first_and_asks(home: Home) -> None:
    assert (
        "1 sessions, 0.0 MB. By patterns, no model is asked, no cost"
        in home.run("miner", "history", "--dry-run").stdout
    )
    done = home.run("miner", "history")
    assert (done.returncode, "--yes" in done.stderr) == (2, True)
    assert consent.read(str(home.state)) == Consent()
    done = home.run("miner", "history", "--yes")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 done, 0 waiting, 0 dead letters")
    assert len(list(home.notes.iterdir())) == 1
    assert "0 sessions" in home.run("miner", "history", "--dry-run").stdout


def test_only_a_person_at_a_terminal_allows_spending(home: Home) -> None:
    assert "no model is chosen" in home.run("miner", "spend", "--allow").stderr
    home.environ |= {"MEMEM_LLM": "ollama", "MEMEM_LLM_MODEL": "small"}
    done = home.run("miner", "spend", "--allow")
    assert done.returncode == 2
    assert "only a person at a terminal" in done.stderr
    assert "At most $1.00 and 1,000,000 tokens a day" in done.stdout
    assert consent.read(str(home.state)).spend == ""


def test_stopping_keeps_the_consent_unless_it_is_to_be_forgotten(home: Home) -> None:
    home.run("miner", "history", "--yes")
    assert home.run("miner", "stop").returncode == 0
    assert consent.read(str(home.state)).stopped
    assert "miner     stopped" in home.run("miner", "status").stdout
    home.run("miner", "stop", "--forget")
    assert consent.read(str(home.state)) == Consent()


def test_dead_letters_are_listed_retried_and_dropped(home: Home) -> None:
    memem = home.open()
    queue(memem).bury("part", "a.jsonl#0-10", {"path": "a.jsonl", "start": 0, "end": 10}, "declined")
    queue(memem).bury("part", "b.jsonl#0-10", {"path": "b.jsonl", "start": 0, "end": 10}, "declined")
    memem.close()
    dead = json.loads(home.run("miner", "queue", "list", "--dead", "--json").stdout)
    assert [(job["key"], job["reason"]) for job in dead] == [("a.jsonl#0-10", "declined"), ("b.jsonl#0-10", "declined")]
    assert home.run("miner", "queue", "retry", str(dead[0]["id"])).stdout == "1 brought back.\n"
    assert home.run("miner", "queue", "drop", str(dead[1]["id"])).stdout == "1 dropped.\n"
    assert home.run("miner", "queue", "retry", "99").returncode == 3
    assert home.run("miner", "queue", "drop").returncode == 2
