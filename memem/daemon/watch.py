"""Notifications for the supervisor: which transcripts are being written, and when the queue has something new."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from memem.config import Config
from memem.daemon.supervisor import WAKE, Supervisor, wake

_LOOKED = ("opened", "closed_no_write")
_GONE = ("deleted", "moved")


def follow(config: Config, supervisor: Supervisor) -> Callable[[], None]:
    """Tell the supervisor of changes, from a thread of its own; answers how to end that.

    Where the system cannot notify (too many folders are watched already), the supervisor looks every minute instead.
    """
    from watchdog.events import DirDeletedEvent, DirMovedEvent, FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    queue = config.state_path(WAKE)

    class Transcripts(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            path = str(event.dest_path or event.src_path)
            if event.event_type not in _LOOKED and path.endswith(".jsonl"):
                supervisor.touched(path)

    class Queue(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in _GONE and event.src_path == queue:
                supervisor.abandon()
            elif event.event_type not in _LOOKED:
                supervisor.wake()

    class Place(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type in _GONE and event.src_path == config.dir:
                supervisor.abandon()

    wake(config.dir)  # makes the folder
    observer = Observer()
    observer.start()  # before it watches anything: a folder that it cannot watch then keeps it from no other
    # A folder that is moved away tells only who watches the one it was in, which is asked for nothing else.
    gone = [DirDeletedEvent, DirMovedEvent]
    watched: list[tuple[FileSystemEventHandler, str, bool, Any]] = [
        (Queue(), queue, False, None),
        (Place(), str(Path(config.dir).parent), False, gone),
    ]
    watched += [(Transcripts(), folder, True, None) for folder in config.session_dirs]
    for handler, folder, recursive, only in watched:
        try:
            if Path(folder).is_dir():
                observer.schedule(handler, folder, recursive=recursive, event_filter=only)
        except OSError:
            supervisor.blind()

    def end() -> None:
        observer.stop()
        observer.join(timeout=2)

    return end
