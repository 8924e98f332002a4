"""What a client does that memem builds on, as sorted lines: fields of hook events, record types, tools.

    python -m tests.e2e.contract PROGRAM

Two versions are compared by the lines of both; `contracts/` keeps those of the versions that were tested.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .client import Client
from .messages import Use

EVENTS = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "SubagentStart", "SubagentStop", "Stop")
FOLDER = Path(__file__).parent / "contracts"
_MANIFEST = {"name": "probe", "version": "1.0.0", "description": "Writes down what hooks are told."}
_TASK = {"description": "Look", "prompt": "Look at it.", "subagent_type": "general-purpose"}
# Which of these come depends on the moment, not on the version.
_BY_CHANCE = ("record queue-operation", "attachment queued_command", "attachment task_reminder")


def lines(program: str, root: Path) -> list[str]:
    """What one session of the program shows, with a file read and a task delegated."""
    client = Client(program, root)
    plugin = _probe(root / "probe")
    turns = [Use("Read", {"file_path": str(client.project / "shop.py")}), Use("Agent", _TASK), "Done.", "Done."]
    session = client.run("Look at the shop.", turns, ["--plugin-dir", str(plugin)])
    found = {f"tool {name}" for name in session.first.tools}
    for told in plugin.glob("told-*"):
        payload = json.loads(told.read_text(encoding="utf-8"))
        found.add(f"event {payload['hook_event_name']}: {' '.join(sorted(payload))}")
    found |= set(_records(client.home / ".claude" / "projects"))
    return sorted(found - set(_BY_CHANCE))


def _probe(folder: Path) -> Path:
    command = {"type": "command", "command": 'cat >"$(mktemp "${CLAUDE_PLUGIN_ROOT}/told-XXXXXX")"'}
    hooks = {"hooks": {event: [{"hooks": [command]}] for event in EVENTS}}
    for name, content in ((".claude-plugin/plugin.json", _MANIFEST), ("hooks/hooks.json", hooks)):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def _records(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            yield f"record {record['type']}"
            if record["type"] == "attachment":
                yield f"attachment {record['attachment']['type']}"


def main(program: str) -> None:
    """Print the lines of a program."""
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(lines(os.path.realpath(program), Path(folder))))


if __name__ == "__main__":
    main(sys.argv[1])
