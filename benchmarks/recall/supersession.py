"""Facts that change: is the current one first, and is the one that it replaced ever shown unasked.

    python benchmarks/recall/supersession.py [DATA] [--json]

200 histories: a fact, then one that replaces it, saved through the write gate into one vault, in the wordings below
with the values of ten projects. Twice: the later draft names what it supersedes, and it does not, so that the gate has
to see it. `lost` are current facts that the gate took for replaced by one about another project; `kept` the others.
The templates were written by the hand that wrote the ranking; DATA, a JSON list of {"before", "after", "question"},
replaces them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Floor, mean, run

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


class History(NamedTuple):
    """A fact, what replaced it, and the question that both answer."""

    before: str
    after: str
    question: str


def histories(path: Path) -> Iterator[History]:
    """Those of a file, or those of the templates."""
    if path.is_file():
        for item in json.loads(path.read_text(encoding="utf-8")):
            yield History(item["before"], item["after"], item["question"])
        return
    for number, name in enumerate(_NAMES):
        values = {"n": name, "a": number + 3, "b": number + 5}
        for texts in _TEMPLATES:
            yield History(*(text.format(**values) for text in texts))


def _asked(found: list[History], *, told: bool) -> dict[str, list[float]]:
    """For each history whether the gate saw it, the current fact is first, either is injected, another replaced it."""
    rates: dict[str, list[float]] = {"seen": [], "first": [], "shown": [], "outdated": [], "lost": []}
    with tempfile.TemporaryDirectory() as folder:
        environ = {"HOME": folder, "PATH": os.environ["PATH"], "MEMEM_DIR": f"{folder}/state",
                   "MEMEM_OBSIDIAN_VAULT": f"{folder}/vault"}  # fmt: skip
        Path(folder, "work").mkdir()
        memem = Memem(load(environ), folder=f"{folder}/work", environ=environ)
        ids = []
        for history in found:
            before = memem.save(Draft(content=history.before)).memory.id
            later = Draft(content=history.after, supersedes=(before,) if told else ())
            outcome = memem.save(later)
            rates["seen"].append(float(before in [memory.id for memory in outcome.replaced]))
            ids.append((before, outcome.memory.id))
        for history, (before, after) in zip(found, ids, strict=True):
            first = memem.search(history.question, 5).ids
            rates["first"].append(float(first[:1] == [after]))
            query = Query(text=history.question, scope=memem.scope(), limit=3)
            shown = slices.for_prompt(memem.index, query, "", lambda _: {}).ids
            rates["shown"].append(float(after in shown))
            rates["outdated"].append(float(before in shown))
            rates["lost"].append(float(not memem.get([after])[0][0].live))
        memem.close()
    return rates


def measure(path: Path) -> Mapping[str, float]:
    """Print the table; answers the figures of drafts that do not say what they replace."""
    found = list(histories(path))
    texts = {f"{at} {name}": text for at, history in enumerate(found)
             for name, text in zip(("before", "after"), history, strict=False)}  # fmt: skip
    floor = Floor(texts)
    heads = ("seen", "first", "injected", "outdated", "lost", "kept first")
    print(f"{f'{len(found)} histories':<22}" + "".join(f"{head:>11}" for head in heads))
    for name, search in (("FTS5", floor.search), ("grep", floor.grep)):
        first = [float(search(history.question, 1) == [f"{at} after"]) for at, history in enumerate(found)]
        print(f"{name:<22}{'–':>11}{mean(first):>11.1%}")
    rates = {name: _asked(found, told=told) for name, told in (("memem, told", True), ("memem, not told", False))}
    for name, group in rates.items():
        kept = [value for value, lost in zip(group["first"], group["lost"], strict=True) if not lost]
        cells = [*(mean(group[key]) for key in ("seen", "first", "shown", "outdated", "lost")), mean(kept)]
        print(f"{name:<22}" + "".join(f"{cell:>11.1%}" for cell in cells))
    figures = {}
    for name, group in rates.items():
        suffix = "" if name.endswith("not told") else "_told"
        named = {"current_first": "first", "superseded_injected": "outdated", "lost": "lost"}
        figures |= {f"{label}{suffix}": mean(group[key]) for label, key in named.items()}
    return figures


if __name__ == "__main__":
    run(__doc__, measure, sys.argv[1:])
