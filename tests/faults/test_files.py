"""Rows F of the faults: disks that are full, read-only or gone, and files that are no notes."""

import errno
import os
import random
import socket
import stat
import subprocess
import time
import unicodedata
from pathlib import Path

import pytest

from memem.app import Memem
from memem.config import resolve
from memem.errors import VaultUnavailable
from memem.index.schema import FILE_NAME
from memem.models import Draft, Memory
from memem.vault import note, store
from memem.vault import temporary as temporaries
from memem.vault.note import parse

from .faults import OPEN, REDIS, child, failing, only_in, temporary


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG])
@pytest.mark.parametrize("call", ["open", "write", "fsync", "link"])
def test_f1_a_save_into_a_full_vault_is_spooled_and_told(memem, save, vault, home, monkeypatch, call, number):
    save(REDIS)
    before = vault.snapshot()
    with monkeypatch.context() as fault:
        fault.setattr(store.os, call, only_in(home.vault, getattr(os, call), number))
        outcome = memem.save(Draft(content="Deploys happen on Friday"))
    assert (outcome.action, outcome.path) == ("spooled", "")
    assert "vault cannot be used" in outcome.reason
    assert vault.snapshot() == before
    assert "1 saves wait" in " ".join(memem.warnings())
    memem.sync()
    assert memem.get([outcome.memory.id]) == ([outcome.memory], [])
    assert memem.warnings() == ()


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace", "exchange"])
def test_f1_a_change_in_a_full_vault_leaves_the_old_note_as_it_was(memem, save, vault, home, monkeypatch, call):
    old = save(REDIS)
    before = vault.read(old.id)
    with monkeypatch.context() as fault:
        if call in ("replace", "exchange"):  # the second takes the place of the first where the system knows it
            fault.setattr(store, "exchange", failing(store.exchange, errno.ENOSPC) if call == "exchange" else cannot)
        if call != "exchange":
            fault.setattr(store.os, call, only_in(home.vault, getattr(os, call), errno.ENOSPC))
        with pytest.raises(VaultUnavailable, match="free some space"):
            memem.vault.edit(memem.index.notes()[0].path, lambda data: data + b"more")
    assert vault.read(old.id) == before
    assert temporary(home.vault) == []


def cannot(*_):
    """An exchange on a file system that knows none."""
    return False


def test_f1_a_note_that_cannot_be_marked_is_named(memem, save, vault, monkeypatch):
    old = save(REDIS)
    with monkeypatch.context() as fault:
        fault.setattr(store, "exchange", failing(store.exchange, errno.ENOSPC))
        outcome = memem.save(Draft(content="Redis must run on 6379"))
    assert outcome.action == "superseded"
    assert old.id8 in outcome.reason
    assert b"status: active" in vault.read(old.id)
    assert b"6379" in vault.read(outcome.memory.id)
    assert temporary(vault.root) == []


def test_f1_neither_vault_nor_spool_is_never_called_saved(memem, save, vault, monkeypatch):
    save(REDIS)
    before = vault.snapshot()
    with monkeypatch.context() as fault:
        fault.setattr(os, "fsync", failing(os.fsync, errno.ENOSPC))
        with pytest.raises(VaultUnavailable, match=r"^NOT saved\."):
            memem.save(Draft(content="Deploys happen on Friday"))
    assert vault.snapshot() == before
    assert memem.warnings() == ()
    assert temporary(memem.config.dir) == []
    memem.sync()
    assert len(vault.snapshot()) == 1


def test_f1_a_state_folder_that_is_a_file_under_a_vault_that_is_gone_is_a_clean_refusal(home, checkout, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "vault-file").touch()
    config = home.replace(dir=str(tmp_path / "file"), vault=str(tmp_path / "vault-file"))
    memem = Memem(config, checkout, environ={})
    with pytest.raises(VaultUnavailable, match=r"^NOT saved\."):
        memem.save(Draft(content=REDIS))
    assert len(memem.warnings()) == 2
    memem.close()


