"""What the host tells by itself is known sentence by sentence, and its files are only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from memem import host


def told(tmp_path: Path, text: str) -> host.Told:
    path = tmp_path / "CLAUDE.md"
    path.write_text(text, encoding="utf-8")
    return host.told([str(path)])


@pytest.mark.parametrize(
    "text",
    ["Use tabs in Go files.", "- use **tabs** in Go files", "# Style\n\n* Use tabs in Go files. Sign releases.\n"],
)
def test_sentence_is_told_whatever_its_marks(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text).says("Use tabs in Go files")


@pytest.mark.parametrize(
    "lesson",
    [
        "Use tabs",
        "Do not use tabs in Go files",
        "Use tabs in Go files. Never in YAML.",
        "Use spaces in Go files",
        "",
        "...",
    ],
)
def test_what_says_less_more_or_the_opposite_is_not_told(tmp_path: Path, lesson: str) -> None:
    assert not told(tmp_path, "Use tabs in Go files.\n").says(lesson)


def test_lesson_of_two_sentences_is_told_by_two(tmp_path: Path) -> None:
    text = "Sign releases.\nUse tabs in Go files; never in YAML."
    assert told(tmp_path, text).says("Use tabs in Go files; never in YAML.\nSign releases.")


def test_index_of_the_hosts_memory_is_among_the_files(tmp_path: Path) -> None:
    memory = tmp_path / "projects" / "-work-har-bor" / "memory"
    memory.mkdir(parents=True)
    (memory / "MEMORY.md").write_text("- [Releases must be signed](signing.md)\n", encoding="utf-8")
    files = host.files(str(tmp_path), ["/work/har.bor"])
    assert host.told(files).says("Releases must be signed.")


def test_stamp_changes_with_a_file_and_odd_files_cost_nothing(tmp_path: Path) -> None:
    paths = [str(tmp_path / "CLAUDE.md"), str(tmp_path), "/dev/null", "\0"]
    before = host.stamp(paths)
    assert not host.told(paths)
    (tmp_path / "CLAUDE.md").write_text("x", encoding="utf-8")
    assert host.stamp(paths) != before
