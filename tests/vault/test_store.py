"""The vault on disk: nothing is overwritten, nothing is half written, nothing outside is read."""

import errno
import os
import stat
import threading
import time

import pytest

from memem.errors import VaultUnavailable
from memem.models import Memory
from memem.vault import store
from memem.vault.note import parse, with_fields
from memem.vault.store import MAX_BYTES, Vault

MEMORY = Memory(id="0123456789abcdef", title="Redis port", body="Redis is on 6380.")


@pytest.fixture
def notes(tmp_path):
    vault = Vault(str(tmp_path / "memem"))
    vault.make()
    return vault


def names(vault):
    return sorted(str(path.relative_to(vault.root)) for path in vault.root.rglob("*") if not path.is_dir())


def test_a_created_note_is_private_whole_and_listed(notes):
    path = notes.create(MEMORY)
    assert path == "memories/redis-port-01234567.md"
    assert stat.S_IMODE((notes.root / path).stat().st_mode) == 0o600
    assert parse(notes.read(path), path).memory.body == MEMORY.body
    assert [(file.path, file.problem) for file in notes.files()] == [(path, "")]
    assert next(iter(notes.files())).etag == notes.stat(path)


def test_creating_never_overwrites(notes):
    other = MEMORY.replace(id="01234567-other", body="Other")
    first, second = notes.create(MEMORY), notes.create(other)
    assert second == "memories/redis-port-01234567-other.md"
    assert b"6380" in notes.read(first)
    assert notes.create(other) == second  # the same memory once more
    third = other.replace(id="01234567-third")
    (notes.root / "memories/redis-port-01234567-third.md").write_bytes(b"a stranger's")
    with pytest.raises(VaultUnavailable, match="exists already"):
        notes.create(third)
    assert len(names(notes)) == 3


def test_creating_heals_a_missing_folder(notes):
    (notes.root / "memories").rmdir()
    assert notes.read(notes.create(MEMORY))


def test_an_edit_keeps_mode_and_extended_attributes(notes):
    path = notes.create(MEMORY)
    target = notes.root / path
    target.chmod(0o644)
    try:
        os.setxattr(target, "user.colour", b"red")
    except OSError:
        os_xattr = False
    else:
        os_xattr = True
    notes.edit(path, lambda data: data + b"more\n")
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert target.read_bytes().endswith(b"more\n")
    assert not os_xattr or os.getxattr(target, "user.colour") == b"red"


def test_an_edit_works_where_extended_attributes_are_not_supported(notes, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "listxattr", unsupported)
    path = notes.create(MEMORY)
    notes.edit(path, lambda data: data + b"more\n")
    assert notes.read(path).endswith(b"more\n")


def test_an_edit_that_changes_nothing_does_not_touch_the_file(notes):
    path = notes.create(MEMORY)
    before = notes.stat(path)
    notes.edit(path, lambda data: data)
    assert notes.stat(path) == before


def test_a_humans_edit_in_between_is_seen_and_kept(notes):
    path = notes.create(MEMORY)
    target = notes.root / path
    seen = []

    def change(data):
        if not seen:
            target.write_bytes(data.replace(b"6380", b"6381, says a human"))
        seen.append(data)
        return with_fields(data, {"status": "superseded"})

    notes.edit(path, change)
    assert b"6381, says a human" in target.read_bytes()
    assert b"status: superseded" in target.read_bytes()
    assert len(seen) == 2


def test_a_note_that_is_always_rewritten_is_left_alone(notes):
    path = notes.create(MEMORY)
    target = notes.root / path
    count = iter(range(100))

    def change(data):
        target.write_bytes(b"human %d" % next(count))
        return b"ours"

    with pytest.raises(VaultUnavailable, match="keeps being rewritten"):
        notes.edit(path, change)
    assert target.read_bytes().startswith(b"human")
    assert names(notes) == [path]


def test_editing_a_note_that_is_gone_makes_no_new_one(notes):
    path = notes.create(MEMORY)
    (notes.root / path).unlink()
    with pytest.raises(VaultUnavailable):
        notes.edit(path, lambda data: data + b"x")
    assert names(notes) == []


def test_concurrent_edits_lose_nothing(notes):
    path = notes.create(MEMORY)
    failed = []

    def add(number):
        for _ in range(100):
            try:
                notes.edit(path, lambda data: data + b"<%d>" % number)
                break
            except VaultUnavailable:  # told to try again
                continue
        else:
            failed.append(number)

    workers = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    data = notes.read(path)
    assert failed == []
    assert b"Redis is on 6380." in data
    assert names(notes) == [path]


def test_hidden_folders_and_generated_files_are_no_notes(notes):
    for name in (".trash/a.md", ".obsidian/b.md", "memories/.hidden.md", "memories/_index.md", "memories/c.txt"):
        (notes.root / name).parent.mkdir(exist_ok=True)
        (notes.root / name).write_text("x")
    assert list(notes.files()) == []


def test_subfolders_are_walked(notes):
    deep = notes.root / "memories" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "c.md").write_text("x")
    assert [file.path for file in notes.files()] == ["memories/a/b/c.md"]


def test_a_placeholder_of_the_cloud_stands_for_its_note(notes):
    (notes.root / "memories" / ".ports.md.icloud").write_bytes(b"bplist00")
    assert [(file.path, file.problem) for file in notes.files()] == [("memories/ports.md", "not downloaded yet")]


