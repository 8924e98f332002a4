"""Real vaults under memem: a thousand saves beside their notes, and every byte that memem does not own stays.

    python benchmarks/faults/vaults.py DIR... [--saves 1000] [--marks 100] [--seed 1] [--json]

Each vault is copied into the memem folder of a temporary one. memem saves new memories and, `--marks` times, one that
replaces a note of the vault, which sets four lines of its frontmatter. At the end every note is compared with the
original: equal, or equal but for those four keys.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from world import World, report, world

from memem.models import Draft

OWNED = re.compile(rb"^(?:status|replaced_by|invalid_at|updated)[ \t]*:")


def main() -> None:
    """Copy, save, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vaults", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--saves", type=int, default=1000)
    parser.add_argument("--marks", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    for number, folder in enumerate(given.vaults, 1):
        with world() as home:
            figures = _run(home, folder, given)
        report(f"vault {number}: {folder.name}", figures, given.json)


def _run(home: World, folder: Path, given: argparse.Namespace) -> dict[str, int]:
    home.open().close()
    target = home.vault / "real"
    shutil.copytree(folder, target, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    before = _files(target)
    chance = random.Random(given.seed)
    began = time.monotonic()
    memem = home.open()
    memem.sync()
    first_sync = time.monotonic() - began
    theirs = [item for item in memem.index.notes(order="path") if item.memory.id and item.path.startswith("real/")]
    heads = [
        item
        for item in theirs
        if before.get(item.path.removeprefix("real/"), b"").lstrip(b"\xef\xbb\xbf").startswith(b"---")
    ]
    # Notes with frontmatter first: the others cannot be marked, and memem says so.
    marks = (chance.sample(heads, len(heads)) + [item for item in theirs if item not in heads])[: given.marks]
    counted = {"added": 0, "superseded": 0, "skipped": 0, "spooled": 0}
    by_hand = 0
    for number in range(given.saves):
        old = (marks.pop().memory.id,) if marks and number % max(given.saves // given.marks, 1) == 0 else ()
        name = "".join(chr(97 + int(digit)) * 4 for digit in str(number))
        outcome = memem.save(Draft(content=f"{name} is the lesson of day {number}", supersedes=old), "general")
        counted[outcome.action] += 1
        by_hand += "by hand" in outcome.reason
    memem.sync()
    after = _files(target)
    changed = [name for name in before if after.get(name) != before[name]]
    foreign = [name for name in changed if not _only_ours(before[name], after.get(name, b""))]
    figures = {
        "files": len(before),
        "notes indexed": len(theirs),
        "notes with a problem": sum(path.startswith("real/") for path, _ in memem.index.problems()),
        **{f"saves {action}": number for action, number in counted.items() if number},
        "notes that only a human can mark": by_hand,
        "notes marked": len(changed),
        "files gone or new": len(before.keys() ^ after.keys()),
        "files changed outside what memem owns": len(foreign),
        "first sync, ms": int(first_sync * 1000),
        "seconds": int(time.monotonic() - began),
    }
    memem.close()
    return figures


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def _only_ours(before: bytes, after: bytes) -> bool:
    """Whether two versions of a note are equal but for lines of memem's keys in the frontmatter."""
    return _rest(before) == _rest(after) and b"replaced_by" in after


def _rest(data: bytes) -> list[bytes]:
    head, fence, body = data.partition(b"\n---")
    return [*(line for line in (head + b"\n").splitlines(keepends=True) if not OWNED.match(line)), fence, body]


if __name__ == "__main__":
    main()
