"""The check of the client: which Claude Code is here, and whether this memem was tried with it."""

from __future__ import annotations

import re
import shutil
import subprocess

from memem.app import Memem
from memem.health.check import DEGRADED, OK, Check

TESTED = ("2.1.197", "2.1.329")  # oldest and newest that the end-to-end tests were run with
_SECONDS = 10


def client(_: Memem) -> Check:
    """Whether Claude Code is of a version that memem was tested with."""
    found = version()
    oldest, newest = TESTED[0], TESTED[-1]
    if not found:
        return Check(name="client", level=OK, text="no claude here that tells its version; hooks work where it runs")
    if _ordered(found) < _ordered(oldest):
        text = f"Claude Code {found} is older than those tested ({oldest} to {newest})"
        return Check(name="client", level=DEGRADED, text=text, fix="claude update")
    if _ordered(found) > _ordered(newest):
        text = f"Claude Code {found}, newer than those tested ({oldest} to {newest})"
        return Check(name="client", level=OK, text=f"{text}; if hooks are silent in it, report that")
    return Check(name="client", level=OK, text=f"Claude Code {found}, within those tested ({oldest} to {newest})")


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
