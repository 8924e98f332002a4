"""The watcher: keeps the index up to date within moments of an edit, while a long-lived process of ours runs."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from memem import volumes
from memem.app import Memem
from memem.errors import MememError
from memem.vault.listing import is_note

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

_NOTHING = (0, 0)  # the identity of a folder that is not there
_SETTLE_SECONDS = 0.3  # editors write a file in several steps
_WAITING_SECONDS = 30.0  # between two tries to bring saves that wait into a vault that tells nothing
_LOOK_SECONDS = 3.0  # a folder that was made anew sends nothing to who watched the old one
_MOST = 100  # files; from here on a look at all of them is as quick


class Watcher:
    """Syncs after changes in the vault's memem folder, from a thread of its own, until it is stopped.

    A note that was written is read alone; after anything else all are looked at. The folder may go away and come back,
    on a disk that is unmounted or by a restore: it is looked for again.
    """

    def __init__(self, memem: Memem, settle: float = _SETTLE_SECONDS, look: float = _LOOK_SECONDS) -> None:
        self._memem = memem
        self._settle, self._look = settle, look
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._written: set[str] = set()  # notes that were written since the last sync
        self._unknown = False  # or something else happened
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
        # On a network nobody tells what other machines do.
        if not volumes.shared_by(str(self._memem.vault.root)):
            self._memem.catch_up = self.catch_up
        return True

    def stop(self) -> None:
        """End the thread and the notifications."""
        self._memem.catch_up = lambda: False
        self._ended.set()
        self._changed.set()
        self._thread.join(timeout=5)
        self._forget()

    def _observe(self) -> bool:
        """Watch the folder that is there now."""
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        told, lost, root = self._told, self._lost, str(self._memem.vault.root)
        lost.clear()

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                if event.event_type in ("deleted", "moved") and event.src_path == root:
                    lost.set()  # another may be there before we look, with the same inode
                told(event.event_type, event.is_directory, os.fsdecode(event.src_path), os.fsdecode(event.dest_path))

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

    def catch_up(self) -> bool:
        """Take in what was told until now; whether that is all that can have happened."""
        if self._observer is None or self._lost.is_set() or _identity(self._memem.vault.root) != self._watched:
            return False
        with self._lock:
            if self._unknown:
                return False
        try:
            self._sync()
        except MememError:  # a look at all files tells what is wrong
            return False
        return True

    def _told(self, what: str, is_folder: bool, path: str, moved_to: str) -> None:
        """Take note of an event; called from the notifications' thread."""
        if what in ("opened", "closed_no_write") or (is_folder and what == "modified"):
            return  # what happened in a folder is told by what is in it
        root = f"{self._memem.vault.root}/"
        path, moved_to = path.removeprefix(root), moved_to.removeprefix(root)
        unknown = is_folder or path.endswith(".icloud")
        # An editor's or our own temporary file takes a note's place, and the note its own, which counts as moved: only
        # when it is read it shows whether it is gone.
        notes = {note for note in (path, moved_to) if is_note(note)}
        if not unknown and not notes:
            return
        with self._lock:
            self._written |= notes
            self._unknown = self._unknown or unknown or len(self._written) > _MOST
        self._changed.set()

    def _sync(self) -> None:
        """Bring the index up to date with what was told."""
        with self._lock:
            written, unknown = sorted(self._written), self._unknown
            self._written, self._unknown = set(), False
        try:
            if unknown:
                self._memem.sync()
            elif written:  # otherwise a call was quicker
                self._memem.sync_some(written)
        except MememError:
            self._unknown = True
            raise

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
            elif (there != self._watched or self._lost.is_set()) and self._observe():
                self._unknown = told = True  # what happened before it was watched nobody told
            if there == _NOTHING:
                continue
            if self._is_due():
                self._unknown = told = True
            if not told:
                continue
            try:
                self._sync()
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
