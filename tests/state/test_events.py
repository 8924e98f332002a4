"""The log of outcomes: counted as far as it can be read, and begun anew before it grows without end."""

from __future__ import annotations

import os
from pathlib import Path

from memem.state.events import by_day, outcomes, rotate

GOOD = b'{"at": 1, "event": "prompt", "served": 2}\n'
SILENT = b'{"at": 90000, "event": "prompt", "served": 0}\n'
START = b'{"at": 90000, "event": "session", "served": 7}\n'


def log(folder: Path, content: bytes, name: str = "events.jsonl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_missing_log_counts_nothing(tmp_path: Path) -> None:
    assert set(outcomes(str(tmp_path)).values()) == {0}
    assert by_day(str(tmp_path)) == {}


def test_damaged_log_is_counted_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    bad = b'ut off"}\n\xff\xfe\n[]\n7\n{"event": "prompt"}\n{"event": "prompt", "served": null}\n'
    log(tmp_path, bad + GOOD + START + SILENT)
    expected = {"sessions": 1, "prompts": 2, "served": 1, "silent": 1, "injected": 2}
    assert outcomes(str(tmp_path)) == expected


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    log(tmp_path, GOOD * 100_000)
    assert 0 < outcomes(str(tmp_path))["prompts"] < 100_000


def test_days_are_counted_apart(tmp_path: Path) -> None:
    log(tmp_path, SILENT + GOOD + GOOD + START)
    assert by_day(str(tmp_path)) == {"1970-01-01": (2, 2), "1970-01-02": (1, 0)}


def test_time_beyond_every_calendar_is_no_crash(tmp_path: Path) -> None:
    log(tmp_path, b'{"at": 99999999999999999999, "event": "prompt", "served": 1}\n')
    assert sum(seen for seen, _ in by_day(str(tmp_path)).values()) == 1


def test_small_log_stays(tmp_path: Path) -> None:
    log(tmp_path, GOOD)
    assert not rotate(str(tmp_path))
    assert not rotate(str(tmp_path / "nowhere"))
    assert (tmp_path / "events.jsonl").read_bytes() == GOOD


def test_long_log_begins_anew_and_its_end_is_still_counted(tmp_path: Path) -> None:
    log(tmp_path, b"older", "events.jsonl.1")
    log(tmp_path, GOOD * 10)
    assert rotate(str(tmp_path), most=100)
    assert not (tmp_path / "events.jsonl").exists()
    assert outcomes(str(tmp_path))["prompts"] == 10
    log(tmp_path, SILENT)
    assert outcomes(str(tmp_path))["prompts"] == 11
    assert not rotate(str(tmp_path), most=100)


def test_line_of_a_hook_that_has_the_file_open_is_not_lost(tmp_path: Path) -> None:
    path = log(tmp_path, GOOD * 10)
    handle = os.open(path, os.O_APPEND | os.O_WRONLY)
    assert rotate(str(tmp_path), most=100)
    os.write(handle, SILENT)
    os.close(handle)
    assert outcomes(str(tmp_path))["prompts"] == 11
