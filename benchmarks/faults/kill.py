"""Saving processes killed with SIGKILL at random moments: nothing that was acknowledged may be lost, torn or doubled.

    python benchmarks/faults/kill.py --kills 1000 [--seed 1] [--json]

Each process saves new memories and corrections as fast as it can and is killed within a few milliseconds, so that
most kills fall into the middle of a save. A kill costs about 0.3 s, the start of Python; `--parallel` runs several.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from world import World, report, world

from memem.vault.note import parse

SAVE = """
number, worker = int(sys.argv[2]), sys.argv[3]
# Loads what all need, of which a dry run needs less: the kills are to fall into the saves behind it.
memem.save(Draft(content=f'{"z" * (number // 1000)}{worker} comes first {"w" * 2000}'))
os.write(1, b'ready\\n')
while True:
    name = ''.join(chr(97 + int(digit)) * 3 for digit in str(number)) + worker
    first = memem.save(Draft(content=f'{name} is the code name of a release {"x" * 2000}'))
    os.write(1, f'{first.memory.id} {name}\\n'.encode())
    second = memem.save(Draft(content=f'{name} was dropped {"y" * 2000}', supersedes=(first.memory.id,)))
    os.write(1, f'{second.memory.id} {name}\\n'.encode())
    number += 1
"""


def main() -> None:
    """Kill, start once more, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--parallel", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with world() as home:
        began = time.monotonic()
        home.open().close()
        acked: list[str] = []
        for first in range(0, given.kills, given.parallel):
            acked += _round(home, chance, first, min(given.parallel, given.kills - first))
        report(
            f"{given.kills} kills in saves",
            _count(home, acked) | {"seconds": int(time.monotonic() - began)},
            given.json,
        )


def _round(home: World, chance: random.Random, first: int, size: int) -> list[str]:
    """Start some savers, kill each at a moment of its own, and answer the ids that they acknowledged."""
    workers = [home.start(SAVE, (first + n + 1) * 1000, chr(97 + n)) for n in range(size)]
    acked: list[str] = []
    for worker in workers:
        assert worker.stdout
        worker.stdout.readline()
    ends = sorted((time.monotonic() + chance.random() * 0.15, number) for number in range(size))
    for end, number in ends:
        time.sleep(max(0.0, end - time.monotonic()))
        workers[number].kill()
    for worker in workers:
        out = worker.communicate(timeout=60)[0].decode()
        acked += [line.split()[0] for line in out.split("\n")[:-1] if line != "ready"]
    return acked


def _count(home: World, acked: list[str]) -> dict[str, int]:
    left = home.temporary()
    memem = home.open()
    memem.sync()
    missing = memem.get(acked)[1]
    notes = {path: parse(path.read_bytes(), path.name) for path in home.vault.rglob("*.md")}
    torn = [path for path, note in notes.items() if note.problem or len(note.memory.body) < 2000]
    ids = Counter(note.memory.id for note in notes.values())
    texts = Counter(note.memory.body for note in notes.values())
    live = Counter(note.memory.body.split()[0] for note in notes.values() if note.memory.live)
    figures = {
        "acknowledged": len(acked),
        "notes": len(notes),
        "acknowledged, lost": len(missing),
        "torn notes": len(torn),
        "doubled notes": sum(n - 1 for n in (ids | texts).values()),
        "corrections left half done": sum(n - 1 for n in live.values() if n > 1),
        "saves still waiting": len(memem.warnings()),
        "temporary files at the last kill": len(left),
        "temporary files after the next start": len(home.temporary()),
        "index rows that differ from the notes": len(
            {item.path for item in memem.index.notes()} ^ {str(p.relative_to(home.vault)) for p in notes}
        ),
    }
    memem.close()
    return figures


if __name__ == "__main__":
    main()
