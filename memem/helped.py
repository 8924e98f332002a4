"""Does recall help? What was injected into sessions, compared with what their transcripts did with it afterwards.

A memory was used when, after it was shown, the agent names its id, works on a file that it concerns, or says an
identifier of it that nobody in the session had said before. That is a lower bound: a memory that kept an agent from
doing something leaves no sign. The same is counted for sessions that were held out, so that both can be compared.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from memem.dates import seconds
from memem.errors import NotFound, Unavailable
from memem.models import Memory
from memem.recall.paths import File
from memem.sources.claude_code import transcripts
from memem.sources.events import HUMAN, Event
from memem.state import helped
from memem.state.events import Shown, shown
from memem.state.helped import Help
from memem.stores import Stores
from memem.value import Value

# Names that hardly anybody says by chance: joined or mixed words, calls, numbers of three digits or more.
_WORD = re.compile(r"\w+(?:[._/:-]\w+)*")
_JOINTS = frozenset("._/:-")
_MOST_SESSIONS = 200  # whose transcripts one call reads
_MOST_MEMORIES = 500  # of one session
_UNITS_PER_TOKEN = 4


def settle(stores: Stores, now: float) -> int:
    """Compare what sessions were shown with what they did, and record it; answers how many sessions were read anew.

    Raises:
        sqlite.Error: the state cannot be written now; the next call compares once more.
    """
    if stores.state is None:
        return 0
    stores.freshen()
    told = shown(stores.config.dir)
    known = helped.read_at(stores.state.connection)
    paths = {path.stem: path for folder in stores.config.session_dirs for path in transcripts(folder)}
    due = [session for session in told if session in paths and _changed(paths[session], known.get(session, 0))]
    for session in due[-_MOST_SESSIONS:]:
        _compare(stores, paths[session], told[session], now)
    return len(due)


def compare(stores: Stores, path: Path, now: float) -> None:
    """Compare what one session was shown with its transcript, and record it in place of what was known of it.

    Raises:
        sqlite.Error: see `settle`.
    """
    if told := shown(stores.config.dir, path.stem).get(path.stem):
        _compare(stores, path, told, now)


def _compare(stores: Stores, path: Path, told: Sequence[Shown], now: float) -> None:
    source = stores.source()
    if stores.state is None or source.excludes(path):
        return
    ids = list(dict.fromkeys(one.memory for one in told))[:_MOST_MEMORIES]
    notes = stores.index.notes(f"id IN ({','.join('?' * len(ids))})", ids)
    memories = {item.memory.id: item.memory for item in notes}
    with contextlib.suppress(NotFound, Unavailable):  # it went away
        if not source.head(path).readable:  # off for now, or forgotten
            return
        events = list(source.read(path))
        helped.record(stores.state.connection, _judged(path.stem, told, memories, events, int(now)))


def report(stores: Stores) -> dict[str, Any]:
    """What was shown and used, sessions held out beside the others, and what it cost in tokens (an estimate)."""
    if stores.state is None:
        return {}
    settle(stores, time.time())
    groups: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}
    for held, sign, count in helped.signs(stores.state.connection):
        groups[held][sign] += count
    told = [one for items in shown(stores.config.dir).values() for one in items]
    sizes = {item.memory.id: len(item.memory.body) for item in stores.index.notes("id != ''")}
    units = sum(sizes.get(one.memory, 0) for one in told if not one.held)
    return {
        "injected": _group(groups[False]),
        "held_out": _group(groups[True]),
        "tokens_injected": units // _UNITS_PER_TOKEN,
    }


def _group(signs: Counter[str]) -> dict[str, Any]:
    compared, unused = signs.total(), signs[""]
    return {
        "compared": compared,
        "used": compared - unused,
        "by_sign": {sign: count for sign, count in signs.most_common() if sign},
        # At most so much of what was shown was beside the point: use without a sign is not seen.
        "false_at_most": round(unused / compared, 3) if compared else None,
    }


def _changed(path: Path, read: int) -> bool:
    try:
        return path.stat().st_mtime >= read
    except OSError:
        return False


def _judged(
    session: str, told: Iterable[Shown], memories: Mapping[str, Memory], events: list[Event], now: int
) -> list[Help]:
    found: dict[str, Help] = {}
    read = [_Read(event=event, at=seconds(event.at) or 0.0, names=_identifiers(event.text)) for event in events]
    for one in told:
        memory = memories.get(one.memory)
        if memory is None:
            continue  # it was deleted
        sign = _sign(memory, one.at, read)
        if one.memory not in found or sign:
            found[one.memory] = Help(session=session, memory=one.memory, at=now, sign=sign, held=one.held)
    return list(found.values())


class _Read(Value):
    event: Event
    at: float
    names: frozenset[str]


def _sign(memory: Memory, at: int, events: list[_Read]) -> str:
    """How a session used a memory that it was shown at a time; "" for not at all."""
    # What a human says is no use of a memory, and what was said before cannot come from it.
    later = [read for read in events if read.event.kind not in HUMAN and read.at > at]
    before = frozenset().union(*(read.names for read in events if read.event.kind in HUMAN or read.at <= at))
    said = [read for read in later if read.event.kind != "result"]
    if any(memory.id8 in read.event.text for read in said):
        return "cited"
    paths = {read.event.path for read in later if read.event.path} if memory.paths else set()
    if any(File(_tails(path)).closeness(memory.paths) for path in paths):
        return "file"
    own = _identifiers(f"{memory.title}\n{memory.body}") - before
    return "identifier" if any(own & read.names for read in said) else ""


def _identifiers(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(text) if _is_identifier(word))


def _is_identifier(word: str) -> bool:
    """Whether a word is written as only names of code, files and numbers are."""
    joined = not _JOINTS.isdisjoint(word) or "_" in word.strip("_")
    camel = word[0].islower() and word != word.lower()
    numbered = word[:2].isupper() and any(map(str.isdigit, word))
    return joined or camel or numbered or (word.isdigit() and len(word) > 2)


def _tails(path: str) -> list[str]:
    """A path and all its ends: which folder is the top of the project is not told."""
    parts = path.strip("/").split("/")
    return ["/".join(parts[at:]) for at in range(len(parts))]
