"""What grows out of single lessons: a playbook for each project, and a summary for each session. No model is asked."""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Sequence

from memem.models import UNCONFIRMED, UNTRUSTED, Candidate, Memory
from memem.text import cut, one_line

MOST_CHARACTERS = 9000
_MOST_LINES = 60
_LINE = 260
# Sections in the order of what an agent needs first; a kind that is in none is not for a playbook.
SECTIONS = (
    ("Directives and conventions", ("directive", "convention", "preference")),
    ("Decisions", ("decision",)),
    ("Environment", ("environment", "fact")),
    ("How things are done", ("procedure",)),
    ("What went wrong, and why", ("fix", "failure", "quirk")),
    ("Insights", ("insight",)),
    ("Open", ("blocker", "todo")),
)
SUMMARY_HEADINGS = {
    "investigated": "Investigated", "learned": "Learned", "completed": "Completed", "next_steps": "Next steps",
}  # fmt: skip


def playbook_part(found: Sequence[Candidate]) -> str:
    """The live, trusted memories of a project as one page; every line names its note."""
    usable = [
        item
        for item in found
        if item.memory.live and item.memory.trust not in UNTRUSTED and UNCONFIRMED not in item.memory.tags
    ]
    usable.sort(key=lambda item: (item.memory.layer, -item.memory.importance, item.memory.created, item.memory.id))
    chosen = usable[:_MOST_LINES]
    sections = []
    left = MOST_CHARACTERS
    for title, kinds in SECTIONS:
        lines = []
        for item in chosen:
            line = _line(item)
            if item.memory.kind in kinds and len(line) < left:
                lines.append(line)
                left -= len(line)
        if lines:
            sections.append("\n".join([f"## {title}", *lines]))
    return "\n\n".join(sections)


def playbook(project: str, now: str) -> tuple[str, Memory]:
    """The path and frontmatter of a project's playbook."""
    memory = Memory(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"memem playbook {project}")),
        title=f"Playbook of {project}",
        body="",
        project=project,
        kind="playbook",
        layer=3,  # its lines are memories of their own; recall must not say them twice
        trust="agent",
        source_type="grown",
        created=now,
        updated=now,
    )
    return f"playbooks/{_slug(project)}.md", memory


def summary(project: str, session: str, day: str, now: str) -> tuple[str, Memory]:
    """The path and frontmatter of a session's summary."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"memem summary {session}")
    memory = Memory(
        id=str(name),
        title=f"Session of {day} in {project.rpartition('/')[2]}",
        body="",
        project=project,
        kind="summary",
        layer=3,
        trust="agent",
        source_type="grown",
        source_session=session,
        created=now,
        updated=now,
    )
    return f"sessions/{day}-{str(name)[:8]}.md", memory


def summary_part(told: Sequence[tuple[str, tuple[str, ...]]], most: int = 12) -> str:
    """Lines by heading; what several parts of a session said is joined, each line once, the last `most` of them."""
    sections = []
    for heading, title in SUMMARY_HEADINGS.items():
        lines = list(dict.fromkeys(line for name, lines in told if name == heading for line in lines))
        if lines:
            sections.append("\n".join([f"## {title}", *(f"- {line}" for line in lines[-most:])]))
    return "\n\n".join(sections)


def summary_lines(part: str) -> list[tuple[str, tuple[str, ...]]]:
    """The lines by heading of a summary as `summary_part` wrote it."""
    names = {title: heading for heading, title in SUMMARY_HEADINGS.items()}
    told: dict[str, list[str]] = {}
    heading = ""
    for line in part.splitlines():
        if line.startswith("## "):
            heading = names.get(line[3:].strip(), "")
        elif line.startswith("- ") and heading:
            told.setdefault(heading, []).append(line[2:])
    return [(heading, tuple(lines)) for heading, lines in told.items()]


def _line(item: Candidate) -> str:
    memory = item.memory
    said = cut(one_line(memory.body.partition("\n## ")[0]), _LINE)
    stem = item.path.rpartition("/")[2].removesuffix(".md")
    return f"- {said} [[{stem}|{memory.id8}]]"


def _slug(project: str) -> str:
    words = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", project).lower()).strip("-")
    # The readable part may be the same for two projects; the hash is not.
    return f"{words[:60].strip('-') or 'project'}-{uuid.uuid5(uuid.NAMESPACE_URL, project).hex[:8]}"
