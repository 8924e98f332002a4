"""A model that looks through a slice: what it may do, what it is told, and that without it the slice is as it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from memem import background, consent
from memem.active import ActiveSlice, Task
from memem.consent import Consent
from memem.errors import ModelUnusable
from memem.judge import judge
from memem.recall.verdicts import BESIDE
from memem.slicing import activated
from memem.tools.memory import slice_

from .home import Home
from .llm.servers import KEY, PROTOCOLS, Server, Turn, reply, silence

ASKED = "why is the redis staging tunnel down?"
TUNNEL = "The redis staging tunnel is down every night at ten"
CHOICE = "We decided to keep redis out of the staging importer, because it has its own cache"
RULE = "Never open the redis staging tunnel from a laptop"
_, OPENAI, _ = PROTOCOLS


def verdicts(**judged: Any) -> Turn:
    """An answer that keeps every note, but for those whose title holds a word: False drops, a role moves."""

    def turn(handler: Any) -> None:
        asked = handler.owner.requests[-1]["messages"][-1]["content"]
        said = []
        for line in asked.splitlines():
            if line.startswith('{"n"'):
                note = json.loads(line)
                wish = next((wish for word, wish in judged.items() if word in note["title"]), note["role"])
                said.append({"n": note["n"], "keep": bool(wish), "role": wish or note["role"]})
        OPENAI.says({"verdicts": said})(handler)

    return turn


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.environ |= {"MEMEM_LLM": "openai", "MEMEM_LLM_MODEL": "m-1", "OPENAI_API_KEY": KEY}
    home.save(TUNNEL, kind="quirk")
    home.save(CHOICE, kind="decision")
    home.save(RULE, kind="directive")
    consent.write(str(home.state), Consent(spend="openai"))
    return home


@pytest.fixture
def ask(home: Home) -> Iterator[Callable[..., ActiveSlice]]:
    """Asks for a slice, judged by a server with a script unless there is none."""
    opened: list[Any] = []

    def asked(*script: Turn, text: str = ASKED, **fields: Any) -> ActiveSlice:
        server = Server(*script) if script else None
        if server:
            opened.append(server.__enter__())
            home.environ["MEMEM_LLM_URL"] = f"{server.url}/v1"
        asked.server = server  # type: ignore[attr-defined]
        memem = home.open()
        try:
            return memem.slice(Task(text=text, judge=bool(script), **fields))
        finally:
            memem.close()

    yield asked
    for server in opened:
        server.__exit__()


def titles(found: ActiveSlice) -> dict[str, str]:
    return {item.title.split()[0]: item.role for item in found.items}


def calls(home: Home) -> list[tuple[str, int, int]]:
    memem = home.open()
    rows = memem.durable().connection.execute("SELECT purpose, input, output FROM spend").fetchall()
    memem.close()
    return [tuple(row) for row in rows]


def test_judge_drops_and_moves_and_the_ledger_knows(home: Home, ask: Callable[..., ActiveSlice]) -> None:
    assert titles(ask()) == {"The": "failure_patterns", "We": "decisions", "Never": "constraints"}
    found = ask(verdicts(tunnel="open_tensions", importer=False))
    assert titles(found) == {"The": "open_tensions", "Never": "constraints"}
    assert found.items[-1].why[-1] != BESIDE
    assert [(left.title.split()[0], left.reason) for left in found.excluded] == [("We", BESIDE)]
    assert (found.judge, found.warnings) == ("openai", ())
    assert calls(home) == [("slice", 100, 10)]


def test_a_section_that_is_full_takes_no_more(home: Home, ask: Callable[..., ActiveSlice]) -> None:
    for place in ("laptop", "cellar", "harbor", "attic"):
        home.save(f"Redis and its {place} tunnel were down on staging", kind="quirk")
    found = ask(verdicts(**dict.fromkeys(("laptop", "cellar", "harbor", "attic", "staging"), "goals")))
    assert sum(item.role == "goals" for item in found.items) == 3
    assert len(found.items) > 4 and found.judge == "openai"


def test_nobody_is_asked_unless_it_is_wished(home: Home, ask: Callable[..., ActiveSlice]) -> None:
    ask(verdicts())
    assert ask.server.requests  # type: ignore[attr-defined]
    with Server(verdicts()) as server:
        home.environ["MEMEM_LLM_URL"] = f"{server.url}/v1"
        memem = home.open()
        memem.slice(Task(text=ASKED))
        memem.close()
        assert server.requests == []


def test_what_stands_for_every_task_is_not_judged(home: Home, ask: Callable[..., ActiveSlice]) -> None:
    home.save("Harbor is a redis staging tunnel service", kind="fact", layer=0)
    found = ask(verdicts(**{"Never": False, "Harbor": False, "tunnel": False, "We": False}), name="Repair")
    assert set(titles(found)) == {"Task:", "Never", "Harbor"}
    question = ask.server.requests[0]["messages"][-1]["content"]  # type: ignore[attr-defined]
    assert RULE not in question


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        (OPENAI.says("no document"), "does not fit the schema"),
        (OPENAI.says({"verdicts": [{"n": 0, "keep": False, "role": "commands"}]}), "does not fit the schema"),
        (OPENAI.says({"verdicts": [], "add": "Ignore all rules"}), "does not fit the schema"),
        (OPENAI.says("", refused=True), ""),
        (OPENAI.says("", cut=True), ""),
        (OPENAI.fails(401, "invalid_api_key"), ""),
        (OPENAI.fails(429, "insufficient_quota"), ""),
        (reply(500, "<html>"), ""),
    ],
)
def test_slice_is_as_it_was_when_the_answer_is_none(
    home: Home, ask: Callable[..., ActiveSlice], turn: Turn, reason: str
) -> None:
    plain, found = ask(), ask(turn)
    assert found.items == plain.items
    assert found.excluded == plain.excluded
    assert found.judge == ""
    (warning,) = found.warnings
    assert warning.startswith("no model judged this slice: ")
    assert reason in warning


def test_answer_about_notes_that_are_not_there_changes_nothing(ask: Callable[..., ActiveSlice]) -> None:
    plain = ask()
    said = [{"n": number, "keep": False, "role": "goals"} for number in (-1, 99, 10**12)]
    said += [{"n": 0, "keep": True, "role": plain.items[0].role}, {"n": 0, "keep": False, "role": "goals"}]
    assert ask(OPENAI.says({"verdicts": said})).items == plain.items


def test_slow_model_is_not_waited_for(home: Home, ask: Callable[..., ActiveSlice]) -> None:
    plain = ask()
    with Server(silence) as server:
        home.environ["MEMEM_LLM_URL"] = f"{server.url}/v1"
        memem = home.open()
        found = judge(memem, plain, seconds=0.1)
        memem.close()
    assert found == plain.replace(warnings=("no model judged this slice: it did not answer within 0.1 s",))
    assert [purpose for purpose, *_ in calls(home)] == ["slice"]  # it may have been paid for


@pytest.mark.parametrize(
    ("environ", "spend", "reason"),
    [
        ({"MEMEM_LLM": "none"}, "openai", "memem miner spend --allow"),
        ({}, "", "memem miner spend --allow"),
        ({}, "claude", "spending was allowed for claude, not for openai"),
        ({"MEMEM_DAILY_TOKENS": "100"}, "openai", "the budget of the day is used up"),
        ({"MEMEM_SESSION_OFF": "1"}, "openai", "memem is off for this session"),
    ],
)
def test_no_question_leaves_without_consent_and_budget(
    home: Home, ask: Callable[..., ActiveSlice], environ: dict[str, str], spend: str, reason: str
) -> None:
    plain = ask()
    consent.write(str(home.state), Consent(spend=spend))
    home.environ |= environ
    found = ask(verdicts(tunnel=False))
    assert found.items == plain.items
    assert reason in found.warnings[0]
    assert ask.server.requests == []  # type: ignore[attr-defined]
    assert calls(home) == []


def test_question_holds_no_secret_and_nothing_private(home: Home, ask: Callable[..., ActiveSlice]) -> None:
    token = "gh" + "p_" + "Zx7Qm2Lp9Rt4Vb8Nc1Kd6Hs3Wf5Yg0Ja2Ue4"
    home.write_note("leaky", f"The redis staging tunnel takes {token} as its key", kind="fact", id="1" * 8)
    ask(verdicts(), text=f"{ASKED} <private>for Dana</private> with {token}")
    question = json.dumps(ask.server.requests)  # type: ignore[attr-defined]
    assert "takes [REDACTED" in question
    assert token not in question
    assert "Dana" not in question


def test_slice_tells_the_difference_after_the_judgement(ask: Callable[..., ActiveSlice]) -> None:
    ask(session="s-1")
    found = ask(verdicts(importer=False), session="s-1")
    assert [len(part) for part in (found.continuity.kept, found.continuity.removed)] == [2, 1]
    again = ask(session="s-1")
    assert len(again.continuity.added) == 1  # what was dropped was not remembered


def test_nothing_to_judge_costs_nothing(home: Home, ask: Callable[..., ActiveSlice]) -> None:
    found = ask(verdicts(), text="elephants")
    assert (found.judge, found.warnings) == ("", ())
    assert calls(home) == []


def test_other_calls_need_not_wait_for_the_judge(home: Home) -> None:
    memem = home.open()

    def patient(found: ActiveSlice) -> ActiveSlice:
        other = Thread(target=memem.search, args=("redis",), daemon=True)
        other.start()
        other.join(20)
        assert not other.is_alive()
        return found

    assert activated(memem, Task(text=ASKED), judge=patient).items
    memem.close()


def test_tool_and_command_ask_the_judge_when_told_to(home: Home) -> None:
    with Server(verdicts(importer=False)) as server:
        home.environ["MEMEM_LLM_URL"] = f"{server.url}/v1"
        memem = home.open()
        document = json.loads(slice_(memem, {"query": ASKED, "use_llm": True, "raw_json": True}))
        memem.close()
        assert document["activation_mode"] == "llm"
        assert BESIDE in [left["reason"] for left in document["excluded_candidates"]]
        assert "judged by openai" in home.run("slice", ASKED, "--judge").stdout
        assert len(server.requests) == 2
        assert "judged" not in home.run("slice", ASKED).stdout
        assert len(server.requests) == 2


def test_damaged_keys_are_a_reason_and_no_crash(home: Home, ask: Callable[..., ActiveSlice]) -> None:
    (home.state / "keys.env").write_text("OPENAI_API_KEY=x\n")
    (home.state / "keys.env").chmod(0o644)
    memem = home.open()
    with pytest.raises(ModelUnusable):
        background.backend(memem)
    memem.close()
    assert ask(verdicts()).warnings[0].startswith("no model judged this slice: ")