def test_f1_a_real_limit_on_file_size_tears_nothing(home, checkout, memem, save, vault):
    old = save(REDIS)
    before = vault.snapshot()
    code = f"""{OPEN}
memem.search('redis')
import resource, signal
sys.dont_write_bytecode = True  # Python would leave a module's file cut short, for all tests to come
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
try:
    print(memem.save(Draft(content='Deploys happen on Friday ' * 150)).action)
except MememError as error:
    print('refused', error)
"""
    out, errors = child(code, home, checkout).communicate(timeout=60)
    assert errors == b""
    assert out.startswith(b"refused")
    assert vault.snapshot() == before
    assert temporary(home.dir) == []
    memem.sync()
    assert memem.get([old.id])[1] == []


def test_f1_an_index_on_a_full_disk_keeps_its_rows_and_the_vault_takes_the_note(memem, save, vault):
    memory = save(REDIS)
    connection = memem.index.connection
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    outcome = memem.save(Draft(content="Deploys happen " + " ".join(f"word{n}" for n in range(550))))
    assert outcome.action == "added"
    assert "next sync" in outcome.reason
    assert b"Deploys happen" in vault.read(outcome.memory.id)
    assert memem.search("redis").ids == [memory.id]
    connection.execute("PRAGMA max_page_count = 1000000")
    memem.sync()
    assert memem.search("deploys").ids == [outcome.memory.id]


SEARCH_AND_SAVE = f"""{OPEN}
print(len(memem.search('redis').ids))
outcome = memem.save(Draft(content='Deploys happen on Friday'))
print(outcome.action)
print(outcome.reason)
print(' | '.join(memem.warnings()))
"""


def test_f3_a_read_only_vault_is_read_and_saves_follow_exactly_once(
    home, checkout, memem, save, vault, unprivileged, locked
):
    save(REDIS)
    memem.close()
    locked(vault.root / "memories")
    before = vault.snapshot()
    out, errors = child(SEARCH_AND_SAVE, home, checkout, **unprivileged).communicate(timeout=60)
    assert errors == b""
    found, action, reason, warnings = out.decode().splitlines()
    assert (found, action) == ("1", "spooled")
    assert "check its permissions" in reason
    assert "1 saves wait for the vault" in warnings
    assert vault.snapshot() == before
    (vault.root / "memories").chmod(0o700)
    for _ in range(2):
        again = Memem(home, checkout, environ={})
        assert len(again.search("deploys").ids) == 1
        assert again.warnings() == ()
        again.close()
    assert len(vault.snapshot()) == 2


def test_f4_a_read_only_state_folder_leaves_memem_working_from_the_vault(
    home, checkout, memem, save, vault, unprivileged, locked, tmp_path
):
    save(REDIS)
    memem.close()
    state = tmp_path / "state"
    state.mkdir()
    locked(state)
    moved = f"import os; os.environ['MEMEM_DIR'] = {str(state)!r}\n" + SEARCH_AND_SAVE.replace(
        "{'HOME': sys.argv[1]}", "{'HOME': sys.argv[1], 'MEMEM_DIR': os.environ['MEMEM_DIR']}"
    )
    out, errors = child(moved, home, checkout, **unprivileged).communicate(timeout=60)
    assert errors == b""
    found, action, _, warnings = out.decode().splitlines()
    assert (found, action) == ("1", "added")
    assert "cannot be written" in warnings
    assert len(vault.snapshot()) == 2
    assert list(state.iterdir()) == []


def test_f5_an_unmounted_vault_keeps_the_index_and_is_not_made_anew(home, memem, save, opened, tmp_path):
    memory = save(REDIS)
    away = tmp_path / "away"
    Path(home.vault).rename(away)
    for one in (memem, opened()):
        one._synced_at = float("-inf")
        found = one.search("redis")
        assert found.ids == [memory.id]
        assert "is missing now" in " ".join(found.warnings)
    with pytest.raises(VaultUnavailable, match="is missing now"):
        memem.sync()
    assert memem.save(Draft(content="Deploys happen on Friday")).action == "spooled"
    assert not Path(home.vault).exists()
    Path(home.vault).mkdir()  # the bare mount point
    with pytest.raises(VaultUnavailable, match="is missing now"):
        memem.sync()
    assert list(Path(home.vault).iterdir()) == []
    Path(home.vault).rmdir()
    away.rename(home.vault)
    memem.sync()
    assert len(memem.search("redis deploys").ids) == 2
    assert memem.warnings() == ()


