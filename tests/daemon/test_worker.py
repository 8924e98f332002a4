"""The worker: every job ends where it belongs, whatever goes wrong around it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memem import consent, graph
from memem.app import Memem
from memem.background import ledger, queue
from memem.consent import Consent
from memem.daemon import worker
from memem.daemon.settle import settle
from memem.daemon.worker import DONE, FATAL, TRANSIENT, work
from memem.errors import Malformed, Refused, StateUnavailable, TransientError
from memem.miner import Miner
from memem.mining.model import Model
from memem.models import Draft
from memem.state.jobs import DEAD, MOST_ATTEMPTS, PENDING, RUNNING, SESSION, Jobs
from memem.state.ledger import Budget
from tests.fakes import Clock, Scripted, said
from tests.sources.transcripts import agent, user, write

BUDGET = Budget(tokens=10**9, usd=10**6)


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def bind(self, **_: Any) -> Log:
        """The same log."""
        return self

    def __getattr__(self, _level: str) -> Callable[..., None]:
        return lambda event, **fields: self.lines.append((event, fields))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(memem: Memem) -> Callable[[int], list[Path]]:
    """Writes that many sessions of one project, each with one thing to learn."""

    def write_them(count: int) -> list[Path]:
        folder = Path(memem.config.session_dirs[0], "-home-dana-harbor")
        paths = [folder / f"{number:04d}.jsonl" for number in range(count)]
        for number, path in enumerate(paths):
            write(path, user(f"Berth {number} is closed in winter"), agent("Noted."))
        return paths

    consent.write(memem.config.dir, Consent(capture=True, mining=True, spend="scripted"))
    return write_them


def _run(memem: Memem, clock: Clock, llm: Scripted | None, **more: Any) -> int:
    model = Model(llm, ledger(memem), BUDGET) if llm else None
    if model:
        model.ledger.now = clock
    stop = more.get("stop", lambda: False)
    return work(Miner(memem), model=model, log=Log(), stop=stop, queue=_clocked(clock))


def _clocked(clock: Clock) -> Callable[..., Jobs]:
    """The queue by another clock."""

    def opened(memem: Memem, **fields: Any) -> Jobs:
        found = queue(memem, **fields)
        found.now = clock
        return found

    return opened


def _queue(memem: Memem, clock: Clock) -> Jobs:
    jobs = queue(memem)
    jobs.now = clock
    settle(memem.config, jobs, ended=True)
    return jobs


def test_all_that_is_due_is_done(memem: Memem, clock: Clock, sessions: Any) -> None:
    sessions(5)
    jobs = _queue(memem, clock)
    assert _run(memem, clock, Scripted(said())) == DONE
    assert jobs.counts(SESSION) == {"pending": 0, "running": 0, "done": 5, "dead": 0}


def test_in_the_end_the_graph_is_connected_unless_it_is_told_to_stop(memem: Memem, clock: Clock, sessions: Any) -> None:
    sessions(2)
    memem.save(Draft(content="The harbor queue keeps its jobs in redis"))
    assert _run(memem, clock, None, stop=iter([False, False, False, True]).__next__) == DONE
    assert graph.unsettled(memem) == 1
    assert _run(memem, clock, None) == DONE
    assert graph.unsettled(memem) == 0


def test_without_consent_nothing_is_queued_or_done(memem: Memem, clock: Clock, sessions: Any) -> None:
    sessions(2)
    jobs = _queue(memem, clock)
    consent.write(memem.config.dir, consent.read(memem.config.dir).replace(stopped=True))
    llm = Scripted(said())
    assert _run(memem, clock, llm) == DONE
    assert (llm.prompts, jobs.counts()["pending"]) == ([], 2), "opting out stops what is queued as well"
    consent.withdraw(memem.config.dir)
    assert settle(memem.config, jobs).seen == 0


def test_capture_alone_mines_nothing_until_mining_is_allowed(memem: Memem, clock: Clock, sessions: Any) -> None:
    sessions(1)
    consent.write(memem.config.dir, Consent(capture=True))
    _queue(memem, clock)
    llm = Scripted(said())
    _run(memem, clock, llm)
    assert llm.prompts == []
    consent.write(memem.config.dir, Consent(capture=True, mining=True, spend="scripted"))
    _queue(memem, clock)
    _run(memem, clock, llm)
    assert len(llm.prompts) == 1


def test_sessions_from_before_the_consent_are_left_alone_without_history(
    memem: Memem, clock: Clock, sessions: Any
) -> None:
    (path,) = sessions(1)
    allowed = Consent(capture=True, mining=True, since=path.stat().st_mtime + 10)
    consent.write(memem.config.dir, allowed)
    jobs = queue(memem)
    assert settle(memem.config, jobs).older == 1
    consent.write(memem.config.dir, allowed.replace(history=True))
    assert settle(memem.config, jobs).queued == 1


def test_p9_faults_and_outages_leave_every_job_in_one_place(memem: Memem, clock: Clock, sessions: Any) -> None:
    sessions(40)
    jobs = _queue(memem, clock)
    chance = random.Random(7)

    def answer(_prompt: str) -> dict[str, Any]:
        if chance.random() < 0.3:
            raise chance.choice([TransientError("529"), Malformed("no JSON"), TransientError("reset", retry_after=30)])
        return said()

    for _ in range(400):
        _run(memem, clock, Scripted(answer))
        counts = jobs.counts(SESSION)
        assert sum(counts.values()) == 40
        assert counts[RUNNING] == 0
        if not counts[PENDING]:
            break
        clock.at += 3600
    assert counts[PENDING] == 0
    assert counts["done"] >= 38


def test_l2_a_day_without_the_model_ends_with_everything_mined_and_nothing_buried(
    memem: Memem, clock: Clock, sessions: Any
) -> None:
    sessions(6)
    jobs = _queue(memem, clock)
    asked = 0
    for _ in range(24 * 4):
        down = Scripted(TransientError("overloaded"))
        _run(memem, clock, down)
        asked += len(down.prompts)
        clock.at += 900
    assert jobs.counts(SESSION)[PENDING] == 6
    assert asked < 24 * 4 * 2, "while it rests it is only tried now and then"
    for _ in range(20):
        _run(memem, clock, Scripted(said()))
        clock.at += 300
    assert jobs.counts(SESSION) == {"pending": 0, "running": 0, "done": 6, "dead": 0}


def test_l7_an_answer_that_never_fits_is_buried_with_its_reason(memem: Memem, clock: Clock, sessions: Any) -> None:
    sessions(1)
    jobs = _queue(memem, clock)
    for _ in range(MOST_ATTEMPTS):
        _run(memem, clock, Scripted(Malformed("it is no JSON")))
        clock.at += 3600
    (dead,) = jobs.listed((DEAD,))
    assert dead.reason == "it is no JSON"


def test_a_job_that_breaks_our_own_code_is_counted_and_its_words_are_not_logged(
    memem: Memem, clock: Clock, sessions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions(2)
    jobs = _queue(memem, clock)
    miner, log = Miner(memem), Log()
    real = miner.run

    def broken(job: Any, *rest: Any) -> str:
        if "0000" in job.key:
            raise ValueError("a word of the session")
        return real(job, *rest)

    monkeypatch.setattr(miner, "run", broken)
    assert work(miner, model=None, log=log, stop=lambda: False) == DONE
    assert jobs.counts()["done"] >= 1
    (waiting,) = [job for job in jobs.listed((PENDING,)) if job.kind == SESSION]
    assert (waiting.attempts, waiting.reason) == (1, "ValueError in broken:" + waiting.reason.rpartition(":")[2])
    assert "a word of the session" not in str(log.lines)


def test_f5_a_vault_that_is_away_costs_no_attempt(memem: Memem, clock: Clock, sessions: Any) -> None:
    sessions(1)
    jobs = _queue(memem, clock)
    assert _run(memem, clock, Scripted(said())) == DONE
    root = Path(memem.config.memory_root)
    root.rename(root.with_name("away"))
    sessions(2)
    _queue(memem, clock)
    lesson = {"lesson": "Berth 1 of the marina is closed in winter, from November on.", "evidence": [0]}
    code = _run(memem, clock, Scripted(said(lesson)))
    assert code in (DONE, TRANSIENT)
    root.with_name("away").rename(root)
    clock.at += 3600
    _run(memem, clock, Scripted(said(lesson)))
    memem.sync()
    assert jobs.counts(SESSION)["dead"] == 0
    assert any("Berth 1" in item.memory.body for item in memem.memories("*"))


def test_f1_a_full_disk_stops_the_worker_before_it_begins(
    memem: Memem, clock: Clock, sessions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions(1)
    jobs = _queue(memem, clock)
    monkeypatch.setattr(worker, "LEAST_FREE_BYTES", 10**18)
    assert _run(memem, clock, Scripted(said())) == TRANSIENT
    assert jobs.counts()[PENDING] == 1


def test_p3_told_to_stop_it_gives_the_job_back_at_once(memem: Memem, clock: Clock, sessions: Any) -> None:
    sessions(2)
    jobs = _queue(memem, clock)
    stopped = False

    def interrupted(_prompt: str) -> dict[str, Any]:
        nonlocal stopped
        stopped = True
        raise TransientError("stopped")

    assert _run(memem, clock, Scripted(interrupted), stop=lambda: stopped) == DONE
    assert jobs.counts()[PENDING] == 2
    assert (jobs.next_due() or 0) <= clock.at


def test_p4_a_worker_that_slept_past_its_lease_writes_no_note(
    memem: Memem, clock: Clock, sessions: Any, opened: Callable[[], Memem]
) -> None:
    sessions(1)
    jobs = _queue(memem, clock)
    other = opened()

    def sleeps(_prompt: str) -> dict[str, Any]:
        clock.at += 10_000
        taken = Jobs(other.state.connection, owner=worker.identity(), now=clock)  # type: ignore[union-attr]
        assert taken.claim()
        return said({"lesson": "Berth 0 of the marina is closed in winter.", "evidence": [0]})

    _run(memem, clock, Scripted(sleeps))
    assert jobs.counts()[RUNNING] == 1, "it is the other's"
    assert memem.memories("*") == []


def test_t5_a_session_that_is_gone_is_done_and_no_error(memem: Memem, clock: Clock, sessions: Any) -> None:
    (path,) = sessions(1)
    jobs = _queue(memem, clock)
    path.unlink()
    assert _run(memem, clock, Scripted(said())) == DONE
    assert jobs.counts() == {"pending": 0, "running": 0, "done": 1, "dead": 0}


def test_d6_a_state_of_a_newer_memem_ends_the_miner_for_good(memem: Memem, clock: Clock) -> None:
    from memem.errors import Damaged

    def damaged(*_: Any, **__: Any) -> Jobs:
        raise Damaged("written by a newer memem")

    assert work(Miner(memem), model=None, log=Log(), stop=lambda: False, queue=damaged) == FATAL


def test_our_own_identity_is_alive_and_a_reused_number_is_not() -> None:
    mine = worker.identity()
    assert worker.is_alive(mine)
    assert not worker.is_alive(mine.partition(":")[0] + ":another start")
    assert not worker.is_alive("")


def _lines(prompt: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in prompt.partition("The piece of the session:\n")[2].strip().splitlines()]


def test_small_sessions_of_a_project_are_asked_about_together(memem: Memem, clock: Clock, sessions: Any) -> None:
    paths = sessions(5)
    write(Path(memem.config.session_dirs[0], "-other", "x.jsonl"), user("Cranes are red", cwd="/home/dana/cranes"))
    jobs = _queue(memem, clock)

    facts = iter(
        [
            "Tide tables come from the hydrographic office every January.",
            "A mooring that is paid twice is refunded by hand.",
            "Customs wants the manifest as XML before noon.",
            "Never book two yachts on one pontoon.",
            "Lighthouse data is public and needs no key.",
            "Invoices are numbered by the accounting service alone.",
        ]
    )

    def answer(prompt: str) -> dict[str, Any]:
        lessons = [
            {"lesson": next(facts), "evidence": [line["n"]]} for line in _lines(prompt) if line["who"] == "human"
        ]
        return said(*lessons, learned=[(lesson["lesson"], lesson["evidence"]) for lesson in lessons])

    llm = Scripted(answer)
    _run(memem, clock, llm)
    assert len(llm.prompts) == 2, "one for each project"
    assert jobs.counts(SESSION)["done"] == 6
    assert memem.state
    for path in paths:
        assert memem.state.offset(str(path.resolve()))[1] == path.stat().st_size
    found = {item.memory.lesson: item.memory for item in memem.memories("*") if item.memory.kind == "decision"}
    assert len(found) == 6
    assert len(list(Path(memem.config.state_path("archive")).rglob("*.gz"))) == 6, "each was archived on its own"
    assert len({memory.evidence for memory in found.values()}) == 6


def test_what_is_refused_together_is_asked_about_one_by_one(memem: Memem, clock: Clock, sessions: Any) -> None:
    sessions(3)
    jobs = _queue(memem, clock)

    def answer(prompt: str) -> dict[str, Any]:
        if "Berth 1" in prompt:
            raise Refused("declined")
        return said()

    _run(memem, clock, Scripted(answer))
    assert jobs.counts(SESSION)["done"] == 3
    (dead,) = jobs.listed((DEAD,))
    assert "0001.jsonl" in dead.key


def test_a_pause_in_the_middle_of_a_batch_gives_every_session_back(memem: Memem, clock: Clock, sessions: Any) -> None:
    sessions(4)
    jobs = _queue(memem, clock)
    _run(memem, clock, Scripted(TransientError("overloaded", retry_after=600)))
    assert jobs.counts(SESSION) == {"pending": 4, "running": 0, "done": 0, "dead": 0}


def test_one_of_a_batch_that_cannot_be_archived_now_leaves_the_others_theirs(
    memem: Memem, clock: Clock, sessions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sessions(4)
    jobs = _queue(memem, clock)
    archive = Memem.archive

    def busy(self: Memem, asked: Any, **more: Any) -> Any:
        if asked == [str(paths[2].resolve())]:
            raise StateUnavailable("another process archives this session; retry.")
        return archive(self, asked, **more)

    monkeypatch.setattr(Memem, "archive", busy)
    _run(memem, clock, Scripted(said()))
    assert jobs.counts(SESSION) == {"pending": 1, "running": 0, "done": 3, "dead": 0}


def test_t5_a_transcript_that_cannot_be_read_is_buried_in_the_end_and_holds_up_nobody(
    memem: Memem, clock: Clock, sessions: Any
) -> None:
    first, *_ = sessions(3)
    jobs = _queue(memem, clock)
    first.unlink()
    first.mkdir()  # it still has the name of a transcript, and its job is the oldest
    assert _run(memem, clock, Scripted(said())) == DONE
    assert jobs.counts(SESSION)["done"] == 2
    for _ in range(MOST_ATTEMPTS):
        clock.at += 3600
        _run(memem, clock, Scripted(said()))
    (dead,) = jobs.listed((DEAD,))
    assert "no regular file" in dead.reason or "cannot be read" in dead.reason


@pytest.mark.parametrize("place", ["claim", "later"])
def test_d3_a_locked_state_is_waited_for_and_no_crash(
    memem: Memem, clock: Clock, sessions: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    from memem import sqlite

    sessions(1)
    _queue(memem, clock)

    def locked(*_: Any, **__: Any) -> None:
        raise sqlite.OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(Jobs, place, locked)
        assert _run(memem, clock, Scripted(TransientError("529"))) == TRANSIENT
    clock.at += 3600
    assert _run(memem, clock, Scripted(said())) == DONE


def _long(path: Path) -> None:
    for number in range(30):
        write(path, user(f"Question {number}: " + "how does berth planning work? " * 150), append=True)


@pytest.mark.parametrize(
    "change",
    [{"stopped": True}, {"spend": ""}, {"capture": False}],
    ids=["stopped", "spending forbidden", "capture withdrawn"],
)
def test_opting_out_in_the_middle_of_a_session_stops_before_the_next_call(
    memem: Memem, clock: Clock, sessions: Any, change: dict[str, Any]
) -> None:
    (path,) = sessions(1)
    _long(path)
    jobs = _queue(memem, clock)

    def changed(_prompt: str) -> dict[str, Any]:
        consent.write(memem.config.dir, consent.read(memem.config.dir).replace(**change))
        return said()

    llm = Scripted(changed)
    assert _run(memem, clock, llm) == DONE
    assert len(llm.prompts) == 1
    assert jobs.counts(SESSION) == {"pending": 1, "running": 0, "done": 0, "dead": 0}
    assert memem.state and memem.state.offset(str(path.resolve()))[1] > 0, "what was paid for is kept"


def test_a_long_session_gives_a_sign_of_life_with_every_part(memem: Memem, clock: Clock, sessions: Any) -> None:
    (path,) = sessions(1)
    _long(path)
    _queue(memem, clock)
    beats: list[None] = []
    llm = Scripted(said())
    model = Model(llm, ledger(memem), BUDGET)
    work(Miner(memem), model=model, log=Log(), stop=lambda: False, beat=lambda: beats.append(None))
    assert len(llm.prompts) > 1
    assert len(beats) > len(llm.prompts)


def test_what_dead_workers_held_counts_as_an_attempt(memem: Memem, clock: Clock, sessions: Any) -> None:
    sessions(1)
    jobs = _queue(memem, clock)
    jobs.owner = "1:another start"
    jobs.alive = worker.is_alive
    for _ in range(MOST_ATTEMPTS):
        assert jobs.claim()
        jobs.crashed("the worker ended with -11")
        clock.at += 3600
    (dead,) = jobs.listed((DEAD,))
    assert dead.reason == "the worker ended with -11"


def test_p8_a_session_whose_call_is_killed_again_and_again_is_buried(memem: Memem, clock: Clock, sessions: Any) -> None:
    sessions(1)
    jobs = _queue(memem, clock)
    dues = []
    for _ in range(MOST_ATTEMPTS):
        _run(memem, clock, Scripted(TransientError("claude was killed", counted=True)))
        dues.append((jobs.next_due() or clock.at) - clock.at)
        clock.at += 3600
    assert dues[:-1] == sorted(dues[:-1]) and dues[0] > 0, "after a pause that grows"
    (dead,) = jobs.listed((DEAD,))
    assert dead.reason == "claude was killed"


def test_p11_after_a_reboot_in_the_middle_of_a_call_the_session_is_mined_once(
    memem: Memem, clock: Clock, sessions: Any
) -> None:
    sessions(1)
    jobs = _queue(memem, clock)
    jobs.owner = f"{worker.identity().partition(':')[0]}:another boot.1"
    assert jobs.claim()
    clock.at += 8 * 3600
    llm = Scripted(said())
    assert _run(memem, clock, llm) == DONE
    assert len(llm.prompts) == 1
    assert jobs.counts(SESSION)["done"] == 1


def test_no_reason_repeats_a_word_of_a_session(memem: Memem, clock: Clock, sessions: Any) -> None:
    """Log, queue, breaker and ledger tell what failed, never what was said."""
    (path,) = sessions(1)
    secret = "xyzzy-plugh"
    write(path, user(f"the word is {secret}"), append=True)
    jobs, log = _queue(memem, clock), Log()

    def quoting(prompt: str) -> dict[str, Any]:
        assert secret in prompt
        raise chance.pop()(prompt)

    chance: list[Any] = [ValueError, KeyError, UnicodeError, RuntimeError, AssertionError]
    for _ in range(MOST_ATTEMPTS):
        model = Model(Scripted(quoting), ledger(memem), BUDGET)
        work(Miner(memem), model=model, log=log, stop=lambda: False, queue=_clocked(clock))
        clock.at += 7200
    assert jobs.counts()[DEAD] == 1
    assert secret not in str(log.lines)
    memem.close()
    assert all(secret.encode() not in file.read_bytes() for file in Path(memem.config.dir).glob("state.db*"))


def test_l7_a_piece_without_a_usable_answer_is_buried_and_the_rest_of_the_session_is_mined(
    memem: Memem, clock: Clock, sessions: Any
) -> None:
    (path,) = sessions(1)
    _long(path)
    jobs = _queue(memem, clock)

    def answer(prompt: str) -> dict[str, Any]:
        if "Berth 0" in prompt.partition("The piece of the session")[2]:
            raise Malformed("it is no JSON")
        return said()

    llm = Scripted(answer)
    for _ in range(MOST_ATTEMPTS):
        _run(memem, clock, llm)
        clock.at += 7200
    (dead,) = jobs.listed((DEAD,))
    assert (dead.kind, dead.reason, dead.payload["start"]) == ("part", "it is no JSON", 0)
    assert jobs.counts(SESSION)["done"] == 1
    assert memem.state and memem.state.offset(str(path.resolve()))[1] == path.stat().st_size
