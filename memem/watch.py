"""The watcher: keeps the index up to date within moments of an edit, while a long-lived process of ours runs."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from memem.app import Memem
from memem.errors import MememError

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

_NOTHING = (0, 0)  # the identity of a folder that is not there

_SETTLE_SECONDS = 0.3  # editors write a file in several steps
_WAITING_SECONDS = 30.0  # between two tries to bring saves that wait into a vault that tells nothing
_LOOK_SECONDS = 3.0  # a folder that was made anew sends nothing to who watched the old one


class Watcher:
    """Syncs after changes in the vault's memem folder, from a thread of its own, until it is stopped.

    The folder may go away and come back, on a disk that is unmounted or by a restore: it is looked for again.
    """

    def __init__(self, memem: Memem, settle: float = _SETTLE_SECONDS, look: float = _LOOK_SECONDS) -> None:
        self._memem = memem
        self._settle, self._look = settle, look
        self._changed = threading.Event()
        self._lost = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="memem-watch", daemon=True)
        self._tried = time.monotonic()
        self._observer: BaseObserver | None = None
        self._watched = _NOTHING
        self.synced = threading.Event()  # set after each sync, for whoever waits for one

    def start(self) -> bool:
        """Begin to watch; False where the system cannot (no notification service, too many watches)."""
        if not self._observe():
            return False
        self._thread.start()
        return True

    def stop(self) -> None:
        """End the thread and the notifications."""
        self._ended.set()
        self._changed.set()
        self._thread.join(timeout=5)
        self._forget()

    def _observe(self) -> bool:
        """Watch the folder that is there now."""
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        changed, lost, root = self._changed, self._lost, str(self._memem.vault.root)
        lost.clear()

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                if event.event_type in ("deleted", "moved") and event.src_path == root:
                    lost.set()  # another may be there before we look, with the same inode
                if event.event_type not in ("opened", "closed_no_write"):
                    changed.set()

        self._forget()
        folder = _identity(self._memem.vault.root)
        observer = Observer()
        try:
            observer.schedule(Handler(), root, recursive=True)
            observer.start()
        except OSError:
            return False
        self._observer, self._watched = observer, folder
        return True

    def _is_due(self) -> bool:
        """Whether saves wait and may be let in by now: space that was freed elsewhere sends no notification."""
        if time.monotonic() - self._tried < _WAITING_SECONDS or not self._memem.waiting():
            return False
        self._tried = time.monotonic()
        return True

    def _forget(self) -> None:
        """End the notifications."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=5)
        self._observer, self._watched = None, _NOTHING

    def _follow(self) -> None:
        while not self._ended.is_set():
            told = self._changed.wait(self._look)
            self._changed.clear()
            while told and self._changed.wait(self._settle) and not self._ended.is_set():
                self._changed.clear()
            if self._ended.is_set():
                return
            there = _identity(self._memem.vault.root)
            if there == _NOTHING:
                self._watched = _NOTHING
            elif there != self._watched or self._lost.is_set():
                told = self._observe() or told  # what happened before it was watched nobody told
            if there == _NOTHING or not (told or self._is_due()):
                continue
            try:
                self._memem.sync()
            except MememError:
                continue  # the next call of a tool tells what is wrong
            self.synced.set()


def _identity(folder: Path) -> tuple[int, int]:
    """What tells a folder from another one at its place."""
    try:
        about = folder.stat()
    except OSError:
        return _NOTHING
    return about.st_dev, about.st_ino
