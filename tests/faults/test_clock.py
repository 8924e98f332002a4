"""Rows C: clocks that jump and time zones that change."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memem.daemon.supervisor import Supervisor
from memem.models import Draft
from memem.process import run
from memem.sync import sync

from ..daemon.test_worker import Log
from ..fakes import Clock
from .faults import REDIS


def test_a_clock_that_jumps_does_not_hide_a_change(memem, save, vault):
    memory = save(REDIS)
    path = vault.edit(memory.id, body="Valkey must run on 6380")
    os.utime(path, (4_000_000_000, 4_000_000_000))
    memem.sync()
    assert memem.search("valkey").ids == [memory.id]
    vault.edit(memory.id, body="Dragonfly must run on 6380")
    os.utime(path, (0, 0))
    memem.sync()
    assert memem.search("dragonfly").ids == [memory.id]


def save_at(memem, monkeypatch, content, shift, **fields):
    real = memem.gate

    def gate():
        made = real()
        made.now = lambda: datetime.now(UTC) + shift
        return made

    with monkeypatch.context() as clock:
        clock.setattr(memem, "gate", gate)
        return memem.save(Draft(content=content, **fields))


@pytest.mark.parametrize("shift", [timedelta(hours=-1), timedelta(days=3653)], ids=["an hour back", "ten years on"])
def test_c1_a_correction_replaces_although_the_clock_jumped(memem, save, monkeypatch, shift):
    old = save("Integration tests need Redis on port 6380")
    new = save_at(memem, monkeypatch, "Integration tests need Redis on port 6390", shift)
    last = memem.save(Draft(content="Integration tests need Redis on port 6400"))
    assert (new.replaced, last.replaced) == ((old,), (new.memory,))
    assert memem.volunteered("which port do the integration tests need for redis?").ids == [last.memory.id]
    assert len(memem.memories(history=True)) == 3
    assert memem.timeline(old.id).anchor.replaced_by == new.memory.id
    memem.rebuild()
    assert [item.memory.id for item in memem.memories()] == [last.memory.id]


@pytest.mark.parametrize("shift", [-3600, 10 * 365 * 86_400], ids=["an hour back", "ten years on"])
def test_c1_edits_are_found_whatever_the_clock_says(memem, save, vault, shift):
    memory = save(REDIS)
    now = time.time_ns() + shift * 10**9
    sync(memem.vault, memem.index, now)
    vault.edit(memory.id, body="Valkey must run on 6380")
    assert sync(memem.vault, memem.index, now).changed == 1
    vault.edit(memory.id, body="Dragonfly must run on 6380")
    assert memem.sync().changed == 1
    assert memem.search("dragonfly").ids == [memory.id]


def test_c1_a_clock_ten_years_ahead_for_a_moment_forgets_no_deletion_for_good(memem, save, vault, monkeypatch):
    for text in (REDIS, "Deploys happen on Friday"):
        vault.path(save(text).id).unlink()
        memem.sync()
    memem.state.bury({"other": "another text"}, time.time() + 10 * 365 * 86_400)
    for text in (REDIS, "Deploys happen on Friday"):
        assert memem.save(Draft(content=text, source_type="mined")).reason == "deleted by a human"
    later = save_at(memem, monkeypatch, REDIS, timedelta(days=91), source_type="mined")
    assert later.action == "added"


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Apia", "Asia/Kathmandu"])
def test_c2_times_are_utc_in_every_zone_and_a_change_of_zone_changes_nothing(memem, save, vault, monkeypatch, zone):
    save(REDIS)
    memem.sync()
    before = vault.snapshot()
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        memory = save("Deploys happen on Friday")
        done = memem.sync()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (done.changed, done.removed) == (0, 0)
    assert memory.created == memory.updated == memory.valid_at
    assert memory.created.endswith("+00:00")
    assert abs(datetime.fromisoformat(memory.created) - datetime.now(UTC)) < timedelta(minutes=1)
    assert before.items() <= vault.snapshot().items()


def test_c2_order_holds_over_the_end_of_summer_time(memem, monkeypatch):
    night = datetime(2030, 10, 27, 0, 30, tzinfo=UTC) - datetime.now(UTC)  # half past two, for the first time
    ids = [
        save_at(memem, monkeypatch, text, night + timedelta(hours=hour)).memory.id
        for hour, text in enumerate((REDIS, "Deploys happen on Friday", "Logos are painted blue"))
    ]
    timeline = memem.timeline(ids[1])
    assert [memory.id for memory in (*timeline.before, timeline.anchor, *timeline.after)] == ids
    assert timeline.anchor.created.startswith("2030-10-27T01:30:")


@pytest.mark.parametrize("step", [-3600, 10 * 365 * 86_400], ids=["an hour back", "ten years on"])
def test_c3_a_step_of_the_clock_changes_nothing_about_how_long_a_backoff_lasts(home, step):
    Path(home.dir).mkdir(mode=0o700)
    wall, running = Clock(), Clock(1000.0)
    log = Log()
    watched = Supervisor(home, ["/bin/sh", "-c", "exit 20"], dict(os.environ), log, now=wall, monotonic=running)
    watched._work()
    wall.at += step
    assert watched._not_before == running.at + 60
    assert watched._seconds_to_wait(running.at) >= 60
    running.at += 60
    assert watched._not_before <= running.at


def test_c3_a_clock_that_runs_wild_ends_no_child_before_its_deadline(monkeypatch):
    jumps = iter(range(10**6))
    monkeypatch.setattr(time, "time", lambda: 1.8e9 + (-1) ** next(jumps) * 3e8)
    done = run(["/bin/sh", "-c", "sleep 0.3; echo well"], env={"PATH": "/bin"}, cwd="/", deadline_seconds=60)
    assert (done.returncode, done.stdout, done.reason) == (0, b"well\n", "")
