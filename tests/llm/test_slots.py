"""The limit of model calls over threads and processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from memem.errors import StateUnavailable, Stopped, TransientError
from memem.llm.slots import slot
from memem.process import never

from ..home import ROOT

HOLD = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from memem.llm.slots import slot
with slot(sys.argv[1], 2, stop=lambda: False, deadline_seconds=30) as number:
    print(number, flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds a slot until its input ends."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline().strip() in ("0", "1")
    return process


def enter(folder: str, count: int, seconds: float = 0) -> None:
    """Take a slot and give it back."""
    with slot(folder, count, stop=never, deadline_seconds=seconds):
        pass


def test_p10_no_more_calls_at_once_than_allowed_over_all_processes(tmp_path: Path) -> None:
    with holder(tmp_path) as first, holder(tmp_path) as second:
        with (
            pytest.raises(TransientError, match="2 other model calls"),
            slot(tmp_path, 2, stop=never, deadline_seconds=0),
        ):  # type: ignore[arg-type]
            pass
        first.kill()  # the system gives its slot back
        first.wait()
        enter(str(tmp_path), 2, 10)
        second.communicate("")


def test_p10_fifty_threads_share_two_slots(tmp_path: Path) -> None:
    lock, running, most, done = threading.Lock(), 0, 0, []

    def call() -> None:
        nonlocal running, most
        with slot(str(tmp_path), 2, stop=never, deadline_seconds=60) as number:
            with lock:
                running += 1
                most = max(most, running)
            done.append(number)
            with lock:
                running -= 1

    threads = [threading.Thread(target=call) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 50
    assert most <= 2


def test_waiting_for_a_slot_ends_when_asked_to_stop(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with (
        slot(str(tmp_path), 1, stop=never, deadline_seconds=1),
        pytest.raises(Stopped),
        slot(str(tmp_path), 1, stop=stop, deadline_seconds=60),
    ):
        pass


def test_slot_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), slot(str(tmp_path), 1, stop=never, deadline_seconds=0):
        raise KeyError
    with slot(str(tmp_path), 1, stop=never, deadline_seconds=0) as number:
        assert number == 0


def test_no_slots_at_all_means_one(tmp_path: Path) -> None:
    with slot(str(tmp_path), 0, stop=never, deadline_seconds=0) as number:
        assert number == 0


def test_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnavailable, match=r"file/0\.lock"):
        enter(f"{tmp_path}/file", 1)
