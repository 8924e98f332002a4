"""A clock that jumps under running processes: an hour back, ten years ahead, to 1970, and back again, at random.

    python benchmarks/faults/clocks.py --steps 400 [--seed 1] [--json]

A small library, compiled here and loaded before all others, shifts the wall clock that processes are told; the clock
that only runs forward stays. Two processes save, correct, edit like a human, delete, mine and search while it jumps
between every two steps. Afterwards, with the true clock, all that was acknowledged must be there, the last correction
of each subject in force and alone, what was deleted not mined again, and the index equal to a new one.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from world import ROOT, World, report, world

from memem.verify import DAMAGE, verify

_LIBRARY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile long *shift(void) {
    static volatile long *place;
    static long none;
    if (!place) {
        const char *name = getenv("CLOCK_SHIFT");
        int file = name ? open(name, O_RDONLY) : -1;
        void *map = file < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
        place = map == MAP_FAILED ? &none : map;
    }
    return place;
}

int clock_gettime(clockid_t which, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(which, at);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) at->tv_sec += *shift();
    return failed;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    if (!failed) { at->tv_sec = now.tv_sec; at->tv_usec = now.tv_nsec / 1000; }
    return failed;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""
# One command on a line: the outcome on a line. The note is named by what follows the verb.
_WORK = """
import json, os, sys, time
from datetime import UTC, datetime
sys.path.insert(0, sys.argv[2])
from memem.config import resolve
from memem.errors import MememError
from memem.app import Memem
from memem.miner import Miner
from memem.models import Draft
memem = Memem(resolve({'HOME': sys.argv[1]}, {})[0], sys.argv[1] + '/work', environ={})
for line in sys.stdin:
    verb, *words = json.loads(line)
    said = ''
    try:
        if verb == 'save':
            outcome = memem.save(Draft(content=words[0], source_type=words[1]))
            said = [outcome.action, outcome.memory.id, outcome.reason]
        elif verb == 'sync':
            memem.sync()
        elif verb == 'search':
            said = memem.search(words[0]).ids
        elif verb == 'mine':
            found = [o for mined in Miner(memem).mine([words[0]]) for o in mined.outcomes]
            said = [o.memory.id for o in found if o.action != 'skipped']
        elif verb == 'year':
            said = [datetime.now(UTC).year, time.gmtime().tm_year]
    except MememError as error:
        said = ['refused', '', str(error)]
    print(json.dumps(said), flush=True)
memem.close()
"""
_HOUR, _YEAR = 3600, 365 * 86_400
_JUMPS = (-_HOUR, _HOUR, 10 * _YEAR, -10 * _YEAR, 91 * 86_400, -60, 60, 0)
_SUBJECTS = ("redis", "the staging tunnel", "the invoice printer", "the barn gate", "the owl camera")


def main() -> None:
    """Let the clock jump between steps, then count with the true one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        sys.exit("no C compiler is here (cc): the clock of other processes cannot be shifted without one.")
    with world() as home:
        began = time.monotonic()
        library = home.root / "clock.so"
        source = home.root / "clock.c"
        source.write_text(_LIBRARY)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        figures = Story(home, library, random.Random(given.seed)).run(given.steps)
        figures |= {"seconds": int(time.monotonic() - began)}
        report(f"{given.steps} steps with a jumping clock", figures, given.json)


