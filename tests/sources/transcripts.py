"""Writes synthetic transcripts as Claude Code writes them."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

from memem.sources.claude_code import ClaudeCode, Transcript
from memem.sources.events import Event

Record = dict[str, Any]
SESSION, FOLDER = "5e551011-0000-4000-8000-000000000001", "/home/dana/harbor"
_numbers = count(1)


def record(kind: str, **fields: Any) -> Record:
    number = next(_numbers)
    common = {
        "type": kind,
        "uuid": f"00000000-0000-4000-8000-{number:012d}",
        "timestamp": f"2026-11-12T08:00:{number % 60:02d}.000Z",
        "sessionId": SESSION,
        "cwd": FOLDER,
        "gitBranch": "main",
        "isSidechain": False,
    }
    return common | fields


def user(content: Any, **fields: Any) -> Record:
    return record("user", message={"role": "user", "content": content}, **fields)


def agent(*blocks: Record | str, **fields: Any) -> Record:
    content = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
    return record("assistant", message={"role": "assistant", "content": content}, **fields)


def call(tool: str, number: str = "toolu_1", **given: Any) -> Record:
    return agent({"type": "tool_use", "id": number, "name": tool, "input": given})


def result(output: Any, number: str = "toolu_1", *, failed: bool = False, **fields: Any) -> Record:
    block = {"type": "tool_result", "tool_use_id": number, "content": output, "is_error": failed}
    return user([block], **({"toolUseResult": output} | fields))


def queue(operation: str, content: str | None = None) -> Record:
    fields = {"type": "queue-operation", "operation": operation, "sessionId": SESSION}
    return fields if content is None else fields | {"content": content}


def attachment(kind: str, **fields: Any) -> Record:
    return record("attachment", attachment={"type": kind, **fields})


def line(what: Record) -> bytes:
    return json.dumps(what).encode() + b"\n"


def write(path: Path, *records: Record | bytes, append: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab" if append else "wb") as file:
        file.write(b"".join(one if isinstance(one, bytes) else line(one) for one in records))
    return path


def read(path: Path, start: int = 0) -> tuple[list[Event], Transcript]:
    transcript = ClaudeCode().read(path, start)
    return list(transcript), transcript


def said(events: list[Event], *kinds: str) -> list[str]:
    return [event.text for event in events if event.kind in (kinds or ("prompt",))]
