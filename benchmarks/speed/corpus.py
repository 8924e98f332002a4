"""The corpus that every row of the speed benchmark is measured on: a vault of notes as they are, with planted answers.

Words follow Zipf's law, the commonest are English stop words, those of the questions stand at ranks between 60 and
3000, and every project has identifiers, files and a few rules of its own. The same size gives the same notes.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from memem.app import Memem  # noqa: E402 - the checkout's own code
from memem.config import load  # noqa: E402
from memem.models import Memory  # noqa: E402
from memem.text import COMMON_WORDS, STOP_WORDS, query_terms  # noqa: E402
from memem.vault import note  # noqa: E402

PROJECTS = 10
_TYPES = 20_000
_RANKS = range(60, 3000)
_KINDS = (("fact", 30), ("decision", 15), ("fix", 15), ("convention", 8), ("procedure", 8), ("quirk", 6), ("event", 10),
          ("insight", 5), ("preference", 3))  # fmt: skip
_ENGLISH = sorted(word for word in STOP_WORDS if word.isascii())[:140]

# What is asked, and the note that answers it.
PLANTED = tuple(
    (pair["question"], pair["note"])
    for pair in json.loads((ROOT / "benchmarks" / "data" / "planted.json").read_text(encoding="utf-8"))
)


class World(NamedTuple):
    """One user's folders with so many notes, synced."""

    folder: Path
    notes: int
    megabytes: int = 0  # of transcripts
    originals: Path | None = None  # real ones to copy, instead of made-up ones

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.folder / "state"

    @property
    def project(self) -> Path:
        """The checkout of the largest project, which holds about a third of the notes."""
        return self.folder / "work" / "p0"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its processes."""
        return {
            "HOME": str(self.folder), "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8",
            "MEMEM_DIR": str(self.state), "MEMEM_OBSIDIAN_VAULT": str(self.folder / "vault"), "MEMEM_SKIP_SYNC": "1",
        }  # fmt: skip

    def open(self) -> Memem:
        """The facade over it."""
        return Memem(load(self.environ), folder=str(self.project), environ=self.environ)


def build(folder: Path, notes: int, megabytes: int = 0, originals: Path | None = None) -> World:
    """The world of that size below a folder; one that is there already is taken as it is."""
    world = World(folder / str(notes), notes, megabytes, originals)
    mark = world.folder / "built.json"
    if not mark.exists():
        memories = world.folder / "vault" / "memem" / "memories"
        memories.mkdir(parents=True)
        for memory in _memories(notes, random.Random(7)):
            (memories / f"{note.stem_for(memory)}.md").write_bytes(note.render(memory))
        world.project.mkdir(parents=True)
        author = ("-c", "user.name=Speed", "-c", "user.email=speed@example.org")
        for arguments in (
            ("init", "-q"),
            ("remote", "add", "origin", "git@example.org:bench/p0.git"),
            (*author, "commit", "-q", "--allow-empty", "-m", "Begin"),
        ):
            subprocess.run(["git", *arguments], cwd=world.project, env=world.environ, check=True)
        world.state.mkdir(mode=0o700)
        (world.state / ".welcome-shown").touch()
        (world.state / "hook.conf").write_text(f"{os.path.realpath(sys.executable)}\n")
        mark.write_text(json.dumps({"notes": notes}))
    memem = world.open()
    memem.sync()
    memem.close()
    return world


def questions() -> list[str]:
    """The twenty prompts whose answers are planted."""
    return [question for question, _ in PLANTED]


def _memories(notes: int, rng: random.Random) -> Iterator[Memory]:
    known = vocabulary(rng)
    weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(known))))
    projects = [[identifier(rng, known) for _ in range(200)] for _ in range(PROJECTS)]
    sizes = list(accumulate(1 / (rank + 1) for rank in range(PROJECTS)))
    kinds, shares = zip(*_KINDS, strict=True)
    planted = dict(zip(rng.sample(range(notes), min(len(PLANTED), notes)), PLANTED, strict=False))
    rules = [0] * PROJECTS
    for number in range(notes):
        project = 0 if number in planted else rng.choices(range(PROJECTS), cum_weights=sizes)[0]
        names = rng.sample(projects[project], 3)
        length = min(max(int(rng.lognormvariate(4.6, 0.5)), 12), 600)
        words = rng.choices(known, cum_weights=weights, k=length)
        for name in names:
            words[rng.randrange(length)] = name
        text = sentences(words, rng)
        kind, layer = rng.choices(kinds, weights=shares)[0], 1 if rng.random() < 0.04 else 2
        rules[project] += 1
        if rules[project] in (2, 5, 8, 12, 17):  # of every project the same few, however large it grows
            kind, layer = ("directive", 1) if rules[project] > 2 else ("note", 0)
            text = text[:160].rpartition(" ")[0] + "."
        if number in planted:
            text = f"{planted[number][1]} {text[:200]}"
        day = f"2026-{1 + number % 10:02}-{1 + number % 28:02}T08:00:00+00:00"
        yield Memory(
            id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            title=text.split(". ")[0][:100],
            body=text,
            project=f"example.org/bench/p{project}",
            kind=kind,
            layer=layer,
            importance=rng.choice((2, 3, 3, 3, 4)),
            tags=(known[rng.choice(_RANKS)],),
            paths=(f"src/{names[0]}/**",) if rng.random() < 0.05 else (),
            trust=rng.choice(("user", "agent", "agent")),
            source_type="mined" if rng.random() < 0.5 else "user",
            source_session=str(uuid.UUID(int=number // 6)),
            created=day,
            updated=day,
        )


def vocabulary(rng: random.Random) -> list[str]:
    """Words, commonest first: English stop words, words of the trade and of the questions, invented ones."""
    syllables = [c + v for c in "bcdfghjklmnprstvz" for v in "aeiou"]
    invented = {"".join(rng.choices(syllables, k=rng.randint(2, 4))): None for _ in range(_TYPES)}
    words = [*_ENGLISH, *sorted(COMMON_WORDS), *invented]
    said = dict.fromkeys(word for pair in PLANTED for text in pair for word in query_terms(text).words)
    for word, rank in zip(said, sorted(rng.sample(_RANKS, len(said))), strict=True):
        words[rank] = word
    return words


def identifier(rng: random.Random, words: list[str]) -> str:
    """A name that a project gives to something."""
    parts = [words[int(rng.paretovariate(0.5)) * 40 % len(words)] for _ in range(rng.randint(2, 3))]
    forms = ("_".join(parts), parts[0] + "".join(part.title() for part in parts[1:]), "/".join(parts) + ".py")
    return rng.choice(forms)


def sentences(words: list[str], rng: random.Random) -> str:
    """Words as a text."""
    parts, at = [], 0
    while at < len(words):
        reach = at + rng.randint(6, 18)
        parts.append(" ".join(words[at:reach]).capitalize() + ".")
        at = reach
    return " ".join(parts)