def test_a_home_with_odd_signs_in_its_path_works(tmp_path, checkout):
    folder = tmp_path / "50% off?mode=ro#1 &'é\"漢"
    folder.mkdir()
    config = resolve({"HOME": str(folder)}, {})[0]
    memem = Memem(config, checkout, environ={})
    memory = memem.save(Draft(content=REDIS)).memory
    assert memem.search("redis").ids == [memory.id]
    assert sorted(path.name for path in Path(config.dir).glob("index*"))[0] == FILE_NAME
    memem.close()


def test_save_that_waits_in_the_spool_can_be_read(memem, home):
    root = Path(home.memory_root)
    memem.sync()
    root.rename(root.with_name("away"))
    outcome = memem.save(Draft(content="Saves that wait are readable by their id"))
    assert outcome.action == "spooled"
    assert memem.get([outcome.memory.id8])[0] == [outcome.memory]


def test_f2_a_folder_that_cannot_be_made_durable_spools_the_save_and_it_arrives_once(memem, save, vault, monkeypatch):
    save(REDIS)
    real = os.fsync

    def fail(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode) and str(vault.root) in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(handle)

    with monkeypatch.context() as fault:
        fault.setattr(store.os, "fsync", fail)
        outcome = memem.save(Draft(content="Deploys happen on Friday"))
    assert outcome.action == "spooled"
    memem.sync()
    assert memem.warnings() == ()
    assert memem.get([outcome.memory.id]) == ([outcome.memory], [])
    assert len(vault.snapshot()) == 2


def test_f6_writes_cut_short_go_on_and_those_that_stop_leave_nothing(memem, save, vault, monkeypatch):
    real = os.write
    with monkeypatch.context() as fault:
        fault.setattr(store.os, "write", lambda handle, data: real(handle, data[:7]))
        memory = save(REDIS)
    assert parse(vault.read(memory.id), "x.md").memory == memory
    before = vault.snapshot()
    calls = iter((7, 7, 0))  # and what comes then, the spool's, is whole

    def stop(handle, data):
        size = next(calls, len(data))
        if not size:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(handle, data[:size])

    with monkeypatch.context() as fault:
        fault.setattr(store.os, "write", stop)
        assert memem.save(Draft(content="Deploys happen on Friday")).action == "spooled"
    assert vault.snapshot() == before


def test_f7_what_a_crash_of_others_left_is_no_note_and_goes_after_an_hour(memem, save, vault, home, opened):
    save(REDIS)
    spool = Path(home.state_path("spool"))
    spool.mkdir()
    left = [vault.root / "memories" / ".memem-0123456789ab.tmp", spool / ".memem-01234567-0123456789ab.tmp"]
    strangers = [vault.root / "memories" / "theirs.tmp", vault.root / "memories" / ".obsidian.tmp"]
    for path in (*left, *strangers):
        path.write_text("---\ntitle: Half a no")
    memem.sync()
    assert all(path.exists() for path in left)  # another process may be at it right now
    for path in (*left, *strangers):
        os.utime(path, (time.time() - 3700, time.time() - 3700))
    memem = opened()
    memem.sync()
    assert [path.exists() for path in (*left, *strangers)] == [False, False, True, True]
    assert memem.search("half").ids == []
    assert memem.index.size() == 1


WRITE_AND_STOP = f"""{OPEN}
from memem.vault import store
def stop(*_, **__):
    os.write(1, b'stopped\\n')
    sys.stdin.read()
setattr(store if sys.argv[3] == 'exchange' else os, sys.argv[3], stop)
if sys.argv[4] == 'spool':
    os.mkdir(os.path.join(memem.config.vault, '.git'))
    open(os.path.join(memem.config.vault, '.git', 'index.lock'), 'w').close()
memem.save(Draft(content='Redis must run on 6379'))
"""


