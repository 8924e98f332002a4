"""Whole-process time of the prompt hook's shell path, against the bare interpreter in the same run.

    python benchmarks/hook.py [--notes 100 10000] [--runs 30] [--json]

The notes are synthetic (about 1.2 kB, Zipf-like words, one project in ten), the prompts are of three kinds: about a
note, of common words only, and about nothing in the store. Times are medians over interleaved runs; the ratio is the
median of the pairwise ratios, which holds when the machine's speed drifts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from memem.index.writer import open_writer  # noqa: E402 - the checkout's own code
from memem.models import Memory  # noqa: E402
from memem.sync import sync  # noqa: E402
from memem.vault import note  # noqa: E402
from memem.vault.store import Vault  # noqa: E402

PROJECTS = 10
TARGET = 3.5


def words(rng: random.Random) -> list[str]:
    """An invented vocabulary, commonest first."""
    syllables = [c + v for c in "bcdfghjklmnprstvz" for v in "aeiou"]
    return ["".join(rng.choices(syllables, k=rng.randint(2, 4))) for _ in range(8000)]


def build(folder: Path, notes: int, rng: random.Random) -> dict[str, str]:
    """A vault and its index; answers a prompt of each kind."""
    vocabulary = words(rng)

    def text(length: int) -> str:
        return " ".join(vocabulary[min(int(rng.paretovariate(0.9)) - 1, 7999)] for _ in range(length))

    vault = Vault(str(folder / "vault" / "memem"))
    vault.make()
    for number in range(notes):
        memory = Memory(
            id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            title=text(8),
            body=text(150),
            project=f"example.org/bench/p{number % PROJECTS}",
            kind="fact",
            created="2026-11-01T00:00:00+00:00",
            updated="2026-11-01T00:00:00+00:00",
        )
        (vault.root / "memories" / f"{note.stem_for(memory)}.md").write_bytes(note.render(memory))
        if number == 3 % notes:
            # The words that set the note apart, as a prompt about it would hold, between some that do not.
            rare = sorted(set(memory.body.split()), key=vocabulary.index)[-5:]
            about = " ".join([*rare, *vocabulary[:6]])
    (folder / "state").mkdir()
    index = open_writer(str(folder / "state"))
    sync(vault, index)
    index.close()
    git = folder / "p3" / ".git"
    git.mkdir(parents=True)
    (git / "config").write_text('[remote "origin"]\n\turl = git@example.org:bench/p3.git\n')
    (folder / "state" / ".welcome-shown").touch()
    (folder / "state" / "hook.conf").write_text(f"{os.path.realpath(sys.executable)}\n")
    return {"about a note": about, "common words": " ".join(vocabulary[2:10]), "unrelated": "limerick penguins"}


def measure(folder: Path, prompt: str, runs: int) -> tuple[float, float, float, int]:
    """Medians in ms of the bare interpreter and of the hook, the median ratio, and the bytes it answered."""
    python = os.path.realpath(sys.executable)
    environ = {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "MEMEM_DIR": str(folder / "state"),
        "MEMEM_OBSIDIAN_VAULT": str(folder / "vault"),
    }
    floor = [python, "-I", "-S", "-c", "pass"]
    hook = ["sh", str(ROOT / "hooks" / "memem.sh"), "UserPromptSubmit"]
    pairs, size = [], 0
    for number in range(runs + 2):
        # A new session each time: a memory that was shown already would make the rest cheaper.
        payload = json.dumps({"session_id": f"bench-{number}", "cwd": str(folder / "p3"), "prompt": prompt}).encode()
        pair = []
        for command in (floor, hook):
            start = time.perf_counter()
            done = subprocess.run(command, input=payload, env=environ, capture_output=True, check=True)
            pair.append((time.perf_counter() - start) * 1000)
            size = len(done.stdout)
        if number >= 2:
            pairs.append(pair)
    ratio = statistics.median(hook_ms / floor_ms for floor_ms, hook_ms in pairs)
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs), ratio, size


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--notes", type=int, nargs="+", default=[100, 10_000])
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = []
    for notes in arguments.notes:
        with tempfile.TemporaryDirectory() as name:
            prompts = build(Path(name), notes, random.Random(7))
            for kind, prompt in prompts.items():
                floor_ms, hook_ms, ratio, size = measure(Path(name), prompt, arguments.runs)
                rows.append(
                    {
                        "notes": notes,
                        "prompt": kind,
                        "floor_ms": floor_ms,
                        "hook_ms": hook_ms,
                        "ratio": ratio,
                        "bytes": size,
                    }
                )
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'notes':>6}  {'prompt':<13} {'floor ms':>8} {'hook ms':>8} {'ratio':>6} {'answer':>7}   target ≤ {TARGET}")
    for row in rows:
        print(
            f"{row['notes']:>6}  {row['prompt']:<13} {row['floor_ms']:>8.1f} {row['hook_ms']:>8.1f} "
            f"{row['ratio']:>6.2f} {row['bytes']:>7}"
        )


if __name__ == "__main__":
    main()
