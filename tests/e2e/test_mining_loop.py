"""The whole loop in the real client: a session is mined, the next one is told, and nothing comes back as an echo."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .client import Client, snapshot
from .messages import Use
from .test_real_client import save

pytestmark = pytest.mark.e2e

GET = "mcp__plugin_memem_memem__memory_get"
SEARCH = "mcp__plugin_memem_memem__memory_search"
ABOUT_FILE = "shop.py must stay free of imports, because the kiosk runs it alone."
TASK = "Find out why prices of invoices are stored as integer cents"
ROUNDS = 10
# A decision with its reason, and later the same human takes a part of it back.
DECISION = (
    "We always store prices of invoices as integer cents in PostgreSQL, because floats lost a cent per thousand "
    "invoices in March. Please add the column."
)
ANSWER = "The column `price_cents` is in `shop.py` now, as a 32-bit integer."
CORRECTION = (
    "No, not a 32-bit integer: price columns must always be bigint, because one wholesale invoice overflowed in May."
)
CORRECTED = "You're right, 32 bits overflow. The column `price_cents` is a bigint now."
LESSON = "floats lost a cent per thousand"
CORRECTED_LESSON = "must always be bigint"
# What a session that was not told found out by itself: a guess, which no prompt is told of.
GUESS_ASKED = "Why does the invoice exporter run before the nightly backup?"
GUESS = (
    "The invoice exporter must run before the nightly backup, because otherwise the backup of the `exports` folder "
    "misses the last invoices."
)
# How an agent repeats the one and the other: word by word, with the same words, at the end of its work.
REPEATED = (
    "We always store prices of invoices as integer cents in PostgreSQL, because floats lost a cent per thousand "
    "invoices in March.",
    "Because floats lost a cent per thousand invoices in March, prices of invoices must always be stored in PostgreSQL "
    "as integer cents.",
    "As the notes say: price columns must always be bigint, because one wholesale invoice overflowed in May.",
)
GUESS_REPEATED = (
    GUESS,
    "The backup of the `exports` folder misses the last invoices otherwise, because the nightly backup must run after "
    "the invoice exporter.",
    "Because otherwise the backup of the `exports` folder misses the last invoices, the invoice exporter must run "
    "before the nightly backup.",
)
TRANSCRIPTS = "mcp__plugin_memem_memem__transcript_search"
RELATED = (
    "Which type should the new column for prices of invoices have?",
    "Why do we store prices of invoices as integer cents?",
)


def test_what_one_session_taught_reaches_the_next_and_never_echoes(installed: Client, plugin: Path) -> None:
    installed.extra["MEMEM_PRETOOL_GATING"] = "1"
    installed.run(DECISION, [save(ABOUT_FILE, "No imports in shop.py"), ANSWER])
    installed.run(CORRECTION, [CORRECTED], ["--continue"])
    first = mine(installed, plugin)
    notes = snapshot(installed.notes)
    texts = "\n".join(text.decode() for text in notes.values())
    assert LESSON in texts, first
    assert CORRECTED_LESSON in texts, first
    ids = [outcome["memory"]["id"] for outcome in first]

    second = installed.run(RELATED[0], ["A bigint of cents."])
    assert LESSON in second.first.context_of("UserPromptSubmit")
    assert CORRECTED_LESSON in second.first.text

    for number in range(ROUNDS):
        # Injected at the start, with the prompt and into a sub-agent; searched and read by the model.
        looked_up = [
            Use(SEARCH, {"query": "prices invoices cents"}),
            Use(GET, {"ids": ids}),
            Use("Read", {"file_path": str(installed.project / "shop.py")}),
            Use("Agent", {"description": "Look", "prompt": TASK, "subagent_type": "general-purpose"}),
        ]
        session = installed.run(RELATED[number % 2], [*looked_up, "A bigint of cents, as noted."])
        assert LESSON in session.first.context_of("UserPromptSubmit"), number
        assert any(LESSON in request.last_tool_result() for request in session.requests), number
        # A convention opens the session in full, so the file does not bring it once more.
        assert ABOUT_FILE in session.first.text, number
        assert any(LESSON in request.context_of("SubagentStart") for request in session.requests), number
        assert saved(mine(installed, plugin)) == [], number
        assert snapshot(installed.notes) == notes, number
    assert len(transcripts(installed)) == ROUNDS + 2


def test_an_agent_that_repeats_what_it_was_told_adds_and_confirms_nothing(installed: Client, plugin: Path) -> None:
    installed.run(DECISION, [ANSWER])
    installed.run(CORRECTION, [CORRECTED], ["--continue"])
    installed.run(GUESS_ASKED, [GUESS])
    ids = [outcome["memory"]["id"] for outcome in mine(installed, plugin)]
    notes = snapshot(installed.notes)
    guesses = [text for text in notes.values() if b"nightly backup" in text]
    assert [b"unconfirmed" in text for text in guesses] == [True]

    for number in range(ROUNDS):
        repeated, guessed = REPEATED[number % 3], GUESS_REPEATED[number % 3]
        injected = installed.run(RELATED[number % 2], [repeated])
        assert LESSON in injected.first.context_of("UserPromptSubmit"), number
        # Told to a sub-agent, which tells it to the agent.
        told = Use("Agent", {"description": "Look", "prompt": TASK, "subagent_type": "general-purpose"})
        installed.run("Which type for prices of invoices do we use?", [told, repeated, repeated])
        look_up = (
            Use(SEARCH, {"query": GUESS_ASKED}),
            Use(GET, {"ids": ids}),
            Use(TRANSCRIPTS, {"query": GUESS_ASKED}),
        )
        searched = installed.run(GUESS_ASKED, [look_up[number % 3], guessed])
        assert any("nightly backup" in request.last_tool_result() for request in searched.requests), number
        installed.run(GUESS_ASKED, [guessed], ["--continue", "--fork-session"])
        assert saved(mine(installed, plugin)) == [], number
        assert snapshot(installed.notes) == notes, number


def mine(client: Client, plugin: Path) -> list[dict[str, object]]:
    """Mine all sessions of the client, as a user does; answers an outcome for each lesson."""
    done = client.memem(plugin, "mine", "--json", str(client.home / ".claude" / "projects"))
    assert done.returncode == 0, done.stdout + done.stderr
    return [outcome for mined in json.loads(done.stdout) for outcome in mined["outcomes"]]


def saved(outcomes: list[dict[str, object]]) -> list[dict[str, object]]:
    """Those that are more than words known before."""
    return [outcome for outcome in outcomes if outcome["action"] != "skipped"]


def transcripts(client: Client) -> list[Path]:
    """The sessions that the client kept."""
    return sorted((client.home / ".claude" / "projects").glob("*/*.jsonl"))
