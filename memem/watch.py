"""The watcher: keeps the index up to date within moments of an edit, while a long-lived process of ours runs."""

from __future__ import annotations

import threading

from memem.app import Memem
from memem.errors import MememError

_SETTLE_SECONDS = 0.3  # editors write a file in several steps


class Watcher:
    """Syncs after changes in the vault's memem folder, from a thread of its own, until it is stopped."""

    def __init__(self, memem: Memem, settle: float = _SETTLE_SECONDS) -> None:
        self._memem = memem
        self._settle = settle
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="memem-watch", daemon=True)
        self.synced = threading.Event()  # set after each sync, for whoever waits for one

    def start(self) -> bool:
        """Begin to watch; False where the system cannot (no notification service, too many watches)."""
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        changed = self._changed

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                if event.event_type not in ("opened", "closed_no_write"):
                    changed.set()

        self._observer = Observer()
        try:
            self._observer.schedule(Handler(), str(self._memem.vault.root), recursive=True)
            self._observer.start()
        except OSError:
            return False
        self._thread.start()
        return True

    def stop(self) -> None:
        """End the thread and the notifications."""
        self._ended.set()
        self._changed.set()
        self._observer.stop()
        self._thread.join(timeout=5)

    def _follow(self) -> None:
        while self._changed.wait() and not self._ended.is_set():
            self._changed.clear()
            while self._changed.wait(self._settle) and not self._ended.is_set():
                self._changed.clear()
            if self._ended.is_set():
                return
            try:
                self._memem.sync()
            except MememError:
                continue  # the next call of a tool tells what is wrong
            self.synced.set()
