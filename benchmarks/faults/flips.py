"""Bit rot: single bytes flipped in notes (with their times put back) and in the index; how many does verify find?

    python benchmarks/faults/flips.py --flips 200 [--notes 60] [--seed 1] [--json]

A flip in the index that nothing reads back differently (free space, statistics, when a note was read) carries
nothing: verify is silent, and every note and search term still is what a new index would hold.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from world import World, report, world

from memem import sqlite
from memem.index.reader import Index
from memem.index.schema import FILE_NAME
from memem.models import Draft
from memem.verify import verify

WORDS = "harbour berth crane tide pilot cargo buoy anchor ledger signal winch ferry lock quay mast keel rope".split()


def main() -> None:
    """Flip, verify, put back."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=200, help="in notes, and as many in the index")
    parser.add_argument("--notes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with world() as home:
        memem = home.open()
        for number in range(given.notes):
            words = " ".join(chance.choices(WORDS, k=chance.randrange(8, 60)))
            memem.save(Draft(content=f"Lesson {number} of the {words} has the value {chance.randrange(10**6)}"))
        memem.sync()
        memem.close()
        assert verify(home.config) == [], "the store is not clean to begin with"
        figures = _notes(home, given.flips, chance) | _index(home, given.flips, chance)
        assert verify(home.config) == [], "the store is not clean in the end"
        report(f"{given.flips} flipped bytes each", figures, given.json)


def _notes(home: World, flips: int, chance: random.Random) -> dict[str, int]:
    paths = sorted(home.vault.rglob("*.md"))
    found = silent = 0
    for _ in range(flips):
        path = chance.choice(paths)
        good, info = path.read_bytes(), path.stat()
        path.write_bytes(_flipped(good, chance))
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
        where = {finding.where for finding in verify(home.config)}
        found += path.relative_to(home.vault).as_posix() in where
        silent += not where
        path.write_bytes(good)
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    return {"in notes: found": found, "in notes: not found": silent}


def _index(home: World, flips: int, chance: random.Random) -> dict[str, int]:
    path = Path(home.config.state_path(FILE_NAME))
    good = path.read_bytes()
    healthy = _content(path)
    found = idle = missed = 0
    for _ in range(flips):
        path.write_bytes(_flipped(good, chance))
        if verify(home.config):
            found += 1
        elif _content(path) == healthy:
            idle += 1
        else:
            missed += 1
    path.write_bytes(good)
    return {"in the index: found": found, "in the index: carry nothing": idle, "in the index: not found": missed}


def _flipped(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _content(path: Path) -> object:
    """All that a reader gets from the index: memories, their files, and how often each word occurs where."""
    connection = sqlite.connect(str(path), read_only=True, still=True)
    try:
        connection.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab('main', 'terms', 'row')")
        notes = [(item.memory, item.path, item.problem) for item in Index(connection).notes(order="path")]
        found = [
            [
                item.path
                for item in Index(connection).notes(
                    "rowid IN (SELECT rowid FROM terms WHERE terms MATCH ?)", (word,), "path"
                )
            ]
            for word in WORDS
        ]
        return notes, found, [tuple(row) for row in connection.execute("SELECT * FROM temp.words")]
    except (*sqlite.FAULTS, IndexError) as error:
        return str(error)
    finally:
        connection.close()


if __name__ == "__main__":
    main()
