"""Facts that change: is the current one first, is what it replaced ever shown unasked, and what is taken for a change.

    python benchmarks/recall/supersession.py [DATA] [--json]

Two sets of histories (a fact, then one or two that replace it), each saved through the write gate into a vault of its
own. Twice: the later draft names what it supersedes, and it does not, so that the gate has to see it.

- histories.txt, together with the pairs of subjects.txt, which both stay true: written sentence by sentence by somebody
  who had not read how texts are compared;
- the templates below with the values of ten projects: one frame ten times, which nobody writes, so that every
  history is surrounded by nine distractors.

`first` is the share of questions whose first answer is the current fact, `ahead` of those where it comes before all
that it replaced, though another fact may be first. `lost` are current facts that the gate took for replaced by one
about another subject, `pairs` those of two facts of which one was. DATA, a JSON list of {"before", "after",
"question"}, or a folder above one that is called supersession*.json, replaces the histories.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Floor, NotThere, find, mean, run

from memem.app import Memem
from memem.config import load
from memem.models import Draft, Query
from memem.recall import slices

_NAMES = ("harbor", "lantern", "quarry", "meadow", "falcon", "tundra", "copper", "willow", "summit", "anchor")
# Before, after, question: {n} is a project's name, {a} and {b} numbers of its own.
_TEMPLATES = (
    ("The {n} API listens on port {a}.", "The {n} API listens on port {b}.", "which port does the {n} API listen on?"),
    ("{n} deploys run every {a} minutes.", "{n} deploys run every {b} minutes.", "how often do {n} deploys run?"),
    ("The {n} staging database is Postgres 1{a}.", "The {n} staging database is Postgres 1{b} now.",
     "what is the staging database of {n}?"),
    ("We build {n} with webpack.", "We no longer build {n} with webpack, we build it with vite.",
     "what do we build {n} with?"),
    ("Requests to the {n} gateway time out after {a} s.", "Requests to the {n} gateway time out after {b} s.",
     "when do requests to the {n} gateway time out?"),
    ("The {n} release branch is release/{a}.", "The {n} release branch is release/{b}.",
     "on which branch is {n} released?"),
    ("{n} keeps backups for {a} days.", "{n} keeps backups for {b} days.", "how long does {n} keep backups?"),
    ("Always run the {n} migrations before the tests.", "Never run the {n} migrations before the tests.",
     "should the {n} migrations run before the tests?"),
    ("The {n} worker retries a job {a} times.", "The {n} worker retries a job {b} times.",
     "how many times does the {n} worker retry a job?"),
    ("{n} logs go to the file {n}-{a}.log.", "{n} logs go to the file {n}-{b}.log.", "where do the {n} logs go?"),
    ("The owner of the {n} billing module is Dana.", "The owner of the {n} billing module is Robin.",
     "who owns the {n} billing module?"),
    ("The {n} cache holds {a} entries at most.", "The {n} cache holds {b} entries at most.",
     "how many entries does the {n} cache hold?"),
    ("Use yarn to install the {n} frontend.", "Use pnpm to install the {n} frontend, not yarn.",
     "how do I install the {n} frontend?"),
    ("The {n} client requires Python 3.{a}.", "The {n} client requires Python 3.{b}.",
     "which Python does the {n} client require?"),
    ("Feature flags of {n} live in flags.yaml.", "Feature flags of {n} moved from flags.yaml to LaunchDarkly.",
     "where do the feature flags of {n} live?"),
    ("The {n} upload limit is {a} MB.", "The {n} upload limit is {b} MB since the last release.",
     "what is the upload limit of {n}?"),
    ("{n} tokens expire after {a} hours.", "{n} tokens expire after {b} hours.", "when do {n} tokens expire?"),
    ("The {n} queue is RabbitMQ.", "The {n} queue is now Kafka instead of RabbitMQ.", "what is the {n} queue?"),
    ("Squash commits before merging into {n}.", "Do not squash commits before merging into {n}.",
     "squash commits before merging into {n}?"),
    ("The {n} nightly job starts at {a}:00 UTC.", "The {n} nightly job starts at {b}:00 UTC.",
     "when does the {n} nightly job start?"),
)  # fmt: skip


_HERE = Path(__file__).resolve().parent
_COLUMNS = (
    ("seen", "seen"),
    ("first", "first"),
    ("ahead", "ahead"),
    ("injected", "shown"),
    ("outdated", "outdated"),
    ("lost", "lost"),
)


class History(NamedTuple):
    """A fact, what replaced it one after the other, and the question that all answer."""

    texts: Sequence[str]
    question: str
    style: str = ""


class Pair(NamedTuple):
    """Two facts about two subjects."""

    one: str
    other: str
    style: str


def written() -> list[History]:
    """The histories of histories.txt."""
    return [
        History(texts.split(" => "), question, style)
        for style, line in _lines("histories.txt")
        for texts, _, question in [line.rpartition(" ? ")]
    ]


def pairs() -> list[Pair]:
    """The pairs of subjects.txt."""
    return [Pair(*line.split(" | "), style) for style, line in _lines("subjects.txt")]


def _lines(name: str) -> Iterator[tuple[str, str]]:
    style = ""
    for line in (_HERE / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            style = line[3:]
        elif line and not line.startswith("#"):
            yield style, line


def templates() -> list[History]:
    """The templates above with the values of each project."""
    filled = [
        [text.format(n=name, a=number + 3, b=number + 5) for text in texts]
        for number, name in enumerate(_NAMES)
        for texts in _TEMPLATES
    ]
    return [History(texts[:2], texts[2]) for texts in filled]


def told_apart(found: Sequence[History], beside: Sequence[Pair], *, told: bool) -> dict[str, list[float]]:
    """What became of each history, and of each pair saved between them, in one vault; see the columns."""
    rates: dict[str, list[float]] = {key: [] for _, key in _COLUMNS} | {"pairs": []}
    with tempfile.TemporaryDirectory() as folder:
        environ = {"HOME": folder, "PATH": os.environ["PATH"], "MEMEM_DIR": f"{folder}/state",
                   "MEMEM_OBSIDIAN_VAULT": f"{folder}/vault"}  # fmt: skip
        Path(folder, "work").mkdir()
        memem = Memem(load(environ), folder=f"{folder}/work", environ=environ)
        chains, kept = [], []
        for number, history in enumerate(found):
            chain = [memem.save(Draft(content=history.texts[0])).memory.id]
            kept += [_saved(memem, beside[at]) for at in range(number, len(beside), len(found))]
            for text in history.texts[1:]:
                outcome = memem.save(Draft(content=text, supersedes=(chain[-1],) if told else ()))
                rates["seen"].append(float(chain[-1] in [memory.id for memory in outcome.replaced]))
                chain.append(outcome.memory.id)
            chains.append(chain)
        for history, chain in zip(found, chains, strict=True):
            found_ids = memem.search(history.question, 10).ids
            rates["first"].append(float(found_ids[:1] == chain[-1:]))
            rates["ahead"].append(float([memory for memory in found_ids if memory in chain][:1] == chain[-1:]))
            query = Query(text=history.question, scope=memem.scope(), limit=3)
            shown = slices.for_prompt(memem.index, query, "", lambda _: {}).ids
            rates["shown"].append(float(chain[-1] in shown))
            rates["outdated"].append(float(any(memory in shown for memory in chain[:-1])))
            rates["lost"].append(float(not _live(memem, chain[-1])))
        rates["pairs"] = [float(not all(_live(memem, memory) for memory in ids)) for ids in kept]
        memem.close()
    return rates


def _saved(memem: Memem, pair: Pair) -> tuple[str, str]:
    return memem.save(Draft(content=pair.one)).memory.id, memem.save(Draft(content=pair.other)).memory.id


def _live(memem: Memem, memory: str) -> bool:
    return memem.get([memory])[0][0].live


def compared(title: str, found: Sequence[History], beside: Sequence[Pair] = ()) -> Mapping[str, float]:
    """Print the table of one set; answers its figures."""
    texts = {f"{at} {step}": text for at, history in enumerate(found) for step, text in enumerate(history.texts)}
    texts |= {f"pair {at} {step}": text for at, pair in enumerate(beside) for step, text in enumerate(pair[:2])}
    floor = Floor(texts)
    print(f"{title:<24}" + "".join(f"{head:>11}" for head, _ in _COLUMNS) + f"{'pairs':>11}")
    for name, search in (("FTS5", floor.search), ("grep", floor.grep)):
        last = [(f"{at} {len(history.texts) - 1}", history) for at, history in enumerate(found)]
        first = [float(search(history.question, 1) == [right]) for right, history in last]
        print(f"{name:<24}{'–':>11}{mean(first):>11.1%}")
    figures = {}
    for name, suffix in (("memem, told", "_told"), ("memem, not told", "")):
        rates = told_apart(found, beside, told=not name.endswith("not told"))
        print(f"{name:<24}" + "".join(f"{mean(rates[key]):>11.1%}" for key in rates))
        named = {
            "current_first": "first",
            "current_ahead": "ahead",
            "superseded_injected": "outdated",
            "lost": "lost",
            "pairs_lost": "pairs",
        }
        figures |= {f"{label}{suffix}": mean(rates[key]) for label, key in named.items()}
    print()
    return figures


def measure(path: Path) -> Mapping[str, float]:
    """Print the tables; answers the figures of each set, those of the written histories without a prefix."""
    if files := find(path, "supersession*.json"):
        read = [item for file in files for item in json.loads(file.read_text(encoding="utf-8"))]
        found = [History([item["before"], item["after"]], item["question"]) for item in read]
        return compared(f"{len(found)} histories", found)
    if not path.exists():
        raise NotThere(f"{path} does not exist; without DATA the histories beside this file are asked for.")
    natural, framed = written(), templates()
    figures = compared(f"{len(natural)} histories, written", natural, pairs())
    more = compared(f"{len(framed)} from templates", framed)
    return {**figures, **{f"templates_{name}": value for name, value in more.items()}}


if __name__ == "__main__":
    run(__doc__, measure, sys.argv[1:])
