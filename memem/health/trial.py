"""Checks that try memem out: a round trip and the real hook, on a store of their own in a temporary folder."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from memem.app import Memem
from memem.config import SNAPSHOT, Config, resolve, write_snapshot
from memem.errors import MememError
from memem.health.check import DEGRADED, FAILING, OK, Check
from memem.install import ROOT
from memem.models import Draft
from memem.vault.store import MEMORIES

_SHELL = "/bin/sh"
_LESSON = "The harbour gate opens with the brass lever, because the winch motor was removed"
_QUESTION = "How does the harbour gate open?"
_SECONDS = 20  # beyond what a host waits for a hook; only a hang meets it
_RUNS = 3
_SLOW_MS = 1000  # from here on a person waits for every prompt


def trials(memem: Memem) -> list[Check]:
    """Save, sync, recall and forget one lesson, then answer a prompt about it with the real hook. Leaves nothing."""
    try:
        with _scratch() as config:
            trip = _round_trip(config)
            return [trip, *_hook(memem, config)] if trip.level == OK else [trip]
    except (MememError, OSError) as error:
        fix = "free some space where temporary files go, or set TMPDIR to another folder"
        return [Check(name="round trip", level=DEGRADED, text=f"could not be tried: {error}", fix=fix)]


@contextmanager
def _scratch() -> Iterator[Config]:
    with tempfile.TemporaryDirectory(prefix="memem-doctor-") as folder:
        yield resolve({"HOME": folder}, {"dir": f"{folder}/state", "vault": f"{folder}/vault"})[0]


def _open(config: Config) -> closing[Memem]:
    return closing(Memem(config, folder=config.vault, environ={}))


def _round_trip(config: Config) -> Check:
    step = "save"
    try:
        with _open(config) as memem:
            saved = memem.save(Draft(content=_LESSON)).memory
            step = "sync"
            memem.rebuild()
            step = "recall"
            found = saved.id in memem.search(_QUESTION).ids and saved.id in memem.volunteered(_QUESTION).ids
            step = "forget" if found else step
            for note in Path(config.memory_root, MEMORIES).glob(f"*{saved.id8}*"):
                note.unlink()
            memem.sync()
            if found and saved.id not in memem.search(_QUESTION).ids:
                return Check(name="round trip", level=OK, text="saved, synced, recalled and forgot a lesson")
            text = f"{step} did not do its work"
    except (MememError, OSError) as error:
        text = f"{step} failed: {error}"
    fix = "read the lines above; if they are well, this is a fault of memem: please report it"
    return Check(name="round trip", level=FAILING, text=text, fix=fix)


def _hook(memem: Memem, config: Config) -> list[Check]:
    shim = Path(ROOT, "hooks", "memem.sh")
    if not shim.is_file():
        return [Check(name="hook answer", level=OK, text="no plugin here: this is the package alone")]
    with _open(config) as scratch:
        scratch.save(Draft(content=_LESSON))
    Path(config.state_path(".welcome-shown")).touch()
    interpreter = _interpreter(memem.config)
    write_snapshot(config, {}, interpreter)
    floors, times, answer = [], [], ""
    for number in range(_RUNS + 1):
        payload = {"session_id": f"doctor-{number}", "cwd": config.vault, "prompt": _QUESTION}
        try:
            floors.append(_run([interpreter, "-I", "-S", "-c", "pass"], "", config)[0])
            taken, answer = _run([_SHELL, str(shim), "UserPromptSubmit"], json.dumps(payload), config)
            times.append(taken)
        except (OSError, subprocess.SubprocessError) as error:
            fix = "start a new session: the plugin's bootstrap finds a Python that works"
            return [Check(name="hook answer", level=FAILING, text=f"it cannot be run: {error}", fix=fix)]
    # The first run compiled what the others found compiled.
    return [_answer(answer), _latency(statistics.median(times[1:]), statistics.median(floors[1:]))]


def _run(command: list[str], stdin: str, config: Config) -> tuple[float, str]:
    """Milliseconds that a command took, and its output."""
    environ = {"HOME": config.dir, "MEMEM_DIR": config.dir, "MEMEM_OBSIDIAN_VAULT": config.vault}
    start = time.perf_counter()
    done = subprocess.run(
        command, input=stdin.encode(), env=environ, cwd="/", capture_output=True, timeout=_SECONDS, check=True
    )
    return (time.perf_counter() - start) * 1000, done.stdout.decode("utf-8", "replace")


def _answer(answer: str) -> Check:
    try:
        given = json.loads(answer)["hookSpecificOutput"]
        if given["hookEventName"] == "UserPromptSubmit" and "brass lever" in given["additionalContext"]:
            return Check(name="hook answer", level=OK, text="a sample prompt was answered with its memory")
        text = "it answered without the memory"
    except (ValueError, KeyError, TypeError):
        text = "it said nothing to a sample prompt" if not answer else "its output is no JSON of a hook"
    fix = "reinstall the plugin; if that does not help, this is a fault of memem: please report it"
    return Check(name="hook answer", level=FAILING, text=text, fix=fix)


def _latency(taken: float, floor: float) -> Check:
    text = f"{taken:.0f} ms, {taken / floor:.1f} × the bare interpreter ({floor:.0f} ms)"
    if taken < _SLOW_MS:
        return Check(name="hook latency", level=OK, text=text)
    fix = "exempt the plugin and the state folder from virus scanners, or: memem config set injection_mode tool"
    return Check(name="hook latency", level=DEGRADED, text=text, fix=fix)


def _interpreter(config: Config) -> str:
    """The Python that the hooks use here, or else this one."""
    try:
        with open(config.state_path(SNAPSHOT), encoding="utf-8", errors="replace") as file:
            first = file.readline().strip()
    except OSError:
        first = ""
    return first if first and os.access(first, os.X_OK) else sys.executable
