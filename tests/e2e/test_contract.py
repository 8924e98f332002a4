"""The list of tested clients, which doctor reads, and what was seen of each of them."""

from __future__ import annotations

from .contract import FOLDER

CLIENTS = FOLDER.parents[2] / "memem" / "clients.txt"


def test_each_tested_version_has_its_lines() -> None:
    versions = CLIENTS.read_text(encoding="utf-8").splitlines()
    assert versions == sorted(versions, key=lambda name: [int(part) for part in name.split(".")])
    assert {path.stem for path in FOLDER.iterdir()} == set(versions)


def test_lines_hold_what_the_hooks_build_on() -> None:
    for path in FOLDER.iterdir():
        fields = dict(line.split(": ") for line in path.read_text(encoding="utf-8").splitlines() if ": " in line)
        assert {"session_id", "cwd", "source"} <= set(fields["event SessionStart"].split())
        assert {"session_id", "cwd", "prompt"} <= set(fields["event UserPromptSubmit"].split())
        assert {"session_id", "cwd", "tool_name", "tool_input"} <= set(fields["event PreToolUse"].split())
        assert {"session_id", "cwd", "agent_id", "agent_type"} <= set(fields["event SubagentStart"].split())
