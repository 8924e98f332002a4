"""The table of speed: what each path costs with so many notes, as a ratio to its floor in the same run.

python benchmarks/speed [--sizes 100 1000 10000 100000] [--rows hooks vault ...] [--megabytes 700] [--keep DIR]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import corpus
import daemon
import programs
import recall
import transcripts
import vault
from timing import Row

import hooks

GROUPS: dict[str, Callable[[corpus.World], Iterator[Row]]] = {
    "hooks": hooks.rows,
    "recall": recall.rows,
    "programs": programs.rows,
    "vault": vault.rows,
    "daemon": daemon.rows,
    "transcripts": transcripts.rows,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000, 100_000], metavar="NOTES")
    parser.add_argument("--rows", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--keep", type=Path, help="build the vaults in this folder, or take those that are there")
    parser.add_argument("--megabytes", type=int, default=70, help="of transcripts; the target is meant for 700")
    parser.add_argument("--originals", type=Path, metavar="DIR", help="copy these transcripts, instead of made-up ones")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found: list[Row] = []
        for notes in arguments.sizes:
            world = corpus.build(arguments.keep or Path(name), notes, arguments.megabytes, arguments.originals)
            for group in arguments.rows:
                for row in GROUPS[group](world):
                    found.append(row)
                    if not arguments.json:
                        print(line(row), flush=True)
    found += list(grown(found))
    if arguments.json:
        print(json.dumps([row._asdict() for row in found], indent=1))
    else:
        print("".join(f"{line(row)}\n" for row in grown(found)), end="")


def grown(found: list[Row]) -> Iterator[Row]:
    """How much more the prompt hook costs with a hundred times as many notes."""
    costs = {row.notes: row.ratio for row in found if row.what == "prompt hook" and row.ratio}
    if 100 in costs and 10_000 in costs:
        growth = costs[10_000] / costs[100]
        yield Row(10_000, "prompt hook, growth from 100", growth, "", target="≤ 1.3 ×", met=growth <= 1.3)


def line(row: Row) -> str:
    """A row for people."""
    ratio = f"{row.ratio:>6.2f} ×" if row.ratio is not None else " " * 8
    wall = f"({row.wall:.2f} elapsed)" if row.wall is not None else ""
    verdict = {True: "met", False: "MISSED", None: ""}[row.met]
    first = f"{row.notes:>7}  {row.what:<36} {row.cpu:>9.2f} {ratio} {wall:<16} {row.floor:<26}"
    return f"{first} {row.target:<16} {verdict:<7} {row.remark}".rstrip()


if __name__ == "__main__":
    main()
