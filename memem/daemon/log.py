"""The miner's log: one JSON object a line in `miner.log`, rotated, with no word of a session in it."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

FILE = "miner.log"
_BYTES, _KEPT = 1_000_000, 3


class SharedLog(RotatingFileHandler):
    """A rotated file that several processes write: each line opens it anew, behind a lock on its folder.

    One that kept it open would go on in the file that another has rotated away, and lose its lines in the end.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8", delay=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            folder = os.open(Path(self.baseFilename).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return
        try:
            _patiently(folder)
            super().emit(record)
        finally:
            os.close(folder)
            if self.stream:
                self.stream.close()
                self.stream = None

    def handleError(self, _record: logging.LogRecord) -> None:  # noqa: N802 - the name of the library
        """A full disk; its caller has more to do than to tell."""

    def _open(self) -> Any:
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return open(handle, "a", encoding="utf-8")


def _patiently(folder: int) -> None:
    """Take the lock, or do without it: whoever holds it may have been put to sleep."""
    for _ in range(50):
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.01)
        else:
            return


def open_log(folder: str, **bound: Any) -> Any:
    """A structlog logger that writes into the state folder; `bound` stands in every line."""
    import structlog

    logger = logging.Logger("memem.miner")  # not the root's child: no other library's lines, no other handler
    logger.addHandler(SharedLog(f"{folder}/{FILE}"))
    steps: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]
    return structlog.wrap_logger(logger, processors=steps, wrapper_class=structlog.BoundLogger).bind(**bound)
