"""Stand-ins for what cannot be had in a test: a model that says what it was told to, and a clock that is moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from memem.llm.protocol import Answer
from memem.mining.extraction import HEADINGS

NOON = 1_800_000_000.0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, at: float = NOON) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class Scripted:
    """A model: answers are given in turn, errors raised, functions called with the prompt; the last one repeats."""

    name = "scripted"

    def __init__(self, *answers: Mapping[str, Any] | Exception | Callable[[str], Mapping[str, Any]]) -> None:
        self.answers = list(answers)
        self.prompts: list[str] = []

    def ask(self, prompt: str, schema: Mapping[str, Any], *, stop: Any) -> Answer:
        """The next answer."""
        self.prompts.append(prompt)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        data = answer(prompt) if callable(answer) else answer
        return Answer(data=dict(data), input_tokens=1000, output_tokens=100, cost_usd=0.01, model="scripted-1")

    def ready(self) -> str:
        """Always."""
        return ""


def said(*lessons: Mapping[str, Any], **summary: Sequence[tuple[str, list[int]]]) -> dict[str, Any]:
    """An answer as the schema wants it; what a lesson does not say gets a plain value."""
    plain = {
        "action": "add", "target": "", "title": "", "kind": "decision", "layer": 2, "importance": 3, "keys": [],
        "paths": [], "key_points": [], "synopsis": "",
    }  # fmt: skip
    lines = {
        heading: [{"text": text, "evidence": evidence} for text, evidence in summary.get(heading, ())]
        for heading in HEADINGS
    }
    return {"lessons": [plain | dict(lesson) for lesson in lessons], "summary": lines}
