"""Miners that tests start end with them, however the tests end."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from memem.consent import MARKER
from memem.daemon.supervisor import WAKE
from memem.state import lock

PATIENCE = 20.0
# Waits for the end of its input, which comes with the end of the test's process too; then opts out.
_OPT_OUT = f'read -r _; rm -f "$1/{MARKER}"; [ -d "$1/{WAKE}" ] && : >"$1/{WAKE}/wake"'


def soon(is_so: Callable[[], bool]) -> bool:
    """Whether something is so within 20 s."""
    until = time.monotonic() + PATIENCE
    while not is_so() and time.monotonic() < until:
        threading.Event().wait(0.02)
    return is_so()


@contextmanager
def guarded(folder: str) -> Iterator[None]:
    """A state folder whose miners end with the context, or with this process, should it be killed."""
    command = ["/bin/sh", "-c", _OPT_OUT, "guard", folder]
    guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        guard.communicate()
        assert soon(lambda: lock.owner(folder) is None), "it ends when it is told to"
