"""The supervisor, with real processes: one at a time, ends when told, leaves nothing behind, gives up with a reason."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memem import __version__, consent, process
from memem.config import Config
from memem.consent import Consent
from memem.daemon import entry, supervisor
from memem.daemon.supervisor import STOPPED, Supervisor, halted
from memem.daemon.watch import follow
from memem.errors import TransientError
from memem.process import started
from memem.state import lock
from memem.state.jobs import DEAD, MOST_ATTEMPTS, SESSION, Jobs
from memem.state.store import open_state
from tests.daemon.guard import PATIENCE, guarded, soon
from tests.daemon.test_worker import Log
from tests.home import ROOT
from tests.sources.transcripts import agent, user, write


@pytest.fixture
def allowed(home: Config) -> Config:
    Path(home.dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    consent.write(home.dir, Consent(capture=True, mining=True))
    return home


def _supervisor(config: Config, script: str, log: Any = None) -> Supervisor:
    return Supervisor(config, ["/bin/sh", "-c", script], dict(os.environ), log or Log())


def test_p5_five_crashes_in_a_minute_end_it_with_a_reason_that_stays(allowed: Config) -> None:
    log = Log()
    watched = _supervisor(allowed, "kill -SEGV $$", log)
    for _ in range(5):
        watched._not_before = 0.0
        code = watched._work()
    assert code == 75
    stopped = halted(allowed.dir)
    assert stopped and "5 crashes within 60 s" in stopped.reason
    assert stopped.version == __version__
    entry.ensure(allowed)
    assert lock.owner(allowed.dir) is None, "no hook starts it again"
    supervisor.forgive(allowed.dir)
    assert halted(allowed.dir) is None


def test_crashes_far_apart_do_not_end_it(allowed: Config) -> None:
    at = 0.0
    watched = Supervisor(allowed, ["/bin/false"], {}, Log(), monotonic=lambda: at)
    for _ in range(20):
        at += 15.1
        assert watched._work() != 75
    assert halted(allowed.dir) is None


def test_a_worker_that_cannot_work_now_is_tried_again_later_and_later(allowed: Config) -> None:
    watched = _supervisor(allowed, "exit 20")
    waits = []
    for _ in range(6):
        watched._work()
        waits.append(round(watched._not_before - time.monotonic()))
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (60, 900)


def test_without_consent_it_ends_at_once(home: Config) -> None:
    Path(home.dir).mkdir(mode=0o700, parents=True)
    assert _supervisor(home, "exit 0").run() == 0


def test_p6_the_second_one_says_so_and_ends(allowed: Config) -> None:
    held = lock.acquire(allowed.dir)
    assert held
    script = "import sys; from memem.state import lock; sys.exit(lock.acquire(sys.argv[1]) is None)"
    assert subprocess.run([sys.executable, "-c", script, allowed.dir], check=False).returncode == 1
    held.release()
    assert subprocess.run([sys.executable, "-c", script, allowed.dir], check=False).returncode == 0


def test_p7_a_number_that_another_program_has_now_is_not_signalled(allowed: Config) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        lock.end(lock.Owner(pid=other.pid, start="another start", version="3.0.0"))
        Path(allowed.dir, lock.FILE).write_text(f"{other.pid}\nanother start\n3.0.0\n")
        assert lock.owner(allowed.dir) is None, "nobody holds the lock, whatever the file says"
        assert other.poll() is None
    finally:
        other.communicate()


@pytest.fixture
def running(allowed: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """A real supervisor with real workers over a home, started as the hooks start it."""
    for name, value in (
        ("HOME", str(Path(allowed.dir).parent)),
        ("MEMEM_DIR", allowed.dir),
        ("MEMEM_OBSIDIAN_VAULT", allowed.vault),
        ("MEMEM_MINER_SETTLE_SECONDS", "0"),
    ):
        monkeypatch.setenv(name, value)
    Path(allowed.session_dirs[0]).mkdir(parents=True)
    with guarded(allowed.dir):
        entry.start()
        assert soon(lambda: bool((owner := lock.owner(allowed.dir)) and owner.pid))
        yield allowed


def _notes(config: Config) -> list[Path]:
    return list(Path(config.memory_root, "memories").glob("*.md"))


def _talk(config: Config, name: str, text: str) -> Path:
    path = Path(config.session_dirs[0], "-home-dana-harbor", f"{name}.jsonl")
    write(path, user(text), agent("Understood, I will follow that from now on."))
    return path


RULE = "From now on always run the tests with uv run poe test, because bare pytest truncates the database."


def test_a_session_that_settles_is_mined_without_any_hook(running: Config) -> None:
    _talk(running, "one", RULE)
    assert soon(lambda: bool(_notes(running)))


def test_the_hook_s_word_wakes_it_and_opting_out_ends_it(running: Config) -> None:
    owner = lock.owner(running.dir)
    assert owner
    consent.write(running.dir, Consent(capture=True, mining=True, stopped=True))
    supervisor.wake(running.dir)
    assert soon(lambda: not started(owner.pid))
    assert not Path(running.dir, STOPPED).exists()


def test_p1_killed_at_any_point_it_leaves_no_process_and_resumes(running: Config) -> None:
    for number in range(3):
        _talk(running, str(number), f"{RULE} Rule {number} holds for service {number}{number}{number}.")
        owner = lock.owner(running.dir)
        assert owner and owner.pid
        os.kill(owner.pid, signal.SIGKILL)
        assert soon(lambda: lock.owner(running.dir) is None)
        entry.ensure(running)
        assert soon(lambda: bool((now := lock.owner(running.dir)) and now.pid))
    assert soon(lambda: bool(_notes(running)))


def _pid(config: Config) -> int:
    owner = lock.owner(config.dir)
    assert owner and owner.pid
    return owner.pid


def _delete(folder: str) -> None:
    """Delete a folder into which a miner that is just beginning may still write."""

    def gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not Path(folder).exists()

    assert soon(gone)


def test_p1_a_state_folder_that_is_deleted_takes_its_miner_with_it(running: Config) -> None:
    pid = _pid(running)
    _delete(running.dir)
    assert soon(lambda: not started(pid))
    assert not Path(running.dir).exists(), "it writes nothing where it was told to be gone"


def test_p1_a_state_folder_that_is_moved_away_takes_its_miner_with_it(running: Config) -> None:
    pid = _pid(running)
    away = Path(running.dir).rename(f"{running.dir}.old")
    Path(running.dir).mkdir(mode=0o700)
    consent.write(running.dir, consent.read(str(away)))
    assert soon(lambda: not started(pid)), "another may have taken its place"


def test_p1_a_lock_that_is_gone_is_noticed_at_the_next_word(running: Config) -> None:
    pid = _pid(running)
    Path(running.dir, lock.FILE).unlink()
    supervisor.wake(running.dir)
    assert soon(lambda: not started(pid))


def test_p1_a_worker_ends_when_the_state_folder_is_deleted(allowed: Config) -> None:
    watched = _supervisor(allowed, "sleep 60")
    unfollow = follow(allowed, watched)
    threading.Timer(0.5, _delete, [allowed.dir]).start()
    began = time.monotonic()
    assert watched.run() == 0
    unfollow()
    assert time.monotonic() - began < PATIENCE
    assert not Path(allowed.dir).exists()


def test_p1_a_test_that_is_killed_leaves_no_miner(allowed: Config) -> None:
    script = f"""
