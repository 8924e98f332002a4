"""Backups: whole, verified, free of keys, and restorable elsewhere without taking anything away."""

import json
import os
import threading
import time
import zipfile
from pathlib import Path

import pytest

from memem import sqlite
from memem.app import Memem
from memem.config import resolve
from memem.errors import BadInput, Damaged, NotFound, Unavailable, VaultUnavailable
from memem.ingest.grown import grow
from memem.keep import backup as backups
from memem.keep import bundle as bundles
from memem.keep.backup import backup, made_here
from memem.keep.bundle import MANIFEST, Bundle
from memem.keep.forget import Wish
from memem.keep.forget import carry_out as carry_out_forget
from memem.keep.forget import plan as plan_forget
from memem.keep.restore import carry_out, plan
from memem.mining import playbooks
from memem.models import Draft
from memem.off import is_off, stretches, turn_off, turn_on
from memem.verify import DAMAGE, verify

from ..home import Home
from ..sources.transcripts import agent, line, user

REDIS = "Redis must run on 6380"
DEPLOYS = "Deploys happen on Friday"


@pytest.fixture
def elsewhere(tmp_path):
    """Memem on another machine: other folders, nothing in them."""
    folder = tmp_path / "elsewhere"
    (folder / "notes").mkdir(parents=True)
    config = resolve({"HOME": str(folder), "MEMEM_OBSIDIAN_VAULT": str(folder / "notes/my vault")}, {})[0]
    other = Memem(config, str(folder), environ={"HOME": str(folder)})
    yield other
    other.close()


def restored(memem, path):
    with Bundle(Path(path)) as bundle:
        planned = plan(memem, bundle)
        carry_out(memem, bundle, planned)
    return planned


def files(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in Path(root).rglob("*.md")}


def test_a_backup_comes_back_byte_for_byte_in_another_vault_on_another_machine(
    memem, save, vault, home, elsewhere, tmp_path
):
    save(REDIS)
    vault.write("deep/er/by hand.md", b"\xef\xbb\xbf---\r\nmine: 'as it is'\r\n---\r\nA lesson of \xe9 mine\r\n")
    vault.write("memories/plain.md", "Just a text")
    made = backup(home, str(tmp_path))
    assert made.notes == 3
    assert made.left_out == ()
    planned = restored(elsewhere, made.path)
    assert planned.counts["new"] == 3
    assert files(elsewhere.vault.root) == files(home.memory_root)
    assert [found.memory.lesson for found in elsewhere.search("redis").found] == [REDIS]
    assert [found for found in verify(elsewhere.config) if found.level == DAMAGE] == []


def test_a_backup_restored_twice_changes_nothing_the_second_time(memem, save, vault, home, elsewhere, tmp_path):
    memory = save(REDIS)
    made = backup(home, str(tmp_path))
    vault.edit(memory.id, body="Valkey must run on 6380")
    for _ in range(2):
        restored(memem, made.path)
        restored(elsewhere, made.path)
        assert len(files(home.memory_root)) == 2  # mine, and the backup's beside it
        assert len(files(elsewhere.vault.root)) == 1


def test_what_changed_since_stays_and_the_backup_s_version_is_put_beside_it(memem, save, vault, home, tmp_path):
    memory = save(REDIS)
    old = vault.read(memory.id)
    made = backup(home, str(tmp_path))
    edited = vault.edit(memory.id, body="Valkey must run on 6380").read_bytes()
    planned = restored(memem, made.path)
    assert planned.counts == {"beside": 1, "same": 1}
    assert set(files(home.memory_root).values()) == {old, edited}
    assert vault.read(memory.id) == edited
    assert "versions of one note" in memem.conflicts()[0].what


def test_a_note_that_was_renamed_since_is_not_made_anew(memem, save, vault, home, tmp_path):
    memory = save(REDIS)
    made = backup(home, str(tmp_path))
    path = vault.path(memory.id)
    path.rename(path.with_name("My own name.md"))
    assert restored(memem, made.path).counts == {"same": 2}
    assert len(files(home.memory_root)) == 1


