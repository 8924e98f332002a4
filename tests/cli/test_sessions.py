"""Mining at the command line: what a terminal shows, what a pipe gets, and that a stopped run goes on."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from memem.cli import demo
from memem.miner import Miner

from ..home import ROOT, SECONDS, Home

SAMPLE = Path(demo.__file__).parent / "sample" / "session.jsonl"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def sessions(home: Home) -> Path:
    """A folder of two sessions."""
    folder = home.root / "sessions"
    folder.mkdir()
    for name in ("one", "two"):
        shutil.copy(SAMPLE, folder / f"{name}.jsonl")
    return folder


def on_terminal(home: Home, *arguments: str) -> tuple[str, str]:
    """What a command prints into a pipe, and what into the terminal that is its standard error."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "memem", *arguments]
    environ = home.environ | {"TERM": "xterm", "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, cwd=home.project, env=environ) as process:
        os.close(slave)
        seen = b""
        try:
            while piece := os.read(master, 4096):
                seen += piece
        except OSError:
            pass  # how Linux says that nobody holds the other end any more
        printed, _ = process.communicate(timeout=SECONDS)
    os.close(master)
    assert process.returncode == 0
    return printed.decode(), seen.decode()


def test_terminal_shows_a_bar_over_the_bytes_and_the_pipe_gets_the_notes(home: Home, sessions: Path) -> None:
    printed, seen = on_terminal(home, "mine", "--dry-run", str(sessions))
    total = 2 * SAMPLE.stat().st_size
    assert "mining" in seen
    assert f"{total / 1000:.1f}/{total / 1000:.1f} kB" in seen
    assert "6397" in printed
    assert "\x1b" not in printed
    assert "6397" not in seen


def test_json_shows_no_bar(home: Home, sessions: Path) -> None:
    printed, seen = on_terminal(home, "mine", "--dry-run", "--json", str(sessions))
    assert len(json.loads(printed)) == 2
    assert seen == ""


def test_pipes_see_nothing_of_the_bar(home: Home, sessions: Path) -> None:
    done = home.run("mine", str(sessions))
    assert done.returncode == 0
    assert done.stderr == ""
    assert "\x1b" not in done.stdout


def test_stopped_run_goes_on_where_it_ended(home: Home, sessions: Path) -> None:
    memem = home.open()
    running = Miner(memem).mine([str(sessions)])
    assert next(running).outcomes
    running.close()
    memem.close()
    first, second = json.loads(home.run("mine", "--json", str(sessions)).stdout)
    assert first["unchanged"]
    assert not second["unchanged"]


def test_what_a_mined_lesson_replaces_is_told(home: Home, sessions: Path) -> None:
    said = (sessions / "two.jsonl").read_text(encoding="utf-8")
    session = json.loads(said.split("\n", 1)[0])["sessionId"]
    later = said.replace("6397", "6400").replace(session, "two").replace('"timestamp":"2026', '"timestamp":"2027')
    (sessions / "two.jsonl").write_text(later, encoding="utf-8")
    alone = home.run("mine", str(sessions / "one.jsonl")).stdout
    assert "replaces" not in alone
    assert "\n1 session, 9 lessons saved" in alone
    printed = home.run("mine", str(sessions / "two.jsonl")).stdout.split("\n")
    (told,) = (line for line in printed if line.startswith("  replaces ["))
    assert "6397" in told
    mined = json.loads(home.run("mine", "--json", "--again", str(sessions)).stdout)
    assert all("replaced" in outcome for session in mined for outcome in session["outcomes"])
