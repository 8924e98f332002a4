"""Vault to index: whatever happened to the files, the index says what they say."""

import os
import random
import sys
from pathlib import Path

import pytest

from memem.index.writer import memory_index
from memem.models import Memory, Scope
from memem.sync import Synced, sync, sync_path
from memem.text import query_terms
from memem.vault.store import Vault

HOUR = 3600 * 10**9
NOW = 1_800_000_000 * 10**9


class World:
    """A vault and its index, with a clock that a test sets."""

    def __init__(self, root: Path) -> None:
        self.vault = Vault(str(root / "memem"))
        self.vault.make()
        self.index = memory_index()
        self.now = NOW

    def write(self, name: str, text: str | bytes, at: int = NOW - HOUR) -> Path:
        """Write a note whose modification lies in the past."""
        path = self.vault.root / "memories" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        os.utime(path, ns=(at, at))
        return path

    def sync(self) -> Synced:
        return sync(self.vault, self.index, self.now)

    def found(self, words: str) -> list[str]:
        return [candidate.path for candidate in self.index.search(query_terms(words), 50)]


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.index.close()


def text(body, id="", **fields):
    lines = [f"id: {id or body[:8]}", f"title: {body[:20]}", *(f"{key}: {value}" for key, value in fields.items())]
    return "---\n" + "\n".join(lines) + f"\n---\n\n{body}\n"


def test_new_edited_and_deleted_notes_are_followed(world):
    path = world.write("a.md", text("Redis is on 6380"))
    world.write("b.md", text("Use uv"))
    assert world.sync() == Synced(changed=2)
    assert world.sync() == Synced(unchanged=2)
    world.write("a.md", text("Valkey is on 6380"), NOW - HOUR + 1)
    assert world.sync() == Synced(changed=1, unchanged=1)
    assert (world.found("redis"), world.found("valkey")) == ([], ["memories/a.md"])
    path.unlink()
    done = world.sync()
    assert done.replace(gone=()) == Synced(unchanged=1, removed=1)
    assert [memory.title for memory in done.gone] == ["Valkey is on 6380"]
    assert world.found("valkey") == []


def test_a_renamed_and_a_moved_note_keep_their_id(world):
    path = world.write("a.md", text("Redis is on 6380", id="12345678-a"))
    world.sync()
    path.rename(path.with_name("renamed.md"))
    world.sync()
    (path.parent / "sub").mkdir()
    path.with_name("renamed.md").rename(path.parent / "sub" / "moved.md")
    world.sync()
    assert [(item.path, item.memory.body) for item in world.index.by_prefix("12345678")] == [
        ("memories/sub/moved.md", "Redis is on 6380")
    ]
    assert world.index.size() == 1


def test_copies_with_one_id_are_both_searchable(world):
    world.write("a.md", text("Redis is on 6380", id="12345678-a"))
    world.write("a.sync-conflict-1.md", text("Redis is on 6381", id="12345678-a"))
    assert world.sync() == Synced(changed=2)
    assert len(world.index.by_prefix("12345678-a")) == 2
    assert sorted(world.found("redis")) == ["memories/a.md", "memories/a.sync-conflict-1.md"]


def test_an_edit_in_the_moment_of_reading_is_not_missed(world):
    path = world.write("a.md", text("Redis is on 6380"), at=NOW)
    before = path.stat()
    world.sync()
    path.write_text(text("Redis is on 6381"))
    os.utime(path, ns=(NOW, NOW))
    after = path.stat()
    assert (before.st_mtime_ns, before.st_size, before.st_ino) == (after.st_mtime_ns, after.st_size, after.st_ino)
    assert world.sync() == Synced(changed=1)
    assert world.found("6381") == ["memories/a.md"]


def test_an_edit_whose_times_were_set_back_is_found(world):
    path = world.write("a.md", text("Redis is on 6380"), at=NOW)
    world.now += HOUR
    world.sync()
    path.write_text(text("Redis is on 6381"))
    os.utime(path, ns=(NOW, NOW))
    assert world.sync() == Synced(changed=1)
    assert world.found("6381") == ["memories/a.md"]


@pytest.mark.parametrize("at", [NOW - 2 * HOUR, NOW + 10 * HOUR, 0])
def test_a_time_set_back_or_ahead_is_a_change(world, at):
    world.write("a.md", text("Redis is on 6380"))
    world.sync()
    world.write("a.md", text("Redis is on 6381"), at=at)
    assert world.sync() == Synced(changed=1)


def test_a_touched_note_is_unchanged(world):
    world.write("a.md", text("Redis is on 6380"))
    world.sync()
    world.write("a.md", text("Redis is on 6380"), at=NOW - HOUR + 5)
    assert world.sync() == Synced(unchanged=1)
    assert world.index.entry("memories/a.md").etag == world.vault.stat("memories/a.md")


