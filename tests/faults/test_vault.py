"""Rows V: humans, editors, sync programs and git at work on the same notes."""

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memem.app import Memem
from memem.index.schema import FILE_NAME
from memem.models import Draft
from memem.vault import store
from memem.vault.note import with_fields

from .faults import REDIS


def test_v7_a_note_without_frontmatter_is_found_and_stays_as_it_is(memem, vault):
    data = b"\xef\xbb\xbf# Ports\r\n\r\nRedis is on 6380\x0b \r\n"
    vault.write("plain.md", data)
    memem.sync()
    assert len(memem.search("redis 6380").ids) == 1
    memem.save(Draft(content="Redis is on 6381"), "general")
    memem.rebuild()
    assert vault.read("plain.md") == data


def test_v8_broken_yaml_stays_as_it_is_is_found_and_its_line_is_told(memem, vault):
    data = b"---\ntitle: Ports\nstatus: [active\nkind: fact\n---\n\nRedis is on 6380\n"
    vault.write("broken.md", data)
    memem.sync()
    assert len(memem.search("redis 6380").ids) == 1
    ((path, problem),) = memem.index.problems()
    assert (path, "line 3" in problem) == ("memories/broken.md", True)
    memem.rebuild()
    assert vault.read("broken.md") == data


def test_v9_an_emptied_note_is_still_found_and_heals(memem, save, vault):
    memory = save(REDIS)
    path = vault.path(memory.id)
    good = path.read_bytes()
    path.write_bytes(b"")
    memem.sync()
    assert memem.search("redis").ids == [memory.id]
    assert path.read_bytes() == b""
    path.write_bytes(good)
    memem.sync()
    assert memem.index.problems() == []
    assert memem.get([memory.id])[0][0].body == REDIS


CORRECTED = "Redis must run on 6379"
OWNED = ("status", "replaced_by", "invalid_at", "updated")


def interfere(monkeypatch, act, times=1):
    """Let another program act between what memem reads and what it puts in its place."""
    left = iter(range(times))

    def change(data, fields):
        if next(left, None) is not None:
            act(data)
        return with_fields(data, fields)

    monkeypatch.setattr("memem.ingest.gate.note.with_fields", change)


def test_v1_an_edit_between_reading_and_renaming_is_kept_and_marked(memem, save, vault, monkeypatch):
    old = save(REDIS)
    path = vault.path(old.id)
    interfere(
        monkeypatch, lambda data: path.write_bytes(data.replace(b"6380", b"6380, says Ann") + b"\nAnn was here\n")
    )
    outcome = memem.save(Draft(content=CORRECTED))
    assert (outcome.action, outcome.reason) == ("superseded", "")
    data = path.read_bytes()
    assert data.endswith(b"6380, says Ann\n\nAnn was here\n")
    assert b"status: superseded" in data
    assert "Ann was here" in memem.get([old.id])[0][0].body
    assert memem.human_owned(old)
    assert not memem.human_owned(outcome.memory)


def test_v1_a_note_renamed_over_at_the_same_moment_is_kept(memem, save, vault, monkeypatch):
    old = save(REDIS)
    path = vault.path(old.id)

    def rename_over(data):
        other = path.with_name("editor.tmp")
        other.write_bytes(data + b"\nBob was here\n")
        other.replace(path)

    interfere(monkeypatch, rename_over)
    memem.save(Draft(content=CORRECTED))
    assert path.read_bytes().endswith(b"\nBob was here\n")
    assert b"status: superseded" in path.read_bytes()


def test_v1_a_note_deleted_at_the_same_moment_does_not_come_back(memem, save, vault, monkeypatch):
    old = save(REDIS)
    path = vault.path(old.id)
    interfere(monkeypatch, lambda _: path.unlink())
    outcome = memem.save(Draft(content=CORRECTED))
    for _ in range(2):
        memem.sync()
    assert not path.exists()
    assert len(vault.snapshot()) == 1
    assert memem.get([old.id, outcome.memory.id]) == ([outcome.memory], [old.id])


