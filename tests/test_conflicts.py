"""What `memem conflicts` lists: everything that needs a human, each with its files and the next step."""

from memem.index.writer import DAMAGED
from memem.models import Draft

REDIS = "Redis must run on 6380"


def test_a_clean_vault_has_nothing_to_decide(memem, save):
    save(REDIS)
    save("Redis must run on 6379")
    assert memem.conflicts() == []


def test_equal_and_different_copies_are_told_apart_and_the_newest_is_first(memem, save, vault):
    memory = save(REDIS)
    path = vault.path(memory.id)
    twin = path.with_name(f"{path.stem} 2.md")
    twin.write_bytes(path.read_bytes())
    (conflict,) = memem.rebuild() and memem.conflicts()
    assert conflict.what == "the same note 2 times (iCloud)"
    assert conflict.fix == "delete all but one"
    twin.write_bytes(path.read_bytes().replace(b"6380", b"6390").replace(b'updated: "2', b'updated: "3'))
    (conflict,) = memem.rebuild() and memem.conflicts()
    assert conflict.what.startswith("2 versions of one note (iCloud)")
    assert conflict.paths[0] == f"memories/{twin.name}"


def test_a_copy_without_frontmatter_belongs_to_its_original(memem, vault):
    vault.write("plain.md", "Redis is on 6380\n")
    vault.write("plain.sync-conflict-20240506-070809-ABCDEF7.md", "Redis is on 6390\n")
    (conflict,) = memem.conflicts()
    assert set(conflict.paths) == {"memories/plain.md", "memories/plain.sync-conflict-20240506-070809-ABCDEF7.md"}


def test_a_copy_whose_original_is_gone_is_named(memem, save, vault):
    path = vault.path(save(REDIS).id)
    path.rename(path.with_name(f"{path.stem}.sync-conflict-20240506-070809-ABCDEF7.md"))
    memem.sync()
    (conflict,) = memem.conflicts()
    assert "whose original is gone" in conflict.what
    assert "rename" in conflict.fix


def test_every_problem_has_a_next_step_and_every_note_stays(memem, vault, tmp_path):
    vault.write("empty.md", b"")
    vault.write("yaml.md", b"---\ntags: [a\n---\nx\n")
    vault.write("bytes.md", b"caf\xe9 is open\n")
    vault.write("git.md", b"<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n")
    vault.write("open.md", b"---\ntitle: x\n\nno closing line\n")
    vault.write("away.md", b"x")
    vault.path("away.md").rename(vault.root / "memories" / ".away.md.icloud")
    (vault.root / "memories" / "link.md").symlink_to(tmp_path)
    before = vault.snapshot()
    found = {conflict.paths[0].removeprefix("memories/"): conflict for conflict in memem.conflicts()}
    assert set(found) == {"empty.md", "yaml.md", "bytes.md", "git.md", "open.md", "away.md", "link.md"}
    assert all(conflict.what and conflict.fix for conflict in found.values())
    assert "line 2" in found["yaml.md"].what
    assert vault.snapshot() == before


def test_a_save_beside_conflicts_goes_on(memem, vault, home):
    vault.write("yaml.md", b"---\ntags: [a\n---\nRedis must run on 6380\n")
    assert memem.save(Draft(content="Redis must run on 6379")).action in ("added", "superseded")
    assert vault.read("yaml.md") == b"---\ntags: [a\n---\nRedis must run on 6380\n"
    assert not list(memem.vault.root.parent.glob(DAMAGED))
