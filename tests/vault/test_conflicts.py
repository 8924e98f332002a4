"""Signs of others at work: conflict copies by their names, git by its files."""

import os
import subprocess

import pytest

from memem.vault.conflicts import copied_by, git_at_work, has_git_markers

STEM = "redis-port-0123abcd"


@pytest.mark.parametrize(
    ("name", "program"),
    [
        (f"{STEM}.sync-conflict-20240506-070809-ABCDEF7", "Syncthing"),
        (f"{STEM}.sync-conflict-20240506-070809", "Syncthing"),
        (f"{STEM} (Ann's conflicted copy 2024-05-06)", "Dropbox"),
        (f"{STEM} (Ann’s MacBook's conflicted copy 2024-05-06)", "Dropbox"),
        (f"{STEM} (conflicted copy 2024-05-06 070809)", "Nextcloud"),
        (f"{STEM} (Conflicted copy Pixel 8 202405060708)", "Obsidian Sync"),
        (f"{STEM} (SFConflict ann@example.test 2024-05-06-07-08-09)", "Seafile"),
        (f"{STEM}_conflict-20240506-070809", "ownCloud"),
        (f"{STEM}.Conflict", "Resilio"),
        (f"{STEM}-DESKTOP-7QX2LMN", "OneDrive"),
        (f"{STEM} (1)", "Google Drive"),
        (f"{STEM} 2", "iCloud"),
        (f"{STEM} [Conflict]", "pCloud"),
    ],
)
@pytest.mark.parametrize("folder", ["", "memories/deep/"])
def test_copies_are_told_by_their_names(name, program, folder):
    found, original = copied_by(f"{folder}{name}.md")
    assert program in found
    assert original == f"{folder}{STEM}.md"


PEOPLES = (
    STEM, "Meeting 2", "Chapter (1)", "redis-DESKTOP", "Conflicts of interest", "sync-conflict", "a (conflict of two)",
    "Resume 2024-05-06", "how-to-resolve-a-conflicted-copy-0123abcd", "x (copy)", f"{STEM}-renamed", f"{STEM}-2", "",
)  # fmt: skip


@pytest.mark.parametrize("name", PEOPLES)
def test_notes_of_people_are_no_copies(name):
    assert copied_by(f"memories/{name}.md") == ("", "")


def test_a_hostile_name_costs_nothing():
    for name in ("(" * 200 + "conflicted copy", "a (" * 80 + "x's " * 80, ".sync-conflict-" * 16, " (SFConflict " * 18):
        assert copied_by(f"{name}.md") == ("", "")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\nd", True),
        ("<<<<<<< HEAD\n=======\n>>>>>>> other", True),
        ("a\nsee <<<<<<< HEAD\n=======\n>>>>>>> other", False),
        ("Heading\n=======\n\ntext", False),
        ("<<<<<<< HEAD\nb\n=======\nc", False),
        ("=======\n<<<<<<< HEAD\n>>>>>>> other\n", False),
        ("", False),
    ],
)
def test_markers_of_git_are_told_from_headings(text, found):
    assert has_git_markers(text) is found


def git(folder, *arguments):
    environ = os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    names = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    subprocess.run(["git", *names, *arguments], cwd=folder, env=environ, capture_output=True, check=True)


def test_git_at_work_is_seen_from_below_and_in_worktrees(tmp_path):
    vault = tmp_path / "vault" / "memem"
    vault.mkdir(parents=True)
    assert git_at_work(str(vault)) == ""
    git(tmp_path / "vault", "init", "-q")
    git(tmp_path / "vault", "commit", "-q", "--allow-empty", "-m", "x")
    assert git_at_work(str(vault)) == ""
    git(tmp_path / "vault", "worktree", "add", "-q", str(tmp_path / "tree"))
    (tmp_path / "vault" / ".git" / "worktrees" / "tree" / "MERGE_HEAD").touch()
    assert git_at_work(str(tmp_path / "tree")) == "merge"
    assert git_at_work(str(vault)) == ""
    (tmp_path / "vault" / ".git" / "rebase-merge").mkdir()
    assert git_at_work(str(vault)) == "rebase"
