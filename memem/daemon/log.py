"""The miner's log: one JSON object a line in `miner.log`, rotated, with no word of a session in it."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from typing import Any

FILE = "miner.log"
_BYTES, _KEPT = 1_000_000, 3


def open_log(folder: str, **bound: Any) -> Any:
    """A structlog logger that writes into the state folder; `bound` stands in every line.

    Raises:
        OSError: the folder cannot be written.
    """
    import structlog

    handler = RotatingFileHandler(f"{folder}/{FILE}", maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8", delay=True)
    logger = logging.Logger("memem.miner")  # not the root's child: no other library's lines, no other handler
    logger.addHandler(handler)
    steps: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]
    return structlog.wrap_logger(logger, processors=steps, wrapper_class=structlog.BoundLogger).bind(**bound)
