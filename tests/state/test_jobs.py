"""The durable queue: leases, fencing, backoff, dead letters, and that no job is ever in two places or in none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from memem import sqlite
from memem.errors import LeaseLost, NotFound
from memem.state.jobs import DEAD, DONE, LEASE_SECONDS, MOST_ATTEMPTS, PENDING, RUNNING, Job, Jobs
from memem.state.store import _STEPS, open_state
from tests.fakes import NOON, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs(tmp_path: Path, clock: Clock) -> Jobs:
    return Jobs(open_state(str(tmp_path)).connection, owner="one", now=clock)


def _claimed(jobs: Jobs) -> Job:
    job = jobs.claim()
    assert job is not None
    return job


def test_a_job_is_claimed_when_it_is_due_and_once(jobs: Jobs, clock: Clock) -> None:
    jobs.enqueue("mine", "a", {"path": "a"}, due=clock.at + 300)
    assert jobs.claim() is None
    clock.at += 300
    job = _claimed(jobs)
    assert (job.kind, job.payload, job.status) == ("mine", {"path": "a"}, RUNNING)
    assert jobs.claim() is None


def test_enqueuing_the_same_state_again_changes_nothing_that_is_done(jobs: Jobs, clock: Clock) -> None:
    assert jobs.enqueue("mine", "a", {}, due=clock.at, stamp="1")
    jobs.done(_claimed(jobs))
    assert not jobs.enqueue("mine", "a", {}, due=clock.at, stamp="1")
    assert jobs.counts()[DONE] == 1
    assert jobs.enqueue("mine", "a", {}, due=clock.at, stamp="2")
    assert jobs.counts()[PENDING] == 1


def test_a_session_that_grows_settles_anew_and_one_that_ended_is_due_at_once(jobs: Jobs, clock: Clock) -> None:
    jobs.enqueue("mine", "a", {}, due=clock.at + 300, stamp="1")
    jobs.enqueue("mine", "a", {}, due=clock.at + 600, stamp="2")
    assert jobs.next_due() == clock.at + 600
    jobs.enqueue("mine", "a", {}, due=clock.at, stamp="2")
    assert jobs.next_due() == clock.at


def test_what_grows_while_it_runs_runs_once_more(jobs: Jobs, clock: Clock) -> None:
    jobs.enqueue("mine", "a", {}, due=clock.at, stamp="1")
    job = _claimed(jobs)
    jobs.enqueue("mine", "a", {}, due=clock.at + 300, stamp="2")
    jobs.done(job)
    assert jobs.counts()[PENDING] == 1
    assert jobs.next_due() == clock.at + 300


def test_expired_lease_returns_the_job_and_the_sleeper_may_not_commit(jobs: Jobs, clock: Clock) -> None:
    jobs.enqueue("mine", "a", {}, due=clock.at)
    sleeper = _claimed(jobs)
    clock.at += LEASE_SECONDS + 1
    other = _claimed(jobs)
    with pytest.raises(LeaseLost), jobs.fenced(sleeper):
        jobs.connection.execute("INSERT INTO meta VALUES ('written', 'by the sleeper')")
    assert jobs.connection.execute("SELECT * FROM meta WHERE key = 'written'").fetchall() == []
    for finish in (jobs.done, lambda job: jobs.later(job, 0, ""), lambda job: jobs.failed(job, "")):
        with pytest.raises(LeaseLost):
            finish(sleeper)
    jobs.done(other)


def test_the_job_of_a_dead_owner_is_free_at_once(jobs: Jobs, clock: Clock) -> None:
    jobs.enqueue("mine", "a", {}, due=clock.at)
    _claimed(jobs)
    assert jobs.claim() is None
    jobs.alive = lambda owner: owner != "one"
    assert _claimed(jobs).attempts == 0, "being killed is not the job's fault"


def test_c1_a_clock_set_back_neither_holds_a_lease_nor_a_job_for_years(jobs: Jobs, clock: Clock) -> None:
    clock.at += 10 * 365 * 86_400
    jobs.enqueue("mine", "a", {}, due=clock.at)
    jobs.enqueue("mine", "b", {}, due=clock.at)
    _claimed(jobs)
    clock.at = NOON
    assert {_claimed(jobs).key, _claimed(jobs).key} == {"a", "b"}


def test_failing_pauses_longer_each_time_and_ends_in_the_dead_letters(jobs: Jobs, clock: Clock) -> None:
    jobs.enqueue("mine", "a", {}, due=clock.at)
    pauses = []
    for _ in range(MOST_ATTEMPTS):
        job = _claimed(jobs)
        buried = jobs.failed(job, "the line is no JSON")
        if not buried:
            due = jobs.next_due() or 0
            pauses.append(due - clock.at)
            clock.at = due
    assert buried
    assert pauses == sorted(pauses) and pauses[0] < pauses[-1]
    (dead,) = jobs.listed((DEAD,))
    assert dead.reason == "the line is no JSON"
    jobs.retry(dead.id)
    assert _claimed(jobs).attempts == 0
    with pytest.raises(NotFound):
        jobs.retry(dead.id)


def test_waiting_for_a_backend_counts_no_attempt(jobs: Jobs, clock: Clock) -> None:
    jobs.enqueue("mine", "a", {}, due=clock.at)
    for _ in range(3 * MOST_ATTEMPTS):
        jobs.later(_claimed(jobs), clock.at + 300, "overloaded")
        clock.at += 300
    assert _claimed(jobs).attempts == 0


def test_a_job_that_crashes_its_worker_is_buried_in_the_end_unless_it_progresses(jobs: Jobs, clock: Clock) -> None:
    jobs.enqueue("mine", "a", {}, due=clock.at)
    jobs.alive = lambda _: False
    for _ in range(MOST_ATTEMPTS - 1):
        _claimed(jobs)
        jobs.crashed("killed by signal 11")
        clock.at = jobs.next_due() or clock.at
    job = _claimed(jobs)
    with jobs.fenced(job):
        jobs.progressed(job)
    jobs.crashed("killed by signal 11")
    assert jobs.counts()[PENDING] == 1


def test_a_dropped_letter_stays_done_until_its_session_grows(jobs: Jobs, clock: Clock) -> None:
    jobs.bury("mine", "a#0-10", {"start": 0}, "refused by the model")
    (dead,) = jobs.listed((DEAD,))
    jobs.drop(dead.id)
    assert jobs.counts() == {PENDING: 0, RUNNING: 0, DONE: 1, DEAD: 0}
    with pytest.raises(NotFound):
        jobs.drop(dead.id)


class Queue(RuleBasedStateMachine):
    """Whatever happens, each job asked for is in exactly one of pending, running, done and dead (I6)."""

    def __init__(self) -> None:
        super().__init__()
        connection = sqlite.connect(":memory:")
        for step in _STEPS:
            for statement in step:
                connection.execute(statement)
        self.clock = Clock()
        self.dead_owners: set[str] = set()
        self.jobs = Jobs(connection, owner="0", alive=lambda owner: owner not in self.dead_owners, now=self.clock)
        self.asked: set[str] = set()
        self.held: list[Job] = []

    @rule(key=st.sampled_from("abcdef"), stamp=st.sampled_from("123"), wait=st.integers(0, 900))
    def ask(self, key: str, stamp: str, wait: int) -> None:
        self.jobs.enqueue("mine", key, {}, due=self.clock.at + wait, stamp=stamp)
        self.asked.add(key)

    @rule()
    def claim(self) -> None:
        job = self.jobs.claim()
        if job:
            self.held.append(job)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=st.sampled_from(("done", "failed", "later")))
    def finish(self, data: st.DataObject, how: str) -> None:
        job = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        newer = any(other.id == job.id and other.fence > job.fence for other in self.held)
        try:
            if how == "later":
                self.jobs.later(job, self.clock.at + 60, "")
            else:
                getattr(self.jobs, how)(job, "why")
        except LeaseLost:
            return
        assert not newer, "a worker that lost its lease committed"

    @rule(seconds=st.integers(-7200, 100_000))
    def pass_time(self, seconds: int) -> None:
        self.clock.at += seconds

    @rule()
    def kill(self) -> None:
        self.dead_owners.add(self.jobs.owner)
        self.jobs.owner = str(int(self.jobs.owner) + 1)

    @invariant()
    def every_job_is_in_one_place(self) -> None:
        assert sum(self.jobs.counts().values()) == len(self.asked)


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
