"""Checks of the client: which Claude Code is here, and whether this memem understands what it writes."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from contextlib import suppress
from importlib.resources import files

from memem.app import Memem
from memem.errors import MememError
from memem.health.check import DEGRADED, OK, Check
from memem.sources.claude_code import ClaudeCode, transcripts
from memem.text import clean, one_line

_TESTED = "clients.txt"  # the versions that the end-to-end tests were run with, oldest first
_SECONDS = 10
_NEWEST = 3  # sessions that are looked at
_LOOKED_AT_BYTES = 1_000_000  # of each, from its end
_MOST_UNKNOWN = 0.05


def client(_: Memem) -> Check:
    """Whether Claude Code is of a version that memem was tested with."""
    found = version()
    tested = files("memem").joinpath(_TESTED).read_text(encoding="utf-8").split()
    oldest, newest = tested[0], tested[-1]
    if not found:
        return Check(name="client", level=OK, text="no claude here that tells its version; hooks work where it runs")
    if _ordered(found) < _ordered(oldest):
        text = f"Claude Code {found} is older than those tested ({oldest} to {newest})"
        return Check(name="client", level=DEGRADED, text=text, fix="claude update")
    if _ordered(found) > _ordered(newest):
        text = f"Claude Code {found}, newer than those tested ({oldest} to {newest})"
        return Check(name="client", level=OK, text=f"{text}; if hooks are silent in it, report that")
    return Check(name="client", level=OK, text=f"Claude Code {found}, within those tested ({oldest} to {newest})")


def records(memem: Memem) -> Check:
    """Whether the newest sessions hold records of types that are not known: then the client has changed."""
    unknown: Counter[str] = Counter()
    seen = 0
    source = ClaudeCode(memem.config.dir)
    with suppress(OSError):  # a session may go while it is looked at
        paths = {path: path.stat() for folder in memem.config.session_dirs for path in transcripts(folder)}
        for path in sorted(paths, key=lambda path: paths[path].st_mtime_ns)[-_NEWEST:]:
            reading = source.read(path, max(paths[path].st_size - _LOOKED_AT_BYTES, 0))
            with suppress(MememError):
                for _ in reading:
                    pass
            unknown.update(reading.unknown)
            seen += reading.records
    share = unknown.total() / seen if seen else 0.0
    text = f"{share:.1%} of {seen} in the newest sessions are of unknown types" if seen else "no sessions here"
    if share <= _MOST_UNKNOWN:
        return Check(name="records", level=OK, text=text)
    names = one_line(clean(", ".join(name for name, _ in unknown.most_common(5))))
    fix = "update memem; if it is the newest, report these names of types"
    return Check(name="records", level=DEGRADED, text=f"{text}: {names}", fix=fix)


def version() -> str:
    """What `claude --version` says, as `1.2.3`; empty when it is not there or does not answer."""
    program = shutil.which("claude")
    if not program:
        return ""
    try:
        done = subprocess.run(
            [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    match = re.search(rb"\d+\.\d+\.\d+", done.stdout)
    return match[0].decode() if match else ""


def _ordered(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("."))
