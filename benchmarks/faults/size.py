"""A big vault: how long a first sync takes, one that finds nothing new, and a search; and how much memory.

    python benchmarks/faults/size.py --notes 50000 [--searches 300] [--json]

Beside the many small notes lies one of 1 MB. Every question shares its common words with all of the notes.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from world import World, report, world

from memem.index.schema import FILE_NAME

NOTE = """---
id: {number:08x}-0000-4000-8000-000000000000
title: Lesson {number}
project: general
kind: fact
---

Berth {number} is painted in colour {colour}, because rule {rule} of the harbour says so.
"""
_FOLDER = 1000  # notes


def main() -> None:
    """Make the vault, sync it, search in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=50_000)
    parser.add_argument("--searches", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with world() as home:
        report(f"a vault of {given.notes:,} notes", _run(home, given.notes, given.searches), given.json)


def _run(home: World, notes: int, searches: int) -> dict[str, int | str]:
    for number in range(notes):
        folder = home.vault / "memories" / str(number // _FOLDER)
        if number % _FOLDER == 0:
            folder.mkdir(parents=True)
        text = NOTE.format(number=number, colour=number * 7919 % 997, rule=number % 89)
        (folder / f"{number}.md").write_text(text, encoding="utf-8")
    (home.vault / "memories" / "huge.md").write_text("Redis must run on 6380. " * 42_000, encoding="utf-8")
    memem = home.open()
    before = _peak_mb()
    first, first_processor = _timed(memem.sync)
    again, _ = _timed(memem.sync)
    chance = random.Random(1)
    took = []
    for _ in range(searches):
        memem._synced_at = time.monotonic()  # the search alone
        question = f"in which colour is berth {chance.randrange(notes)} painted?"
        took.append(_timed(lambda question=question: memem.search(question))[0])  # type: ignore[misc]
    took.sort()
    figures: dict[str, int | str] = {
        "first sync, seconds": f"{first:.1f}",
        "first sync, seconds of the processor": f"{first_processor:.1f}",
        "sync that finds nothing new, seconds": f"{again:.2f}",
        "memory that the sync took, MB": _peak_mb() - before,
        "search, median ms": f"{took[len(took) // 2] * 1000:.1f}",
        "search, p95 ms": f"{took[len(took) * 95 // 100] * 1000:.1f}",
        "index, MB": Path(home.config.state_path(FILE_NAME)).stat().st_size // 1_000_000,
    }
    memem.close()
    return figures


def _timed(act) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    began, processor = time.monotonic(), time.process_time()
    act()
    return time.monotonic() - began, time.process_time() - processor


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