def test_one_written_note_is_brought_up_to_date_alone(world):
    path = world.vault.create(Memory(id="12345678-a", title="Ports", body="Redis is on 6380"))
    world.write("other.md", text("Valkey"))
    sync_path(world.vault, world.index, path)
    assert world.found("redis") == [path]
    assert world.found("valkey") == []


def test_a_written_note_that_an_editor_is_just_rewriting_keeps_its_last_good_row(world):
    path = world.write("a.md", text("Redis is on 6380", id="12345678-a"))
    world.sync()
    path.write_bytes(b"")  # as an editor does before it writes
    sync_path(world.vault, world.index, "memories/a.md")
    assert [item.memory.body for item in world.index.by_prefix("12345678-a")] == ["Redis is on 6380"]


def test_a_note_without_frontmatter_stays_as_it_is_and_is_found(world):
    path = world.write("plain.md", "# Ports\n\nRedis is on 6380\n")
    assert world.sync() == Synced(changed=1)
    assert path.read_text() == "# Ports\n\nRedis is on 6380\n"
    assert world.index.notes()[0].memory.title == "Ports"
    assert world.found("6380") == ["memories/plain.md"]


@pytest.mark.parametrize("broken", ["tags: [a, b", "no colon here", 'x: "open'])
def test_a_broken_note_is_searchable_and_its_problem_goes_with_its_mending(world, broken):
    path = world.write("a.md", f"---\ntitle: Ports\n{broken}\n---\n\nRedis is on 6380\n")
    before = path.read_bytes()
    assert world.sync() == Synced(problems=1)
    assert world.sync() == Synced(problems=1)
    assert path.read_bytes() == before
    assert world.found("6380") == ["memories/a.md"]
    ((listed, problem),) = world.index.problems()
    assert listed == "memories/a.md"
    assert "line 3" in problem
    world.write("a.md", text("Redis is on 6380"))
    assert world.sync() == Synced(changed=1)
    assert world.index.problems() == []


def placeholder(world, path):
    path.unlink()
    path.with_name(f".{path.name}.icloud").write_bytes(b"bplist00")


@pytest.mark.parametrize(
    "fault",
    [
        lambda world, path: path.write_bytes(b""),
        lambda world, path: path.write_bytes(b"\0" * 300),
        lambda world, path: path.write_bytes(path.read_bytes()[:20]),
        placeholder,
    ],
    ids=["empty", "zeros", "truncated", "placeholder"],
)
def test_a_note_that_says_nothing_keeps_its_last_good_row_and_recovers(world, fault):
    path = world.write("a.md", text("Redis is on 6380", id="12345678-a"))
    good = path.read_bytes()
    world.sync()
    fault(world, path)
    for _ in range(2):
        assert world.sync() == Synced(problems=1)
        assert world.found("6380") == ["memories/a.md"]
        assert len(world.index.problems()) == 1
    path.with_name(".a.md.icloud").unlink(missing_ok=True)
    world.write("a.md", good, NOW - HOUR + 7)
    world.sync()
    assert world.index.problems() == []
    assert world.sync() == Synced(unchanged=1)
    world.write("a.md", text("Redis is on 6381", id="12345678-a"), NOW - HOUR + 9)
    assert world.sync() == Synced(changed=1)
    assert world.found("6381") == ["memories/a.md"]


@pytest.mark.parametrize("name", [".a.md.icloud", b"a\xff.md", b"a\xfe.md"])
def test_two_files_that_go_by_one_path_are_one_row_of_a_new_index(world, name):
    path = world.write("a.md", "Redis runs on 6380\n")
    for other in (name, b"a\xff.md"):
        Path(os.fsdecode(os.path.join(os.fsencode(path.parent), os.fsencode(other)))).write_bytes(b"bplist00")
    world.sync()
    assert world.found("redis") == ["memories/a.md"]


def test_an_empty_new_file_is_listed_and_found_by_nobody(world):
    world.write("a.md", "")
    assert world.sync() == Synced(problems=1)
    assert world.index.problems() == [("memories/a.md", "empty: not downloaded yet, or emptied")]
    assert world.index.in_scope(Scope()) == []


def test_links_pipes_and_folders_named_like_notes_do_not_stop_the_rest(world, tmp_path):
    (tmp_path / "outside.md").write_text("outside words")
    world.write("good.md", text("Redis is on 6380"))
    folder = world.vault.root / "memories"
    (folder / "link.md").symlink_to(tmp_path / "outside.md")
    (folder / "dangling.md").symlink_to(tmp_path / "nowhere.md")
    os.mkfifo(folder / "pipe.md")
    (folder / "folder.md").mkdir()
    assert world.sync() == Synced(changed=1, problems=3)
    assert world.found("redis outside words") == ["memories/good.md"]
    assert len(world.index.problems()) == 3


