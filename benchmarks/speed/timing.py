"""How the speed benchmark measures: CPU time of whole processes and of calls, each beside its floor in the same run.

CPU time is what a busy machine does not change much; elapsed times are only told as ratios of interleaved pairs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

PYTHON = os.path.realpath(sys.executable)
BARE = (PYTHON, "-I", "-S", "-c", "pass")


class Cost(NamedTuple):
    """What something took, in ms."""

    cpu: float
    wall: float


class Row(NamedTuple):
    """One line of the table: what was measured (CPU ms), its floor, the target and whether it is met."""

    notes: int
    what: str
    cpu: float  # ms, or the unit that `what` names
    floor: str
    ratio: float | None = None  # of CPU time, median of the pairs
    wall: float | None = None  # ratio of elapsed time
    target: str = ""
    met: bool | None = None
    remark: str = ""


def spawned(command: Sequence[str], environ: Mapping[str, str], stdin: bytes = b"") -> tuple[Cost, bytes]:
    """Run a process to its end: its cost, with what it waited for, and its output."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out:
        given.write(stdin)
        given.seek(0)
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=given, stdout=out, stderr=subprocess.DEVNULL, env=dict(environ))
        _, status, usage = os.wait4(process.pid, 0)
        wall = (time.perf_counter() - started) * 1000
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{list(command)[:4]} ended with {process.returncode}")
        out.seek(0)
        return Cost((usage.ru_utime + usage.ru_stime) * 1000, wall), out.read()


def called(function: Callable[[], object]) -> Cost:
    """What one call takes, of this thread."""
    started, cpu = time.perf_counter(), time.thread_time()
    function()
    return Cost((time.thread_time() - cpu) * 1000, (time.perf_counter() - started) * 1000)


class Pairs:
    """Measurements beside their floor."""

    def __init__(self) -> None:
        self._pairs: list[tuple[Cost, Cost]] = []

    def add(self, floor: Cost, cost: Cost) -> None:
        """One of each, taken one after the other."""
        self._pairs.append((floor, cost))

    @property
    def cpu(self) -> float:
        """Median CPU ms."""
        return statistics.median(cost.cpu for _, cost in self._pairs)

    @property
    def floor(self) -> float:
        """Median CPU ms of the floor."""
        return statistics.median(floor.cpu for floor, _ in self._pairs)

    @property
    def ratio(self) -> float:
        """Median of the ratios of CPU time."""
        return statistics.median(cost.cpu / floor.cpu for floor, cost in self._pairs)

    @property
    def wall(self) -> float:
        """Median of the ratios of elapsed time."""
        return statistics.median(cost.wall / floor.wall for floor, cost in self._pairs)
