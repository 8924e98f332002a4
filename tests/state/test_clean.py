"""What was looked through once is not looked through again, unless the rules changed; losing it costs time only."""

from pathlib import Path

from memem.state.clean import FILE_NAME, Clean


def test_note_is_clean_at_its_path_with_its_content(tmp_path: Path) -> None:
    clean = Clean(str(tmp_path), lambda: "rules 1")
    clean.add("memories/a.md", "1f")
    clean.keep()
    again = Clean(str(tmp_path), lambda: "rules 1")
    assert again.holds("memories/a.md", "1f")
    assert not again.holds("memories/a.md", "2f") and not again.holds("memories/b.md", "1f")
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_other_rules_know_no_clean_note(tmp_path: Path) -> None:
    for rules in ("rules 1", "rules 2"):
        clean = Clean(str(tmp_path), lambda rules=rules: rules)
        assert not clean.holds("a.md", "1f")
        clean.add("a.md", "1f")
        clean.keep()
    assert not Clean(str(tmp_path), lambda: "rules 1").holds("a.md", "1f")


def test_notes_of_two_processes_are_both_kept(tmp_path: Path) -> None:
    first = Clean(str(tmp_path), lambda: "rules")
    first.add("a.md", "1f")
    first.keep()
    one, other = Clean(str(tmp_path), lambda: "rules"), Clean(str(tmp_path), lambda: "rules")
    for clean, path in ((one, "b.md"), (other, "c.md")):
        clean.add(path, "1f")
        clean.keep()
    assert all(Clean(str(tmp_path), lambda: "rules").holds(f"{name}.md", "1f") for name in "abc")


def test_file_that_cannot_be_read_or_written_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    clean = Clean(str(tmp_path), lambda: "rules")
    clean.add("a.md", "1f")
    clean.keep()
    assert clean.holds("a.md", "1f")
