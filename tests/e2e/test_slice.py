"""The Active Memory Slice in the real client: asked for by the agent, told apart from the one before it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .client import Client
from .messages import Use
from .test_real_client import LESSON, save, save_in

pytestmark = pytest.mark.e2e

SLICE = "mcp__plugin_memem_memem__active_memory_slice"
CONSTRAINT = "Never round prices of invoices before the last step, because auditors compare the cents."


def ask(query: str, **more: object) -> Use:
    return Use(SLICE, {"query": query, **more})


def test_slice_reaches_the_model_and_carries_a_constraint_forward(installed: Client) -> None:
    save_in(installed, save(), save(CONSTRAINT, "Round prices last", kind="convention"))
    turns = [ask("change how prices of invoices are stored"), ask("write the changelog", raw_json=True), "Done."]
    session = installed.run("Work on it.", turns)
    answers = [text for request in session.requests if (text := request.last_tool_result())]
    first = next(text for text in answers if LESSON in text)
    assert CONSTRAINT in first
    second = json.loads(answers[-1])
    assert second["session_id"]
    assert second["previous_slice_id"]
    assert [item["title"] for item in second["items"] if CONSTRAINT[:40] in json.dumps(item)]


def test_slice_of_another_session_begins_anew(installed: Client) -> None:
    save_in(installed, save(CONSTRAINT, "Round prices last", kind="convention"))
    installed.run("Work on it.", [ask("how are prices of invoices rounded"), "Done."])
    session = installed.run("Work on it.", [ask("how are prices of invoices rounded", raw_json=True), "Done."])
    found = json.loads(session.requests[-1].last_tool_result())
    assert found["previous_slice_id"] == ""
    assert found["carry_forward_summary"] == []


def test_preview_of_deltas_writes_nothing(installed: Client) -> None:
    save_in(installed, save(), save(CONSTRAINT, "Round prices last", kind="convention"))
    before = _notes(installed)
    turn = ask("change how prices of invoices are stored", raw_json=True, writeback_preview=True)
    session = installed.run("Work on it.", [turn, "Done."])
    assert "delta_results" in json.loads(session.requests[-1].last_tool_result())
    assert _notes(installed) == before


def _notes(client: Client) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in client.notes.glob("*.md")}
