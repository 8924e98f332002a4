"""The vault and its index: a save, an index built anew, and a note that another program changed."""

from __future__ import annotations

import os
import random
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from corpus import World
from timing import Cost, Pairs, Row, called

from memem.app import Memem
from memem.index import edges
from memem.index.schema import FILE_NAME
from memem.index.writer import open_writer
from memem.models import Draft
from memem.sync import sync
from memem.vault.store import Vault
from memem.watch import Watcher

_SAVES, _CHANGES = 15, 9


def rows(world: World) -> Iterator[Row]:
    """All of them; the vault is as before afterwards."""
    yield from rebuilds(world)
    yield from first_calls(world)
    yield from saves(world)
    yield from changes(world)


def rebuilds(world: World) -> Iterator[Row]:
    """The index from nothing, beside reading the files; then the graph's edges, which wait for who asks for them."""
    vault, folder = Vault(str(world.folder / "vault" / "memem")), world.folder / "rebuilt"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    floor = called(lambda: [vault.read(file.path) for file in vault.files()])
    index = open_writer(str(folder))
    cost = called(lambda: sync(vault, index))
    most = 3000 if world.notes == 10_000 else None
    yield Row(
        world.notes, "index built anew", cost.cpu, f"list and read {floor.cpu:.0f} ms", cost.cpu / floor.cpu,
        cost.wall / floor.wall, "≤ 3 s at 10k", cost.cpu <= most if most else None,
        f"{world.notes / cost.cpu * 1000:.0f} notes/s",
    )  # fmt: skip
    cost = called(lambda: edges.settle(index.connection))
    yield Row(world.notes, "edges of the graph, all of them", cost.cpu, "", target="told", remark="nobody waits for it")
    index.close()
    shutil.rmtree(folder)


def first_calls(world: World) -> Iterator[Row]:
    """How long the first search waits when the vault was never read."""
    index = world.state / FILE_NAME
    aside = index.with_name("index-aside")
    index.replace(aside)
    memem = world.open()
    started = time.perf_counter()
    found = memem.search("which port does redis use for the integration tests?")
    waited = time.perf_counter() - started
    memem.close()
    aside.replace(index)
    for rest in world.state.glob(f"{FILE_NAME}-*"):
        rest.unlink()
    told = next((text for text in found.warnings if "is being built" in text), "all was read")
    yield Row(world.notes, "first search in a new vault, s", waited, "", target="told", remark=told.rpartition(": ")[2])


def saves(world: World) -> Iterator[Row]:
    """A save as in the server, beside a watcher; the floor writes and syncs a file and its folder as a save must."""
    memem = world.open()
    memem.sync()
    watcher = Watcher(memem)
    watcher.start()
    for text in _long_texts(memem, 3):  # what loads late is loaded by this
        memem.save(Draft(content=text), dry_run=True)
    short = [
        f"The exporter of tenant {number} writes invoices to bucket number {number * 7} every night at {number}"
        for number in range(_SAVES)
    ]
    for what, texts in (("save of 80 words", _long_texts(memem, _SAVES)), ("save that corrects a note", short)):
        pairs, fresh = Pairs(), []
        for number, text in enumerate(texts):
            floor = called(lambda number=number: _write_durably(world.folder / f"floor-{number}"))  # type: ignore[misc]
            cost = called(partial(lambda fresh, text: fresh.append(memem.save(Draft(content=text))), fresh, text))
            pairs.add(floor, cost)
        for outcome in fresh:
            (world.folder / "vault" / "memem" / outcome.path).unlink()
        most = 10 if world.notes <= 10_000 else None
        yield Row(
            world.notes, what, pairs.cpu, f"durable file {pairs.floor:.2f} ms", pairs.ratio, pairs.wall,
            "≤ 10 ms + fsync", pairs.cpu <= most if most else None, f"{sum(o.action == 'added' for o in fresh)} added",
        )  # fmt: skip
    watcher.stop()
    memem.close()


def _long_texts(memem: Memem, count: int) -> list[str]:
    """Texts of the corpus' own words, which as many notes share as in any other, and that repeat none."""
    rng = random.Random(count)
    bodies = [item.memory.body.split() for item in memem.memories()]
    words = [[*rng.choice(bodies)[:40], *rng.choice(bodies)[:40]] for _ in range(count)]
    return [" ".join(rng.sample(one, len(one))) for one in words]


def changes(world: World) -> Iterator[Row]:
    """One note edited by hand: found by a process that scans, and by one that watches."""
    memem = world.open()
    memem.sync()
    note = min((world.folder / "vault" / "memem" / "memories").iterdir())
    before = note.read_bytes()
    pairs = Pairs()
    for number in range(_CHANGES):
        note.write_bytes(before + f"\nEdited {number}.\n".encode())
        floor = called(lambda: [os.lstat(entry) for entry in os.scandir(note.parent)])
        pairs.add(floor, called(memem.sync))
    most = 60 if world.notes == 10_000 else None
    yield Row(
        world.notes, "changed note found by a scan", pairs.cpu, f"stat of all {pairs.floor:.1f} ms", pairs.ratio,
        pairs.wall, "≤ 60 ms at 10k", pairs.cpu <= most if most else None,
    )  # fmt: skip
    costs = [_watched(memem, note, before + f"\nWatched {number}.\n".encode()) for number in range(3)]
    note.write_bytes(before)
    memem.sync()
    memem.close()
    cost = Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))
    most = 20 if world.notes <= 10_000 else None
    yield Row(
        world.notes, "changed note found by a watcher", cost.cpu, "", target="≤ 20 ms",
        met=cost.cpu <= most if most else None, remark=f"{cost.wall:.0f} ms after the edit, most of it settling",
    )  # fmt: skip


def _watched(memem: object, note: Path, data: bytes) -> Cost:
    """CPU time of the whole process from an edit until it is in the index."""
    watcher = Watcher(memem)  # type: ignore[arg-type]
    if not watcher.start():
        sys.exit("this system has no notifications to measure")
    cpu, started = time.process_time(), time.perf_counter()
    note.write_bytes(data)
    watcher.synced.wait(30)
    cost = Cost((time.process_time() - cpu) * 1000, (time.perf_counter() - started) * 1000)
    watcher.stop()
    return cost


def _write_durably(path: Path) -> None:
    with open(path, "wb") as file:
        file.write(b"x" * 1200)
        file.flush()
        os.fsync(file.fileno())
    handle = os.open(path.parent, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    path.unlink()
