"""The recall benchmarks find their data by a file, its folder or the folder above, and say what is missing."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks" / "recall"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A tiny set of each kind in a folder `retrieval`; answers the folder above."""
    chat = tmp_path / "retrieval" / "beam_tiny" / "1"
    chat.mkdir(parents=True)
    said = [{"id": number, "role": "user", "content": text} for number, text in enumerate(TEXTS)]
    asked = {"single": [{"question": QUESTION, "source_chat_ids": [0]}]}
    write(chat / "chat.json", [{"turns": said}])
    write(chat / "probing_questions.json", asked)
    turns = [{"dia_id": f"D1:{number}", "speaker": "Ann", "text": text} for number, text in enumerate(TEXTS, 1)]
    questions = [{"question": QUESTION, "evidence": ["D1:1"], "category": 4}]
    write(tmp_path / "retrieval" / "locomo_tiny.json", [{"conversation": {"session_1": turns}, "qa": questions}])
    write(tmp_path / "retrieval" / "coding_tiny.json", [
        {"session": f"s{number}", "at": f"2026-01-{number + 1:02}T00:00:00+00:00", "branch": f"feature/{number // 2}",
         "files": [f"src/{number // 2}.py"], "prompt": f"Move the lighthouse of berth {number // 2} to pier {number}"}
        for number in range(26)
    ])  # fmt: skip
    return tmp_path


TEXTS = ("The lighthouse keeper counts herring gulls", "Rope is bought on Mondays", "The ferry is late")
QUESTION = "What does the lighthouse keeper count?"


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def figures(
    script: str, given: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, float]:
    """The last line of a benchmark, which is JSON."""
    monkeypatch.setattr(sys, "argv", [script, str(given), "--json"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    runpy.run_path(str(SCRIPTS / script), run_name="__main__")
    found: dict[str, float] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


@pytest.mark.parametrize("place", ["", "retrieval", "file"])
@pytest.mark.parametrize(
    ("script", "file", "figure"),
    [
        ("locomo.py", "retrieval/locomo_tiny.json", "turn_r10"),
        ("beam.py", "retrieval/beam_tiny", "message_r5"),
        ("coding.py", "retrieval/coding_tiny.json", "branch_r5"),
        ("injection.py", "retrieval/locomo_tiny.json", "served_locomo"),
    ],
)
def test_benchmark_finds_its_data_by_file_folder_and_folder_above(
    script: str,
    file: str,
    figure: str,
    place: str,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = data / (file if place == "file" else place)
    assert figures(script, given, monkeypatch, capsys)[figure] == 1.0


@pytest.mark.parametrize("script", ["locomo.py", "beam.py", "coding.py", "injection.py"])
def test_benchmark_without_its_data_names_what_it_looked_for(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        figures(script, tmp_path, monkeypatch, capsys)
    told = str(raised.value)
    assert str(tmp_path) in told
    assert ".json" in told
    assert "\n" not in told


def test_histories_of_supersession_are_looked_for_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "retrieval"
    folder.mkdir()
    history = {"before": "The gate listens on port 80.", "after": "The gate listens on port 81.",
               "question": "which port does the gate listen on?"}  # fmt: skip
    write(folder / "supersession_tiny.json", [history])
    for given in (tmp_path, folder, folder / "supersession_tiny.json"):
        assert figures("supersession.py", given, monkeypatch, capsys)["current_first"] == 1.0
