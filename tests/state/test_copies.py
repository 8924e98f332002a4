"""Row D2: a state database that is damaged is replaced by the newest good copy of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memem import consent
from memem.app import Memem
from memem.background import queue
from memem.config import Config
from memem.consent import Consent
from memem.daemon import entry
from memem.daemon.settle import settle
from memem.daemon.worker import DONE, work
from memem.errors import Damaged
from memem.miner import Miner
from memem.state import copies
from memem.state.jobs import SESSION
from memem.state.store import FILE_NAME, open_state
from tests.daemon.test_worker import Log
from tests.sources.transcripts import agent, user, write

RULE = "From now on always run the tests with uv run poe test, because bare pytest truncates the database."


def _kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(f"{FILE_NAME}.good*"))


def _garbage(folder: Path) -> None:
    (folder / FILE_NAME).write_bytes(b"garbage" * 1000)


def _torn(folder: Path) -> None:
    """The first page is whole, so that it opens; the others are not."""
    path = folder / FILE_NAME
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 40_000)


def _empty(folder: Path) -> None:
    (folder / FILE_NAME).write_bytes(b"")


def test_copies_are_made_once_an_hour_and_three_are_kept(tmp_path: Path) -> None:
    state = open_state(str(tmp_path))
    for hour in range(5):
        state.put("hour", str(hour))
        now = time.time() + hour * 3700
        assert copies.keep(state.connection, str(tmp_path), now)
        os.utime(tmp_path / f"{FILE_NAME}.good.1", (now, now))
        assert not copies.keep(state.connection, str(tmp_path), now + 3500)
    state.close()
    assert _kept(tmp_path) == [f"{FILE_NAME}.good.{number}" for number in (1, 2, 3)]
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.glob(f"{FILE_NAME}*"))
    _garbage(tmp_path)
    assert "is replaced by its copy" in copies.restore(str(tmp_path))
    restored = open_state(str(tmp_path))
    assert restored.get("hour") == "4"
    assert restored.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal", (
        "or the hook would wait for others"
    )
    restored.close()


def test_a_copy_that_is_damaged_itself_is_passed_over(tmp_path: Path) -> None:
    state = open_state(str(tmp_path))
    for number in range(3):
        state.put("number", str(number))
        copies.keep(state.connection, str(tmp_path), time.time() + 10_000 * number)
    state.close()
    (tmp_path / f"{FILE_NAME}.good.1").write_bytes(b"x" * 9000)
    (tmp_path / f"{FILE_NAME}.good.2").write_bytes(b"")
    _garbage(tmp_path)
    assert copies.restore(str(tmp_path))
    assert open_state(str(tmp_path)).get("number") == "0"


def test_without_a_good_copy_the_damaged_one_stays_and_is_named(tmp_path: Path) -> None:
    open_state(str(tmp_path)).close()
    _garbage(tmp_path)
    before = (tmp_path / FILE_NAME).read_bytes()
    assert copies.restore(str(tmp_path)) == ""
    assert (tmp_path / FILE_NAME).read_bytes() == before
    with pytest.raises(Damaged):
        open_state(str(tmp_path))


def test_one_that_is_well_locked_or_newer_is_left_alone(tmp_path: Path) -> None:
    state = open_state(str(tmp_path))
    copies.keep(state.connection, str(tmp_path), time.time())
    assert copies.restore(str(tmp_path)) == ""
    state.connection.execute("BEGIN EXCLUSIVE")
    assert copies.restore(str(tmp_path)) == ""
    state.connection.execute("COMMIT")
    state.connection.execute("PRAGMA user_version = 99")
    state.close()
    assert copies.restore(str(tmp_path)) == ""


def test_a_stale_journal_is_not_played_into_the_copy(tmp_path: Path) -> None:
    state = open_state(str(tmp_path))
    state.put("a", "copied")
    copies.keep(state.connection, str(tmp_path), time.time())
    state.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    state.put("a", "later")
    assert (tmp_path / f"{FILE_NAME}-wal").stat().st_size
    other = os.dup(os.open(tmp_path / f"{FILE_NAME}-wal", os.O_RDONLY))
    journal = os.pread(other, 10**7, 0)
    os.close(other)
    state.close()
    (tmp_path / f"{FILE_NAME}-wal").write_bytes(journal)
    _garbage(tmp_path)
    assert copies.restore(str(tmp_path))
    assert open_state(str(tmp_path)).get("a") == "copied"


@pytest.fixture
def mined(memem: Memem) -> Memem:
    """A home in which a session was mined by a worker, which left a copy."""
    consent.write(memem.config.dir, Consent(capture=True, mining=True))
    write(Path(memem.config.session_dirs[0], "-home-dana-harbor", "one.jsonl"), user(RULE), agent("I will."))
    settle(memem.config, queue(memem), ended=True)
    assert work(Miner(memem), model=None, log=Log(), stop=lambda: False) == DONE
    assert _kept(Path(memem.config.dir))
    return memem


def _notes(config: Config) -> list[str]:
    return sorted(path.name for path in Path(config.memory_root).rglob("*.md"))


@pytest.mark.parametrize("damage", [_garbage, _torn, _empty])
def test_d2_a_worker_restores_the_state_and_mines_the_rest_again_without_doubling(
    mined: Memem, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, before = mined.config, _notes(mined.config)
    assert before
    mined.close()
    folder = Path(config.dir)
    for journal in ("-wal", "-shm"):
        (folder / f"{FILE_NAME}{journal}").unlink(missing_ok=True)
    damage(folder)
    environ = {"HOME": str(folder.parent), "MEMEM_MINER_SETTLE_SECONDS": "0"}
    done = subprocess.run(entry.command("work"), env=environ, cwd=folder, capture_output=True)
    assert done.returncode == 0, done
    assert _notes(config) == before
    other = Memem(config, environ=environ)
    assert [reason for reason in other.degraded if "is replaced by a copy" in reason]
    counts = queue(other).counts(SESSION)
    other.close()
    assert counts == {"pending": 0, "running": 0, "done": 1, "dead": 0}
    assert "state_restored" in (folder / "miner.log").read_text()


def test_d2_whoever_opens_memem_next_restores_it_and_the_index_is_left_alone(mined: Memem, opened: Any) -> None:
    folder = Path(mined.config.dir)
    mined.close()
    _garbage(folder)
    other = opened()
    assert other.state is not None
    assert any("is replaced by a copy" in reason for reason in other.degraded)
    assert list(folder.glob("index*damaged*")) == []


def test_d2_the_prompt_hook_restores_nothing() -> None:
    code = "import sys, memem.hook; sys.exit('memem.state.copies' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_d2_damage_that_shows_in_the_middle_of_the_work_costs_the_state_and_not_the_index(mined: Memem) -> None:
    folder = Path(mined.config.dir)
    assert mined.state
    mined.state.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _torn(folder)
    write(Path(mined.config.session_dirs[0], "-home-dana-harbor", "two.jsonl"), user(RULE), agent("I will."))
    for _ in range(3):
        work(Miner(mined), model=None, log=Log(), stop=lambda: False)
    assert [path for path in folder.iterdir() if path.name.startswith("index") and "damaged" in path.name] == []