def test_a_link_out_of_the_vault_is_listed_and_not_followed(notes, tmp_path):
    outside = tmp_path / "secret.md"
    outside.write_text("outside")
    (notes.root / "memories" / "link.md").symlink_to(outside)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x.md").write_text("outside too")
    (notes.root / "memories" / "linked-folder").symlink_to(folder)
    assert [(file.path, file.problem) for file in notes.files()] == [
        ("memories/link.md", "a link, which memem does not follow")
    ]
    with pytest.raises(OSError):
        notes.read("memories/link.md")
    with pytest.raises(VaultUnavailable):
        notes.edit("memories/link.md", lambda data: b"overwritten")
    assert outside.read_text() == "outside"


def test_a_linked_vault_is_resolved_once(tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    vault = Vault(str(tmp_path / "link"))
    vault.make()
    assert (real / vault.create(MEMORY)).is_file()


def test_a_pipe_is_skipped_without_waiting_for_a_writer(notes):
    os.mkfifo(notes.root / "memories" / "pipe.md")
    assert [file.problem for file in notes.files()] == ["not a regular file"]
    with pytest.raises(OSError, match="not a regular file"):
        notes.read("memories/pipe.md")


def test_a_folder_named_like_a_note_is_a_folder(notes):
    (notes.root / "memories" / "x.md").mkdir()
    (notes.root / "memories" / "x.md" / "y.md").write_text("y")
    assert [file.path for file in notes.files()] == ["memories/x.md/y.md"]
    with pytest.raises(OSError):
        notes.read("memories/x.md")


def test_a_file_name_that_is_no_utf_8_is_listed_with_its_problem(notes):
    try:
        (notes.root / os.fsdecode(b"memories/caf\xe9.md")).write_text("x")
    except OSError as error:
        pytest.skip(f"this file system takes UTF-8 names only: {error}")
    (file,) = notes.files()
    assert "no UTF-8" in file.problem
    file.path.encode()


def test_a_huge_note_is_read_up_to_the_bound_and_edited_whole(notes):
    path = notes.root / "memories" / "big.md"
    path.write_bytes(b"---\nstatus: active\n---\n" + b"x" * (3 * MAX_BYTES))
    assert len(notes.read("memories/big.md")) == MAX_BYTES
    notes.edit("memories/big.md", lambda data: with_fields(data, {"status": "archived"}))
    assert path.stat().st_size == len("---\nstatus: archived\n---\n") + 3 * MAX_BYTES


def test_a_note_that_is_handed_out_in_pieces_is_read_whole(notes, monkeypatch):
    path = notes.create(Memory(id="a" * 36, title="T", body="x" * 9000))
    whole, read, asked = notes.read(path), os.read, []

    def piecewise(handle, most):
        asked.append(most)
        return read(handle, min(most, 1000))

    monkeypatch.setattr(os, "read", piecewise)
    assert notes.read(path) == whole and len(whole) > 9000
    assert len(asked) == len(whole) // 1000 + 1


def test_a_note_of_unknown_size_is_read_whole_and_not_byte_by_byte(notes, monkeypatch):
    path = notes.create(Memory(id="a" * 36, title="T", body="x" * 90_000))
    whole, open_regular, read, asked = notes.read(path), store._open_regular, os.read, []
    monkeypatch.setattr(store, "_open_regular", lambda path: (open_regular(path)[0], 0))
    monkeypatch.setattr(os, "read", lambda handle, most: asked.append(most) or read(handle, most))
    assert notes.read(path) == whole
    assert len(asked) < 40


def test_a_missing_vault_is_said_and_not_made(tmp_path):
    vault = Vault(str(tmp_path / "unmounted" / "memem"))
    with pytest.raises(VaultUnavailable, match="MEMEM_OBSIDIAN_VAULT"):
        list(vault.files())
    with pytest.raises(VaultUnavailable):
        vault.create(MEMORY)
    assert not (tmp_path / "unmounted").exists()


def test_a_file_in_place_of_the_vault_is_said(tmp_path):
    (tmp_path / "memem").write_text("I am a file")
    with pytest.raises(VaultUnavailable, match=r"folder|disk"):
        Vault(str(tmp_path / "memem")).make()
    assert (tmp_path / "memem").read_text() == "I am a file"


def test_old_temporary_files_of_ours_are_swept_and_nothing_else(notes):
    folder = notes.root / "memories"
    for name in (".memem-0123.tmp", ".memem-young.tmp", "mine.tmp", ".memem-note.md", "memem-x.tmp"):
        (folder / name).write_text("x")
        os.utime(folder / name, (0, 0))
    os.utime(folder / ".memem-young.tmp")
    assert notes.sweep() == 1
    assert notes.sweep(now=time.time() + 4000) == 1
    assert names(notes) == ["memories/.memem-note.md", "memories/memem-x.tmp", "memories/mine.tmp"]


def test_short_writes_are_continued(notes, monkeypatch):
    real = os.write
    monkeypatch.setattr(store.os, "write", lambda handle, data: real(handle, data[:7]))
    path = notes.create(MEMORY)
    assert parse(notes.read(path), path).memory.body == MEMORY.body


def no_links(*_, **__):
    raise OSError(errno.EPERM, "Operation not permitted")


def test_file_systems_without_hard_links_take_notes(notes, monkeypatch):
    monkeypatch.setattr(store.os, "link", no_links)
    path = notes.create(MEMORY)
    assert parse(notes.read(path), path).memory.body == MEMORY.body
    other = MEMORY.replace(id="01234567-other")
    twin = notes.create(other)
    assert twin != path
    assert notes.create(other) == twin
    assert len(names(notes)) == 2


def test_a_failed_move_without_hard_links_leaves_no_empty_note(notes, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.os, "link", no_links)
    monkeypatch.setattr(store.os, "replace", full)
    with pytest.raises(VaultUnavailable, match="free some space"):
        notes.create(MEMORY)
    assert names(notes) == []