@pytest.mark.parametrize(
    ("call", "where"), [("fsync", "vault"), ("link", "vault"), ("exchange", "vault"), ("fsync", "spool")]
)
def test_f7_what_a_killed_process_left_goes_at_the_next_start_and_not_before(
    home, checkout, memem, save, opened, call, where
):
    save(REDIS)
    writer = child(WRITE_AND_STOP, home, checkout, call, where, stdin=subprocess.PIPE)
    assert writer.stdout.readline() == b"stopped\n"
    folder = Path(home.dir).parent
    (left,) = temporary(folder)
    opened().sync()
    assert left.exists()
    writer.kill()
    writer.communicate(timeout=60)
    for lock in folder.rglob("index.lock"):
        lock.unlink()
    opened().sync()
    assert temporary(folder) == []


def test_f7_what_a_human_wrote_in_the_moment_of_a_crash_outlives_the_sweeping(memem, save, vault, opened, monkeypatch):
    old = save(REDIS)
    path = vault.path(old.id)
    seen = path.read_bytes()
    ours, theirs = seen.replace(b"active", b"superseded"), seen + b"\nAnn was here\n"
    for data in (theirs, seen, b""):  # as if killed right after the exchange
        path.write_bytes(seen)
        with temporaries.temporary(path.parent, ours) as temp:
            stem, names = temp.name.removesuffix(".tmp"), (note.content_hash(seen), note.content_hash(ours))
        path.with_name(f"{stem}-{names[0]}-{names[1]}.tmp").write_bytes(data)
        path.write_bytes(ours)
        opened().sync()
        assert temporary(vault.root) == []
    contents = list(vault.snapshot().values())
    assert (contents.count(theirs), contents.count(ours), len(contents)) == (1, 1, 2)
    assert any("Ann was here" in item.memory.body for item in opened().index.notes("id = ?", (old.id,)))


@pytest.mark.parametrize("form", [lambda name: unicodedata.normalize("NFD", name), str.upper, str.title])
def test_f8_a_file_system_that_spells_names_its_own_way_makes_no_second_memory(memem, save, vault, form):
    memory = save("Résumés of Zoë are parsed with café-parser", title="Café Résumés")
    path = vault.path(memory.id)
    renamed = path.with_name(form(path.stem) + ".md")
    assert renamed.name != path.name
    path.rename(renamed)
    memem.sync()
    assert memem.get([memory.id]) == ([memory], [])
    assert memem.state.buried_ids() == []
    assert memem.save(Draft(content="Résumés of Zoë are parsed with café-parser")).action == "skipped"
    correction = memem.save(Draft(content="Résumés of Zoë are parsed with cv-parser", supersedes=(memory.id,)))
    assert correction.reason == ""
    assert b"status: superseded" in renamed.read_bytes()
    assert len(vault.snapshot()) == 2


def test_f8_a_name_taken_in_another_case_is_never_overwritten(memem, save, vault, monkeypatch):
    memory = save(REDIS)
    theirs = vault.read(memory.id)
    real = os.link

    def insensitive(source, target):
        taken = {name.lower() for name in os.listdir(os.path.dirname(target))}
        if os.path.basename(target).lower() in taken:
            raise FileExistsError(errno.EEXIST, "File exists")
        real(source, target)

    monkeypatch.setattr(store.os, "link", insensitive)
    path = vault.path(memory.id)
    path.rename(path.with_name(path.name.upper().removesuffix(".MD") + ".md"))
    twin = memory.replace(id=memory.id8 + "-0000-4000-8000-000000000000", body="Another lesson")
    created = memem.vault.create(twin)
    assert created.endswith(f"{twin.id}.md")
    assert sorted(vault.snapshot().values()) == sorted([theirs, vault.read(created)])


