"""Undo: what memem did to notes is taken back whole, and never what a human did."""

import json
import os
from pathlib import Path

import pytest

from memem.errors import BadInput, NotFound
from memem.keep.undo import chosen, deeds, take_back
from memem.models import Draft
from memem.state import changes
from memem.state.changes import Changes
from memem.vault import store

from ..home import Home

OLD, NEW = "Integration tests need Redis on port 6380", "Integration tests need Redis on port 6390"
DEPLOYS = "Deploys happen on Friday"


def undo(memem, name="", **how):
    return take_back(memem, chosen(memem, name, **how))


def test_a_correction_is_taken_back_whole(memem, save, vault):
    old = save(OLD)
    before = vault.read(old.id)
    new = save(NEW)
    assert vault.read(old.id) != before
    undo(memem)
    assert vault.read(old.id) == before
    assert [item.memory for item in memem.memories()] == [old]
    assert memem.get([new.id])[1] == [new.id]
    assert not memem.human_owned(old)


def test_an_undo_is_taken_back_too(memem, save, vault):
    save(OLD)
    save(NEW)
    before = vault.snapshot()
    undo(memem)
    undo(memem, redo=True)
    assert vault.snapshot() == before
    assert memem.state.buried_ids() == []
    undo(memem)
    assert len(vault.snapshot()) == 1


def test_undo_after_undo_goes_further_back(memem, save, vault):
    save(OLD)
    save(DEPLOYS)
    undo(memem)
    undo(memem)
    assert vault.snapshot() == {}
    with pytest.raises(NotFound, match="lately"):
        undo(memem)


def test_the_last_change_of_one_memory_is_meant_by_its_id(memem, save, vault):
    old = save(OLD)
    new = save(NEW)
    later = save(DEPLOYS)
    undo(memem, old.id[:8])
    assert {item.memory.id for item in memem.memories()} == {old.id, later.id}
    assert memem.get([new.id])[1]
    with pytest.raises(BadInput, match="8 characters"):
        undo(memem, "abc")
    with pytest.raises(NotFound):
        undo(memem, "ffffffff")


def test_what_a_human_edited_since_is_not_undone_and_nothing_else_of_it_either(memem, save, vault):
    old = save(OLD)
    new = save(NEW)
    vault.edit(new.id, body="Integration tests need Redis on port 6390, I say")
    before = vault.snapshot()
    with pytest.raises(BadInput, match=r"edited since.*by hand"):
        undo(memem, old.id)
    assert vault.snapshot() == before


def test_a_note_that_was_renamed_is_undone_where_it_is(memem, save, vault):
    old = save(OLD)
    before = vault.read(old.id)
    save(NEW)
    path = vault.path(old.id)
    path.rename(path.with_name("My own name.md"))
    undo(memem)
    assert vault.read("My own name.md") == before


HERON, STORK = "The heron feeder is refilled by Ada every week", "The stork nest camera has battery type CR2"


def renamed(path):
    path.rename(path.with_name("renamed.md"))


def moved(path):
    folder = path.parent / "birds"
    folder.mkdir()
    path.rename(folder / path.name)


@pytest.mark.parametrize("by_hand", [renamed, moved])
def test_the_last_deed_is_the_one_whose_note_a_human_renamed_or_moved(memem, save, vault, by_hand):
    heron, stork = save(HERON), save(STORK)
    by_hand(vault.path(stork.id))
    assert chosen(memem).cause == stork.id
    undo(memem)
    assert [item.memory.id for item in memem.memories()] == [heron.id]


def test_a_note_that_was_renamed_and_edited_is_named_and_nothing_else_is_undone_instead(memem, save, vault):
    save(HERON)
    stork = save(STORK)
    renamed(vault.edit(stork.id, body=f"{STORK}, says Ada"))
    before = vault.snapshot()
    with pytest.raises(BadInput, match=r"renamed\.md was edited since"):
        undo(memem)
    assert vault.snapshot() == before


