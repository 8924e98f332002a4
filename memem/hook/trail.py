"""Reading back the trail of a session's hooks: what its last prompts were about, what fits a sub-agent's task."""

from __future__ import annotations

import os
import time

from memem.hook.call import LONGEST_NAME, TRAIL, decoded
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from memem.config import Config

_READ_BACK = 64_000  # bytes; some hundred events
_WAITING_SECONDS = 20


def topics(config: Config, session: str, prompts: int) -> set[str] | None:
    """Ids of the memories that the session's last prompts were about; None before there were so many prompts."""
    asked = [event for event in _of_session(config, session) if event.get("event") == "prompt"]
    if len(asked) < prompts:
        return None
    return {name for event in asked[-prompts:] for name in _ids(event)}


def task(config: Config, session: str, agent: str) -> list[str]:
    """Ids of what fits the task of the sub-agent that starts now: of the oldest call of its kind that waits for one."""
    waiting: list[Mapping[str, Any]] = []
    for event in _of_session(config, session):
        if event.get("agent") == agent[:LONGEST_NAME]:
            waiting = _still_waiting(waiting, _at(event))
            if event.get("event") == "task":
                waiting.append(event)
            elif event.get("event") == "agent":
                del waiting[:1]
    return next((_ids(event) for event in _still_waiting(waiting, int(time.time()))), [])


def _still_waiting(tasks: list[Mapping[str, Any]], now: int) -> list[Mapping[str, Any]]:
    """Without those that waited too long: a call that was refused starts no agent."""
    return [event for event in tasks if _at(event) >= now - _WAITING_SECONDS]


def _at(event: Mapping[str, Any]) -> int:
    at = event.get("at")
    return at if isinstance(at, int) else 0


def _ids(event: Mapping[str, Any]) -> list[str]:
    names = event.get("ids")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _of_session(config: Config, session: str) -> list[Mapping[str, Any]]:
    try:
        handle = os.open(config.state_path(TRAIL), os.O_RDONLY)
        try:
            size = os.fstat(handle).st_size
            data = os.pread(handle, _READ_BACK, max(size - _READ_BACK, 0))
        finally:
            os.close(handle)
    except OSError:
        return []
    lines = data.decode("utf-8", "replace").split("\n")
    found = []
    for line in lines[size > _READ_BACK :]:  # the first may be cut
        if session and session in line:
            try:
                event = decoded(line)
            except (ValueError, StopIteration, RecursionError):
                continue  # another writer's
            if event.get("session") == session:
                found.append(event)
    return found