def at_the_last_moment(monkeypatch, *acts):
    """Let a human act right before each of the first exchanges of files: when everything has been compared."""
    real, left = store.exchange, list(acts)

    def exchange(one, other):
        if left:
            left.pop(0)()
        return real(one, other)

    monkeypatch.setattr(store, "exchange", exchange)


def test_v1_an_edit_after_the_last_comparison_is_given_back_and_marked(memem, save, vault, monkeypatch):
    old = save(REDIS)
    path = vault.path(old.id)
    at_the_last_moment(monkeypatch, lambda: path.write_bytes(path.read_bytes() + b"\nAnn was here\n"))
    outcome = memem.save(Draft(content=CORRECTED))
    assert outcome.reason == ""
    assert path.read_bytes().endswith(b"\nAnn was here\n")
    assert b"status: superseded" in path.read_bytes()
    assert len(vault.snapshot()) == 2


def test_v1_two_edits_in_the_moment_of_writing_are_both_kept(memem, save, vault, monkeypatch):
    old = save(REDIS)
    path = vault.path(old.id)
    first, second = path.read_bytes() + b"\nAnn was here\n", path.read_bytes() + b"\nBob was here\n"
    at_the_last_moment(monkeypatch, lambda: path.write_bytes(first), lambda: path.write_bytes(second))
    memem.save(Draft(content=CORRECTED))
    kept = b"".join(vault.snapshot().values())
    assert kept.count(b"Ann was here") == kept.count(b"Bob was here") == 1
    memem.sync()
    assert any("versions of one note" in conflict.what for conflict in memem.conflicts())
    assert memem.vault.sweep(time.time() + 4000) == 0


def test_v1_what_was_written_to_a_note_that_is_deleted_then_is_kept_beside_it(memem, save, vault, monkeypatch):
    old = save(REDIS)
    path = vault.path(old.id)
    data = path.read_bytes() + b"\nAnn was here\n"
    at_the_last_moment(monkeypatch, lambda: path.write_bytes(data), path.unlink)
    memem.save(Draft(content=CORRECTED))
    assert not path.exists()
    assert data in vault.snapshot().values()


def test_v1_without_an_exchange_of_files_the_comparison_still_keeps_edits(memem, save, vault, monkeypatch):
    monkeypatch.setattr(store, "exchange", lambda *_: False)
    old = save(REDIS)
    path = vault.path(old.id)
    interfere(monkeypatch, lambda data: path.write_bytes(data + b"\nAnn was here\n"))
    memem.save(Draft(content=CORRECTED))
    assert path.read_bytes().endswith(b"\nAnn was here\n")
    assert b"status: superseded" in path.read_bytes()


def test_v2_an_edit_of_equal_size_with_its_time_set_back_is_found(memem, save, vault):
    memory = save(REDIS)
    path = vault.path(memory.id)
    long_ago = time.time_ns() - 10**13
    os.utime(path, ns=(long_ago, long_ago))
    memem.sync()
    path.write_bytes(path.read_bytes().replace(b"6380", b"6399"))
    os.utime(path, ns=(long_ago, long_ago))
    assert memem.sync().changed == 1
    assert memem.search("6399").ids == [memory.id]


