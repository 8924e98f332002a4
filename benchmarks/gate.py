"""How often recall volunteers the right memory, and how often it speaks when it should be silent.

The labelled sets are invented: data/gate.json holds three projects of 25 notes, prompts that one note answers, and
prompts that none does; floor and weights were chosen on it. data/gate_shop.json is one project of 50 notes, written
later in one go by someone who had not looked at the rules of evidence; nothing is tuned on it.

`right`: the note was among those shown. `wrong`: something else was shown, but not it.
`foreign`: prompts about another project's notes, which share its vocabulary of coding but no note.

    python benchmarks/gate.py           a table for each: stores of 1 note, of one project, of all projects
    python benchmarks/gate.py --misses  also the prompts behind the figures
    python benchmarks/gate.py --sweep   floor and weights of memem/recall/evidence.py against each other
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from memem import sqlite  # noqa: E402 - runs from a checkout
from memem.index.writer import Entry, IndexWriter, memory_index  # noqa: E402
from memem.models import Memory, Query, Scope  # noqa: E402
from memem.recall import evidence, slices  # noqa: E402

TUNED, HELD_OUT = (ROOT / "benchmarks" / "data" / name for name in ("gate.json", "gate_shop.json"))
SCOPE = Scope(id="local:bench", names=("local:bench", "general"))
SHOWN = 3
COLUMNS = "  right   wrong  silent  extra | unrelated  foreign | ms"
STORES = ("one note", "one project", "all")
RATIOS = (0.0, 0.03, 0.06, 0.0875, 0.117, 0.15, 0.2, 0.3, 0.5)  # weight of the surprise for a coverage weight of 1
ALLOWED = (0.005, 0.01, 0.02, 0.05)  # shares of silent prompts that may be served


class Case(NamedTuple):
    """One prompt against one store; `right` is the id that answers it, "" for none."""

    index: IndexWriter
    prompt: str
    right: str
    group: str  # related, foreign, unrelated


class Score(NamedTuple):
    """What one memory has for itself, before weights."""

    id: str
    coverage: float
    surprise: float


def main(arguments: list[str]) -> None:
    """Print the tables, and what was asked for besides."""
    for path in (TUNED, HELD_OUT):
        data = json.loads(path.read_text(encoding="utf-8"))
        stores = {name: list(_cases(data, name)) for name in STORES if name != "all" or len(data["projects"]) > 1}
        print(f"{path.name:<15} {COLUMNS}")
        for name, cases in stores.items():
            _row(name, cases, "--misses" in arguments)
        if "--sweep" in arguments and path == TUNED:
            _sweep(stores)


def _cases(data: dict[str, object], kind: str) -> Iterator[Case]:
    projects: dict[str, dict[str, str]] = data["projects"]  # type: ignore[assignment]
    related: list[dict[str, str]] = data["related"]  # type: ignore[assignment]
    unrelated: list[str] = data["unrelated"]  # type: ignore[assignment]
    every = {f"{project}/{name}": body for project, notes in projects.items() for name, body in notes.items()}
    if kind == "one note":
        stores = {name: [name] for name in every}
    elif kind == "one project":
        stores = {project: [name for name in every if name.startswith(f"{project}/")] for project in projects}
    else:
        stores = {"all": list(every)}
    for store, names in stores.items():
        index = _index({name: every[name] for name in names})
        for item in related:
            right = f"{item['project']}/{item['note']}"
            if right in names:
                yield Case(index, item["prompt"], right, "related")
            elif not store.startswith(item["project"]) and kind != "all":
                yield Case(index, item["prompt"], "", "foreign")
        yield from (Case(index, prompt, "", "unrelated") for prompt in unrelated)


def _index(notes: dict[str, str]) -> IndexWriter:
    index = memory_index()
    with sqlite.transaction(index.connection):
        for name, body in notes.items():
            title = body.partition(". ")[0].partition("。")[0][:120]
            memory = Memory(id=name, title=title, body=body, project=SCOPE.id)
            index.put(Entry(path=name, etag=name, hash="", read_ns=0), memory)
    return index


def _row(store: str, cases: list[Case], misses: bool) -> None:
    started = time.perf_counter()
    answers = [(case, _shown(case)) for case in cases]
    took = (time.perf_counter() - started) / len(cases) * 1000
    related = [(case, ids) for case, ids in answers if case.group == "related"]
    right = sum(case.right in ids for case, ids in related)
    wrong = sum(bool(ids) and case.right not in ids for case, ids in related)
    extra = sum(len(set(ids) - {case.right}) for case, ids in related) / len(related)
    print(
        f"{store:<15} {right / len(related):>7.1%} {wrong / len(related):>7.1%} "
        f"{1 - (right + wrong) / len(related):>7.1%} {extra:>6.2f} | "
        f"{_served(answers, 'unrelated'):>9} {_served(answers, 'foreign'):>8} | {took:.1f}"
    )
    if misses:
        for case, ids in answers:
            if case.right not in ids if case.right else ids:
                print(f"      {case.group:<9} {case.prompt[:90]!r} → {', '.join(ids) or 'silence'}")


def _shown(case: Case) -> list[str]:
    query = Query(text=case.prompt, scope=SCOPE, limit=SHOWN, budget=4000)
    return slices.for_prompt(case.index, query, "", lambda _: {}).ids


def _served(answers: list[tuple[Case, list[str]]], group: str) -> str:
    served = [bool(ids) for case, ids in answers if case.group == group]
    return f"{sum(served) / len(served):.2%}" if served else "–"


def _sweep(cases: dict[str, list[Case]]) -> None:
    scored = {store: [(case, _scores(case)) for case in group] for store, group in cases.items()}
    ratio = evidence._SURPRISE_WEIGHT / evidence._COVERAGE_WEIGHT
    print(f"\nFloor, at the weights of today ({evidence._COVERAGE_WEIGHT}, {evidence._SURPRISE_WEIGHT})")
    print(f"{'floor':>6}" + "".join(f" | {store:>11} right  wrong unrel. foreign" for store in scored))
    for step in range(8, 23):
        floor = step / 10
        cells = [_rates(group, ratio, floor / evidence._COVERAGE_WEIGHT) for group in scored.values()]
        print(f"{floor:>6.1f}" + "".join(f" | {a:>17.1%} {b:>6.1%} {c:>6.1%} {d:>7.1%}" for a, b, c, d in cells))
    print("\nWeights: right at the lowest floor that serves at most so many of the silent prompts, all sizes alike")
    print(f"{'surprise / coverage':>20}" + "".join(f" {allowed:>8.1%} (floor)" for allowed in ALLOWED))
    for ratio in RATIOS:
        print(f"{ratio:>20.3f}" + "".join(f" {_best(scored, ratio, allowed):>16}" for allowed in ALLOWED))


def _scores(case: Case) -> list[Score]:
    """Coverage and surprise of each memory that shares a word with the prompt."""
    parts: list[dict[str, float]] = []
    before = evidence._COVERAGE_WEIGHT, evidence._SURPRISE_WEIGHT, evidence.FLOOR
    for weights in ((1.0, 0.0), (0.0, 1.0)):
        evidence._COVERAGE_WEIGHT, evidence._SURPRISE_WEIGHT, evidence.FLOOR = *weights, float("-inf")
        found = evidence.relevant(case.prompt, case.index, SCOPE)
        parts.append({candidate.memory.id: candidate.score for candidate in found})
    evidence._COVERAGE_WEIGHT, evidence._SURPRISE_WEIGHT, evidence.FLOOR = before
    return [Score(name, coverage, parts[1][name]) for name, coverage in parts[0].items()]


def _rates(scored: list[tuple[Case, list[Score]]], ratio: float, floor: float) -> tuple[float, float, float, float]:
    """Right and wrong among the related, served among the unrelated and the foreign."""
    counts = {"related": [0, 0, 0], "unrelated": [0, 0, 0], "foreign": [0, 0, 0]}
    for case, scores in scored:
        ranked = sorted(scores, key=lambda score: -(score.coverage + ratio * score.surprise))
        ids = [score.id for score in ranked if score.coverage + ratio * score.surprise >= floor][:SHOWN]
        count = counts[case.group]
        count[0] += 1
        count[1] += case.right in ids
        count[2] += bool(ids) and case.right not in ids
    right, wrong, *_ = (counts["related"][at] / counts["related"][0] for at in (1, 2))
    return right, wrong, *(counts[group][2] / max(counts[group][0], 1) for group in ("unrelated", "foreign"))


def _best(scored: dict[str, list[tuple[Case, list[Score]]]], ratio: float, allowed: float) -> str:
    """Share of right answers at the lowest floor that keeps quiet often enough, each size counting alike."""
    silent = [
        [max(_rank(scores, ratio), default=-99.0) for case, scores in group if not case.right]
        for group in scored.values()
    ]
    floors = sorted({score for group in silent for score in group}, reverse=True)
    floor = floors[0] + 1e-9
    for lower in floors:
        shares = [sum(score >= lower for score in group) / len(group) for group in silent]
        if sum(shares) / len(shares) > allowed:
            break
        floor = lower
    rights = [_rates(group, ratio, floor)[0] for group in scored.values()]
    return f"{sum(rights) / len(rights):.1%} ({floor * evidence._COVERAGE_WEIGHT:.2f})"


def _rank(scores: list[Score], ratio: float) -> list[float]:
    return [score.coverage + ratio * score.surprise for score in scores]


if __name__ == "__main__":
    main(sys.argv[1:])
