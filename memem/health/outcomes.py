"""What the hooks did, as their log of outcomes tells it."""

from __future__ import annotations

import json
import os

_OUTCOME_BYTES = 2_000_000  # of the event log, from its end


def outcomes(path: str) -> dict[str, int]:
    """What the hooks did, from the end of their log: prompts seen, served, and memories injected."""
    counted = {"sessions": 0, "prompts": 0, "served": 0, "injected": 0}
    try:
        with open(path, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - _OUTCOME_BYTES, 0))
            lines = file.read().splitlines()
    except OSError:
        return counted
    for line in lines:
        try:
            event = json.loads(line)
            kind, served = event["event"], int(event["served"])
        except (ValueError, KeyError, TypeError):
            continue  # cut off at the start, or another writer's
        if kind == "session":
            counted["sessions"] += 1
        elif kind == "prompt":
            counted["prompts"] += 1
            counted["served"] += served > 0
            counted["injected"] += served
    return counted