class Story:
    """Two processes, a human, and the clock."""

    def __init__(self, home: World, library: Path, chance: random.Random) -> None:
        self.home, self.chance = home, chance
        shift = home.root / "shift"
        shift.write_bytes(bytes(8))
        self.shift = mmap.mmap(os.open(shift, os.O_RDWR), 8)
        environ = {"HOME": "/nonexistent", "LD_PRELOAD": str(library), "CLOCK_SHIFT": str(shift)}
        command = [sys.executable, "-c", _WORK, str(home.root), str(ROOT)]
        self.workers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, text=True)
            for _ in range(2)
        ]
        self.acked: set[str] = set()
        self.last: dict[str, str] = {}  # subject → what was said of it last
        self.deleted: set[str] = set()
        self.edits: dict[Path, bytes] = {}
        self.jumps = self.refused = self.years_seen = 0

    def ask(self, *words: str) -> list:
        """One command to one of the workers."""
        worker = self.chance.choice(self.workers)
        worker.stdin.write(json.dumps(words) + "\n")
        worker.stdin.flush()
        return json.loads(worker.stdout.readline())

    def run(self, steps: int) -> dict[str, int]:
        """Steps, then the count."""
        verbs = (self.save, self.save, self.delete, self.edit, self.search)
        for step in range(steps):
            self.jump()
            self.chance.choice(verbs)(step)
        self.set_clock(0)
        self.ask("sync")
        for worker in self.workers:
            worker.communicate()
        return self.count()

    def set_clock(self, shift: int) -> None:
        """From now on the workers' clock is off by so many seconds."""
        self.shift[:] = struct.pack("q", shift)

    def jump(self) -> None:
        """Somewhere else, half of the time."""
        if self.chance.random() < 0.5:
            self.set_clock(self.chance.choice(_JUMPS))
            self.jumps += 1
            self.years_seen |= len(set(self.ask("year"))) != 1

    def save(self, step: int) -> None:
        """A correction of a subject, or the first word about it."""
        subject = self.chance.choice(_SUBJECTS)
        text = f"{subject} listens on port {7000 + step}"
        action, name, _ = self.ask("save", text, "user")
        self.refused += action == "refused"
        if action in ("added", "superseded", "spooled"):
            self.acked.add(name)
            self.last[subject] = text

    def delete(self, step: int) -> None:
        """A human deletes a note for good; what was in it is offered as mined."""
        text = f"the ephemeral thing called {''.join(chr(97 + int(digit)) for digit in str(step))} is blue"
        _, name, _ = self.ask("save", text, "user")
        for path in self.home.vault.rglob(f"*-{name[:8]}.md"):
            path.unlink()
        self.ask("sync")
        self.deleted.add(text)
        self.ask("save", text, "mined")

    def edit(self, step: int) -> None:
        """A human adds a line of their own to a note, with a time of the file that is anywhere."""
        notes = sorted(self.home.vault.rglob("*.md"))
        if notes:
            path = self.chance.choice(notes)
            line = b"mine-%d: as it is   # why\n" % step
            path.write_bytes(path.read_bytes().replace(b"---\n", b"---\n" + line, 1))
            self.edits[path] = line
            at = self.chance.choice((0, time.time(), time.time() + 10 * _YEAR, 1e9))
            os.utime(path, (at, at))

    def search(self, _: int) -> None:
        """Whatever is last known of a subject must be found."""
        self.ask("search", self.chance.choice(_SUBJECTS))

    def count(self) -> dict[str, int]:
        """With the true clock: what is lost, doubled, in force wrongly."""
        memem = self.home.open()
        memem.sync()
        live = [item.memory for item in memem.memories("*")]
        bodies = [memory.body for memory in live]
        said = {subject: [body for body in bodies if body.startswith(f"{subject} listens")] for subject in _SUBJECTS}
        there = {path: line for path, line in self.edits.items() if path.exists()}
        damage = [finding for finding in verify(self.home.config) if finding.level == DAMAGE]
        figures = {
            "jumps": self.jumps,
            "acknowledged": len(self.acked),
            "acknowledged, lost": len(memem.get(sorted(self.acked))[1]),
            "refused": self.refused,
            "human lines": len(self.edits),
            "human lines, lost": sum(line not in path.read_bytes() for path, line in there.items()),
            "subjects whose last word is not in force": sum(
                not any(text in body for body in said[subject]) for subject, text in self.last.items()
            ),
            "subjects with several words in force": sum(len(found) > 1 for found in said.values()),
            "deleted": len(self.deleted),
            "deleted, in force again": sum(any(text in body for body in bodies) for text in self.deleted),
            "clocks of one process that disagree": int(self.years_seen),
            "damage found by verify": len(damage),
            "temporary files": len(self.home.temporary()),
        }
        memem.close()
        return figures


if __name__ == "__main__":
    main()