def test_a_note_that_was_deleted_by_hand_is_named_and_not_forgotten_by_looking(memem, save, vault):
    heron, stork = save(HERON), save(STORK)
    path, data = vault.path(stork.id), vault.read(stork.id)
    path.unlink()
    deed = chosen(memem)
    assert deed.cause == heron.id
    assert [line for line in deed.passed if path.name in line and "is gone" in line]
    assert len(deeds(memem)) == 2
    path.write_bytes(data)
    assert chosen(memem).cause == stork.id


def test_a_note_that_was_renamed_and_copied_is_named_and_no_copy_is_touched(memem, save, vault):
    save(HERON)
    path = vault.path(save(STORK).id)
    path.with_name("copy.md").write_bytes(path.read_bytes())
    renamed(path)
    before = vault.snapshot()
    with pytest.raises(BadInput, match=rf"{path.name} is gone, or renamed and edited or copied"):
        undo(memem)
    assert vault.snapshot() == before


def test_a_correction_whose_notes_a_human_deleted_is_passed_over(memem, save, vault):
    heron, old = save(HERON), save(OLD)
    new = save(NEW)
    vault.path(old.id).unlink()
    vault.path(new.id).unlink()
    deed = chosen(memem)
    assert deed.cause == heron.id and len(deed.passed) == 3


def test_without_another_deed_the_one_that_is_gone_is_named(memem, save, vault):
    path = vault.path(save(STORK).id)
    path.unlink()
    with pytest.raises(NotFound, match=rf"{path.name} is gone"):
        undo(memem)


def test_a_note_of_two_changes_is_undone_where_it_was_moved(memem, save, vault):
    heron, stork = save(HERON), save(STORK)
    before = vault.read(heron.id)
    cause = "one deed"
    memem.gate().relate(memem.index.by_prefix(heron.id)[0], "related", memem.index.by_prefix(stork.id)[0], cause)
    memem.sync()
    memem.gate().relate(memem.index.by_prefix(heron.id)[0], "contradicts", memem.index.by_prefix(stork.id)[0], cause)
    renamed(vault.path(heron.id))
    undo(memem)
    assert vault.read("renamed.md") == before


def test_the_command_names_what_it_passed_over(tmp_path):
    home = Home(tmp_path)
    home.save(HERON)
    stork = home.save(STORK)
    (path,) = home.notes.glob(f"*{stork.id[:8]}.md")
    path.unlink()
    shown = home.run("undo", "--dry-run").stdout
    assert f"Passed over: memories/{path.name} is gone" in shown and "the-heron" in shown
    assert json.loads(home.run("undo", "--dry-run", "--json").stdout)["passed_over"]
    assert "Passed over" in home.run("undo").stdout


def test_an_edit_in_the_very_moment_of_the_undo_is_kept(memem, save, vault, monkeypatch):
    memory = save(OLD)
    path = vault.path(memory.id)
    real = Path.rename

    def edited_just_before(self, target):
        if self == path and not target.name.startswith("mine"):
            self.write_text("Mine now")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", edited_just_before)
    with pytest.raises(BadInput, match="in this moment"):
        undo(memem)
    assert path.read_text() == "Mine now"


def test_a_link_is_taken_back_on_both_sides(memem, save, vault):
    one, other = save(OLD), save(DEPLOYS)
    before = vault.snapshot()
    memem.gate().link(one.id, other.id)
    assert vault.snapshot() != before
    undo(memem)
    assert vault.snapshot() == before


def test_what_is_undone_is_not_brought_back_by_mining(memem, save):
    save(OLD)
    undo(memem)
    assert memem.save(Draft(content=OLD, source_type="mined")).reason == "deleted by a human"


