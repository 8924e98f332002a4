"""The miner's beginnings: the hooks' word, and starting and stopping by hand."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from memem import consent, sqlite
from memem.config import Config, load
from memem.consent import Consent
from memem.daemon import entry
from memem.state import lock
from memem.state.jobs import Jobs
from memem.state.store import open_state
from tests.daemon.guard import guarded
from tests.faults.conftest import obey_permissions
from tests.home import ROOT
from tests.sources.transcripts import user, write


@pytest.fixture
def config() -> Config:
    config = load()
    Path(config.dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    Path(config.session_dirs[0]).mkdir(parents=True)
    consent.write(config.dir, Consent(capture=True, mining=True))
    return config


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], int]:
    """A hook's event on stdin; no miner is started."""

    def tell(payload: Any) -> int:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        return entry.note()

    monkeypatch.setattr(entry, "start", lambda: started.append(None))
    return tell


started: list[None] = []


def _event(path: Path, name: str = "Stop") -> dict[str, str]:
    return {"hook_event_name": name, "transcript_path": str(path), "session_id": "s"}


def _queued(config: Config) -> list[str]:
    state = open_state(config.dir)
    found = [job.key for job in Jobs(state.connection).listed()]
    state.close()
    return found


def test_p12_events_wait_on_disk_while_no_miner_runs(config: Config, told: Any) -> None:
    started.clear()
    paths = [write(Path(config.session_dirs[0], "p", f"{n}.jsonl"), user("hello")) for n in range(3)]
    assert [told(_event(path)) for path in paths] == [0, 0, 0]
    assert sorted(_queued(config)) == sorted(map(os.path.realpath, paths))
    assert len(started) == 3, "each sees to it that one runs"


def test_p12_a_word_of_the_hook_that_cannot_be_queued_still_starts_the_miner(
    config: Config, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: Any, **__: Any) -> None:
        raise sqlite.OperationalError("database is locked")

    monkeypatch.setattr(entry, "_queue", locked)
    started.clear()
    assert told(_event(Path("x.jsonl"))) == 0
    assert started == [None]


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"[" * 100_000, b"\xff\xfe", b'{"transcript_path": 7}'])
def test_junk_from_a_hook_is_no_error(config: Config, told: Any, payload: bytes) -> None:
    assert told(payload) == 0
    assert _queued(config) == []


@pytest.mark.parametrize(
    "where", ["../elsewhere/x.jsonl", "../../.ssh/id.jsonl", "p/link.jsonl", "p/x.txt", "p/gone.jsonl"]
)
def test_a_path_outside_of_the_session_folders_is_not_queued(config: Config, told: Any, where: str) -> None:
    outside = write(Path(config.dir).parent / "secret.jsonl", user("mine"))
    folder = Path(config.session_dirs[0])
    for name in ("../elsewhere/x.jsonl", "../../.ssh/id.jsonl", "p/x.txt"):
        write(folder / name, user("hello"))
    (folder / "p" / "link.jsonl").symlink_to(outside)
    assert told(_event(folder / where)) == 0
    assert _queued(config) == []


def test_one_file_is_one_job_whichever_way_it_is_reached(config: Config, told: Any, tmp_path: Path) -> None:
    path = write(Path(config.session_dirs[0], "p", "one.jsonl"), user("hello"))
    (tmp_path / "link").symlink_to(config.session_dirs[0])
    told(_event(tmp_path / "link" / "p" / "one.jsonl"))
    told(_event(path))
    assert _queued(config) == [os.path.realpath(path)]


def test_without_consent_the_hook_s_word_leaves_no_trace(config: Config, told: Any) -> None:
    consent.withdraw(config.dir)
    path = write(Path(config.session_dirs[0], "p", "one.jsonl"), user("hello"))
    assert told(_event(path)) == 0
    assert not Path(config.dir, "state.db").exists()


def _memem(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "memem", *arguments]
    environ = dict(os.environ) | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, **options)


def test_starting_and_stopping_again_and_again_ends_as_the_last_word_says(config: Config) -> None:
    with guarded(config.dir):
        for _ in range(3):
            assert _memem("miner", "start").returncode == 0
            assert lock.owner(config.dir)
            assert _memem("miner", "stop").returncode == 0
            assert lock.owner(config.dir) is None
        several = [threading.Thread(target=_memem, args=("miner", "start")) for _ in range(3)]
        for one in several:
            one.start()
        for one in several:
            one.join()
        assert lock.owner(config.dir)
        assert _memem("miner", "stop", "--forget").returncode == 0
    assert lock.owner(config.dir) is None
    assert not consent.read(config.dir).capture


def test_start_in_a_folder_that_cannot_be_written_says_so(config: Config) -> None:
    consent.withdraw(config.dir)
    Path(config.dir).chmod(0o500)
    try:
        done = _memem("miner", "start", preexec_fn=obey_permissions if os.geteuid() == 0 else None)
    finally:
        Path(config.dir).chmod(0o700)
    assert done.returncode in (4, 5), done
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert lock.owner(config.dir) is None


def test_a_drain_that_is_told_to_end_gives_its_session_back(config: Config, tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "claude"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo 2.1.0 && exit\ntouch "$HOME/asked"; trap "" TERM\n'
                    "while :; do sleep 0.1; done\n")  # fmt: skip
    fake.chmod(0o755)
    write(Path(config.session_dirs[0], "p", "one.jsonl"), user("The pump house floods every spring, says the keeper."))
    consent.write(config.dir, Consent(capture=True, mining=True, spend="claude"))
    environ = dict(os.environ) | {
        "PYTHONPATH": str(ROOT),
        "MEMEM_LLM": "claude",
        "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
    }
    drain = subprocess.Popen([sys.executable, "-m", "memem", "miner", "drain", "--now"], env=environ)
    asked, quiet = Path(os.environ["HOME"], "asked"), threading.Event()
    for _ in range(600):
        if asked.exists() or drain.poll() is not None:
            break
        quiet.wait(0.05)
    drain.terminate()
    assert drain.wait(timeout=10) == 0
    state = open_state(config.dir)
    jobs = Jobs(state.connection)
    assert jobs.counts() == {"pending": 1, "running": 0, "done": 0, "dead": 0}
    state.close()
