"""Taking over from a published memem: its processes are asked to end, its hourly entry in the crontab is paused.

Both only when the user said so. Nothing is killed, nothing of it is deleted, and pausing can be undone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

from memem.errors import Unavailable
from memem.published import Left, Process, crontab, look

PAUSED = "#paused-by-memem# "
BACKUP = "crontab.before-adopt"
_PATIENCE = 5.0
_SECONDS = 10


def diagnosis(found: Left) -> tuple[bool, str]:
    """Whether all is well, and what is there, in one line."""
    busy = [f"its {process.role} runs (pid {process.pid})" for process in found.running]
    busy += ["its crontab entry mines every hour"] if found.cron else []
    if busy:
        return False, f"{' and '.join(busy)}: it writes notes and spends on a model"
    if not found.here:
        return True, "none was here"
    return True, f"nothing of it runs; {found.sessions} sessions that it mined are not mined again"


def stop(
    process: Process, clock: Callable[[], float] = time.monotonic, wait: Callable[[float], None] = time.sleep
) -> bool:
    """Ask a process to end and wait up to five seconds; whether it has ended.

    It is looked at again first: its number may belong to another by now.
    """
    if look(process.pid, process.role) != process:
        return True
    try:
        os.kill(process.pid, signal.SIGTERM)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    deadline = clock() + _PATIENCE
    while (ended := look(process.pid, process.role) != process) is False and clock() < deadline:
        wait(0.05)
    return ended


def pause_crontab(lines: tuple[str, ...], folder: str) -> None:
    """Turn these lines of the crontab into comments; the whole of it as it was is kept in the state folder.

    Raises:
        Unavailable: the crontab cannot be written.
    """
    before = crontab()
    if not set(lines) <= set(before):  # it changed, or could not be read: then writing it would lose it
        raise Unavailable("the crontab is not what it was a moment ago: run memem adopt again.")
    backup = os.open(f"{folder}/{BACKUP}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(backup, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("".join(f"{line}\n" for line in before))
    _write_crontab([PAUSED + line if line in lines else line for line in before])


def resume_crontab() -> int:
    """Undo the pausing; how many lines came back.

    Raises:
        Unavailable: the crontab cannot be written.
    """
    before = crontab()
    paused = sum(line.startswith(PAUSED) for line in before)
    if paused:
        _write_crontab([line.removeprefix(PAUSED) for line in before])
    return paused


def _write_crontab(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    try:
        done = subprocess.run(["crontab", "-"], input=text, capture_output=True, timeout=_SECONDS, check=False)
        said = done.stderr.decode("utf-8", "replace").strip()
    except (OSError, subprocess.SubprocessError) as error:
        said = str(error)
    if crontab() != lines:
        raise Unavailable(f"the crontab could not be changed ({said}): edit it with crontab -e.")
