"""Notifications for the supervisor: which transcripts are being written, and when the queue has something new."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from memem.config import Config
from memem.daemon.supervisor import WAKE, Supervisor, wake

_LOOKED = ("opened", "closed_no_write")


def follow(config: Config, supervisor: Supervisor) -> Callable[[], None]:
    """Tell the supervisor of changes, from a thread of its own; answers how to end that.

    Where the system cannot notify (too many folders are watched already), the supervisor looks every minute instead.
    """
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    class Transcripts(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            path = str(event.dest_path or event.src_path)
            if event.event_type not in _LOOKED and path.endswith(".jsonl"):
                supervisor.touched(path)

    class Queue(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if event.event_type not in _LOOKED:
                supervisor.wake()

    wake(config.dir)  # makes the folder
    observer = Observer()
    observer.start()  # before it watches anything: a folder that it cannot watch then keeps it from no other
    watched: list[tuple[FileSystemEventHandler, str, bool]] = [(Queue(), config.state_path(WAKE), False)]
    watched += [(Transcripts(), folder, True) for folder in config.session_dirs]
    for handler, folder, recursive in watched:
        try:
            if Path(folder).is_dir():
                observer.schedule(handler, folder, recursive=recursive)
        except OSError:
            supervisor.blind()

    def end() -> None:
        observer.stop()
        observer.join(timeout=2)

    return end
