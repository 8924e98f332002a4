"""What a published memem left: its processes are recognised beyond doubt, its records are read whatever they hold."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memem import published
from memem.published import WHOLE, left, look, mined, running

from .e2e.published import write_state
from .old_miner import OldMiner

COLUMNS = "session_id TEXT PRIMARY KEY, status TEXT, size INTEGER"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def miner(tmp_path: Path, state: Path) -> Iterator[OldMiner]:
    with OldMiner(tmp_path / "an old plugin", state) as old:
        yield old


def database(folder: Path, rows: list[tuple[object, ...]], columns: str = COLUMNS) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / "mined_sessions.db")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"CREATE TABLE mined_sessions ({columns})")
    connection.executemany(f"INSERT INTO mined_sessions VALUES ({', '.join('?' * len(rows[0]))})", rows)
    connection.commit()
    return connection


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_an_empty_or_missing_state_folder_has_nothing(state: Path) -> None:
    for folder in (state, state / "missing"):
        found = left(str(folder))
        assert (found.here, found.opted_in, found.sessions, found.running, found.cron) == (False, False, 0, (), ())


def test_what_the_published_version_left_is_recognised_and_not_touched(state: Path) -> None:
    write_state(state)
    before = files(state)
    found = left(str(state))
    assert (found.here, found.opted_in, found.running) == (True, True, ())
    assert mined(str(state)) == {"a81bc81b-dead-4e5d-abff-90865d1e13b1": WHOLE, "a81bc81b": WHOLE}
    assert files(state) == before


def test_running_miner_and_wrapper_are_recognised_the_wrapper_first(state: Path, miner: OldMiner) -> None:
    found = list(running(str(state)))
    assert [(process.role, process.pid) for process in found] == [
        ("wrapper", miner.wrapper.pid),
        ("miner", miner.daemon),
    ]


def test_a_number_alone_is_no_evidence(state: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()", "memem.miner_daemon run"], stdin=subprocess.PIPE) as other:
        for text in (str(other.pid), f" {other.pid}\n", "-1", "0", "1", "9" * 30, "", "x", "\udce4", str(os.getpid())):
            (state / "miner.pid").write_text(text, errors="surrogateescape")
            (state / "miner-wrapper.pid").write_text(text, errors="surrogateescape")
            assert list(running(str(state))) == []
        other.communicate(b"\n")


def test_a_process_that_has_ended_is_not_running(state: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.DEVNULL)
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # a zombie until it is waited for
    assert look(ended.pid, "miner") is None
    ended.wait()
    assert look(ended.pid, "miner") is None


def test_ps_tells_the_same_process_as_proc(miner: OldMiner) -> None:
    if not shutil.which("ps") or not Path("/proc/self/stat").exists():
        pytest.skip("there is no ps or no /proc here")
    for pid in (miner.wrapper.pid, miner.daemon):
        by_proc, by_ps = published._from_proc(pid), published._from_ps(pid)
        assert by_proc
        assert by_ps
        assert by_ps[1] == by_proc[1]
        assert by_ps == published._from_ps(pid)
    assert published._from_ps(2**22 + 1) is None


def test_complete_sessions_count_with_the_bytes_that_were_read(state: Path) -> None:
    database(
        state, [("a", "complete", 100), ("b", "failed", 50), ("c", "complete", 0), ("d", "in_progress", 9)]
    ).close()
    assert mined(str(state)) == {"a": 100, "c": WHOLE}


def test_what_is_in_the_write_ahead_log_only_is_read_and_the_database_left_alone(state: Path) -> None:
    writer = database(state, [("a", "complete", 100)])
    before = files(state)
    assert before["mined_sessions.db-wal"]
    assert mined(str(state)) == {"a": 100}
    assert files(state) == before
    writer.close()


def test_lists_of_every_version_are_read(state: Path) -> None:
    (state / ".mined_sessions.legacy").write_text(
        '{"session_id": "old", "status": "complete", "size": 10}\n{"session_id": "broken", \n'
        '{"session_id": "again", "status": "complete", "size": 5}\n{"session_id": "gone", "status": "retrying"}\n'
    )
    columns = "session_id TEXT PRIMARY KEY, status TEXT, size INTEGER, offset_bytes INTEGER, timeout_failures INTEGER"
    database(state, [("again", "failed", 5, 0, 1), ("grown", "complete", 5, 70, 0)], columns).close()
    (state / ".mined_sessions").write_text("plain\nwith-offset\n\n")
    (state / ".offsets").mkdir()
    (state / ".offsets/with-offset").write_text("4321")
    (state / ".offsets/unlisted").write_text("8")
    (state / ".offsets/nonsense").write_text("?")
    assert mined(str(state)) == {"old": 10, "grown": 70, "plain": WHOLE, "with-offset": 4321, "unlisted": 8}


def test_damaged_records_are_no_error(state: Path) -> None:
    database(state, [(f"s{number}", "complete", number) for number in range(500)]).close()
    whole = (state / "mined_sessions.db").read_bytes()
    chance = random.Random(4)
    for _ in range(40):
        data = bytearray(whole[: chance.choice((len(whole), chance.randrange(len(whole))))])
        for _ in range(30):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (state / "mined_sessions.db").write_bytes(data)
        (state / ".mined_sessions").write_bytes(
            chance.randbytes(300) + b'\n{"session_id": 7, "size": "x"}\n{"a": [[[\n'
        )
        mined(str(state))
    for text in ("CREATE TABLE mined_sessions (other TEXT)", "CREATE TABLE something (x)"):
        (state / "mined_sessions.db").unlink()
        with sqlite3.connect(state / "mined_sessions.db") as connection:
            connection.execute(text)
            connection.execute(f"INSERT INTO {text.split()[2]} VALUES ('x')")
        connection.close()
        (state / ".mined_sessions").unlink(missing_ok=True)
        assert mined(str(state)) == {}
    (state / "mined_sessions.db").unlink()
    (state / "mined_sessions.db").mkdir()
    assert mined(str(state)) == {}