def random_title(chance):
    alphabets = (
        "abc XYZ-_",
        '/\\:*?"<>|\t',
        "äöüßñ",
        "数据库の",
        "😀👩‍👩‍👧\ufe0f",
        "\u202e\u200b\x07",
        "...",
        "e\u0301",
        "\ud800",
    )
    words = ("con", "NUL", "aux.txt", "COM1", "-rf", "~", "%2e%2e", "a" * 300, "漢" * 200, "")
    letters = "".join(chance.choice(chance.choice(alphabets)) for _ in range(chance.randrange(80)))
    return chance.choice((letters, chance.choice(words), chance.choice(words) + letters))


def test_f9_a_thousand_titles_get_safe_names_and_come_back(memem, vault, monkeypatch):
    monkeypatch.setattr(store.os, "fsync", lambda _: None)
    chance = random.Random(9)
    memories = {}
    for number in range(1000):
        title = random_title(chance).encode("utf-8", "replace").decode()
        memory = Memory(id=f"{number:08x}-{number:04x}", title=title or "x", body=f"Lesson {number}")
        memories[memem.vault.create(memory)] = memory
    assert len(memories) == 1000
    for path, memory in memories.items():
        name = path.removeprefix("memories/")
        assert len(name.encode()) <= 255
        assert not set(name) & set('/\\:*?"<>|\0\t\n')
        assert name.partition(".")[0].lower() not in ("con", "prn", "aux", "nul", "com1")
        assert not name.startswith((".", "-", " "))
        read = parse(memem.vault.read(path), path)
        assert (read.problem, read.memory.id, read.memory.body) == ("", memory.id, memory.body)
    assert memem.sync().problems == 0
    assert memem.index.size() == 1000


def test_f10_a_vault_that_is_a_link_is_used_and_links_out_of_it_are_only_listed(home, checkout, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.md").write_text("---\ntitle: Outside\n---\n\nThe safe opens with 4711\n")
    Path(home.vault).symlink_to(tmp_path / "real")
    memem = Memem(home, checkout, environ={})
    memory = memem.save(Draft(content=REDIS)).memory
    folder = tmp_path / "real" / "memem" / "memories"
    (path,) = folder.glob("*.md")
    (folder / "link.md").symlink_to(tmp_path / "outside" / "secret.md")
    (folder / "loop.md").symlink_to(folder / "loop.md")
    (folder / "folder").symlink_to(tmp_path / "outside")
    (folder / "hard-twin.md").hardlink_to(path)
    memem.sync()
    assert memem.search("safe 4711").ids == []
    assert set(memem.search("redis").ids) == {memory.id}
    listed = {path for conflict in memem.conflicts() for path in conflict.paths if "a link" in conflict.what}
    assert listed == {"memories/link.md", "memories/loop.md"}
    assert (tmp_path / "outside" / "secret.md").read_text().endswith("4711\n")
    memem.close()


def test_f11_a_pipe_a_folder_and_a_socket_named_like_notes_are_listed_and_stop_nothing(memem, save, vault):
    memory = save(REDIS)
    folder = vault.root / "memories"
    os.mkfifo(folder / "pipe.md")
    (folder / "folder.md").mkdir()
    (folder / "folder.md" / "inner.md").write_text("Deploys happen on Friday\n")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(folder)  # the whole path is too long for a socket
        try:
            listening.bind("socket.md")
        finally:
            os.chdir(here)
        memem.sync()
        assert memem.search("redis").ids == [memory.id]
        assert len(memem.search("deploys").ids) == 1
        assert {conflict.paths[0]: conflict.fix for conflict in memem.conflicts()} == dict.fromkeys(
            ("memories/pipe.md", "memories/socket.md"), "remove it from the vault's memem folder"
        )


def test_f12_mode_and_attributes_of_a_note_outlive_a_mark(memem, save, vault):
    old = save(REDIS)
    path = vault.path(old.id)
    path.chmod(0o640)
    attributes = True
    try:
        os.setxattr(path, "user.colour", b"red")
    except OSError:
        attributes = False
    if os.geteuid() == 0:
        os.chown(path, 12345, 12346)
    before = path.stat()
    memem.save(Draft(content="Redis must run on 6379"))
    after = path.stat()
    assert b"status: superseded" in path.read_bytes()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert not attributes or os.getxattr(path, "user.colour") == b"red"
