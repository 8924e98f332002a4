"""What hostile input costs: thirty and more bombs, each met by a process of its own.

    python benchmarks/security/bombs.py [NAME…] [--json]

A bomb passes when the process answers within 2 s of CPU and 200 MB beyond a process that does the same with a harmless
file, and when a note beside it is found all the same.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_CPU, MOST_MB = 2.0, 200
SESSION = "5e551011-0000-4000-8000-000000000001"


def note(head: str, body: str = "hostile") -> bytes:
    return f"---\ntitle: Hostile\n{head}\n---\n\n{body}\n".encode("utf-8", "surrogateescape")


def line(text: str, **more: object) -> bytes:
    record = {"type": "user", "uuid": SESSION, "sessionId": SESSION, "cwd": "/tmp", "timestamp": "2026-11-01T10:00:00Z"}
    return json.dumps(record | {"message": {"role": "user", "content": text}} | more).encode() + b"\n"


def zipped(size: int) -> bytes:
    import io

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.md", b"a" * size)
    return file.getvalue()


ALIASES = "\n".join(
    [
        "a: &a [x,x,x,x,x,x,x,x,x]",
        *(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]" for n in range(9)),
    ]
)
NOTES: dict[str, Callable[[], bytes]] = {
    "yaml aliases": lambda: note(ALIASES),
    "yaml merge keys": lambda: note("a: &a {b: c}\n" + "\n".join(f"k{n}:\n  <<: *a" for n in range(500))),
    "yaml deep maps": lambda: note("a: " + "{b: " * 3000 + "}" * 3000),
    "yaml deep lists": lambda: note("a: " + "[" * 60_000),
    "yaml deep blocks": lambda: note("\n".join(" " * n + f"k{n}:" for n in range(1000))),
    "yaml tags": lambda: note("a: !!python/object/apply:os.system ['touch /tmp/memem-bomb']"),
    "yaml blanks": lambda: note("a" + " " * 900_000 + ": b"),
    "yaml keys": lambda: note("\n".join(f"k{n}: [a, b]" for n in range(60_000))),
    "yaml quotes": lambda: note("a: " + '"\\' * 300_000),
    "yaml no end": lambda: b"---\n" + b"a: b\n" * 200_000,
    "yaml comments": lambda: note("a: b " + "#" * 500_000),
    "yaml flow": lambda: note("tags: [" + "a, " * 200_000 + "]"),
    "note of 60 MB": lambda: note("kind: fact", "Redis " * 10_000_000),
    "note of one line": lambda: note("kind: fact", "a" * 5_000_000),
    "note that grows": lambda: note("kind: fact", "\ufdfa" * 300_000),  # eighteen characters each, once composed
    "note of links": lambda: note("kind: fact", "[[a|" * 200_000),
    "note of frames": lambda: note("kind: fact", "</memem-recall" * 100_000),
    "note of NULs": lambda: b"\0" * 5_000_000,
}
IMPORTS: dict[str, Callable[[], bytes]] = {
    "deep.json": lambda: b"[" * 1_000_000,
    "maps.json": lambda: b'{"memories":' * 100_000,
    "number.json": lambda: b'{"content": ' + b"9" * 1_000_000 + b"}",
    "many.json": lambda: b"[" + b'{"content":"a harbor note"},' * 100_000 + b"{}]",
    "huge.json": lambda: b'[{"content":"' + b"a" * 60_000_000 + b'"}]',
    "zip.json": lambda: zipped(300_000_000),
    "gzip.md": lambda: gzip.compress(b"a" * 300_000_000),
    "headings.md": lambda: b"# a\n" * 300_000,
    "fences.md": lambda: b"```\n" * 100_000,
    "line.md": lambda: b"a " * 200_000,
    "head.md": lambda: note(ALIASES, "# A\n\nThe harbor pier is open at nine."),
    "secrets.md": lambda: b'password="' * 300_000,
    "lines.md": lambda: b"a\n" * 1_000_000,
    "word.md": lambda: b"a" * 3_800_000,
}
SESSIONS: dict[str, Callable[[], bytes]] = {
    "line of 50 MB": lambda: line("a" * 50_000_000),
    "deep record": lambda: b'{"type":"user","message":' * 50_000 + b"\n" + line("harbor"),
    "many lines": lambda: b"{}\n" * 200_000,
    "no line end": lambda: b"a" * 60_000_000,
    "broken bytes": lambda: b"\xff\xfe{" * 1_000_000 + b"\n",
    "number": lambda: b'{"type":' + b"9" * 1_000_000 + b"}\n",
    "wrappers": lambda: line("<command-name>" * 100_000),
    "blank lines": lambda: line("From now on the harbor " + "\n" * 300_000 + "is closed"),
    "marks": lambda: line("From now on **the [harbor `is " * 20_000),
}
HOOKS: dict[str, Callable[[], bytes]] = {
    "hook 50 MB": lambda: b'{"prompt":"' + b"harbor " * 7_000_000 + b'"}',
    "hook deep": lambda: b'{"a":' * 500_000,
    "hook words": lambda: json.dumps({"prompt": " ".join(f"w{n}" for n in range(500_000)), "session_id": "s"}).encode(),
}
ACTIONS = {
    "note": "memem.sync(); print(len(memem.search('harbor').ids))",
    "import": "print(sum(1 for _ in memem.import_from(sys.argv[2], dry_run=True)))",
    "session": "list(Miner(memem).mine([sys.argv[2]])); list(memem.archive([sys.argv[2]], opted_in=True));"
    " memem.transcripts('harbor pier', everywhere=True); print(len(memem.search('harbor').ids))",
    "hook": "pass",
}
CHILD = """
import os, sys
sys.path.insert(0, sys.argv[1])
from memem.app import Memem
from memem.config import load
from memem.errors import MememError
from memem.miner import Miner
memem = Memem(load(os.environ), folder=os.environ["HOME"], environ=os.environ)
try:
    {}
