"""Invented sessions: each call adds one event, the way the reader would."""

from __future__ import annotations

from memem.mining.lessons import Lesson
from memem.mining.patterns import mine
from memem.sources.events import Event


class Talk:
    """A session in the making."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, kind: str, text: str, **fields: object) -> Talk:
        """One event; its record is named after its place."""
        uuid = f"{kind}-{len(self.events)}"
        self.events.append(Event(kind=kind, text=text, session="s-1", uuid=uuid, folder="/home/ada/shop", **fields))
        return self

    def human(self, text: str) -> Talk:
        return self.add("prompt", text)

    def agent(self, text: str) -> Talk:
        return self.add("prose", text)

    def edit(self, path: str, text: str = "x = 1") -> Talk:
        return self.add("edit", text, path=f"/home/ada/shop/{path}", tool="Edit")

    def check(self, output: str) -> Talk:
        return self.add("command", "uv run pytest", tool="Bash").add("result", output, tool="Bash")

    def mined(self) -> list[Lesson]:
        return mine(self.events)

    def texts(self) -> str:
        """All lessons as one text."""
        return "\n".join(lesson.content for lesson in self.mined())


def one(talk: Talk) -> Lesson:
    """The only lesson of the session."""
    (lesson,) = talk.mined()
    return lesson
