"""Notifications for the supervisor: which transcripts are being written, when the queue has something new, and when the
state folder goes away."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from watchdog.events import DirDeletedEvent, DirMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from memem.config import Config
from memem.daemon.supervisor import WAKE, Supervisor, wake

_LOOKED = ("opened", "closed_no_write")
_GONE = ("deleted", "moved")
_ONLY_GONE = [DirDeletedEvent, DirMovedEvent]


class _Handler(FileSystemEventHandler):
    """Hands events on to a function."""

    def __init__(self, tell: Callable[[FileSystemEvent], None]) -> None:
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Any event that was asked for."""
        self._tell(event)


def follow(config: Config, supervisor: Supervisor) -> Callable[[], None]:
    """Tell the supervisor of changes, from a thread of its own; answers how to end that.

    Where the system cannot notify (too many folders are watched already), the supervisor looks every minute instead.
    """
    queue = config.state_path(WAKE)

    def transcripts(event: FileSystemEvent) -> None:
        path = str(event.dest_path or event.src_path)
        if event.event_type not in _LOOKED and path.endswith(".jsonl"):
            supervisor.touched(path)

    def place(event: FileSystemEvent) -> None:
        if event.event_type in _GONE and event.src_path in (config.dir, queue):
            supervisor.abandon()
        elif str(event.src_path).startswith(queue) and event.event_type not in _LOOKED:
            supervisor.wake()

    # Transcripts come last, because a folder has one filter, and theirs lets everything through.
    watched: list[tuple[Callable[[FileSystemEvent], None], str, bool, Any]] = [
        (place, queue, False, None),
        *((place, folder, False, _ONLY_GONE) for folder in _around(config.dir)),
        *((transcripts, folder, True, None) for folder in config.session_dirs),
    ]
    wake(config.dir)  # makes the folder
    observer = Observer()
    observer.start()  # before it watches anything: a folder that it cannot watch then keeps it from no other
    for tell, folder, recursive, only in watched:
        try:
            if Path(folder).is_dir():
                observer.schedule(_Handler(tell), folder, recursive=recursive, event_filter=only)
        except OSError:
            if only is None:  # of a move it hears at the next word
                supervisor.blind()

    def end() -> None:
        observer.stop()
        observer.join(timeout=2)

    return end


def _around(folder: str) -> list[str]:
    """Where a folder that is moved away is missed: Linux tells that only who watches what it was in.

    Elsewhere the folder itself tells, and to watch what is around it would bring every change below that.
    """
    return [str(Path(folder).parent)] if sys.platform == "linux" else []
