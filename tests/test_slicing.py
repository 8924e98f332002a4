"""Slices over a real vault: the graph catches up when one is asked for, and never stands in its way."""

import sys

from memem import sqlite
from memem.active import Task
from memem.index import edges
from memem.ingest import shapes

ASKED = "why is the redis staging tunnel down?"
TUNNEL = "The redis staging tunnel is down every night at ten"
CRANE = "Cranes are painted by the port office"


def titles(memem):
    return [item.title for item in memem.slice(Task(text=ASKED)).items]


def test_link_that_was_just_written_is_followed(memem, save, vault):
    tunnel, crane = save(TUNNEL), save(CRANE)
    assert titles(memem) == [TUNNEL]
    vault.edit(tunnel.id, body=f"{TUNNEL}. See [[{vault.path(crane.id8).stem}]]")
    memem.sync()
    assert titles(memem) == [TUNNEL, CRANE]


def test_slice_does_not_wait_for_the_whole_graph(memem, save):
    for number in range(5):
        save(f"{TUNNEL}, says log {number} of berth {number}")
    edges.unsettle(memem.index.connection, range(100))
    assert edges.settle(memem.index.connection, enough=lambda: True) == 0
    assert edges.settle(memem.index.connection) > 0


def test_slice_is_answered_while_another_process_writes(memem, save, opened):
    save(TUNNEL)
    other = opened()
    titles(memem)
    edges.unsettle(memem.index.connection, range(100))
    with sqlite.transaction(other.index.connection):
        assert titles(memem) == [TUNNEL]
        assert memem.degraded == []


def test_slice_of_a_session_is_answered_while_the_detector_of_tokens_is_missing(memem, save, monkeypatch):
    save(TUNNEL)
    task = Task(text=ASKED, session="s-1", current_file="tunnels/staging_2026_night.py")
    shapes.detectors.cache_clear()
    monkeypatch.setitem(sys.modules, "detect_secrets.core.plugins.util", None)
    assert TUNNEL in [item.title for item in memem.slice(task).items]
    assert memem.state.connection.execute("SELECT count(*) FROM slices").fetchone()[0] == 0
    monkeypatch.undo()
    memem.slice(task)
    assert memem.state.connection.execute("SELECT count(*) FROM slices").fetchone()[0] == 1