def test_a_note_that_was_deleted_since_is_told_and_comes_back(memem, save, vault, home, tmp_path):
    memory = save(REDIS)
    made = backup(home, str(tmp_path))
    vault.path(memory.id).unlink()
    memem.sync()
    with Bundle(Path(made.path)) as bundle:
        (step,) = [step for step in plan(memem, bundle).steps if step.what == "new"]
    assert step.why == "you deleted it since"
    restored(memem, made.path)
    assert memem.search("redis").ids == [memory.id]
    assert memem.state.buried_ids() == []


def test_looking_at_a_backup_writes_nothing(memem, save, vault, home, elsewhere, tmp_path):
    save(REDIS)
    made = backup(home, str(tmp_path))
    before = {str(path): path.read_bytes() for path in Path(elsewhere.config.vault).rglob("*") if path.is_file()}
    with Bundle(Path(made.path)) as bundle:
        assert plan(elsewhere, bundle).counts["new"] == 1
    after = {str(path): path.read_bytes() for path in Path(elsewhere.config.vault).rglob("*") if path.is_file()}
    assert before == after


def test_what_was_deleted_and_how_far_was_mined_travels_too(memem, save, vault, home, elsewhere, tmp_path):
    memory = save(REDIS)
    vault.path(memory.id).unlink()
    save(DEPLOYS)
    memem.sync()
    memem.state.remember_offset("/somewhere/s.jsonl", "1:2:3", 4711, time.time())
    restored(elsewhere, backup(home, str(tmp_path)).path)
    assert elsewhere.save(Draft(content=REDIS, source_type="mined")).reason == "deleted by a human"
    assert elsewhere.state.offset("/somewhere/s.jsonl") == ("1:2:3", 4711)
    (note,) = elsewhere.memories("*")
    assert not elsewhere.human_owned(note.memory)


def test_sessions_that_were_off_stay_private_elsewhere(memem, save, home, elsewhere, tmp_path):
    save(REDIS)
    now_off, was_off = "0c9e2a0f-4915-4d0e-9929-c841008ea844", "0c9e2a0f-4915-4d0e-9929-c841008ea845"
    turn_off(home.dir, now_off, 1.0)
    turn_off(home.dir, was_off, 2.0)
    turn_on(home.dir, was_off, 3.0)
    Path(home.state_path("off/not.a.mark")).write_text("x")
    restored(elsewhere, backup(home, str(tmp_path)).path)
    assert is_off(elsewhere.config.dir, now_off)
    assert stretches(elsewhere.config.dir, was_off) == [(2.0, 3.0)]
    assert not Path(elsewhere.config.state_path("off/not.a.mark")).exists()


def test_keys_and_derived_files_are_in_no_backup(memem, save, home, tmp_path):
    save(REDIS)
    key = "sk-ant-" + "api03-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ6kL9mN2pQ5sT8vW1yZ4"
    Path(home.state_path("keys.env")).write_text(f"ANTHROPIC_API_KEY={key}\n")
    Path(home.state_path("config.toml")).write_text(f'llm_url = "https://me:{key}@example.com/v1"\n')
    made = backup(home, str(tmp_path), sessions=True)
    with zipfile.ZipFile(made.path) as archive:
        names = set(archive.namelist())
        held = b"".join(archive.read(name) for name in names)
    assert {name.partition("/")[2] for name in names if name.startswith("state/")} == {"state.db", "config.toml"}
    assert key.encode() not in held
    assert Path(made.path).stat().st_mode & 0o777 == 0o600


def test_a_backup_is_dated_never_written_over_and_not_put_into_the_vault(memem, save, home, tmp_path):
    save(REDIS)
    made = backup(home, now=1_900_000_000.0)
    assert made_here(home) == [made.path]
    assert made.path.endswith("memem-20300317T174640Z.zip")
    with pytest.raises(BadInput, match="never written over"):
        backup(home, now=1_900_000_000.0)
    with pytest.raises(BadInput, match="outside"):
        backup(home, home.memory_root)
    with pytest.raises(BadInput, match="mkdir -p"):
        backup(home, str(tmp_path / "not there" / "b.zip"))


