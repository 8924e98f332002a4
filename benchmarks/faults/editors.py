"""Two editors at work in a vault while memem saves and supersedes: no human byte may be lost.

    python benchmarks/faults/editors.py --edits 5000 [--notes 40] [--pause 2] [--seed 1] [--json]

One editor rewrites notes in place (Obsidian on most systems), the other writes a new file and renames it over the old
one (vim, sync programs). Each edit adds a line to the body or a key to the frontmatter, from what the editor read a
moment before, and every note has one editor, so that editors do not undo each other. A mark of memem's that an editor
overwrites with what it had open is no loss: the human's version wins.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from world import World, report, world

NOTE = """---
id: {id}
title: Lesson {number}
project: general
kind: fact
status: active
mine: 'a: b'   # a remark
---

Lesson {number} is about {name}.
"""
SAVE = """
ids = sys.argv[3].split(',')
pause, number = float(sys.argv[2]) / 1000, 0
os.write(1, b'ready\\n')
while not os.path.exists(sys.argv[1] + '/stop'):
    number += 1
    try:
        memem.save(Draft(content=f'Save {number} stands in for an older lesson, {number * 7919}',
                         supersedes=(ids[number % len(ids)],)), 'general')
    except MememError as error:
        print(error, file=sys.stderr)
    time.sleep(pause)
os.write(1, f'{number}\\n'.encode())
"""


class Editor(threading.Thread):
    """Edits its notes at random and remembers every line and key it ever added."""

    def __init__(self, paths: list[Path], edits: int, in_place: bool, pause: float, chance: random.Random) -> None:
        super().__init__()
        self.paths, self.edits, self.in_place, self.pause, self.chance = paths, edits, in_place, pause, chance
        self.lines: dict[Path, list[bytes]] = {path: [] for path in paths}
        self.keys: dict[Path, list[bytes]] = {path: [] for path in paths}

    def run(self) -> None:
        for number in range(self.edits):
            path = self.chance.choice(self.paths)
            data = path.read_bytes()
            if self.chance.random() < 0.3:
                key = b"my-key-%d:   'kept  as it is'  # remark %d\n" % (number, number)
                data = data.replace(b"kind: fact\n", key + b"kind: fact\n", 1)
                self.keys[path].append(key)
            else:
                line = b"\nA line by hand, number %d \xe9\t \n" % number
                data += line
                self.lines[path].append(line)
            if self.in_place:
                path.write_bytes(data)
            else:
                other = path.with_name(f".{path.name}.swp")
                other.write_bytes(data)
                other.replace(path)
            time.sleep(self.chance.random() * self.pause)

    def lost(self, added: dict[Path, list[bytes]]) -> int:
        """How many of the lines or keys are neither in their notes nor in copies that memem put beside them."""
        return sum(item not in _versions(path) for path, items in added.items() for item in items)


def _versions(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in (path, *path.parent.glob(f"{path.stem} (*.md")))


def main() -> None:
    """Edit, and count what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=5000, help="of both editors together")
    parser.add_argument("--notes", type=int, default=40)
    parser.add_argument("--savers", type=int, default=2, help="processes of memem")
    parser.add_argument("--pause", type=float, default=10, help="longest pause between two edits, in ms")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with world() as home:
        report(f"{given.edits} edits by two editors while memem saves", _run(home, given), given.json)


def _run(home: World, given: argparse.Namespace) -> dict[str, int | str]:
    home.open().close()
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(given.notes)]
    paths = [home.vault / "memories" / f"lesson-{number}.md" for number in range(given.notes)]
    for number, path in enumerate(paths):
        name = "".join(chr(97 + int(digit)) * 4 for digit in str(number))
        path.write_text(NOTE.format(id=ids[number], number=number, name=name), encoding="utf-8")
    began = time.monotonic()
    savers = [home.start(SAVE, 1, ",".join(ids)) for _ in range(given.savers)]
    for saver in savers:
        assert saver.stdout
        saver.stdout.readline()
    half = len(paths) // 2
    editors = [
        Editor(part, given.edits // 2, in_place, given.pause / 1000, random.Random(given.seed + in_place))
        for part, in_place in ((paths[:half], True), (paths[half:], False))
    ]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()
    (home.root / "stop").touch()
    saves = sum(int(saver.communicate(timeout=60)[0]) for saver in savers)
    keys = sum(len(items) for editor in editors for items in editor.keys.values())
    lost_keys = sum(editor.lost(editor.keys) for editor in editors)
    in_place, renaming = editors
    return {
        "edits": sum(len(items) for e in editors for added in (e.lines, e.keys) for items in added.values()),
        "saves by memem": saves,
        "notes it marked": sum(b"status: superseded" in path.read_bytes() for path in paths),
        "lines lost, editor in place": in_place.lost(in_place.lines),
        "lines lost, editor by rename": renaming.lost(renaming.lines),
        "conflict copies beside notes": len(list(home.vault.rglob("* (conflicted copy *.md"))),
        "keys kept": f"{100 * (keys - lost_keys) / keys:.2f} %",
        "keys lost, editor in place": in_place.lost(in_place.keys),
        "keys lost, editor by rename": renaming.lost(renaming.keys),
        "first keys and ids kept": sum(
            b"mine: 'a: b'   # a remark\n" in path.read_bytes() and ids[n].encode() in path.read_bytes()
            for n, path in enumerate(paths)
        ),
        "seconds": int(time.monotonic() - began),
    }


if __name__ == "__main__":
    main()
