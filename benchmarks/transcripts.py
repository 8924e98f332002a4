"""One pass of the archive over hundreds of megabytes of transcripts, then searches in them.

    python benchmarks/transcripts.py FOLDER [--megabytes 700] [--queries 200] [--keep DIR]

FOLDER holds real transcripts. They are copied until there are enough, each copy with session, uuids and project of its
own and its words in another order, into a temporary folder. The pass runs in a process of its own, so that its peak
memory is its own; the floor beside it reads the same lines and parses their JSON, nothing else. Searches go through
the facade (with the walk over the transcripts' folder); beside each, the bare FTS5 query of the same words.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from memem import sqlite  # noqa: E402 - the checkout's own code
from memem.app import Memem  # noqa: E402
from memem.config import load  # noqa: E402
from memem.index.reader import quote  # noqa: E402
from memem.sources.claude_code import ClaudeCode  # noqa: E402
from memem.text import query_terms  # noqa: E402
from memem.transcripts.archive import sizes  # noqa: E402
from memem.transcripts.turns import FILE_NAME  # noqa: E402

UUID = re.compile(r"[0-9a-f]{8}(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
PROJECTS, FOLDERS = 12, 4
_LIMIT = 5


def build(originals: Path, target: Path, megabytes: int) -> int:
    """Copies of transcripts below a folder until there are enough megabytes; answers how many files."""
    rng = random.Random(7)
    size = number = files = 0
    paths = sorted(path for path in originals.rglob("*.jsonl") if path.stat().st_size > 10_000)
    while size < megabytes * 1_000_000:
        for path in paths:
            stem = hashlib.sha256(f"{number}{path.stem}".encode()).hexdigest()
            name = f"{stem[:8]}-{stem[8:12]}-4000-8000-{stem[12:24]}"
            copy = target / f"p{number % PROJECTS}" / f"{name}.jsonl"
            copy.parent.mkdir(parents=True, exist_ok=True)
            with open(path, encoding="utf-8") as lines, open(copy, "w", encoding="utf-8") as out:
                out.writelines(_renamed(line, number, name, rng) for line in lines)
            size += copy.stat().st_size
            files += 1
            if size >= megabytes * 1_000_000:
                break
        number += 1
    return files


def _renamed(line: str, number: int, session: str, rng: random.Random) -> str:
    line = UUID.sub(lambda found: hashlib.sha256(f"{number}{found[0]}".encode()).hexdigest()[:8], line)
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict):
        return line
    if "sessionId" in record:
        record["sessionId"] = session
    if "cwd" in record:
        record["cwd"] = f"/bench/p{number % PROJECTS}/{len(record['cwd']) % FOLDERS}"
    if isinstance(record.get("message"), dict):
        record["message"]["content"] = _shuffled(record["message"].get("content"), rng)
    return json.dumps(record, ensure_ascii=False) + "\n"


def _shuffled(content: Any, rng: random.Random) -> Any:
    """The same with the words of every line, and the lines, in another order."""
    if isinstance(content, list):
        return [_shuffled(item, rng) for item in content]
    if isinstance(content, dict):
        texts = ("text", "content", "input", "command", "new_string", "old_string")
        return {key: _shuffled(value, rng) if key in texts else value for key, value in content.items()}
    if not isinstance(content, str) or content.startswith("<") or len(content) < 40:
        return content
    lines = [line.split(" ") for line in content.split("\n")]
    for line in lines:
        rng.shuffle(line)
    rng.shuffle(lines)
    return "\n".join(" ".join(line) for line in lines)


def floor(folder: Path) -> tuple[int, float, float]:
    """Bytes of the transcripts, and the seconds (elapsed, of the CPU) that reading and parsing their lines takes."""
    started, cpu, size = time.perf_counter(), time.process_time(), 0
    for path in ClaudeCode().sessions(str(folder)):
        with open(path, "rb") as lines:
            for line in lines:
                size += len(line)
                try:
                    json.loads(line)
                except ValueError:
                    continue
    return size, time.perf_counter() - started, time.process_time() - cpu


def archive(folder: str, environ: dict[str, str]) -> dict[str, float]:
    """The pass itself, in this process."""
    memem = Memem(load(environ), folder=folder, environ=environ)
    started, cpu = time.perf_counter(), time.process_time()
    events = sum(grown.events for grown in memem.archive([folder], opted_in=True))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    again = time.perf_counter()
    assert sum(grown.events for grown in memem.archive([folder], opted_in=True)) == 0
    idle = time.perf_counter() - again
    memem.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "cpu": cpu, "again": idle, "events": events, "peak_mb": peak}


def questions(folder: Path, count: int, rng: random.Random) -> Iterator[str]:
    """Half of them the first words of what humans said, half three words from what was said or done."""
    paths = list(ClaudeCode().sessions(str(folder)))
    made = 0
    while made < count:
        events = [event for event in ClaudeCode().read(rng.choice(paths)) if len(event.text) > 30]
        said = [event for event in events if event.kind == "prompt"]
        chosen = said if made % 2 else events
        if not chosen:
            continue
        words = query_terms(rng.choice(chosen).text, limit=60).words
        text = " ".join(words[:10] if made % 2 else rng.sample(words, min(3, len(words))))
        if text:
            made += 1
            yield text


def searched(state: Path, environ: dict[str, str], folder: Path, asked: list[str]) -> None:
    """Print medians and 95th percentiles in ms of the bare query, and of the facade for one project and for all."""
    memem = Memem(load(environ), folder=str(folder), environ=environ)
    index = sqlite.connect(str(state / FILE_NAME), read_only=True)
    scope = memem.scope(folder=index.execute("SELECT folder FROM folders ORDER BY id LIMIT 1").fetchone()[0]).id

    def bare(text: str) -> None:
        found = query_terms(text, limit=12)
        match = " OR ".join(quote(word) for word in (*found.words, *found.compounds))
        index.execute("SELECT rowid FROM terms WHERE terms MATCH ? ORDER BY rank LIMIT 5", (match,)).fetchall()

    runs: dict[str, Callable[[str], object]] = {
        "FTS5 OR": bare,
        "one project": lambda text: memem.transcripts(text, _LIMIT, scope),
        "everywhere": lambda text: memem.transcripts(text, _LIMIT, everywhere=True),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for text in asked:
        for name, run in runs.items():
            started, cpu = time.perf_counter(), time.process_time()
            run(text)
            times[name].append(((time.perf_counter() - started) * 1000, (time.process_time() - cpu) * 1000))
    memem.close()
    index.close()
    print(f"{'search, ms':<12} {'p50':>7} {'p95':>7} {'CPU p50':>8} {'CPU p95':>8}")
    for name, pairs in times.items():
        wall, busy = ([pair[at] for pair in pairs] for at in (0, 1))
        cells = [(statistics.median(some), statistics.quantiles(some, n=20)[18]) for some in (wall, busy)]
        print(f"{name:<12} {cells[0][0]:>7.1f} {cells[0][1]:>7.1f} {cells[1][0]:>8.1f} {cells[1][1]:>8.1f}")


def measure(folder: Path, megabytes: int, originals: Path, queries: int) -> None:
    """Build, archive, search, and print what that took."""
    projects, state = folder / "claude" / "projects", folder / "state"
    files = build(originals, projects, megabytes)
    environ = {
        "HOME": str(folder), "PATH": os.environ["PATH"], "CLAUDE_CONFIG_DIR": str(folder / "claude"),
        "MEMEM_DIR": str(state), "MEMEM_OBSIDIAN_VAULT": str(folder / "vault"),
    }  # fmt: skip
    size, parsing, parsing_cpu = floor(projects)
    command = [sys.executable, __file__, str(projects), "--pass"]
    done = json.loads(subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout)
    kept = sizes(str(state))
    mb = size / 1e6
    print(f"{files} transcripts, {mb:.0f} MB, {done['events']} events")
    print(f"{'':<22} {'s':>7} {'CPU s':>7} {'MB/s':>7} {'MB/CPU s':>9}")
    for name, seconds, cpu in (
        ("floor: read and parse", parsing, parsing_cpu),
        ("pass", done["seconds"], done["cpu"]),
    ):
        print(f"{name:<22} {seconds:>7.1f} {cpu:>7.1f} {mb / seconds:>7.1f} {mb / cpu:>9.1f}")
    ratio = done["cpu"] / parsing_cpu
    print(f"pass is {ratio:.1f} x floor, peak {done['peak_mb']:.0f} MB; once more, nothing new: {done['again']:.1f} s")
    print(f"archive {kept.bytes / 1e6:.1f} MB (1:{size / kept.bytes:.0f}), index {kept.index_bytes / 1e6:.1f} MB")
    asked = list(questions(projects, queries, random.Random(11)))
    searched(state, environ, projects, asked)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=700)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="build in this folder and leave it there")
    parser.add_argument("--pass", dest="only_pass", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only_pass:
        print(json.dumps(archive(str(arguments.folder), dict(os.environ))))
    elif arguments.keep:
        measure(arguments.keep, arguments.megabytes, arguments.folder, arguments.queries)
    else:
        with tempfile.TemporaryDirectory() as name:
            measure(Path(name), arguments.megabytes, arguments.folder, arguments.queries)


if __name__ == "__main__":
    main()