def test_without_its_vault_nothing_is_backed_up(memem, save, home, tmp_path):
    save(REDIS)
    Path(home.vault).rename(tmp_path / "away")
    with pytest.raises(VaultUnavailable, match="nothing was backed up"):
        backup(home, str(tmp_path))
    assert not list(tmp_path.glob("*.zip"))


def test_links_out_of_the_vault_are_not_taken_along(memem, save, vault, home, tmp_path):
    save(REDIS)
    secret = tmp_path / "secret.md"
    secret.write_text("private")
    (vault.root / "memories" / "link.md").symlink_to(secret)
    os.mkfifo(vault.root / "memories" / "pipe.md")
    made = backup(home, str(tmp_path))
    assert made.notes == 1
    assert len(made.left_out) == 2


def test_a_backup_made_while_others_write_is_whole_and_holds_what_was_acked_before(opened, home, tmp_path):
    writer, acked, stop = opened(), [], threading.Event()

    def work():
        number = 0
        while not stop.is_set():
            number += 1
            acked.append(
                writer.save(Draft(content=f"Service number {number} listens on port {6000 + number}")).memory.id
            )

    thread = threading.Thread(target=work)
    thread.start()
    try:
        while len(acked) < 5:
            time.sleep(0.01)
        before = list(acked)
        made = backup(home, str(tmp_path))
    finally:
        stop.set()
        thread.join()
    with Bundle(Path(made.path)) as bundle:
        bundle.check()
        held = " ".join(bundle.entries)
    assert all(name[:8] in held for name in before)


def test_a_state_that_another_process_holds_is_left_out_by_name_and_the_notes_are_not(
    memem, save, home, tmp_path, monkeypatch
):
    save(REDIS)
    memem.close()
    monkeypatch.setattr(backups, "_PATIENCE_SECONDS", 0.3)
    holder = sqlite.connect(home.state_path("state.db"))
    holder.execute("PRAGMA journal_mode=DELETE")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        made = backup(home, str(tmp_path))
    finally:
        holder.close()
    assert made.notes == 1
    assert "state.db" in made.left_out[0]
    assert ("locked" in made.left_out[0]) or ("holds it" in made.left_out[0])


def test_no_half_backup_is_left_when_the_disk_is_full(memem, save, home, tmp_path, monkeypatch):
    save(REDIS)
    real = bundles.Writer.add

    def full(self, name, pieces):
        if name.startswith("vault/"):
            raise Unavailable("no space")
        real(self, name, pieces)

    monkeypatch.setattr(bundles.Writer, "add", full)
    folder = tmp_path / "target"
    folder.mkdir()
    with pytest.raises(Unavailable):
        backup(home, str(folder))
    assert list(folder.iterdir()) == []


def test_forgotten_memories_do_not_come_back_from_a_backup(memem, save, home, elsewhere, tmp_path):
    from memem.state.forgotten import MEMORY, Forgotten

    memory = save(REDIS)
    made = backup(home, str(tmp_path))
    Forgotten(elsewhere.config.dir).add([(MEMORY, memory.id)])
    planned = restored(elsewhere, made.path)
    assert [step.why for step in planned.steps if step.what == "left out"] == ["was forgotten on purpose"]
    assert elsewhere.memories("*") == []


def test_what_named_a_forgotten_memory_is_no_conflict_and_does_not_bring_its_title_back(memem, save, home, tmp_path):
    gone = save("The zorblax barn exports its figs on Friday")
    tied = save("The zorblax barn exports its plums on Monday")
    other = save("Deploys happen from the pier office")
    memem.gate().link(gone.id, other.id)
    memem.sync()
    edited = save("Berth exports are semicolon separated")
    memem.gate().link(gone.id, edited.id)
    memem.sync()
    root = Path(home.memory_root)
    (path,) = root.rglob(f"*{edited.id[:8]}.md")
    missing = save("Only uv installs what the harbor needs")
    memem.gate().link(gone.id, missing.id)
    made = backup(home, str(tmp_path))
    carry_out_forget(memem, plan_forget(memem, Wish(ids=(gone.id,))))
    path.write_text(path.read_text().replace("semicolon", "comma"))
    next(root.rglob(f"*{missing.id[:8]}.md")).unlink()
    planned = restored(memem, made.path)
    assert [step.what for step in planned.steps if tied.id[:8] in step.where or other.id[:8] in step.where] == [
        "same"
    ] * 2
    assert [step.what for step in planned.steps if edited.id[:8] in step.where] == ["beside"]
    assert [step.what for step in planned.steps if missing.id[:8] in step.where] == ["new"]
    assert len(list(root.rglob("*conflicted copy*"))) == 1
    for one in root.rglob("*.md"):
        assert gone.id not in one.read_text() and "zorblax-barn-exports-its-figs" not in one.read_text(), one


