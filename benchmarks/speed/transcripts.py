"""One pass of the archive over many megabytes of transcripts, then searches in them, as `transcript_search` does.

The sessions are made up (prompts, prose, calls and long results, in the corpus's words), or copies of real ones, each
with session, uuids and project of its own and its words in another order. The pass runs in a process of its own, so
that its peak memory is its own; the floor beside it reads the same lines and parses their JSON, nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from corpus import World, identifier, sentences, vocabulary
from timing import Cost, Row, called

from memem import sqlite
from memem.app import Memem
from memem.config import load
from memem.index.reader import quote
from memem.sources.claude_code import ClaudeCode
from memem.text import query_terms
from memem.transcripts.archive import sizes
from memem.transcripts.turns import FILE_NAME

QUERIES, _LIMIT = 120, 5
_PROJECTS, _FOLDERS = 12, 4
_UUID = re.compile(r"[0-9a-f]{8}(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


def rows(world: World) -> Iterator[Row]:
    """The pass, its memory, and searches; notes do not matter, so they are measured beside ten thousand only."""
    if world.notes != 10_000:
        return
    with TemporaryDirectory(dir=world.folder) as name:
        folder = Path(name)
        projects, state = folder / "claude" / "projects", folder / "state"
        made = copies(world.originals, projects) if world.originals else sessions(projects)
        size = 0
        while size < world.megabytes * 1_000_000:
            size += next(made)
        environ = {
            "HOME": name, "PATH": os.environ["PATH"], "CLAUDE_CONFIG_DIR": str(folder / "claude"),
            "MEMEM_DIR": str(state), "MEMEM_OBSIDIAN_VAULT": str(folder / "vault"),
        }  # fmt: skip
        yield from _archived(world, projects, state, size // 1_000_000, environ)
        yield from _searched(world, projects, state, environ)


def _archived(world: World, projects: Path, state: Path, mb: int, environ: dict[str, str]) -> Iterator[Row]:
    floor = called(lambda: parse(projects))
    command = [sys.executable, __file__, str(projects)]
    done = json.loads(subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout)
    cost, kept = Cost(*done["cost"]), sizes(str(state))
    yield Row(
        world.notes, f"{mb} MB of transcripts archived, s", cost.cpu / 1000, f"read and parse {floor.cpu / 1000:.1f} s",
        cost.cpu / floor.cpu, cost.wall / floor.wall, "told",
        remark=f"{kept.sessions} sessions, {done['events']} events, kept in {kept.bytes / 1e6:.0f} MB, "
        f"index {kept.index_bytes / 1e6:.0f} MB; once more {done['again']:.1f} s",
    )  # fmt: skip
    peak = done["peak_mb"]
    yield Row(world.notes, f"{mb} MB of transcripts, peak MB", peak, "", target="< 200 MB", met=peak < 200)


def _searched(world: World, projects: Path, state: Path, environ: dict[str, str]) -> Iterator[Row]:
    memem = Memem(load(environ), folder=str(projects), environ=environ)
    index = sqlite.connect(str(state / FILE_NAME), read_only=True)
    scope = memem.scope(folder=index.execute("SELECT folder FROM folders ORDER BY id LIMIT 1").fetchone()[0]).id
    asked = list(questions(projects, QUERIES, random.Random(11)))
    runs: tuple[tuple[str, Callable[[str], object]], ...] = (
        ("project", lambda text: memem.transcripts(text, _LIMIT, scope)),
        ("all", lambda text: memem.transcripts(text, _LIMIT, everywhere=True)),
    )
    for where, run in runs:
        run(asked[0])
        costs = [_pair(index, run, text) for text in asked]
        floor, cost = (statistics.median(pair[at].cpu for pair in costs) for at in (0, 1))
        slow = statistics.quantiles((pair[1].cpu for pair in costs), n=20)[18]
        yield Row(
            world.notes, f"transcript_search, {where}", cost, f"FTS5 OR {floor:.1f} ms", cost / floor,
            statistics.median(pair[1].wall for pair in costs) / statistics.median(pair[0].wall for pair in costs),
            "≤ 20 ms", cost <= 20, f"p95 {slow:.0f} ms",
        )  # fmt: skip
    memem.close()
    index.close()


def _pair(index: sqlite.Connection, run: Callable[[str], object], text: str) -> tuple[Cost, Cost]:
    return called(lambda: _plain(index, text)), called(lambda: run(text))


def _plain(index: sqlite.Connection, text: str) -> object:
    found = query_terms(text, limit=12)
    match = " OR ".join(quote(word) for word in (*found.words, *found.compounds))
    return index.execute("SELECT rowid FROM terms WHERE terms MATCH ? ORDER BY rank LIMIT 5", (match,)).fetchall()


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


def parse(folder: Path) -> None:
    """The floor of a pass: every line as JSON."""
    for path in ClaudeCode().sessions(str(folder)):
        with open(path, "rb") as lines:
            for line in lines:
                json.loads(line)


# Sessions made up


def sessions(folder: Path) -> Iterator[int]:
    """Write one session after the other; answers the bytes of each."""
    rng = random.Random(7)
    words = vocabulary(rng)
    weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(words))))
    projects = [[identifier(rng, words) for _ in range(200)] for _ in range(_PROJECTS)]

    def text(names: list[str], length: int) -> str:
        said = rng.choices(words, cum_weights=weights, k=length)
        for _ in range(1 + length // 40):
            said[rng.randrange(length)] = rng.choice(names)
        return sentences(said, rng)

    # What tools print repeats itself, files above all.
    printed = [[text(names, rng.randint(60, 900)) for _ in range(60)] for names in projects]
    number = 0
    while True:
        project = number % _PROJECTS
        session = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        path = folder / f"p{project}" / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        place, day = f"/bench/p{project}/{number % _FOLDERS}", f"2026-{1 + number % 10:02}-{1 + number % 28:02}"
        with open(path, "w", encoding="utf-8") as out:
            for at, record in enumerate(_session(rng, projects[project], printed[project], text)):
                common = {
                    "uuid": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "sessionId": session, "cwd": place,
                    "timestamp": f"{day}T08:{at // 60 % 60:02}:{at % 60:02}.000Z",
                    "gitBranch": "main", "isSidechain": False,
                }  # fmt: skip
                out.write(json.dumps(common | record) + "\n")
        yield path.stat().st_size
        number += 1


def _session(
    rng: random.Random, names: list[str], printed: list[str], text: Callable[[list[str], int], str]
) -> Iterator[dict[str, Any]]:
    about = rng.sample(names, 8)
    for _ in range(rng.randint(4, 16)):
        prompt = {"role": "user", "content": text(about, rng.randint(6, 60))}
        yield {"type": "user", "promptSource": "typed", "message": prompt}
        for number in range(rng.randint(2, 8)):
            call = f"toolu_{rng.getrandbits(64):x}"
            tool, given = rng.choice((
                ("Bash", {"command": f"grep -rn {rng.choice(about)} src"}),
                ("Read", {"file_path": f"src/{rng.choice(about)}"}),
                ("Edit", {"file_path": f"src/{rng.choice(about)}", "old_string": text(about, rng.randint(8, 80)),
                          "new_string": text(about, rng.randint(8, 120))}),
            ))  # fmt: skip
            blocks: list[dict[str, Any]] = [{"type": "tool_use", "id": call, "name": tool, "input": given}]
            if number % 3 == 0:
                blocks.insert(0, {"type": "text", "text": text(about, rng.randint(15, 150))})
            yield {"type": "assistant", "message": {"role": "assistant", "content": blocks}}
            output = "\n".join(rng.choices(printed, k=rng.randint(1, 3)))
            result = {"type": "tool_result", "tool_use_id": call, "content": output, "is_error": rng.random() < 0.1}
            yield {"type": "user", "toolUseResult": output, "message": {"role": "user", "content": [result]}}
        answer = [{"type": "text", "text": text(about, rng.randint(30, 250))}]
        yield {"type": "assistant", "message": {"role": "assistant", "content": answer}}


# Copies of real sessions


def copies(originals: Path, folder: Path) -> Iterator[int]:
    """Write one copy after the other of the transcripts below a folder; answers the bytes of each."""
    rng = random.Random(7)
    paths = sorted(path for path in originals.rglob("*.jsonl") if path.stat().st_size > 10_000)
    number = 0
    while paths:
        for path in paths:
            stem = hashlib.sha256(f"{number}{path.stem}".encode()).hexdigest()
            name = f"{stem[:8]}-{stem[8:12]}-4000-8000-{stem[12:24]}"
            copy = folder / f"p{number % _PROJECTS}" / f"{name}.jsonl"
            copy.parent.mkdir(parents=True, exist_ok=True)
            with open(path, encoding="utf-8") as lines, open(copy, "w", encoding="utf-8") as out:
                out.writelines(_renamed(line, number, name, rng) for line in lines)
            yield copy.stat().st_size
        number += 1


def _renamed(line: str, number: int, session: str, rng: random.Random) -> str:
    line = _UUID.sub(lambda found: hashlib.sha256(f"{number}{found[0]}".encode()).hexdigest()[:8], line)
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict):
        return line
    if "sessionId" in record:
        record["sessionId"] = session
    if "cwd" in record:
        record["cwd"] = f"/bench/p{number % _PROJECTS}/{len(record['cwd']) % _FOLDERS}"
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


def archive(folder: str, environ: dict[str, str]) -> dict[str, Any]:
    """The pass itself, in this process."""
    memem = Memem(load(environ), folder=folder, environ=environ)
    events: list[int] = []
    cost = called(lambda: events.extend(grown.events for grown in memem.archive([folder], opted_in=True)))
    again = time.perf_counter()
    assert sum(grown.events for grown in memem.archive([folder], opted_in=True)) == 0
    idle = time.perf_counter() - again
    memem.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cost": cost, "again": idle, "events": sum(events), "peak_mb": peak}


if __name__ == "__main__":
    print(json.dumps(archive(sys.argv[1], dict(os.environ))))
