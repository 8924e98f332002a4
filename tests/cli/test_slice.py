"""`memem slice` as people and programs run it: flags and stdin, markdown and the published JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..home import Home
from ..recall.test_activation import ASKED

TUNNEL = "The redis staging tunnel closes every night at ten"
IMPORTS = "The redis staging tunnel closes every night at ten, so berth imports run before the tunnel closes"
FIELDS = """
    slice_id session_id scope_id query input_goal generated_at environment goals constraints active_background decisions
    preferences failure_patterns artifacts open_tensions resolved_tensions excluded_candidates candidate_deltas
    delta_results projection_hint previous_slice_id slice_diff carry_forward_summary artifact_progression task_mode
    writeback_summary candidate_count recall_candidate_count should_emit_context activation_mode confidence warnings
""".split()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.git("init", "-q")
    home.save(TUNNEL, kind="quirk")
    home.save("Releases must be signed", kind="convention")
    return home


def sliced(home: Home, *arguments: str) -> Any:
    done = home.run("slice", *arguments, "--json", "--no-llm")
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def test_json_is_the_published_shape(home: Home) -> None:
    document = sliced(home, ASKED, "--session-id", "sess-42", "--cwd", str(home.project), "--task-mode", "coding")
    assert set(FIELDS) <= set(document)
    assert (document["scope_id"], document["session_id"], document["task_mode"]) == (
        "local:harbor",
        "sess-42",
        "coding",
    )
    assert document["environment"]["branch"] == "main"
    (item,) = document["failure_patterns"]
    assert set(item) >= set(
        "memory_id role title summary source_type project importance layer score why_activated".split()
    )
    assert item["why_activated"].startswith("matches ")
    assert document["items"] == [item]
    assert document["projection_hint"] == "Failure Patterns"


def test_empty_slice_says_so(home: Home) -> None:
    document = sliced(home, "elephants")
    assert (document["items"], document["should_emit_context"], document["confidence"]) == ([], False, 0.0)


def test_every_flag_has_an_effect(home: Home) -> None:
    document = sliced(
        home, ASKED, "--current-file", str(home.project / "a.py"), "--open-file", "b.py", "--open-file", "c.py",
        "--modified-file", "b.py", "--artifact-path", "docs/d.md", "--branch", "feature/x", "--task-name", "Rollout",
        "--stakeholder", "port office", "--deadline", "Friday", "--strict", "--limit", "1",
    )  # fmt: skip
    assert [item["title"] for item in document["artifacts"]] == ["docs/d.md", "a.py", "b.py", "c.py"]
    assert document["environment"]["branch"] == "feature/x"
    assert [item["title"] for item in document["goals"]] == ["Task: Rollout"]
    assert [item["title"] for item in document["constraints"]] == ["Due: Friday"]
    assert [item["title"] for item in document["active_background"]] == ["For: port office"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("x", "--query-file", "-"), "not both"),
        (("x", "--writeback-preview", "--auto-commit-safe"), "one of them"),
        (("x", "--task-mode", "cooking"), "coding, proposal"),
        (("x", *(f"--open-file=f{n}" for n in range(51))), "at most 50"),
        ((), "--query-file"),
    ],
)
def test_what_does_not_go_together_is_answered_with_what_does(
    home: Home, arguments: tuple[str, ...], hint: str
) -> None:
    done = home.run("slice", *arguments, stdin=b"redis")
    assert done.returncode == 2
    assert hint in done.stderr


def test_session_carries_its_constraints_and_files_forward(home: Home) -> None:
    first = sliced(home, "signed releases", "--session-id", "s-1", "--current-file", "a.py")
    second = sliced(home, "redis tunnel", "--session-id", "s-1", "--current-file", "b.py")
    assert second["previous_slice_id"] == first["slice_id"]
    assert sorted(second["carry_forward_summary"]) == ["Releases must be signed", "a.py"]
    assert {"path": "a.py", "status": "carried"} in second["artifact_progression"]
    (rule,) = second["constraints"]
    assert rule["why_activated"] == "carried forward"
    assert rule["memory_id"] in second["slice_diff"]["carried"]
    assert sliced(home, "redis tunnel", "--session-id", "s-2")["previous_slice_id"] == ""
    assert sliced(home, "redis tunnel")["previous_slice_id"] == ""


def test_history_holds_neither_words_nor_secrets(home: Home) -> None:
    key = "AK" + "IA" + "QX7ZK2MNP4RS5TUV"
    sliced(
        home, "a private question", "--session-id", key, "--current-file", f"keys/{key}.py", "--task-name", "private"
    )
    for path in home.state.rglob("*"):
        if path.is_file():
            assert b"private" not in path.read_bytes(), path
            assert key.encode() not in path.read_bytes(), path


def test_writing_is_shown_first_and_then_done_once(home: Home) -> None:
    # Written by hand as two notes: the gate would have taken the longer one for the newer version.
    home.save("Berth imports run before the redis staging tunnel closes every night", kind="procedure")
    before = {path: path.read_bytes() for path in home.notes.iterdir()}
    assert sliced(home, ASKED)["delta_results"][0]["status"] == "not_run"
    preview = sliced(home, ASKED, "--writeback-preview")
    assert [result["status"] for result in preview["delta_results"]] == ["dry_run"]
    assert {path: path.read_bytes() for path in home.notes.iterdir()} == before
    (done,) = sliced(home, ASKED, "--auto-commit-safe")["delta_results"]
    assert (done["status"], done["dry_run"], done["delta_type"]) == ("committed", False, "add_related_link")
    assert sliced(home, ASKED, "--auto-commit-safe")["delta_results"] == []
    assert "related: [" in home.run("get", done["affected_memory_ids"][0]).stdout


def test_passages_of_sessions_come_when_asked_for(home: Home) -> None:
    folder = home.root / ".claude" / "projects" / "harbor"
    folder.mkdir(parents=True)
    line = {
        "type": "user", "uuid": "11111111-1111-4111-8111-111111111111", "sessionId": "s-old", "cwd": str(home.project),
        "timestamp": "2026-01-02T10:00:00Z", "message": {"role": "user", "content": "the redis tunnel needs a new key"},
    }  # fmt: skip
    (folder / "s-old.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert "new key" not in home.run("slice", "redis tunnel").stdout
    text = home.run("slice", "redis tunnel", "--include-transcripts").stdout
    assert "the redis tunnel needs a new key [session s-old" in text
