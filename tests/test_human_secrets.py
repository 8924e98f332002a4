"""A secret that a human typed into a note stays in the note, and is nowhere else: not found, shown, told or sent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from memem.config import load
from memem.ingest import shapes
from memem.models import Draft
from memem.verify import verify

from .home import Home

TOKEN = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ6"
BODY = f"The harbor crane is deployed with {TOKEN} by the pilot.\n\nNever on Fridays."
COMMANDS = (
    ("search", "harbor crane deployed"),
    ("slice", "deploy the harbor crane"),
    ("timeline",),
    ("get", "5e551011"),
    ("audit", "5e551011"),
    ("list", "--all"),
    ("graph",),
    ("conflicts",),
    ("verify",),
    ("status",),
    ("doctor",),
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def written(home: Home) -> Path:
    return home.write_note(
        "crane", BODY, id="5e551011-0000-4000-8000-0000000000aa", title=f"Crane {TOKEN}", project="harbor",
        kind="fact", tags=["crane", TOKEN], updated="2026-11-01T10:00:00Z",
    )  # fmt: skip


def test_secret_in_a_note_reaches_no_file_of_memem(home: Home) -> None:
    path = written(home)
    before = path.read_bytes()
    home.open().close()
    kept = [file for file in home.state.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]
    assert kept == [] and path.read_bytes() == before


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_tells_the_secret_of_a_note(home: Home, command: tuple[str, ...]) -> None:
    written(home)
    told = home.run(*command)
    assert TOKEN not in told.stdout + told.stderr and "No such command" not in told.stderr


def test_note_is_found_by_its_other_words_and_shown_without_the_secret(home: Home) -> None:
    written(home)
    memem = home.open()
    (found,) = memem.search("harbor crane deployed").found
    memem.close()
    assert "[REDACTED:github]" in found.memory.body and found.memory.tags == ("crane", "[REDACTED:github]")
    assert found.memory.title == "Crane [REDACTED:github]"


def test_hook_shows_the_note_without_the_secret(home: Home) -> None:
    written(home)
    shown = home.prompt("how is the harbor crane deployed by the pilot?")
    assert "REDACTED" in shown and TOKEN not in shown


def test_what_memem_changes_in_the_note_leaves_the_secret_of_the_human(home: Home) -> None:
    path = written(home)
    memem = home.open()
    draft = Draft(content="The harbor crane is never deployed by the pilot.", supersedes=("5e551011",))
    saved = memem.save(draft)
    memem.close()
    assert saved.action == "superseded"
    assert path.read_text().count(TOKEN) == 3 and BODY in path.read_text()


def test_index_agrees_with_the_vault(home: Home) -> None:
    written(home)
    home.open().close()
    assert [finding for finding in verify(load(home.environ)) if finding.level == "damage"] == []


def test_forget_finds_a_note_by_its_secret(home: Home) -> None:
    path = written(home)
    done = home.run("forget", "--query", TOKEN, "--yes")
    assert done.returncode == 0 and not path.exists()


def test_what_was_allowed_is_shown_after_a_rebuild(home: Home) -> None:
    written(home)
    memem = home.open()
    memem.redactor.store.allow(TOKEN)
    memem.rebuild()
    (found,) = memem.search("harbor crane deployed").found
    memem.close()
    assert TOKEN in found.memory.body


def test_doctor_names_the_notes_that_hold_a_secret(home: Home) -> None:
    written(home)
    home.save(f"The token of the pier was {TOKEN} until May")  # redacted in its file: nothing to do
    (check,) = [
        row for row in json.loads(home.run("doctor", "--json").stdout)["checks"] if row["name"] == "secrets in notes"
    ]
    assert check["level"] == "degraded" and "memories/crane.md" in check["text"] and "false-positive" in check["fix"]
    assert check["text"].startswith("1 in plain text")
    assert "\nsecrets    in 1 notes, hidden: memem doctor names them\n" in home.run("status").stdout
    assert json.loads(home.run("status", "--json").stdout)["with_secrets"] == 1


def test_note_that_was_looked_through_is_not_looked_through_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    written(home)
    home.write_note("pier", "The pier opens at nine.", id="5e551011-0000-4000-8000-0000000000bb", project="harbor")
    home.sync()
    memem, seen = home.open(), []
    monkeypatch.setattr(memem.redactor, "memory", lambda memory: seen.append(memory.id[-2:]) or memory.replace(body=""))
    memem.rebuild()
    memem.close()
    assert seen == ["aa"]


def test_while_the_detector_is_not_there_a_note_is_told_without_its_long_words(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(home)
    home.write_note("pier", "The pier opens at nine.", id="5e551011-0000-4000-8000-0000000000bb", project="harbor")
    shapes.detectors.cache_clear()
    with monkeypatch.context() as missing:
        missing.setitem(sys.modules, "detect_secrets.core.plugins.util", None)
        memem = home.open()
        memem.rebuild()
        (found,) = memem.search("harbor crane deployed").found
        assert "[REDACTED:unread]" in found.memory.body and TOKEN not in str(found.memory)
        assert "what knows them is not installed" in found.problem
        assert memem.search("pier opens").found[0].problem == ""
        kept = [file for file in home.state.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]
        memem.close()
    assert kept == [] and BODY in path.read_text()
    memem = home.open()
    (found,) = memem.search("harbor crane deployed").found
    memem.close()
    assert "[REDACTED:github]" in found.memory.body and found.problem == ""
