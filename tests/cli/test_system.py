"""The commands about the vault's health as people run them: conflicts, verify, index rebuild, sync, doctor."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from memem.index.schema import FILE_NAME

from ..home import Home

REDIS = "Integration tests need Redis on port 6380, because 6379 is taken by the staging tunnel"


@pytest.fixture
def redis(tmp_path: Path) -> Home:
    """A home whose project remembers one lesson."""
    home = Home(tmp_path)
    home.save(REDIS)
    return home


def note(home: Home) -> Path:
    (path,) = home.notes.glob("*.md")
    return path


def test_conflicts_names_both_files_and_the_next_step(redis: Home) -> None:
    assert "Nothing to decide" in redis.run("conflicts").stdout
    path = note(redis)
    copy = path.with_name(f"{path.stem}.sync-conflict-20240506-070809-ABCDEF7.md")
    copy.write_bytes(path.read_bytes().replace(b"6380", b"6390"))
    done = redis.run("conflicts")
    assert done.returncode == 0
    assert "2 versions of one note (Syncthing)" in done.stdout
    assert path.name in done.stdout
    assert copy.name in done.stdout
    assert "next: " in done.stdout
    assert "1 to decide" in done.stdout
    (conflict,) = json.loads(redis.run("conflicts", "--json").stdout)
    assert len(conflict["paths"]) == 2
    assert "1 need a look" in redis.run("doctor").stdout


def test_verify_is_quiet_about_a_clean_store_and_fails_on_bit_rot(redis: Home) -> None:
    done = redis.run("verify")
    assert (done.returncode, done.stdout) == (0, "Vault, index and state agree.\n")
    path = note(redis)
    info = path.stat()
    path.write_bytes(path.read_bytes().replace(b"6380", b"6381"))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    done = redis.run("verify")
    assert path.name in done.stdout
    (finding,) = json.loads(redis.run("verify", "--json").stdout)
    assert finding["where"] == f"memories/{path.name}"


def test_verify_of_a_damaged_index_ends_with_an_error_and_rebuild_mends_it(redis: Home) -> None:
    path = redis.state / FILE_NAME
    data = bytearray(path.read_bytes())
    data[data.index(b"staging tunnel") + 3] ^= 1
    path.write_bytes(data)
    done = redis.run("verify")
    assert done.returncode == 1
    assert "memem index rebuild" in done.stdout
    done = redis.run("index", "rebuild")
    assert (done.returncode, done.stdout) == (0, "1 notes indexed, 0 problems\n")
    assert redis.run("verify").returncode == 0
    assert json.loads(redis.run("index", "rebuild", "--json").stdout) == {"changed": 1, "problems": 0}


def test_verify_makes_nothing_in_an_empty_home(tmp_path: Path) -> None:
    home = Home(tmp_path)
    done = home.run("verify")
    assert done.returncode == 1
    assert "not there" in done.stdout
    assert not home.state.exists()
    assert not home.vault.exists()


def test_doctor_says_healthy_degraded_and_failing_with_a_fix_for_each_line(redis: Home) -> None:
    assert redis.run("doctor").stdout.rstrip().endswith("HEALTHY")
    (redis.notes / "broken.md").write_text("---\ntags: [a\n---\nx\n", encoding="utf-8")
    done = redis.run("doctor")
    assert (done.returncode, done.stdout.split()[-1]) == (0, "DEGRADED")
    assert "memories/broken.md" in done.stdout
    assert done.stdout.count("warn  ") == done.stdout.count("fix: ") == 1
    redis.vault.rename(redis.root / "away")
    done = redis.run("doctor")
    assert (done.returncode, done.stdout.split()[-1]) == (1, "FAILING")


def test_doctor_names_a_merge_under_way(redis: Home) -> None:
    redis.git("init", "-q", cwd=redis.vault)
    (redis.vault / ".git" / "MERGE_HEAD").touch()
    done = redis.run("doctor")
    assert "a git merge is under way" in done.stdout
    assert done.stdout.split()[-1] == "DEGRADED"
    saved = redis.run("save", "Berth exports are semicolon separated")
    assert "not in the vault yet" in saved.stdout
    (redis.vault / ".git" / "MERGE_HEAD").unlink()
    assert "semicolon" in redis.run("search", "exports").stdout
    assert redis.run("doctor").stdout.split()[-1] == "HEALTHY"


def test_sync_counts_what_happened(redis: Home) -> None:
    note(redis).unlink()
    (redis.notes / "new.md").write_text("Berth 12 is closed\n", encoding="utf-8")
    assert redis.run("sync").stdout == "1 changed, 1 removed, 0 unchanged, 0 problems\n"
    (redis.notes / "new.md").unlink()
    done = json.loads(redis.run("sync", "--json").stdout)
    assert (done["removed"], len(done["gone"])) == (1, 1)
    assert redis.run("sync", "--quiet").stdout == ""


def test_name_of_a_file_gives_no_orders_to_the_terminal(redis: Home) -> None:
    (redis.notes / "evil\x1b[2J\u202e.md").write_bytes(b"---\ntags: [a\n---\nx\n")
    for arguments in (("doctor",), ("conflicts",), ("verify",), ("stale", "--days", "1"), ("status",)):
        text = redis.run(*arguments).stdout
        assert not {"\x1b", "\u202e"} & set(text), arguments
    assert "evil" in redis.run("conflicts").stdout
