"""Saves that wait for their vault, and for no other."""

import os
from pathlib import Path

import pytest

from memem.app import Memem
from memem.health import DEGRADED, folders
from memem.health.status import degraded
from memem.ingest.spool import Spool
from memem.keep.backup import backup
from memem.models import Draft
from memem.vault import note

SECRET_PLAN = "The bid for the harbour contract is due on Friday"


@pytest.fixture
def two(home, checkout, memem):
    """memem over one vault with a save waiting for it, and memem over another vault with the same state folder."""
    memem.save(Draft(content="Redis must run on port 6380"))
    os.rename(home.vault, f"{home.vault}-away")
    assert memem.save(Draft(content=SECRET_PLAN)).action == "spooled"
    other = Memem(home.replace(vault=f"{home.vault}-two"), checkout, environ={})
    other.save(Draft(content="Tabs are four columns wide"))
    yield memem, other
    other.close()


def titles(memem):
    return sorted(item.memory.title for item in memem.memories("*"))


def test_a_save_that_waits_for_one_vault_never_arrives_in_another(two, home):
    memem, other = two
    other.sync()
    (waiting,) = memem._spool().waiting()
    assert titles(other) == ["Tabs are four columns wide"]
    assert other.get([waiting.id]) == ([], [waiting.id])
    assert other.waiting() == 0
    os.rename(f"{home.vault}-away", home.vault)
    memem.sync()
    assert titles(memem) == ["Redis must run on port 6380", SECRET_PLAN]
    assert memem.waiting_elsewhere() == ()


def test_a_save_that_waits_for_another_vault_is_told_by_doctor_and_status(two, home):
    _, other = two
    assert f"1 saves wait in {home.state_path('spool')} for another vault, {home.vault}" in degraded(other)
    check = folders.spool(other)
    assert check.level == DEGRADED
    assert "memem sync" in check.fix


def test_a_backup_of_one_vault_takes_nothing_along_that_waits_for_another(two, tmp_path):
    _, other = two
    made = backup(other.config, str(tmp_path / "backup.memem"))
    (left,) = [line for line in made.left_out if "waits for another vault" in line]
    assert left.startswith(other.config.state_path("spool"))


def test_the_same_save_waits_once_for_each_vault(two, home):
    memem, other = two
    os.rename(f"{home.vault}-two", f"{home.vault}-two-away")
    other.save(Draft(content=SECRET_PLAN))
    assert (memem.waiting(), other.waiting()) == (1, 1)


def test_a_save_that_names_no_vault_goes_to_the_one_in_use(two):
    _, other = two
    (path,) = Path(other.config.state_path("spool")).glob("*.md")
    kept = [line for line in path.read_text().splitlines(keepends=True) if not line.startswith("waits_for_vault")]
    path.write_text("".join(kept))
    other.sync()
    assert SECRET_PLAN in titles(other)
    assert not path.exists()


@pytest.mark.usefixtures("two")
def test_a_vault_is_known_by_its_links_too(home):
    os.rename(f"{home.vault}-away", home.vault)
    os.symlink(home.vault, f"{home.vault}-link")
    assert len(Spool(home.state_path("spool"), f"{home.vault}-link").waiting()) == 1


def test_what_a_save_says_of_its_vault_is_not_written_into_the_note(two, home):
    memem, _ = two
    os.rename(f"{home.vault}-away", home.vault)
    memem.sync()
    for path in Path(home.memory_root).rglob("*.md"):
        assert "waits_for_vault" not in path.read_text()
        assert note.parse(path.read_bytes(), path.name).problem == ""
