"""An agent that repeats what memem told it teaches nothing: no new note, no confirmation; a human's words do."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from memem.app import Memem
from memem.miner import Miner
from memem.mining.echoes import Echoes
from memem.models import UNCONFIRMED, Draft, Memory
from memem.sources.events import Event
from memem.sources.recalled import Recalled
from tests.sources.transcripts import Record, agent, attachment, call, result, user, write

SCOPE = "local:harbor"
SEARCH, GET, TRANSCRIPTS = (
    f"mcp__plugin_memem_memem__{name}" for name in ("memory_search", "memory_get", "transcript_search")
)
QUESTION = "Why do we store prices of invoices as integer cents?"
GUESS = (
    "The invoice exporter must run before the nightly backup, because otherwise the backup of the `exports` folder "
    "misses the last invoices."
)
GUESS_ASKED = "Why does the invoice exporter run before the nightly backup?"
EXPLAIN = "Explain why the invoice exporter runs before the nightly backup of the exports folder"
LESSON = (
    "We always store prices of invoices as integer cents in PostgreSQL, because floats lost a cent per thousand "
    "invoices in March."
)
PARAPHRASED = (
    "Because floats lost a cent per thousand invoices in March, prices of invoices must always be stored in "
    "PostgreSQL as integer cents."
)
GUESS_PARAPHRASED = (
    "The backup of the `exports` folder misses the last invoices otherwise, because the nightly backup must run after "
    "the invoice exporter."
)
_sessions = count(1)


class Sessions:
    """Writes sessions of one project and mines them."""

    def __init__(self, memem: Memem, folder: Path) -> None:
        self.memem, self.folder = memem, folder

    def mine(self, *records: Record, name: str = "") -> list[str]:
        """Mine a session of its own; answers what was done with each of its lessons."""
        name = name or f"5e551011-0000-4000-8000-{next(_sessions):012d}"
        path = write(self.folder / f"{name}.jsonl", *(record | {"sessionId": name} for record in records))
        return [outcome.action for mined in Miner(self.memem).mine([str(path)]) for outcome in mined.outcomes]

    def notes(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Body and tags of every live note."""
        found = [item.memory for item in self.memem.memories("*")]
        return {memory.id: (memory.body, memory.tags) for memory in found if memory.live}

    def guess(self, text: str = GUESS, asked: str = GUESS_ASKED) -> Memory:
        """A lesson that an agent worded in a first session."""
        self.mine(user(asked), agent(text))
        found = next(item.memory for item in self.memem.memories("*") if "nightly backup" in item.memory.body)
        assert UNCONFIRMED in found.tags
        return found


@pytest.fixture
def sessions(memem: Memem, tmp_path: Path) -> Sessions:
    return Sessions(memem, tmp_path / "projects" / "-home-dana-harbor")


def injected(text: str, event: str = "UserPromptSubmit") -> Record:
    body = f"<memem-recall>\nMemories.\n[5d1f0c7e] Prices (decision, from user)\n> {text}\n</memem-recall>"
    return attachment("hook_additional_context", hookEvent=event, content=[body])


def looked_up(text: str, tool: str = GET) -> tuple[Record, Record]:
    answer = f"### [5d1f0c7e] A note\n- project: harbor · kind: fact\n- id: 5d1f0c7e\n> {text}"
    return call(tool, "toolu_77", query="prices"), result(answer, "toolu_77")


@pytest.mark.parametrize("answer", [LESSON, PARAPHRASED, f"As noted: {LESSON} So nothing is to be changed."])
def test_what_was_injected_and_is_repeated_by_the_agent_is_not_mined(sessions: Sessions, answer: str) -> None:
    sessions.memem.save(Draft(content=LESSON), SCOPE)
    before = sessions.notes()
    for asked in (QUESTION, "Which type do we use for prices of invoices, and why?"):
        sessions.mine(user(asked), injected(LESSON), agent(answer))
        assert sessions.notes() == before


