"""Taking over from a published memem: with consent, by asking, and so that it can be undone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memem.adopt import BACKUP, PAUSED, stop
from memem.published import look, running

from .e2e.published import STATE_FILES, write_state
from .home import Home
from .old_miner import OldMiner

LINE = "0 * * * * bash /opt/old plugin/memem/mine-cron.sh"
CRONTAB = f"# mine \x0c\n5 4 * * * backup\n{LINE}\n#{LINE}\n0 * * * * bash /opt/other/mine-cron.sh\n"
FAKE = """#!/bin/sh
if [ "$1" = -l ]; then exec cat "$HOME/crontab"; fi
cat >"$HOME/new" && mv "$HOME/new" "$HOME/crontab"
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """The home of someone whose published memem mines every hour."""
    made = Home(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/crontab").write_text(FAKE)
    (tmp_path / "bin/crontab").chmod(0o755)
    (tmp_path / "crontab").write_text(CRONTAB)
    made.environ["PATH"] = f"{tmp_path}/bin:{made.environ['PATH']}"
    write_state(made.state)
    return made


def alive(pid: int) -> bool:
    return look(pid, "") is not None


def test_doctor_names_what_still_runs_and_how_to_end_it(home: Home, tmp_path: Path) -> None:
    with OldMiner(tmp_path / "old", home.state) as old:
        said = home.run("doctor").stdout
        assert f"its wrapper runs (pid {old.wrapper.pid}) and its miner runs (pid {old.daemon})" in said
        assert "its crontab entry mines every hour: it writes notes and spends on a model" in said
        assert "fix: memem adopt" in said
    (home.root / "crontab").write_text("")
    assert "nothing of it runs; 2 sessions that it mined are not mined again" in home.run("doctor").stdout


def test_nothing_is_stopped_without_consent(home: Home, tmp_path: Path) -> None:
    with OldMiner(tmp_path / "old", home.state) as old:
        shown = home.run("adopt", "--dry-run")
        assert shown.returncode == 0
        assert f"miner, pid {old.daemon}" in shown.stdout
        assert f"crontab: {LINE}" in shown.stdout
        refused = home.run("adopt")
        assert refused.returncode == 2
        assert "memem adopt --yes" in refused.stderr
        assert alive(old.daemon)
        assert alive(old.wrapper.pid)
    assert (home.root / "crontab").read_text() == CRONTAB


def test_with_consent_wrapper_and_miner_end_and_the_crontab_entry_is_paused(home: Home, tmp_path: Path) -> None:
    kept = [name for name in STATE_FILES if not name.endswith(".pid")]
    before = {name: (home.state / name).read_bytes() for name in kept}
    with OldMiner(tmp_path / "old", home.state) as old:
        done = home.run("adopt", "--yes")
        assert done.returncode == 0, done
        old.wrapper.wait(60)
        assert not alive(old.daemon)
    assert (home.root / "crontab").read_text() == CRONTAB.replace(f"backup\n{LINE}", f"backup\n{PAUSED}{LINE}")
    assert (home.state / BACKUP).read_text() == CRONTAB
    assert {name: (home.state / name).read_bytes() for name in kept} == before
    assert "nothing of it runs" in home.run("adopt", "--dry-run").stdout

    assert "1 paused crontab entries are back" in home.run("adopt", "--undo").stdout
    assert (home.root / "crontab").read_text() == CRONTAB


def test_a_crontab_that_cannot_be_read_is_not_written(home: Home) -> None:
    (home.root / "bin/crontab").write_text(
        FAKE.replace("exec cat", "[ -f $HOME/asked ] && exit 1; >$HOME/asked; exec cat")
    )
    before = (home.root / "crontab").read_bytes()
    done = home.run("adopt", "--yes")
    assert done.returncode == 4
    assert "run memem adopt again" in done.stderr
    assert (home.root / "crontab").read_bytes() == before


def test_a_miner_that_finishes_its_round_is_waited_for_five_seconds_and_not_killed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    now = [0.0]
    with OldMiner(tmp_path / "old", state, stubborn=True) as old:
        (miner,) = (process for process in running(str(state)) if process.role == "miner")
        assert not stop(miner, clock=lambda: now[0], wait=lambda seconds: now.__setitem__(0, now[0] + seconds))
        assert 5 <= now[0] < 6
        assert alive(old.daemon)


def test_a_number_that_another_process_has_by_now_is_left_alone(tmp_path: Path) -> None:
    mine = look(os.getpid(), "miner")
    assert mine
    assert stop(mine.replace(started="long ago"))
    assert stop(mine.replace(command="python -m memem.miner_daemon run"))
