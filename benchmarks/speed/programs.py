"""Programs as users start them: commands and the MCP server through bootstrap.sh, on an installed environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from corpus import ROOT, World
from timing import BARE, PYTHON, Cost, Pairs, Row, spawned

from memem.config import load
from memem.install import MARKER, environment

RUNS = 15
_BOOTSTRAP = ("sh", str(ROOT / "bootstrap.sh"))
_AS_PACKAGE = ("import sys; sys.path[:0] = sys.argv[1:3]; del sys.argv[1:3]\n"
               "from memem.__main__ import main; main(sys.argv[1:])")  # fmt: skip
_EMPTY = ROOT / "benchmarks" / "speed" / "empty_server.py"
_HELLO = {
    "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "speed", "version": "1"},
}  # fmt: skip


class Started(NamedTuple):
    """A server's start: cost until its tools are listed, and resident MB then and when it has come to rest."""

    cost: Cost
    listed_mb: float
    rested_mb: float


def rows(world: World) -> Iterator[Row]:
    """Commands, then the server."""
    installed(world)
    packages = sysconfig.get_path("purelib")
    package = (PYTHON, "-I", "-S", "-c", _AS_PACKAGE, str(ROOT), packages)
    search = ("search", "which port does redis use")
    for what, command, most in (
        ("memem --help", (*package, "--help"), 6),
        ("memem search", (*package, *search), 6),
        ("bootstrap.sh search", (*_BOOTSTRAP, *search), None),
    ):
        yield _command(world, what, command, most)
    yield from server(world)


def installed(world: World) -> None:
    """Give the world's state folder the environment that this benchmark runs in, as an installation would."""
    folder = Path(environment(load(world.environ)))
    packages = Path(sysconfig.get_path("purelib"))
    if not folder.exists():
        place = folder / packages.relative_to(sys.prefix)
        place.parent.mkdir(parents=True)
        place.symlink_to(packages)
    (folder / MARKER).write_text("\n".join(os.listdir(packages)), encoding="utf-8")
    for _ in range(2):  # its first start writes down what works
        spawned((*_BOOTSTRAP, "status"), world.environ)


def _command(world: World, what: str, command: Sequence[str], most: float | None) -> Row:
    pairs = Pairs()
    for number in range(RUNS + 1):
        floor, _ = spawned(BARE, world.environ)
        cost, _ = spawned(command, world.environ)
        if number:
            pairs.add(floor, cost)
    return Row(
        world.notes, what, pairs.cpu, f"bare python {pairs.floor:.1f} ms", pairs.ratio, pairs.wall,
        f"≤ {most:g} ×" if most else "told", pairs.ratio <= most if most and world.notes <= 10_000 else None,
    )  # fmt: skip


def server(world: World) -> Iterator[Row]:
    """Spawn, initialize, tools/list, of memem and of an empty server written by hand; both through a shell script."""
    script = world.folder / "empty.sh"
    script.write_text(f'#!/bin/sh\nexec "{PYTHON}" -I -S "{_EMPTY}"\n', encoding="utf-8")
    pairs, memory = Pairs(), []
    for number in range(RUNS + 1):
        floor = _start(("sh", str(script)), world.environ, rest=False)
        ours = _start(_BOOTSTRAP, world.environ, rest=number == RUNS)
        if number:
            pairs.add(floor.cost, ours.cost)
            memory.append(ours)
    listed, rested = max(one.listed_mb for one in memory), memory[-1].rested_mb
    small = world.notes <= 10_000
    yield Row(
        world.notes, "MCP server: tools listed", pairs.cpu, f"empty server {pairs.floor:.1f} ms", pairs.ratio,
        pairs.wall, "≤ 2 ×", pairs.wall <= 2 if small else None, "the target is of elapsed time",
    )  # fmt: skip
    yield Row(world.notes, "MCP server: MB, tools listed", listed, "", target="≤ 25 MB", met=listed <= 25)
    yield Row(world.notes, "MCP server: MB, synced and watching", rested, "", target="told")


def _start(command: Sequence[str], environ: Mapping[str, str], *, rest: bool) -> Started:
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(environ)
    )
    assert process.stdin and process.stdout
    for id_, method, params in ((1, "initialize", _HELLO), (2, "tools/list", {})):
        line = json.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
    wall = (time.perf_counter() - started) * 1000
    cpu, listed = cpu_ms(process.pid), resident_mb(process.pid)
    rested = at_rest(process.pid) if rest else 0.0
    process.stdin.close()
    process.stdout.close()
    process.wait(30)
    return Started(Cost(cpu, wall), listed, rested)


def at_rest(pid: int, clock: Callable[[], float] = time.monotonic) -> float:
    """Resident MB once it has used no CPU for two seconds."""
    until, before = clock() + 120, -1.0
    while clock() < until and (now := cpu_ms(pid)) != before:
        before = now
        time.sleep(2)
    return resident_mb(pid)


def cpu_ms(pid: int) -> float:
    """CPU time that a living process has used; nanoseconds where the kernel tells them."""
    try:
        total = 0
        for task in os.listdir(f"/proc/{pid}/task"):
            total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
        return total / 1e6
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