def test_playbook_of_the_backup_does_not_tell_what_was_forgotten(memem, save, home, tmp_path):
    gone = save("The zorblax barn always exports its figs on Friday", kind="convention")
    kept = save("Deploys always happen from the pier office", kind="convention")
    path, memory = playbooks.playbook(gone.project, gone.created)
    part = playbooks.playbook_part(memem.index.notes())
    assert "zorblax" in part and grow(memem.vault, memem.index, memem.state, path, memory, lambda _: part)
    made = backup(home, str(tmp_path))
    carry_out_forget(memem, plan_forget(memem, Wish(ids=(gone.id,))))
    restored(memem, made.path)
    for one in Path(home.memory_root).rglob("*.md"):
        assert "zorblax" not in one.read_text(), one
    assert kept.id[:8] in Path(home.memory_root, path).read_text()


# What a stranger may have made


def forged(path, files, manifest=None, **how):
    """An archive that looks like a backup."""
    import hashlib

    listed = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr(MANIFEST, json.dumps({"format": 1, "files": listed} if manifest is None else manifest))
    return path


@pytest.mark.parametrize(
    "name",
    [
        "vault/../../escaped.md", "/etc/escaped.md", "vault//x.md", "vault/./x.md", "vault/.hidden/x.md", "../x.md",
        "vault/a\\..\\b.md", "vault/\x1b[2Jx.md", "vault/" + "x" * 300 + ".md", "vault/a/" * 200 + "x.md",
        "vault/ x.md",
    ],
)  # fmt: skip
def test_names_that_lead_out_are_refused_as_a_whole(elsewhere, tmp_path, name):
    path = forged(tmp_path / "bad.zip", {name: b"gotcha", "vault/memories/good.md": b"good"})
    with pytest.raises(Damaged, match="nothing was changed"):
        Bundle(path)
    assert files(elsewhere.config.vault) == {}


def test_state_files_that_memem_does_not_keep_are_left_out(elsewhere, tmp_path):
    path = forged(tmp_path / "odd.zip", {"state/keys.env": b"KEY=1", "state/hook.conf": b"/bin/evil", "other/x": b"y"})
    planned = restored(elsewhere, path)
    assert {step.where for step in planned.steps if step.what == "left out"} == {"keys.env", "hook.conf"}
    assert not Path(elsewhere.config.state_path("keys.env")).exists()
    assert not Path(elsewhere.config.state_path("hook.conf")).exists()