RICH = """---
# my own head
id: 11111111-2222-4333-8444-555555555555
"mine": 'quoted: value'   # why
title: Redis port
project: {project}
kind: fact
status: active # ask Ann before changing
aliases:
    - "a: b"
# between
    - c
cssclasses: [x,   y]
folded: >-
  status: not a field
  # nor a comment

  end
literal: |+
  updated: neither

updated: 2024-01-01T00:00:00+00:00
nested: {{a: {{b: [1, 2]}}, c: "d"}}
date: 2024-05-06
empty:
odd key-1 : x\t
---

Redis must run on 6380
status: active
\tend  \

"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_v3_everything_memem_does_not_own_keeps_its_bytes(memem, vault, newline, mark):
    text = RICH.format(project=memem.scope().id).replace("\n", newline)
    data = mark + text.encode() + b"Latin-1 \xe9 \x0c \xe2\x80\xa8 end"
    path = vault.write("mine.md", data)
    memem.sync()
    outcome = memem.save(Draft(content="Redis must run on 6379 now", supersedes=("11111111",)))
    assert outcome.reason == ""
    new = outcome.memory
    lines = data.decode("utf-8", "surrogateescape")
    lines = lines.replace("status: active #", "status: superseded #", 1)
    lines = lines.replace("updated: 2024-01-01T00:00:00+00:00", f'updated: "{new.created}"', 1)
    added = "".join(f"{line}{newline}" for line in (f"replaced_by: {quoted(new.id)}", f'invalid_at: "{new.created}"'))
    lines = lines.replace(f"odd key-1 : x\t{newline}---", f"odd key-1 : x\t{newline}{added}---", 1)
    assert path.read_bytes() == lines.encode("utf-8", "surrogateescape")


def quoted(text):
    return text if text[0].isalpha() else f'"{text}"'


def test_v4_a_renamed_and_a_moved_note_keep_their_id_and_are_not_made_anew(memem, save, vault):
    memory = save(REDIS)
    data = vault.read(memory.id)
    path = vault.path(memory.id)
    for target in ("renamed.md", "deep/er/moved.md"):
        path = path.rename(vault.path(target)) if "/" not in target else moved(path, vault.root / target)
        memem.sync()
        assert memem.get([memory.id]) == ([memory], [])
        assert memem.state.buried_ids() == []
        assert memem.save(Draft(content=REDIS, source_type="mined")).action == "skipped"
        assert vault.snapshot() == {str(path.relative_to(vault.root)): data}
    outcome = memem.save(Draft(content=CORRECTED))
    assert outcome.replaced == (memory,)
    assert b"status: superseded" in path.read_bytes()


def moved(path, target):
    target.parent.mkdir(parents=True)
    return path.rename(target)


def test_v5_what_a_human_deleted_is_not_mined_again_until_it_is_restored(memem, save, vault):
    memory = save(REDIS)
    path = vault.path(memory.id)
    data = path.read_bytes()
    path.unlink()
    memem.sync()
    mined = Draft(content=f"  {REDIS.lower()}!", source_type="mined")
    outcome = memem.save(mined)
    assert (outcome.action, outcome.reason, outcome.path) == ("skipped", "deleted by a human", "")
    assert vault.snapshot() == {}
    memem.rebuild()
    assert memem.save(mined).reason == "deleted by a human"
    path.write_bytes(data)
    memem.sync()
    assert memem.state.buried_ids() == []
    assert memem.save(mined).reason == "known"
    path.unlink()
    memem.sync()
    again = memem.save(Draft(content=REDIS, source_type="agent"))
    assert again.action == "added"
    assert memem.get([again.memory.id])[1] == []


def test_v5_a_memory_that_memem_replaced_is_no_deletion(memem, save, vault):
    save(REDIS)
    save(CORRECTED)
    memem.sync()
    memem.rebuild()
    assert memem.state.buried_ids() == []


def test_v6_a_duplicated_note_is_found_twice_and_named_and_stays(memem, save, vault):
    memory = save(REDIS)
    path = vault.path(memory.id)
    vault.write("deep/copy of it.md", path.read_bytes().replace(b"6380", b"6380 (copy)"))
    before = vault.snapshot()
    memem.sync()
    bodies = {item.memory.body for item in memem.index.notes("id = ?", (memory.id,))}
    assert bodies == {REDIS, f"{REDIS} (copy)"}
    assert len(memem.search("redis copy").found) == 2
    (conflict,) = memem.conflicts()
    assert len(conflict.paths) == 2
    path.unlink()
    memem.sync()
    assert memem.get([memory.id])[0][0].body == f"{REDIS} (copy)"
    assert memem.state.buried_ids() == []
    assert memem.conflicts() == []
    assert vault.snapshot().items() <= before.items()


# What each program calls its copy of `<stem>.md`.
COPIES = {
    "Syncthing": "{}.sync-conflict-20240506-070809-ABCDEF7",
    "Dropbox": "{} (Ann's conflicted copy 2024-05-06)",
    "Nextcloud": "{} (conflicted copy 2024-05-06 070809)",
    "Obsidian Sync": "{} (Conflicted copy Pixel 8 202405060708)",
    "OneDrive": "{}-DESKTOP-7QX2LMN",
    "iCloud": "{} 2",
    "Google Drive": "{} (1)",
    "Seafile": "{} (SFConflict ann@example.test 2024-05-06-07-08-09)",
    "ownCloud": "{}_conflict-20240506-070809",
    "Resilio Sync": "{}.Conflict",
}


@pytest.mark.parametrize("program", COPIES)
@pytest.mark.parametrize("newest", ["copy", "original"])
def test_v10_both_versions_of_a_conflict_are_found_and_one_is_injected(memem, save, vault, opened, program, newest):
    memory = save("Integration tests need Redis on port 6380, because 6379 is taken")
    path = vault.path(memory.id)
    data = path.read_bytes()
    stamp = b"2031" if newest == "copy" else b"2001"
    other = re.sub(rb'updated: "\d{4}', b'updated: "' + stamp, data.replace(b"6380", b"6390"))
    copy = path.with_name(COPIES[program].format(path.stem) + ".md")
    copy.write_bytes(other)
    before = vault.snapshot()
    winners = set()
    for one in (memem, opened()):
        one.rebuild()
        assert len(one.search("redis port").found) == 2
        winners.add(
            tuple(item.memory.body for item in one.volunteered("why do the integration tests need redis?").found)
        )
        (conflict,) = one.conflicts()
        assert set(conflict.paths) == {f"memories/{path.name}", f"memories/{copy.name}"}
        assert "2 versions" in conflict.what
        assert program in conflict.what
        assert conflict.fix
    (winner,) = winners
    assert len(winner) == 1
    assert ("6390" in winner[0]) == (newest == "copy")
    assert vault.snapshot() == before


def test_v10_git_markers_are_told_and_such_a_note_is_not_volunteered(memem, save, vault):
    memory = save("Integration tests need Redis on port 6380, because 6379 is taken")
    both = (
        "<<<<<<< HEAD\nIntegration tests need Redis on 6380\n=======\nIntegration tests need Redis on 6390\n>>>>>>> ann"
    )
    path = vault.edit(memory.id, body=both)
    memem.sync()
    assert memem.search("redis 6390").ids == [memory.id]
    assert memem.volunteered("why do the integration tests need redis?").ids == []
    (conflict,) = memem.conflicts()
    assert "git conflict" in conflict.what
    assert "<<<<<<<" in conflict.fix
    assert both.encode() in path.read_bytes()


@pytest.mark.parametrize(
    "odd",
    [b"caf\xe9 \xff\xfe", b"a\0b", "a\u2028b\u2029c\x85d".encode(), b"a\x0bb\x0cc\x1cd", b"lone \r and \r\n"],
    ids=["latin-1", "nul", "line separators", "form feeds", "mixed line ends"],
)
def test_v11_odd_bytes_are_searched_and_kept_by_a_mark(memem, vault, odd):
    head = f"---\r\nid: 11111111-odd\r\nproject: {memem.scope().id}\r\nstatus: active\r\nmine: ".encode()
    data = (
        b"\xef\xbb\xbf"
        + head
        + odd.replace(b"\r", b"").replace(b"\n", b"")
        + b"\r\n---\r\n\r\nRedis runs on 6380 "
        + odd
    )
    path = vault.write("odd.md", data)
    memem.sync()
    assert memem.search("redis 6380").ids == ["11111111-odd"]
    memem.rebuild()
    assert path.read_bytes() == data
    memem.save(Draft(content="Redis has moved to 6379", supersedes=("11111111-odd",)))
    marked = path.read_bytes()
    assert b"status: superseded\r\n" in marked
    start, fence, body = data.partition(b"\r\n---\r\n")
    assert marked.endswith(fence + body)
    assert marked.startswith(start.replace(b"status: active", b"status: superseded"))


MANY = 5000  # benchmarks/faults/size.py takes 50,000


def test_v12_a_huge_note_and_many_notes_are_read_and_searched_in_bounds(memem, save, vault):
    memory = save("Deploys happen on Friday")
    vault.write("huge.md", "---\ntitle: Huge\n---\n\n" + "Redis must run on 6380. " * 100_000)
    folder = vault.root / "many"
    folder.mkdir()
    for number in range(MANY):
        (folder / f"{number}.md").write_text(
            f"---\ntitle: Lesson {number}\n---\n\nBerth {number} of quay {number % 97} is painted blue\n"
        )
    # Bounds in time of the processor, so that a busy machine changes nothing, and far above what is measured.
    before = peak_memory()
    began = time.process_time()
    assert memem.sync().changed == MANY + 1
    assert time.process_time() - began < 30
    assert peak_memory() - before < 60_000_000
    memem._synced_at = time.monotonic() + 60
    assert memem.search("deploys friday").ids == [memory.id]
    assert memem.search("redis 6380").found[0].memory.title == "Huge"
    took = []
    for number in range(0, MANY, MANY // 40):
        began = time.process_time()
        assert memem.search(f"berth {number} painted").found[0].path == f"many/{number}.md"
        took.append(time.process_time() - began)
    assert sorted(took)[37] < 0.25


def peak_memory():
    """Of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def count_rewrites(monkeypatch):
    real, rewritten = store._write, []

    def write(target, data, *, replace, expected=""):
        done = real(target, data, replace=replace, expected=expected)
        if replace and done:
            rewritten.append(target.name)
        return done

    monkeypatch.setattr(store, "_write", write)
    return rewritten