def test_the_old_bytes_are_durable_before_the_note_is_written(memem, save, home, monkeypatch):
    save(OLD)
    synced = []
    real_sync, real_write = os.fsync, store._write

    def fsync(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        real_sync(handle)

    def write(target, data, *, replace, expected=""):
        if replace:
            assert any("/undo/" in path for path in synced)
        return real_write(target, data, replace=replace, expected=expected)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(store, "_write", write)
    save(NEW)
    for path in Path(home.state_path("undo")).iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_change_that_did_not_come_about_leaves_nothing_to_undo(memem, save, vault, monkeypatch):
    save(OLD)
    known = len(deeds(memem))
    monkeypatch.setattr(store, "_write", lambda *_args, **_how: (_ for _ in ()).throw(OSError(28, "No space")))
    memem.save(Draft(content=DEPLOYS))
    assert len(deeds(memem)) == known


def test_a_secret_that_a_human_wrote_into_a_note_is_not_copied_into_the_journal(memem, save, vault, home):
    token = "ghp_" + "a1B2c3D4e5F6" * 3
    memory = save(OLD)
    path = vault.path(memory.id)
    path.write_text(path.read_text().replace("status: active", f"status: active\nnotes_of_mine: {token}\n"))
    memem.sync()
    save(NEW)
    assert "superseded" in path.read_text()
    held = b"".join(one.read_bytes() for one in Path(home.state_path("undo")).iterdir())
    assert token.encode() not in held
    import base64

    assert base64.b64encode(token.encode())[4:-4] not in held


def test_what_a_crash_kept_from_coming_about_is_no_change(memem, save, vault, opened, monkeypatch):
    old = save(OLD)
    before = vault.read(old.id)

    class Crash(BaseException):
        pass

    with monkeypatch.context() as fault, pytest.raises(Crash):

        def die(*_args, **_how):
            raise Crash

        fault.setattr(memem.vault, "journal", _dying(memem.vault.journal, die))
        memem.save(Draft(content=NEW))
    other = opened()
    other.sync()  # which finishes the correction
    assert b"superseded" in vault.read(old.id)
    undo(other)
    assert vault.read(old.id) == before
    assert [item.memory.id for item in other.memories()] == [old.id]


def _dying(real, die):
    """The journal takes a change of a note down, and then the process is dead."""

    def journal(path, cause, before, after):
        take_back = real(path, cause, before, after)
        return take_back if before is None else die()

    return journal


def test_the_journal_is_bounded_in_number_and_size(tmp_path, monkeypatch):
    monkeypatch.setattr(changes, "MOST", 20)
    journal = Changes(str(tmp_path))
    for number in range(100):
        journal.keep(f"{number}.md", "", b"old %d" % number, b"new")
    assert 20 <= len(journal.all()) <= 20 + 16
    assert journal.all()[-1].path == "99.md"
    monkeypatch.setattr(changes, "MOST_BYTES", 10_000)
    for _ in range(16):
        journal.keep("large.md", "", os.urandom(3000), b"new")
    assert sum(path.stat().st_size for path in (tmp_path / "undo").iterdir()) < 16 * 5000


def test_a_clock_that_jumps_does_not_change_what_was_last(memem, save, monkeypatch):
    save(OLD)
    monkeypatch.setattr(changes.time, "time", lambda: 1.0)
    last = save(DEPLOYS)
    assert chosen(memem).cause == last.id


def test_damaged_entries_of_the_journal_are_passed_over(memem, save, home):
    save(OLD)
    folder = Path(home.state_path("undo"))
    for number, data in enumerate((b"", b"{", b"[]", b'{"old": 7}', b"[" * 100_000), start=50):
        (folder / f"{number:08d}.json").write_bytes(data)
    assert len(deeds(memem)) == 1
    undo(memem)


def test_the_command_says_what_it_did(tmp_path):
    home = Home(tmp_path)
    home.save(OLD)
    home.save(NEW)
    shown = home.run("undo", "--dry-run")
    assert "a new note" in shown.stdout
    assert len(home.run("undo", "--list").stdout.splitlines()) >= 4
    done = home.run("undo")
    assert "is as it was before" in done.stdout, done
    assert "memem undo --redo" in done.stdout
    assert home.run("undo", "--redo").returncode == 0
    home.run("undo")
    home.run("undo")
    empty = home.run("undo")
    assert (empty.returncode, "nothing" in empty.stderr) == (3, True)
