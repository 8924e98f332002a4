"""`memem config` and what a broken setting does to other commands, as processes."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from ..home import ROOT, Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_setting_is_shown_set_and_taken_back(home: Home) -> None:
    assert "prompt_limit = 3  (default)" in home.run("config", "show").stdout
    assert home.run("config", "set", "prompt_limit", "5").stdout == "prompt_limit = 5  (config.toml)\n"
    assert home.run("config", "get", "MEMEM_PROMPT_LIMIT").stdout == "5\n"
    assert home.run("config", "unset", "prompt_limit").stdout == "prompt_limit = 3  (default)\n"
    shown = {entry["name"]: entry for entry in json.loads(home.run("config", "show", "--json").stdout)}
    assert shown["vault"]["origin"] == "MEMEM_OBSIDIAN_VAULT"
    assert all(entry["help"] for entry in shown.values())


def test_setting_that_the_environment_overrules_is_said(home: Home) -> None:
    done = home.run("config", "set", "prompt_limit", "5", MEMEM_PROMPT_LIMIT="7")
    assert "MEMEM_PROMPT_LIMIT in the environment wins" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (("set", "prompt_limit", "many"), 2, "whole number"),
        (("set", "promt_limit", "3"), 3, "prompt_limit"),
        (("get", "ui.port"), 3, "over stdio"),
        (("set", "MEMEM_RERANK_MODEL", "x"), 3, "llm_model"),
        (("set", "dir", "/x"), 2, "MEMEM_DIR"),
        (("set-key", "lower"), 2, "capitals"),
        (("set-key", "A_KEY"), 2, "set-key A_KEY"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_answered(home: Home, arguments: tuple[str, ...], code: int, hint: str) -> None:
    done = home.run("config", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert hint in done.stderr
    assert not home.state.exists()


def test_key_is_read_from_standard_input_and_shown_nowhere(home: Home) -> None:
    key = "sk-" + secrets.token_hex(24)
    done = home.run("config", "set-key", "ANTHROPIC_API_KEY", stdin=f"{key}\n".encode())
    assert done.returncode == 0
    said = done.stdout + done.stderr
    for arguments in (("config", "show"), ("status",), ("doctor",), ("config", "get", "ANTHROPIC_API_KEY")):
        done = home.run(*arguments)
        said += done.stdout + done.stderr
    assert key not in said
    assert [path for path in home.state.rglob("*") if path.is_file() and key.encode() in path.read_bytes()] == [
        home.state / "keys.env"
    ]


def test_value_that_looks_like_a_key_is_refused_and_not_repeated(home: Home) -> None:
    key = "ghp_" + secrets.token_hex(18)
    done = home.run("config", "set", "project_aliases", key)
    assert done.returncode == 2
    assert "set-key" in done.stderr
    assert key not in done.stderr
    assert not home.state.exists()


def edit(home: Home, script: str) -> subprocess.CompletedProcess[str]:
    editor = home.root / "editor"
    editor.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    editor.chmod(0o755)
    return home.run("config", "edit", EDITOR=str(editor), VISUAL=str(editor))


def test_edited_settings_are_taken_over(home: Home) -> None:
    done = edit(home, 'echo "prompt_limit = 6" >>"$1"; touch -d "1 hour" "$1"')
    assert (done.returncode, done.stderr) == (0, "")
    assert home.run("config", "get", "prompt_limit").stdout == "6\n"


def test_edit_that_does_not_fit_changes_nothing_and_loses_nothing(home: Home) -> None:
    home.run("config", "set", "prompt_limit", "5")
    done = edit(home, 'echo "prompt_limit = many" >"$1"; touch -d "1 hour" "$1"')
    assert done.returncode == 2
    assert "config.toml.invalid" in done.stderr
    assert home.run("config", "get", "prompt_limit").stdout == "5\n"


def test_editor_that_changes_nothing_changes_nothing(home: Home) -> None:
    assert edit(home, "true").stdout == "Nothing was changed.\n"
    assert not home.state.exists()


def test_broken_settings_stop_commands_but_not_doctor_and_status(home: Home) -> None:
    home.save("Integration tests need Redis on port 6380, because 6379 is taken")
    (home.state / "config.toml").write_text("prompt_limit = ", encoding="utf-8")
    assert home.run("list").returncode == 2
    done = home.run("doctor")
    assert done.returncode == 1
    assert "FAIL  configuration" in done.stdout
    assert "memem config edit" in done.stdout
    assert done.stdout.count("FAIL") == 1 + done.stdout.count("FAILING")
    status = home.run("status")
    assert status.returncode == 0
    assert "degraded (" in status.stdout.splitlines()[0]
    assert "config.toml cannot be read" in status.stdout.splitlines()[0]


@pytest.mark.parametrize("columns", ["80", "120"])
def test_settings_in_a_terminal_are_a_table(home: Home, columns: str) -> None:
    leader, follower = os.openpty()
    environ = home.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": columns, "TERM": "dumb"}
    command = [sys.executable, "-m", "memem", "config", "show"]
    done = subprocess.run(command, env=environ, cwd=home.project, stdout=follower, stderr=subprocess.PIPE, timeout=60)
    os.close(follower)
    text = os.read(leader, 100_000).decode("utf-8")
    os.close(leader)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "…" not in text  # nothing is cut
    assert "what it does" in " ".join(text.split())
    assert "injection_mode" in text