def test_v13_with_a_linter_that_undoes_every_mark_memem_does_not_fight(memem, save, vault, monkeypatch):
    old = save(REDIS)
    rewritten = count_rewrites(monkeypatch)
    memem.save(Draft(content=CORRECTED))
    path = vault.path(old.id)
    for number in range(10):
        text = path.read_text().replace("status: superseded", "status: active").rstrip() + f"\nlinted {number}\n"
        path.write_text(text)
        memem.sync()
        memem.search("redis")
        assert path.read_text() == text
    assert rewritten == [path.name]
    assert memem.human_owned(old)


def test_v13_a_note_that_is_rewritten_all_the_time_is_marked_once_it_settles(memem, save, vault, monkeypatch):
    old = save(REDIS)
    path = vault.path(old.id)
    rewritten = count_rewrites(monkeypatch)
    with monkeypatch.context() as linter:
        interfere(linter, lambda data: path.write_bytes(data.rstrip() + b" \n\n"[: 1 + len(data) % 2] + b"x\n"), 10**6)
        outcome = memem.save(Draft(content=CORRECTED))
        assert "marked as superseded later" in outcome.reason
        memem.sync()
        assert rewritten == []
        assert memem.volunteered("which port must redis run on?").ids.count(outcome.memory.id) <= 1
    memem.sync()
    assert rewritten == [path.name]
    assert memem.get([old.id])[0][0].status == "superseded"
    for _ in range(3):
        memem.sync()
    assert rewritten == [path.name]
    assert memem.warnings() == ()