def test_a_missing_vault_leaves_the_index_alone(world, tmp_path):
    world.write("a.md", text("Redis is on 6380"))
    world.sync()
    world.vault.root.rename(tmp_path / "unmounted")
    with pytest.raises(Exception, match="not there"):
        world.sync()
    assert world.found("redis") == ["memories/a.md"]
    (tmp_path / "unmounted").rename(world.vault.root)
    assert world.sync() == Synced(unchanged=1)


def test_a_folder_that_cannot_be_listed_keeps_its_rows(world, monkeypatch):
    world.write("a.md", text("Redis is on 6380"))
    world.write("sub/b.md", text("Valkey is on 6381"))
    world.sync()
    real = os.open

    def refuse(path, *rest, **more):
        if str(path).rstrip("/").endswith("memories/sub"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    assert world.sync() == Synced(unchanged=1, problems=1)
    assert world.found("valkey") == ["memories/sub/b.md"]
    assert world.index.problems() == [("memories/sub/", "cannot be listed (Permission denied)")]
    monkeypatch.undo()
    world.sync()
    assert world.index.problems() == []
    assert world.found("valkey") == ["memories/sub/b.md"]


def test_an_unreadable_note_keeps_its_row(world, monkeypatch):
    world.write("a.md", text("Redis is on 6380"))
    world.sync()
    world.write("a.md", text("Redis is on 6381"), NOW - HOUR + 1)
    real = os.open

    def refuse(path, *args, **kwargs):
        if str(path).endswith("a.md"):
            raise OSError(5, "Input/output error")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    assert world.sync() == Synced(problems=1)
    assert world.found("6380") == ["memories/a.md"]
    assert world.index.problems() == [("memories/a.md", "cannot be read (Input/output error)")]
    monkeypatch.undo()
    assert world.sync() == Synced(changed=1)
    assert world.found("6381") == ["memories/a.md"]


def everything(index):
    index.connection.execute("DROP TABLE IF EXISTS temp.words")
    index.connection.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, terms, row)")
    return (
        {item.path: (item.memory, item.etag) for item in index.notes()},
        index.problems(),
        sorted(map(tuple, index.connection.execute("SELECT * FROM temp.words"))),
    )


def test_an_index_kept_through_changes_equals_one_built_anew(world):
    chance = random.Random(3)
    bodies = ("Redis is on 6380", "数据库迁移", "café Müller", "getUserName caches", "---\nx: [\n---\nb", "b" * 5000)
    for step in range(200):
        paths = sorted(path for path in world.vault.root.rglob("*.md"))
        act = chance.randrange(5)
        at = NOW - HOUR + step
        if act < 2 or not paths:
            name = f"{chance.choice(('', 'sub/', 'sub/deep/'))}{step % 17}.md"
            body = chance.choice(bodies)
            world.write(name, body if body.startswith("---") else text(body, id=f"id-{step % 17}"), at)
        elif act == 2:
            world.write(str(chance.choice(paths).relative_to(world.vault.root / "memories")), text(f"new {step}"), at)
        elif act == 3:
            chance.choice(paths).unlink()
        else:
            chance.choice(paths).rename(world.vault.root / "memories" / f"moved-{step % 5}.md")
        if chance.random() < 0.5:
            world.sync()
    world.sync()
    fresh = memory_index()
    sync(world.vault, fresh, world.now)
    assert everything(fresh) == everything(world.index)
    fresh.close()


def test_a_note_read_before_the_yaml_reader_was_installed_is_read_again(world, monkeypatch):
    world.write("a.md", "---\ntitle: Ports\ntags: [redis,\n  ports]\n---\n\nRedis is on 6380\n")
    with monkeypatch.context() as missing:
        missing.setitem(sys.modules, "yaml", None)
        assert world.sync() == Synced(problems=1)
    assert "being installed" in world.index.problems()[0][1]
    assert world.found("6380") == ["memories/a.md"]
    assert world.sync() == Synced(changed=1)
    assert world.index.notes()[0].memory.tags == ("redis", "ports")


def test_a_sync_without_time_leaves_the_rest_and_takes_nothing_for_gone(world):
    world.write("gone.md", text("Redis is on 6380"))
    world.sync()
    (world.vault.root / "memories" / "gone.md").unlink()
    for number in range(401):
        world.write(f"{number}.md", text(f"Valkey {number}"))
    for left in (201, 1):  # the files are so fresh that each is read again
        done = sync(world.vault, world.index, enough=lambda: True)
        assert (done.changed, done.left > 0, done.removed) == (200, True, 0)
        assert 402 - world.index.size() == left
    done = sync(world.vault, world.index)
    assert (done.changed, done.left, done.removed) == (1, 0, 1)