import os, sys
from tests.daemon.guard import guarded, soon
from memem.daemon import entry
from memem.state import lock
with guarded(sys.argv[1]):
    entry.start()
    assert soon(lambda: bool((owner := lock.owner(sys.argv[1])) and owner.pid))
    print(lock.owner(sys.argv[1]).pid, flush=True)
    os.kill(os.getpid(), {signal.SIGKILL})
"""
    environ = os.environ | {"HOME": str(Path(allowed.dir).parent), "MEMEM_DIR": allowed.dir, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script, allowed.dir], env=environ, capture_output=True, text=True)
    assert soon(lambda: not started(int(done.stdout))), done.stderr


def _is_of_version(config: Config, version: str) -> None:
    path = Path(config.dir, lock.FILE)
    pid, start, _, _ = path.read_text().split("\n")
    path.write_text(f"{pid}\n{start}\n{version}\n")


def test_h5_an_older_version_s_miner_is_replaced(running: Config) -> None:
    before = lock.owner(running.dir)
    assert before
    _is_of_version(running, "0.0.1")
    entry.ensure(running)
    assert soon(lambda: bool((now := lock.owner(running.dir)) and now.pid and now.pid != before.pid))


def test_h5_the_new_miner_waits_for_an_older_one_that_still_puts_its_work_down(allowed: Config) -> None:
    held = lock.acquire(allowed.dir)
    assert held
    _is_of_version(allowed, "0.0.1")
    old = threading.Timer(1.0, held.release)
    old.start()
    log = Log()
    watched = _supervisor(allowed, "exit 0", log)
    threading.Timer(2.0, watched.stop).start()
    assert watched.run() == 0
    old.join()
    assert [event for event, _ in log.lines][:1] == ["started"]


def test_h5_a_miner_whose_plugin_is_gone_ends_quietly(allowed: Config, tmp_path: Path) -> None:
    gone = str(tmp_path / "old version" / "supervisor.py")
    command = [sys.executable, "-c", "import memem_is_gone"]
    log = Log()
    watched = Supervisor(allowed, command, dict(os.environ), log, program=gone)
    assert watched.run() == 0
    assert halted(allowed.dir) is None
    assert "worker_crashed" not in [event for event, _ in log.lines]
    nowhere = Supervisor(allowed, [str(tmp_path / "python")], dict(os.environ), log)
    assert nowhere.run() == 0


def test_p9_no_process_left_is_waited_for(allowed: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: Any, **__: Any) -> Any:
        raise TransientError("python cannot be started now: it is tried again later")

    monkeypatch.setattr(supervisor, "run", none_left)
    watched = _supervisor(allowed, "exit 0")
    assert watched._work() == 0
    assert 50 < watched._not_before - time.monotonic() < 70


def test_a_job_that_kills_its_worker_is_buried(allowed: Config) -> None:
    state = open_state(allowed.dir)
    jobs = Jobs(state.connection, owner="1:another start")
    jobs.enqueue(SESSION, "poison", {"path": "poison"}, due=0)
    for _ in range(MOST_ATTEMPTS):
        jobs.connection.execute("UPDATE jobs SET due = 0")
        assert jobs.claim()
        _supervisor(allowed, "kill -SEGV $$")._work()
    (dead,) = jobs.listed((DEAD,))
    assert "-11" in dead.reason
    state.close()


def test_p3_a_worker_that_had_to_be_killed_leaves_its_job_pending(
    allowed: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.3)
    state = open_state(allowed.dir)
    jobs = Jobs(state.connection, owner="1:another start")
    jobs.enqueue(SESSION, "one", {"path": "one"}, due=0)
    assert jobs.claim()
    watched = _supervisor(allowed, "trap '' TERM; while :; do sleep 0.1; done")
    threading.Timer(0.3, watched.stop).start()
    assert watched.run() == 0
    assert jobs.counts() == {"pending": 1, "running": 0, "done": 0, "dead": 0}
    assert jobs.listed()[0].attempts == 0
    state.close()


def test_what_settles_during_a_pause_is_not_forgotten(allowed: Config) -> None:
    watched = _supervisor(allowed.replace(miner_settle_seconds=0), "exit 0")
    begun: list[float] = []

    def work() -> int:
        begun.append(time.monotonic())
        if len(begun) == 1:  # what was there at the start
            watched.touched("one.jsonl")
            watched._not_before = time.monotonic() + 0.3
        else:
            watched.stop()
        return 0

    watched._work = work  # type: ignore[method-assign]
    patience = threading.Timer(PATIENCE, watched.stop)
    patience.start()
    assert watched.run() == 0
    patience.cancel()
    assert len(begun) == 2
    assert begun[1] - begun[0] >= 0.3


def test_the_type_of_a_crash_is_told_and_not_its_words(allowed: Config) -> None:
    log = Log()
    code = "raise ValueError('a word of the session')"
    watched = Supervisor(allowed, [sys.executable, "-c", code], dict(os.environ), log)
    watched._work()
    assert "(ValueError)" in str(log.lines)
    assert "a word of the session" not in str(log.lines)


def test_where_nothing_can_be_watched_the_queue_is_looked_at_every_minute(
    allowed: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchdog.observers import Observer

    def no_space(*_: Any, **__: Any) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(Observer, "schedule", no_space)
    Path(allowed.session_dirs[0]).mkdir(parents=True)
    watched = _supervisor(allowed, "exit 0")
    assert watched._seconds_to_wait(time.monotonic()) > 3600
    follow(allowed, watched)()
    assert watched._seconds_to_wait(time.monotonic()) <= 60


def test_a_folder_around_the_state_that_cannot_be_watched_makes_nobody_blind(
    allowed: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchdog.observers import Observer

    schedule, around = Observer.schedule, str(Path(allowed.dir).parent)

    def closed(observer: Any, handler: Any, path: str, **more: Any) -> Any:
        if path == around:
            raise PermissionError(13, "Permission denied")
        return schedule(observer, handler, path, **more)

    monkeypatch.setattr(Observer, "schedule", closed)
    watched = _supervisor(allowed, "exit 0")
    follow(allowed, watched)()
    assert watched._seconds_to_wait(time.monotonic()) > 3600


def _is_public(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & 0o077)
    except FileNotFoundError:  # a temporary one
        return False


def test_all_files_of_the_miner_are_private(running: Config) -> None:
    _supervisor(running, "")._halt("for the test")
    _talk(running, "one", RULE)
    assert soon(lambda: bool(_notes(running)) and Path(running.dir, "miner.log").exists())
    supervisor.wake(running.dir)
    public = [path for path in Path(running.dir).rglob("*") if "pycache" not in str(path) and _is_public(path)]
    supervisor.forgive(running.dir)
    assert public == []


def test_what_belongs_to_the_user_s_login_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "CLAUDECODE", "CLAUDE_CODE_SESSION_ID"):
        monkeypatch.setenv(name, "x")
    handed = entry.environment()
    assert {"CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK"} <= set(handed)
    assert not {"CLAUDECODE", "CLAUDE_CODE_SESSION_ID"} & set(handed)


def test_a_worker_that_hangs_is_ended_and_counts_as_crashed(allowed: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_IDLE_SECONDS", 0.3)
    log = Log()
    watched = _supervisor(allowed.replace(llm_timeout=0), "while :; do sleep 0.1; done", log)
    watched._work()
    assert ("worker_crashed", {"reason": "the worker ended with idle"}) in log.lines
    busy = _supervisor(allowed.replace(llm_timeout=0), "for n in 1 2 3 4 5 6; do sleep 0.1; echo .; done")
    assert busy._work() == 0
