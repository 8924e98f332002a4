"""Slots: at most so many model calls at once on this machine, whatever processes make them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from memem.errors import Busy, StateUnavailable, Stopped
from memem.process import asking, elapsed

_PAUSE = 0.2


@contextlib.contextmanager
def slot(
    folder: str, count: int, *, stop: Any, deadline_seconds: float, clock: Callable[[], float] = elapsed
) -> Iterator[int]:
    """Hold one of `count` locks in a folder; answers its number. The system frees it when its holder dies.

    Raises:
        Stopped: asked to stop while waiting.
        Busy: none became free in time.
        StateUnavailable: the folder cannot be used.
    """
    stopped, deadline = asking(stop), clock() + deadline_seconds
    while True:
        for number in range(max(1, count)):
            descriptor = _taken(f"{folder}/{number}.lock")
            if descriptor is not None:
                try:
                    yield number
                finally:
                    os.close(descriptor)
                return
        if stopped():
            raise Stopped("stopped while waiting for other model calls to end")
        if clock() >= deadline:
            raise Busy(f"{count} other model calls are running: it is tried again later")
        time.sleep(_PAUSE)


def _taken(path: str) -> int | None:
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise Busy("too many files are open: it is tried again later") from error
        raise StateUnavailable(f"{path} cannot be opened: {error.strerror}. Check the permissions.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        os.close(descriptor)
        raise StateUnavailable(f"{path} cannot be locked: {error.strerror}. Set MEMEM_DIR to a local disk.") from error
    return descriptor
