"""Crash states: the writes of a save are recorded, and the disk as it was after each of them is opened again.

    python benchmarks/faults/crash.py [--json]

A child process saves one memory, or corrects one, and tells each call that changes files (make, write, sync, link,
exchange, rename, unlink). For every prefix of them two disks are built: `killed`, where every call so far took effect,
and `power lost`, where data that was not synced is gone (files are empty) and names that were made after the last sync
of their folder are gone, too. The index is in turn the one from before, and none. memem opens each disk, and must find
every note whole, every acknowledged memory, nothing doubled, no half correction and no temporary file an hour later.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from world import World, report, world

from memem.index.schema import FILE_NAME
from memem.index.writer import memory_index
from memem.models import Draft
from memem.sync import sync
from memem.vault.note import parse

OLD = "The cluster runs Postgres 14 in production"
SAVES = {
    "a new memory": "Deploys happen on Friday afternoon",
    "a correction": "The cluster runs Postgres 15 in production",
}
# Wraps what memem calls; SQLite writes below it, but the index is derived and the state holds no memory.
RECORD = """
from memem.vault import store
home, log = sys.argv[1], []
def inside(path):
    return str(path).startswith(home) and not str(path).endswith(('.db', '.db-wal', '.db-shm'))
def name(path):
    return os.path.relpath(os.fspath(path), home)
def of(handle):
    return os.readlink(f'/proc/self/fd/{handle}')
def wrap(place, called, note):
    real = getattr(place, called)
    def call(*args, **kwargs):
        done = real(*args, **kwargs)
        note(done, *args)
        return done
    setattr(place, called, call)
def content(path):
    with open(path, 'rb') as file:
        return file.read().decode('latin-1')
def opened(done, path, flags, *_):
    if flags & os.O_CREAT and inside(path):
        log.append(['make', name(path)])
def synced(done, handle):
    path = of(handle)
    if inside(path):
        if os.path.isdir(path):
            log.append(['sync folder', name(path)])
        else:
            log.append(['write', name(path), content(path)])
            log.append(['sync', name(path)])
def pair(kind):
    def note(done, one, other):
        if inside(one) and done is not False:
            log.append([kind, name(one), name(other)])
    return note
wrap(os, 'open', opened)
wrap(os, 'fsync', synced)
wrap(os, 'link', pair('link'))
wrap(os, 'replace', pair('rename'))
wrap(store, 'exchange', pair('exchange'))
wrap(os, 'unlink', lambda done, path: log.append(['unlink', name(path)]) if inside(path) else None)
wrap(os, 'mkdir', lambda done, path, *_: log.append(['folder', name(path)]) if inside(path) else None)
outcome = memem.save(Draft(content=sys.argv[2]))
import json
os.write(1, json.dumps({'id': outcome.memory.id, 'log': log}).encode())
os._exit(0)
"""


class Disk:
    """What is on the disk: file contents by number (as inodes), names to numbers, and which of both are safe."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.names = {name: number for number, name in enumerate(sorted(files))}
        self.data = {self.names[name]: data for name, data in files.items()}
        self.safe_data, self.safe_names = dict(self.data), dict(self.names)

    def apply(self, kind: str, name: str, other: str = "") -> None:
        """One recorded call."""
        if kind == "make":
            if name not in self.names:
                self.names[name] = len(self.data)
                self.data[self.names[name]] = b""
        elif kind == "write":
            self.data[self.names[name]] = other.encode("latin-1")
        elif kind == "sync":
            self.safe_data[self.names[name]] = self.data[self.names[name]]
        elif kind == "sync folder":
            below = {path: number for path, number in self.names.items() if os.path.dirname(path) == name}
            others = {path: number for path, number in self.safe_names.items() if os.path.dirname(path) != name}
            self.safe_names = others | below
        elif kind == "link":
            self.names[other] = self.names[name]
        elif kind == "rename":
            self.names[other] = self.names.pop(name)
        elif kind == "exchange":
            self.names[name], self.names[other] = self.names[other], self.names[name]
        elif kind == "unlink":
            self.names.pop(name, None)

    def killed(self) -> dict[str, bytes]:
        """After SIGKILL: the kernel goes on and everything is there."""
        return {name: self.data[number] for name, number in self.names.items()}

    def power_lost(self) -> dict[str, bytes]:
        """Only what was synced."""
        return {name: self.safe_data.get(number, b"") for name, number in self.safe_names.items()}

    def half_lost(self) -> dict[str, bytes]:
        """Names reached the disk before the data did, as file systems may order it."""
        return {name: self.safe_data.get(number, b"") for name, number in self.names.items()}


def main() -> None:
    """Record, replay every prefix, and count what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    for title, text in SAVES.items():
        with world() as home:
            report(f"crash states of {title}", _replay_all(home, text), given.json)


def _replay_all(home: World, text: str) -> dict[str, int]:
    memem = home.open()
    old = memem.save(Draft(content=OLD)).memory.id
    memem.close()
    before = _files(home.root)
    child = home.start(RECORD, text)
    recorded = json.loads(child.communicate(timeout=60)[0])
    index = home.config.state_path(FILE_NAME).removeprefix(f"{home.root}/")
    failures: Counter[str] = Counter()
    states = 0
    for end in range(len(recorded["log"]) + 1):
        disk = Disk(before)
        for call in recorded["log"][:end]:
            disk.apply(*call)
        acked = [old, recorded["id"]] if end == len(recorded["log"]) else [old]
        for files in (disk.killed(), disk.power_lost(), disk.half_lost()):
            for keep_index in (True, False):
                shown = {name: data for name, data in files.items() if keep_index or not name.startswith(index)}
                failures.update(_check(shown, acked, text))
                states += 1
    kinds = ("lost", "torn", "doubled", "half corrected", "index differs", "temporary files left", "still waiting")
    return {"recorded calls": len(recorded["log"]), "crash states": states} | {kind: failures[kind] for kind in kinds}


def _check(files: dict[str, bytes], acked: list[str], text: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        home = World(Path(folder))
        for path in home.temporary():
            os.utime(path, (time.time() - 3700,) * 2)
        memem = home.open()
        memem.sync()
        wrong = ["lost"] * len(memem.get(acked)[1])
        notes = [parse(path.read_bytes(), path.name) for path in home.vault.rglob("*.md")]
        wrong += ["torn" for note in notes if note.problem or note.memory.body not in (OLD, text)]
        wrong += ["doubled"] * (len(notes) - len({note.memory.id for note in notes}))
        live = {note.memory.id for note in notes if note.memory.live}
        if text != SAVES["a new memory"] and len(live) != 1:
            wrong.append("half corrected")
        fresh = memory_index()
        sync(memem.vault, fresh)
        rows, expected = ([item.replace(row=0) for item in one.notes(order="path")] for one in (memem.index, fresh))
        wrong += ["index differs"] * (rows != expected)
        wrong += ["temporary files left"] * len(home.temporary())
        wrong += ["still waiting"] * len(memem.warnings())
        fresh.close()
        memem.close()
        return wrong


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


if __name__ == "__main__":
    main()
