"""Roles: what a memory is to a task. Its stored kind decides; wording only where the kind says nothing."""

from __future__ import annotations

import re

from memem.models import Memory
from memem.value import Value


class Role(Value):
    """A section of the slice: its name in the published JSON, its title, how much it holds, and the kinds in it."""

    key: str
    title: str
    most: int
    kinds: tuple[str, ...] = ()


ARTIFACTS, BACKGROUND, CONSTRAINTS, GOALS, TENSIONS = (
    "artifacts", "active_background", "constraints", "goals", "open_tensions",
)  # fmt: skip
ROLES = (
    Role(key=GOALS, title="Goals", most=3, kinds=("plan",)),
    Role(key=CONSTRAINTS, title="Constraints", most=6, kinds=("directive", "convention")),
    Role(key="decisions", title="Decisions", most=5, kinds=("decision",)),
    Role(key="failure_patterns", title="Failure Patterns", most=5, kinds=("fix", "failure", "quirk")),
    Role(key=TENSIONS, title="Open Tensions", most=6, kinds=("blocker", "todo")),
    Role(key=ARTIFACTS, title="Artifacts", most=6),
    Role(key="preferences", title="Preferences", most=4, kinds=("preference",)),
    Role(
        key=BACKGROUND,
        title="Active Background",
        most=8,
        kinds=(
            "fact", "environment", "insight", "procedure", "idea", "event", "playbook", "narrative", "summary", "note",
        ),
    ),
)  # fmt: skip
ROLE_OF_KIND = {kind: role.key for role in ROLES for kind in role.kinds}
UNSAID = "note"  # the kind of a note whose author gave none

# A task of this mode has twice the room for these.
ROLES_OF_MODE = {
    "coding": (CONSTRAINTS, ARTIFACTS),
    "proposal": (GOALS, "decisions"),
    "debug": ("failure_patterns",),
    "research": (BACKGROUND,),
    "maintenance": ("failure_patterns", TENSIONS),
    "session_start": (GOALS, TENSIONS),
}

# Tried in this order: what is open or went wrong is also often worded as a must.
_CUES = (
    (TENSIONS, r"\b(todo|fixme|open question|unresolved|undecided|still unclear|blocked (by|on|until))\b"),
    ("failure_patterns", r"\b(root cause|bug|failed|fails|broke|crash(es|ed)?|regression|workaround)\b"),
    ("decisions", r"\b(decided|we (chose|picked|went with|switched)|instead of|rather than)\b"),
    ("preferences", r"\b(prefers?|likes?|dislikes?)\b"),
    (CONSTRAINTS, r"\b(must|never|always|requires?|required|do not|don['’]t)\b"),
    (GOALS, r"\b(goal|aim|milestone|roadmap)\b"),
)
_COMPILED = tuple((role, re.compile(pattern, re.IGNORECASE)) for role, pattern in _CUES)


def role_of(memory: Memory) -> str:
    """The role of a memory."""
    if memory.kind == UNSAID:
        said = f"{memory.title}\n{memory.lesson[:1000]}"
        return next((role for role, cue in _COMPILED if cue.search(said)), BACKGROUND)
    return ROLE_OF_KIND[memory.kind]


def room_of(role: Role, mode: str) -> int:
    """How many items a section holds in a task of that mode."""
    return role.most * (2 if role.key in ROLES_OF_MODE.get(mode, ()) else 1)