def git(folder, *arguments, fails=False):
    names = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "core.editor=true"]
    environ = os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    done = subprocess.run(["git", *names, *arguments], cwd=folder, env=environ, capture_output=True, text=True)
    assert bool(done.returncode) == fails, done


@pytest.mark.parametrize(
    ("begin", "sign", "end"),
    [
        (["merge", "other"], "MERGE_HEAD", ["merge", "--abort"]),
        (["rebase", "--merge", "other"], "rebase-merge", ["rebase", "--abort"]),
        (["rebase", "--apply", "other"], "rebase-apply", ["rebase", "--abort"]),
        (["cherry-pick", "other"], "CHERRY_PICK_HEAD", ["cherry-pick", "--abort"]),
        ([], "index.lock", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_v14_nothing_is_written_while_git_is_at_work_and_all_of_it_later(memem, save, vault, home, begin, sign, end):
    old = save(REDIS)
    path = vault.path(old.id)
    text = path.read_text()
    git(home.vault, "init", "-q", "-b", "main")
    for branch, port in (("", ""), ("other", "6381"), ("main", "6382")):
        if branch:
            git(home.vault, "checkout", "-q", *(["-b"] if branch == "other" else []), branch)
            path.write_text(text.replace("6380", port))
        git(home.vault, "add", "-A")
        git(home.vault, "commit", "-q", "-m", "x")
    lock = Path(home.vault, ".git", sign)
    if begin:
        git(home.vault, *begin, fails=True)
    else:
        lock.touch()
    assert lock.exists()
    before = vault.snapshot()
    memem.sync()
    outcome = memem.save(Draft(content="Deploys happen on Friday"))
    correction = memem.save(Draft(content="The port of Redis is secret", supersedes=(old.id,)))
    assert (outcome.action, correction.action) == ("spooled", "spooled")
    assert "git" in outcome.reason
    memem.sync()
    assert vault.snapshot() == before
    assert memem.get([outcome.memory.id]) == ([outcome.memory], [])
    if end:
        git(home.vault, *end)
    else:
        lock.unlink()
    memem.sync()
    assert memem.warnings() == ()
    assert memem.get([outcome.memory.id, correction.memory.id])[1] == []
    assert memem.get([old.id])[0][0].status == "superseded"
    assert len(vault.snapshot()) == 3


def test_v15_a_vault_put_back_to_an_older_state_is_taken_as_it_is(memem, save, vault, tmp_path):
    kept = save(REDIS)
    shutil.copytree(vault.root, tmp_path / "backup")
    vault.edit(kept.id, body="Redis must run on 6380, says Ann")
    newer = save("Deploys happen on Friday")
    memem.sync()
    vault.root.rename(tmp_path / "today")
    shutil.copytree(tmp_path / "backup", vault.root)
    before = vault.snapshot()
    for _ in range(2):
        memem.sync()
        assert vault.snapshot() == before
    assert memem.get([kept.id, newer.id]) == ([kept], [newer.id])
    for _ in range(2):
        assert memem.save(Draft(content="Deploys happen on Friday", source_type="mined")).action == "skipped"
    assert vault.snapshot() == before
    shutil.rmtree(vault.root)
    (tmp_path / "today").rename(vault.root)
    memem.sync()
    assert memem.get([newer.id]) == ([newer], [])
    assert memem.get([kept.id])[0][0].body.endswith("says Ann")
    assert memem.state.buried_ids() == []


def test_v9_a_note_that_was_cut_in_its_frontmatter_is_not_written_to(memem, save, vault):
    old = save(REDIS)
    path = vault.path(old.id)
    half = path.read_bytes().partition(b"created")[0] + b"crea"
    path.write_bytes(half)
    memem.sync()
    outcome = memem.save(Draft(content=CORRECTED))
    assert path.read_bytes() == half
    assert outcome.action != "superseded" or path.name in outcome.reason


def without_index(home):
    for path in Path(home.dir).glob(f"{FILE_NAME}*"):
        path.unlink()


def mined(text):
    return Draft(content=text, source_type="mined")


def test_v5_what_was_deleted_while_there_was_no_index_is_not_mined_again(memem, save, vault, home, opened):
    memory, kept = save(REDIS), save("Deploys happen on Friday")
    path = vault.path(memory.id)
    data = path.read_bytes()
    memem.close()
    without_index(home)
    path.unlink()
    memem = opened()
    assert memem.save(mined(REDIS)).reason == "deleted by a human"
    assert memem.state.buried_ids() == [memory.id]
    assert memem.save(mined("Deploys happen on Friday")).memory == kept
    path.write_bytes(data)
    memem.sync()
    assert memem.state.buried_ids() == []
    assert memem.save(mined(REDIS)).reason == "known"
    memem.close()
    without_index(home)
    path.unlink()
    assert opened().save(mined(REDIS)).reason == "deleted by a human"  # and once more, after it was back


def test_v5_a_crash_before_a_deletion_is_remembered_does_not_forget_it(memem, save, vault, opened, monkeypatch):
    memory = save(REDIS)
    path = vault.write("by-hand.md", "---\ntitle: Ports\n---\n\nValkey must run on 6381\n")
    memem.sync()
    vault.path(memory.id).unlink()
    path.unlink()

    def killed(*_):
        raise KeyboardInterrupt

    for place in ("memem.state.store.State.bury", "memem.index.writer.IndexWriter.remove"):
        with monkeypatch.context() as crash:
            crash.setattr(place, killed)
            with pytest.raises(KeyboardInterrupt):
                memem.sync()
    memem = opened()
    for text in (REDIS, "Valkey must run on 6381"):
        assert memem.save(mined(text)).reason == "deleted by a human"


def test_v5_another_vault_buries_nothing(memem, save, vault, home, checkout, opened):
    memory = save(REDIS)
    memem.close()
    other = Memem(home.replace(vault=f"{home.vault}-2"), checkout, environ={})
    assert other.save(mined(REDIS)).action == "added"
    assert other.state.buried_ids() == []
    other.close()
    memem = opened()
    assert memem.get([memory.id]) == ([memory], [])
    assert memem.state.buried_ids() == []


def test_v5_notes_that_cannot_be_read_after_the_index_was_lost_are_not_buried(memem, save, vault, home, opened):
    memory = save(REDIS)
    path = vault.path(memory.id)
    data = path.read_bytes()
    memem.close()
    without_index(home)
    path.unlink()
    path.with_name(f".{path.name}.icloud").write_bytes(b"bplist00")
    memem = opened()
    memem.sync()
    assert memem.state.buried_ids() == []
    path.with_name(f".{path.name}.icloud").unlink()
    path.write_bytes(data)
    memem.sync()
    assert memem.get([memory.id]) == ([memory], [])


def test_v15_half_a_vault_that_is_away_for_a_while_loses_nothing_for_good(memem, save, vault, home, opened, tmp_path):
    texts = (REDIS, "Deploys happen on Friday", "Logos are painted blue", "The cluster runs Postgres 14")
    memories = [save(text) for text in texts]
    with pytest.MonkeyPatch.context() as crash:
        crash.setattr(store.Vault, "edit", stop_here)
        with pytest.raises(KeyboardInterrupt):
            save("The cluster runs Postgres 15", supersedes=(memories[3].id,))
    memem.close()
    without_index(home)
    folder = vault.root / "memories"
    folder.rename(tmp_path / "away")
    folder.mkdir()
    memem = opened()
    memem.sync()
    assert memem.memories() == []
    memem.rebuild()
    folder.rmdir()
    (tmp_path / "away").rename(folder)
    memem.sync()
    assert memem.state.buried_ids() == []
    assert memem.get([memory.id for memory in memories])[1] == []
    assert memem.get([memories[3].id])[0][0].status == "superseded"
    assert memem.warnings() == ()
    assert len(vault.snapshot()) == 5


def stop_here(*_):
    raise KeyboardInterrupt