@pytest.mark.parametrize("answer", [GUESS, GUESS_PARAPHRASED])
@pytest.mark.parametrize("tool", [SEARCH, GET, TRANSCRIPTS])
def test_a_guess_that_was_looked_up_and_is_repeated_stays_a_guess(sessions: Sessions, answer: str, tool: str) -> None:
    guess = sessions.guess()
    before = sessions.notes()
    for asked in (GUESS_ASKED, "What is the order of the nightly jobs, and why?", EXPLAIN):
        sessions.mine(user(asked), *looked_up(guess.body, tool), agent(answer))
        assert sessions.notes() == before


def test_a_second_session_that_found_it_without_being_told_confirms_a_guess(sessions: Sessions) -> None:
    sessions.guess()
    sessions.mine(user(GUESS_ASKED), agent(GUESS))
    assert [tags for body, tags in sessions.notes().values() if "nightly backup" in body] == [()]


def test_what_was_found_before_it_was_looked_up_is_no_repetition(sessions: Sessions) -> None:
    guess = sessions.guess()
    sessions.mine(user(GUESS_ASKED), agent(GUESS), *looked_up(guess.body))
    assert [tags for body, tags in sessions.notes().values() if "nightly backup" in body] == [()]


@pytest.mark.parametrize(
    "correction",
    [
        GUESS.replace("nightly backup", "nightly backup at 03:15"),
        GUESS.replace("must run", "must not run").replace("because otherwise", "because"),
        GUESS.replace("invoice exporter", "invoice exporter `exporter/run_all.py`"),
        GUESS.replace("before", "after"),
    ],
)
def test_what_the_agent_says_otherwise_than_it_was_told_is_a_guess_of_its_own(
    sessions: Sessions, correction: str
) -> None:
    guess = sessions.guess()
    sessions.mine(user(GUESS_ASKED), *looked_up(guess.body), agent(correction))
    assert (correction, (UNCONFIRMED,)) in sessions.notes().values()


def test_what_the_agent_says_otherwise_than_a_confirmed_memory_stays_beside_it(sessions: Sessions) -> None:
    sessions.memem.save(Draft(content=LESSON), SCOPE)
    correction = LESSON.replace("in March", "in March and 3 in April")
    assert sessions.mine(user(QUESTION), injected(LESSON), agent(correction)) == ["added"]
    assert set(sessions.notes().values()) == {(LESSON, ()), (correction, (UNCONFIRMED,))}


@pytest.mark.parametrize(
    "asked",
    [
        "I prepare a talk for the finance department of Oslo on Monday, tell me the invoice exporter's order again?",
        "Does the invoice exporter have 3 workers on `host-7`, and why not after the nightly backup of exports?",
        "Could you tell me in two sentences for the audit which order applies to exporter and nightly backup here",
    ],
)
def test_what_a_human_asks_makes_no_news_of_a_repetition(sessions: Sessions, asked: str) -> None:
    guess = sessions.guess()
    before = sessions.notes()
    sessions.mine(user(asked), *looked_up(guess.body), agent(GUESS))
    assert sessions.notes() == before


def test_another_matter_with_some_of_the_same_words_is_mined(sessions: Sessions) -> None:
    other = (
        "The invoice importer must be started with a lock on the spool, because two importers at once book every "
        "payment of the nightly batch twice."
    )
    asked = "Why must the invoice importer take a lock on the spool?"
    assert sessions.mine(user(asked), injected(GUESS), injected(LESSON), agent(other)) == ["added"]


def test_a_human_who_says_it_in_own_words_confirms_a_guess(sessions: Sessions) -> None:
    guess = sessions.guess()
    said = "Always run the invoice exporter before the nightly backup, otherwise that backup misses invoices."
    sessions.mine(user("Look it up"), *looked_up(guess.body), agent("Done."), user(said), agent(f"Right. {GUESS}"))
    assert [tags for body, tags in sessions.notes().values() if said in body] == [()]