def test_a_folder_that_is_a_link_here_leads_no_note_out(elsewhere, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (elsewhere.vault.root / "deep").symlink_to(outside)
    planned = restored(elsewhere, forged(tmp_path / "b.zip", {"vault/deep/x.md": b"gotcha"}))
    assert [step.what for step in planned.steps] == ["left out"]
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("size", [300_000_000, 1_000_000_000])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, size):
    path = tmp_path / "bomb.zip"
    about = zipfile.ZipInfo("vault/x.md")
    about.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive, archive.open(about, "w", force_zip64=True) as file:
        for _ in range(size // 10_000_000):
            file.write(bytes(10_000_000))
    started = time.process_time()
    with pytest.raises(Damaged, match="would come out"):
        Bundle(path)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "manifest",
    [
        {"format": 99, "files": {}}, {"format": 1}, [], {"format": 1, "files": {"vault/x.md": 7}},
        {"format": 1, "files": {"vault/x.md": {"bytes": 1, "sha256": "0"}, "vault/y.md": {"bytes": 1, "sha256": "0"}}},
        {"format": 1, "files": {}}, {"format": 1, "files": {"vault/x.md": {"bytes": 99, "sha256": "0"}}},
    ],
)  # fmt: skip
def test_a_manifest_that_does_not_fit_is_refused(tmp_path, manifest):
    path = forged(tmp_path / "bad.zip", {"vault/x.md": b"x"}, manifest)
    with pytest.raises(Damaged), Bundle(path) as bundle:
        bundle.check()


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_one_changed_byte_or_a_cut_is_found_before_anything_is_written(memem, save, home, elsewhere, tmp_path, place):
    for number in range(20):
        save(f"Service number {number} listens on port {6000 + number}")
    whole = Path(backup(home, str(tmp_path)).path).read_bytes()
    at = int(len(whole) * place)
    for number, broken in enumerate((whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :], whole[:at], b"")):
        path = tmp_path / f"broken{number}.zip"
        path.write_bytes(broken)
        try:
            restored(elsewhere, path)
        except Damaged:
            assert files(elsewhere.vault.root) == {}
        else:  # a byte that means nothing, such as one of a date
            for path_of in elsewhere.vault.root.rglob("*.md"):
                path_of.unlink()


def test_a_file_that_is_no_backup_is_named(tmp_path):
    with pytest.raises(NotFound):
        Bundle(tmp_path / "nothing.zip")
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises((Damaged, Unavailable)):
        Bundle(tmp_path / "pipe.zip")


def test_a_hostile_state_in_a_backup_takes_nothing_over(memem, save, home, elsewhere, tmp_path):
    save(REDIS)
    made = backup(home, str(tmp_path))
    with Bundle(Path(made.path)) as bundle:
        held = {name: bundle.read(name) for name in bundle.entries}
    database = tmp_path / "state.db"
    database.write_bytes(held["state/state.db"])
    connection = sqlite.connect(str(database))
    connection.execute("INSERT INTO offsets VALUES (?, ?, ?, ?)", (b"\xff", "x", "not a number", 1))
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('vault', '/evil')")
    connection.close()
    held["state/state.db"] = database.read_bytes()
    restored(elsewhere, forged(tmp_path / "forged.zip", held))
    assert elsewhere.state.get("vault") == elsewhere.config.memory_root
    assert [item.memory.lesson for item in elsewhere.memories("*")] == [REDIS]
    held["state/state.db"] = b"no database at all" * 100
    planned = restored(elsewhere, forged(tmp_path / "garbage.zip", held))
    assert planned.counts["same"] == 2
    assert any("all notes are back" in reason for reason in elsewhere.degraded)


def test_the_command_shows_first_and_writes_with_yes(tmp_path):
    home = Home(tmp_path)
    memory = home.save(REDIS)
    done = home.run("backup", str(tmp_path))
    assert done.returncode == 0, done
    (path,) = tmp_path.glob("memem-*.zip")
    assert str(path) in done.stdout
    for note in home.notes.glob("*.md"):
        note.unlink()
    shown = home.run("restore", str(path))
    assert "Nothing was written" in shown.stdout
    assert list(home.notes.glob("*.md")) == []
    assert home.run("restore", str(path), "--yes").returncode == 0
    assert memory.id in home.run("get", memory.id, "--json").stdout
    broken = tmp_path / "broken.zip"
    broken.write_bytes(path.read_bytes()[:-30])
    assert home.run("restore", str(broken), "--yes").returncode == 5


def test_the_archive_of_sessions_travels_when_asked_for(memem, home, elsewhere, tmp_path):
    path = tmp_path / "s1.jsonl"
    path.write_bytes(line(user("Let us keep the falcon in the barn")) + line(agent("It is in the barn")))
    assert [grown.events for grown in memem.archive([str(path)], opted_in=True)] == [2]
    made = backup(home, str(tmp_path), sessions=True)
    assert made.sessions == 1
    assert restored(elsewhere, made.path).counts["new"] == 1
    assert elsewhere.transcripts("falcon barn", everywhere=True).passages
