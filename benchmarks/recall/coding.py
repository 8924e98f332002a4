"""Coding sessions: which earlier sessions does the first prompt of a new one concern.

    python benchmarks/recall/coding.py DATA [--json]

DATA is a JSON list of checkpoints of real sessions (session, at, branch, files, prompt), or a folder above one that
is called coding*.json. Every session is asked with its first prompt of those that began before it. What is right are
proxies: the earlier sessions of the same feature branch, and those whose files overlap by 0.3 or more. The archive
holds what a transcript tells: prompts, changed files, and the branch at the time, whose name the floors do not see.
"Same branch" is mostly a clock, so the newest sessions, whatever was asked, stand beside; words and recency together
are what `--newest` ranks by.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from math import log2
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Answer, Floor, Sessions, archived, located, mean, run, table

from memem.sources.events import Event

DEPTHS = (1, 5, 10)
NAMES = ("coding*.json", "*checkpoints*.json")
LEAST_BEFORE = 20  # sessions; with fewer everything is found
OVERLAP = 0.3
_QUESTION, _PROMPT = 600, 2000  # characters


class Session(NamedTuple):
    """One session: when it began, on which branch, its files, and what was said and changed, in order."""

    id: str
    at: str
    branch: str
    files: frozenset[str]
    prompts: list[str]
    events: list[Event]

    @property
    def text(self) -> str:
        """Everything as one document."""
        return "\n".join([*(prompt[:_PROMPT] for prompt in self.prompts), *sorted(self.files)])


class Case(NamedTuple):
    """A first prompt, when it was asked, the sessions before it, and what is right among them."""

    question: str
    at: float
    before: list[Session]
    branch: frozenset[str]
    files: frozenset[str]


def sessions(path: Path) -> list[Session]:
    """The sessions with a prompt, oldest first."""
    checkpoints: dict[str, list[dict[str, Any]]] = {}
    for checkpoint in sorted(json.loads(path.read_text(encoding="utf-8")), key=lambda item: item["at"]):
        checkpoints.setdefault(checkpoint["session"], []).append(checkpoint)
    found = [_session(name, made) for name, made in checkpoints.items()]
    return sorted((session for session in found if session.prompts), key=lambda session: session.at)


def _session(name: str, checkpoints: list[dict[str, Any]]) -> Session:
    prompts: dict[str, None] = {}
    files: dict[str, None] = {}
    events: list[Event] = []
    branch = next((item["branch"] for item in checkpoints if item.get("branch")), "")
    for checkpoint in checkpoints:
        at, on = checkpoint["at"], checkpoint.get("branch") or ""
        for prompt in map(str.strip, checkpoint["prompt"].split("\n\n---\n\n")):
            if len(prompt) >= 20 and prompt[0] not in "<[" and "session is being continued" not in prompt:
                if prompt not in prompts:
                    if events and events[-1].kind == "prompt":  # the agent worked between two prompts
                        events.append(Event(kind="boundary", text="", session=name, uuid=name, at=at, branch=on))
                    events.append(
                        Event(kind="prompt", text=prompt[:_PROMPT], session=name, uuid=name, at=at, branch=on)
                    )
                prompts[prompt] = None
        new = [file for file in checkpoint["files"] if file not in files]
        events += [Event(kind="edit", text="", path=file, session=name, uuid=name, at=at, branch=on) for file in new]
        files.update(dict.fromkeys(new))
    return Session(name, checkpoints[0]["at"], branch, frozenset(files), list(prompts), events)


def cases(found: list[Session]) -> Iterator[Case]:
    """The sessions that have something to find."""
    used = Counter(file for session in found for file in session.files)

    def weight(files: frozenset[str]) -> float:
        return sum(1 / log2(1 + used[file]) for file in files)

    for number, session in enumerate(found):
        question = session.prompts[0][:_QUESTION]
        # A prompt that was sent again would find itself.
        before = [
            earlier
            for earlier in found[:number]
            if not any(prompt[:150] == question[:150] for prompt in earlier.prompts)
        ]
        if len(before) < LEAST_BEFORE:
            continue
        feature = session.branch not in ("", "main", "master")
        branch = frozenset(earlier.id for earlier in before if feature and earlier.branch == session.branch)
        files = frozenset(
            earlier.id
            for earlier in before
            if session.files
            and earlier.files
            and weight(session.files & earlier.files) >= OVERLAP * weight(session.files | earlier.files)
        )
        if branch or files:
            yield Case(question, datetime.fromisoformat(session.at).timestamp(), before, branch, files)


def measure(path: Path) -> Mapping[str, float]:
    """Print the tables; answers the figures."""
    names = ("grep", "FTS5", "memem", "newest only", "memem, newest")
    branch: dict[str, list[Answer]] = {name: [] for name in names}
    files: dict[str, list[Answer]] = {name: [] for name in names}
    for case in [case for file in located(path, *NAMES) for case in cases(sessions(file))]:
        floor = Floor({session.id: session.text for session in case.before})
        with archived({session.id: session.events for session in case.before}) as archive:
            found = _found(case, floor, archive)
        for ways, right in ((branch, case.branch), (files, case.files)):
            for name in names:
                if right:
                    ways[name].append(Answer(found[name], right))
    table("Coding sessions, same branch", branch, DEPTHS)
    table("Coding sessions, same files", files, DEPTHS)
    return {
        f"{kind}_r5{'_recency' if name != 'memem' else ''}": mean([answer.recall(5) for answer in ways[name]])
        for name in ("memem", "memem, newest")
        for kind, ways in (("branch", branch), ("files", files))
    }


def _found(case: Case, floor: Floor, archive: Sessions) -> dict[str, list[str]]:
    archive.now = case.at
    return {
        "grep": floor.grep(case.question, 10),
        "FTS5": floor.search(case.question, 10),
        "memem": archive.sessions(case.question, 10),
        "newest only": [session.id for session in reversed(case.before)][:10],
        "memem, newest": archive.sessions(case.question, 10, newest=True),
    }


if __name__ == "__main__":
    run(__doc__, measure, sys.argv[1:])