def test_a_human_who_pastes_the_repetition_confirms_nothing(sessions: Sessions) -> None:
    guess = sessions.guess()
    before = sessions.notes()
    sessions.mine(user(GUESS_ASKED), *looked_up(guess.body), agent(GUESS), user(GUESS), agent("Yes."))
    assert sessions.notes() == before


def test_a_human_s_own_rule_stays_when_the_agent_answers_with_a_repetition(sessions: Sessions) -> None:
    rule = "From now on always round prices of invoices up, because customers complained about missing cents."
    sessions.mine(user(rule), injected(LESSON), agent(f"You're right. {LESSON}"))
    assert [tags for body, tags in sessions.notes().values() if "round prices" in body] == [()]


def test_a_question_put_to_memem_is_nothing_that_it_told(sessions: Sessions) -> None:
    nothing = result(f"No memories found for: {GUESS}", "toolu_77")
    assert sessions.mine(user(GUESS_ASKED), call(SEARCH, "toolu_77", query=GUESS), nothing, agent(GUESS)) == ["added"]


def test_a_line_of_the_index_at_the_start_of_a_session_counts_as_told(sessions: Sessions) -> None:
    line = f"[6f3bbcf1] L2 {LESSON[:90]} … — {LESSON[90:]}"
    started = attachment("hook_additional_context", content=[f"<memem-context>\nNotes:\n{line}\n</memem-context>"])
    assert sessions.mine(started, user(QUESTION), agent(LESSON)) == []


def test_what_was_told_in_a_part_that_is_mined_already_counts(sessions: Sessions, tmp_path: Path) -> None:
    guess = sessions.guess()
    before = sessions.notes()
    path = write(tmp_path / "grown.jsonl", user("Look it up"), *looked_up(guess.body), agent("Done."))
    assert [mined.echoed for mined in Miner(sessions.memem).mine([str(path)])] == [0]
    write(path, user(GUESS_ASKED), agent(GUESS), append=True)
    assert [mined.echoed for mined in Miner(sessions.memem).mine([str(path)])] == [1]
    assert sessions.notes() == before


def test_a_fork_or_a_resumed_copy_changes_nothing(sessions: Sessions) -> None:
    guess = sessions.guess()
    before = sessions.notes()
    records = [user(GUESS_ASKED), *looked_up(guess.body), agent(GUESS)]
    for _ in range(3):
        sessions.mine(*records)
        records += [user(GUESS_ASKED), agent(GUESS_PARAPHRASED)]
    assert sessions.notes() == before


@pytest.mark.parametrize("teller", ["main", "sub-agent"])
def test_what_the_agents_of_a_session_were_told_counts_for_all_of_them(
    sessions: Sessions, tmp_path: Path, teller: str
) -> None:
    guess = sessions.guess()
    before = sessions.notes()
    told = attachment("hook_additional_context", content=[f"<memem-context>\n> {guess.body}\n</memem-context>"])
    main, inner = tmp_path / "p" / "s-2.jsonl", tmp_path / "p" / "s-2" / "subagents" / "agent-a1.jsonl"
    write(main, *([told] if teller == "main" else []), user(GUESS_ASKED), agent(GUESS))
    write(inner, *([told] if teller == "sub-agent" else []), agent(GUESS, isSidechain=True, agentId="a1"))
    list(Miner(sessions.memem).mine([str(tmp_path / "p")]))
    assert sessions.notes() == before


def test_the_question_before_a_repetition_is_no_part_of_it() -> None:
    asked = "The finance department of Oslo wants two sentences about host-7 for the audit on Monday"
    events = [Event(kind=kind, text=text, session="s", uuid=kind) for kind, text in (("prompt", asked), ("prose", "x"))]
    echoes = Echoes(events, (0, 90), (Recalled(text=f"> {GUESS}", place=50),))
    lesson = f"{asked}? — {GUESS}"
    assert echoes.holds(f"Tell me: {lesson}", ("prose",)) is False, "nobody asked"
    events[0] = events[0].replace(text=f"Tell me: {asked}?")
    assert echoes.holds(f"Tell me: {lesson}", ("prompt", "prose"))
