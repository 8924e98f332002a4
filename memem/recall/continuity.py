"""From one slice of a session to the next: what is carried forward, what was settled, what is different."""

from __future__ import annotations

from collections.abc import Sequence

from memem.active import Continuity, Item, Past
from memem.index.reader import Index
from memem.recall.roles import ARTIFACTS, CONSTRAINTS, TENSIONS, role_of

CARRIED_ROLES = (CONSTRAINTS, TENSIONS)
_MOST_SLICES = 3  # so often something is carried that no question finds again
_MOST_OF_ROLE = 4


def carried(past: Past, found: Sequence[Item], index: Index) -> tuple[list[Item], list[Item]]:
    """What the previous slice hands on beyond what was found: items to carry, and tensions that are settled."""
    known = {item.id for item in found}
    left = [row for row in past.items if row[0] not in known and row[3] < _MOST_SLICES]
    memories = {name: row for name, role, *_ in left if role in CARRIED_ROLES for row in index.notes("id = ?", (name,))}
    handed: list[Item] = []
    settled: list[Item] = []
    room = dict.fromkeys((*CARRIED_ROLES, ARTIFACTS), _MOST_OF_ROLE)
    for name, role, score, times in left:
        if role == ARTIFACTS and name.startswith("artifact:"):
            item = Item(id=name, title=name.partition(":")[2], role=role, origin="artifact", why=("carried forward",))
        elif name in memories:
            memory = memories[name].memory
            why = "carried forward" if memory.live else f"settled: {memory.status}"
            item = Item(
                id=name, title=memory.title, text=memory.lesson, role=role_of(memory), candidate=memories[name],
                why=(why,),
            )  # fmt: skip
            if not memory.live:
                settled += [item] if role == TENSIONS else []
                continue
        else:
            continue
        if room[role] > 0:
            room[role] -= 1
            handed.append(item.replace(score=score, carried=times + 1))
    return handed, settled


def compared(past: Past, now: Sequence[Item], settled: Sequence[Item]) -> Continuity:
    """The difference between a slice and the session's previous one."""
    before = {row[0]: row[1] for row in past.items}
    ids = {item.id for item in now}
    files = {item.id: "carried" if item.carried else _state(item.id in before) for item in now if _is_file(item.id)}
    files |= {name: "dropped" for name in before if _is_file(name) and name not in files}
    return Continuity(
        previous=past.id,
        added=tuple(item.id for item in now if item.id not in before),
        removed=tuple(name for name in before if name not in ids),
        kept=tuple(item.id for item in now if item.id in before and not item.carried),
        carried=tuple(item.id for item in now if item.carried),
        resolved=tuple(item.id for item in settled),
        progression=tuple((name.partition(":")[2], state) for name, state in files.items()),
    )


def _is_file(name: str) -> bool:
    return name.startswith("artifact:")


def _state(known: bool) -> str:
    return "continued" if known else "new"