except MememError as error:
    print(type(error).__name__, str(error)[:60])
"""


def main(arguments: list[str]) -> None:
    """Run them all, or those named."""
    chosen = [word for word in arguments if not word.startswith("-")]
    groups = (("note", NOTES), ("import", IMPORTS), ("session", SESSIONS), ("hook", HOOKS))
    harmless = {"note": note("kind: fact"), "import": b"# A\n\nThe harbor pier is open.\n", "session": line("harbor"),
                "hook": b'{"prompt": "harbor"}'}  # fmt: skip
    rows = []
    for kind, bombs in groups:
        base = met(kind, f"plain{suffix(kind)}", lambda kind=kind: harmless[kind])
        for name, made in bombs.items():
            if chosen and name not in chosen:
                continue
            seconds, megabytes, told = met(kind, name, made)
            fits = seconds - base[0] < MOST_CPU and megabytes - base[1] < MOST_MB and "Traceback" not in told
            rows.append((kind, name, round(seconds - base[0], 2), round(megabytes - base[1]), fits, told.strip()[-60:]))
            if "--json" not in arguments:
                cost = f"{rows[-1][2]:6.2f} s {rows[-1][3]:5} MB  {rows[-1][5]}"
                print(f"{'ok ' if fits else 'BAD'} {kind:8} {name:18} {cost}", flush=True)
    if "--json" in arguments:
        print(json.dumps([dict(zip(("kind", "name", "cpu_s", "mb", "ok", "told"), row, strict=True)) for row in rows]))
    else:
        print(f"{sum(row[4] for row in rows)} of {len(rows)} within {MOST_CPU:g} s of CPU and {MOST_MB} MB")
    sys.exit(0 if all(row[4] for row in rows) else 1)


def suffix(kind: str) -> str:
    return {"note": ".md", "import": ".md", "session": ".jsonl", "hook": ""}[kind]


def met(kind: str, name: str, made: Callable[[], bytes]) -> tuple[float, float, str]:
    """CPU seconds, peak megabytes and last words of a process that meets it."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {"HOME": folder, "MEMEM_DIR": f"{folder}/state", "MEMEM_OBSIDIAN_VAULT": f"{folder}/vault",
                   "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}  # fmt: skip
        notes = Path(folder, "vault", "memem", "memories")
        notes.mkdir(parents=True)
        (notes / "good.md").write_bytes(note("kind: fact", "The harbor pier is open at nine."))
        place = {"note": notes / "bomb.md", "session": Path(folder, ".claude/projects/-x", f"{SESSION}.jsonl")}.get(
            kind, Path(folder, name.replace(" ", "-"))
        )
        place.parent.mkdir(parents=True, exist_ok=True)
        if not (pid := os.fork()):  # a child inherits the peak of its parent: the bomb is made by another
            place.write_bytes(made())
            os._exit(0)
        os.waitpid(pid, 0)
        command = [sys.executable, "-c", CHILD.format(ACTIONS[kind]), str(ROOT), str(place)]
        if kind == "hook":
            command = [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, sys.argv[1]); "
                       "from memem.hook import main; main('UserPromptSubmit')", str(ROOT)]  # fmt: skip
        with place.open("rb") as stdin, tempfile.TemporaryFile() as out:
            limit = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (20, 20)); "
            command[command.index("-c") + 1] = limit + command[command.index("-c") + 1].lstrip()
            child = subprocess.Popen(command, stdin=stdin, stdout=out, stderr=out, env=environ, cwd=folder)
            _, _, used = os.wait4(child.pid, 0)
            child.returncode = 0
            out.seek(0)
            told = out.read().decode("utf-8", "replace")
        return used.ru_utime + used.ru_stime, used.ru_maxrss / 1000, told


if __name__ == "__main__":
    main(sys.argv[1:])
