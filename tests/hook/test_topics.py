"""A shift of topic: what was shown long ago may be shown again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..home import Home

REDIS = "Integration tests need Redis on port 6380, because 6379 is taken by the staging tunnel"
ASKED = "why can the integration tests not reach redis?"
CENTS = "Amounts of invoices are integer cents, because floats lost one per thousand invoices"
ASKED_OTHERWISE = "why are amounts of invoices integer cents and not floats?"
OTHER = (
    "Write a limerick about clever penguins",
    "Explain how tides depend on moonlight",
    "Name three famous violinists",
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.welcomed()
    made.save(REDIS)
    made.save(CENTS)
    return made


def talk(home: Home, *texts: str) -> list[str]:
    return [home.prompt(text) for text in texts]


def test_memory_comes_again_after_prompts_about_something_else(home: Home) -> None:
    assert home.prompt(ASKED)
    assert talk(home, *OTHER, OTHER[0]) == [""] * 4
    assert REDIS in home.prompt(ASKED)
    assert home.prompt(ASKED) == ""


def test_memory_comes_again_after_prompts_about_other_memories(home: Home) -> None:
    assert REDIS in home.prompt(ASKED)
    assert CENTS in home.prompt(ASKED_OTHERWISE)
    talk(home, *OTHER)
    assert CENTS not in home.prompt(ASKED_OTHERWISE)  # one of the last four prompts was about it
    assert REDIS in home.prompt(ASKED)


def test_short_digression_is_no_shift(home: Home) -> None:
    assert home.prompt(ASKED)
    talk(home, *OTHER)
    assert home.prompt(ASKED) == ""


def test_words_without_a_topic_do_not_shift_it(home: Home) -> None:
    assert home.prompt(ASKED)
    talk(home, "yes", "go on", "ok, do it", "thanks!", "/clear", "commit")
    assert home.prompt(ASKED) == ""


def test_prompts_of_another_session_do_not_shift_it(home: Home) -> None:
    assert home.prompt(ASKED)
    for text in (*OTHER, *OTHER):
        home.prompt(text, session_id="s-2")
    assert home.prompt(ASKED) == ""


@pytest.mark.parametrize(("threshold", "again"), [("0", False), ("0.3", True), ("1", True), ("many", True)])
def test_threshold_decides_and_nonsense_means_the_default(home: Home, threshold: str, again: bool) -> None:
    home.environ["MEMEM_TOPIC_SHIFT_THRESHOLD"] = threshold
    talk(home, ASKED, *OTHER, OTHER[0])
    assert bool(home.prompt(ASKED)) == again


def test_lost_trail_shows_nothing_again(home: Home) -> None:
    talk(home, ASKED, *OTHER, OTHER[0])
    (home.state / "events.jsonl").unlink()
    assert home.prompt(ASKED) == ""


def test_trail_names_memories_by_ids_only(home: Home) -> None:
    talk(home, ASKED, OTHER[0], "yes")
    events = [json.loads(line) for line in (home.state / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    memem = home.open()
    ids = [item.memory.id for item in memem.memories() if item.memory.body == REDIS]
    memem.close()
    assert [event.get("ids") for event in events] == [ids, [], None]
    assert {key for event in events for key in event} == {"at", "event", "served", "session", "ids", "shown"}
