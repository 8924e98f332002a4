"""The miner's lock: who holds it, and whether it still means what it meant."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from memem.state import lock


def test_a_lock_whose_file_is_gone_or_another_s_no_longer_lies_there(tmp_path: Path) -> None:
    held = lock.acquire(str(tmp_path))
    assert held
    assert held.lies_in(str(tmp_path))
    Path(tmp_path, lock.FILE).unlink()
    assert not held.lies_in(str(tmp_path))
    second = lock.acquire(str(tmp_path))
    assert second
    assert second.lies_in(str(tmp_path))
    assert not held.lies_in(str(tmp_path))
    held.release()
    second.release()


def test_where_an_open_file_has_another_number_its_presence_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = os.stat("/")
    monkeypatch.setattr(os, "fstat", lambda _: elsewhere)
    held = lock.acquire(str(tmp_path))
    assert held
    assert held.lies_in(str(tmp_path))
    Path(tmp_path, lock.FILE).unlink()
    assert not held.lies_in(str(tmp_path))
    held.release()


def test_a_miner_that_is_just_beginning_is_asked_to_end_as_soon_as_it_says_who_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
import sys, time
from memem.state import lock
known = lock.started
def late(pid):
    print("holds it", flush=True)
    sys.stdin.readline()
    return known(pid)
lock.started = late
lock.acquire(sys.argv[1])
time.sleep(60)
"""
    beginning = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert beginning.stdin
    assert beginning.stdout
    assert beginning.stdout.readline() == "holds it\n"
    asked, owner = threading.Event(), lock.owner

    def looked(folder: str) -> lock.Owner | None:
        running = owner(folder)
        if running and running.pid == 0:
            asked.set()
        return running

    monkeypatch.setattr(lock, "owner", looked)
    stopping = threading.Thread(target=lock.stop, args=(str(tmp_path), 60.0))
    stopping.start()
    assert asked.wait(60)
    beginning.communicate("go on\n", timeout=60)
    stopping.join()
    assert beginning.returncode == -signal.SIGTERM
    assert owner(str(tmp_path)) is None
