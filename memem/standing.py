"""Standing memory: the few preferences and conventions that every session of a project begins with.

No word of a prompt leads to them, so they are chosen beforehand, outside of the hooks: at most once a day, or when
identity or directives change, because a block that stays the same costs the host's prompt cache nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from memem import host
from memem.config import Config
from memem.index.writer import IndexWriter
from memem.models import Candidate, Query, Scope
from memem.project import find_checkout
from memem.recall import steps
from memem.recall.render import body_size
from memem.recall.steps import Occasion
from memem.state import helped
from memem.state.events import relevant_ids
from memem.state.store import State

KINDS = ("preference", "convention")
MOST_UNITS = 2000  # UTF-16 units of their bodies, beside identity, directives and blockers
MOST = 8
_FIXED = "directive"
_HELPED_WEIGHT = 3  # prompts that it was relevant to
_OVERLAP_NS = 60 * 10**9  # another process may have read a note some time before its row was there


def renew(config: Config, folder: str, scope: Scope, index: IndexWriter, state: State, now: float) -> bool:
    """Choose anew what stands for a project, and find what the host tells by itself; True if something was due.

    Raises:
        sqlite.Error: the state cannot be written now; what was chosen before stays.
    """
    folder = os.path.realpath(folder or "/")
    checkout = find_checkout(folder)
    files = host.files(config.claude_dir, [folder, *([checkout.top] if checkout else [])])
    day = time.strftime("%Y-%m-%d", time.gmtime(now))
    marks = (day, index.stamp(), index.stamp(scope, KINDS), host.stamp(files))
    stood, chosen, before = state.stood(scope.id)
    if " ".join(marks) == before:
        return False
    last = tuple(before.split(" "))
    last = last if len(last) == len(marks) else ("", "", "", "")
    fixed = [*index.in_scope(scope, deepest=0), *index.of_kinds(scope, (_FIXED,))]
    basis = f"{day} {_digest(fixed)}"
    # Until it is due the choice only grows, by a rule that was just saved: it need not wait for tomorrow.
    if basis != stood or marks[2] != last[2]:
        chosen = choose(index.of_kinds(scope, KINDS), _uses(config, state), chosen if basis == stood else (), day)
    told = host.told(files)
    hashes: dict[str, str] = {}
    if told and (marks[0], marks[3]) == (last[0], last[3]):  # the same words: only what was read since is compared
        hashes = state.told(scope.id)
        found = index.read_since(int(last[1].partition("-")[2]) - _OVERLAP_NS)
        found = [item for item in found if scope.holds(item.memory.project)]
    else:
        found = index.in_scope(scope) if told else []
    hashes |= {item.memory.id: item.hash for item in found if told.says(item.memory.lesson)}
    state.stand(scope.id, (basis, " ".join(marks)), chosen, hashes)
    return True


def _uses(config: Config, state: State) -> dict[str, int]:
    """How often memories were relevant to prompts; a session in which they were seen to help counts for several."""
    uses = relevant_ids(config.dir)
    for memory, count in helped.uses(state.connection).items():
        uses[memory] = uses.get(memory, 0) + _HELPED_WEIGHT * count
    return uses


def choose(found: Sequence[Candidate], uses: Mapping[str, int], kept: Sequence[str] = (), today: str = "") -> list[str]:
    """Ids of the preferences and conventions that stand, the weightiest first: by importance, then by use.

    Those in `kept` come before all others, as long as they are there.
    """
    usable = [item for item in found if item.memory.kind in KINDS and item.memory.layer > 0]
    usable = steps.run(Occasion(query=Query(text="", today=today)), usable, steps.SESSION_STEPS)
    usable.sort(key=lambda item: item.memory.id)
    usable.sort(key=lambda item: (item.memory.importance, uses.get(item.memory.id, 0)), reverse=True)
    usable.sort(key=lambda item: kept.index(item.memory.id) if item.memory.id in kept else len(kept))
    chosen: list[str] = []
    left = MOST_UNITS
    for item in usable:
        if len(chosen) == MOST:
            break
        size = body_size(item)
        if size <= left:
            chosen.append(item.memory.id)
            left -= size
    return chosen


def _digest(fixed: Sequence[Candidate]) -> str:
    """What changes when one of these does."""
    named = sorted(f"{item.memory.id} {item.hash}" for item in fixed)
    return blake2b("\n".join(named).encode("utf-8", "replace"), digest_size=8).hexdigest()
