"""Two files change places in one step: the only replacing after which nothing that was there before is gone.

A rename destroys what another program put there since we last looked. After an exchange it still can be looked at,
and given back. Python has no call for it, so the C library is asked.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import cache

_AT_FDCWD = -100
_RENAME_EXCHANGE = _RENAME_SWAP = 2  # Linux, macOS
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV)


def exchange(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Let two existing files change places; False where the system or the file system cannot.

    Raises:
        OSError: one of them is not there, or the folder cannot be written.
    """
    call = _call()
    number = call(os.fsencode(one), os.fsencode(other)) if call else errno.ENOSYS
    if number and number not in _UNSUPPORTED:
        raise OSError(number, os.strerror(number), os.fspath(other))
    return not number


@cache
def _call() -> Callable[[bytes, bytes], int] | None:
    """The system's exchange, answering an errno, or None when it has none."""
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            swap = libc.renamex_np
            return lambda one, other: ctypes.get_errno() if swap(one, other, _RENAME_SWAP) else 0
        rename = libc.renameat2
    except (ImportError, OSError, AttributeError, TypeError):
        return None
    return lambda one, other: ctypes.get_errno() if rename(_AT_FDCWD, one, _AT_FDCWD, other, _RENAME_EXCHANGE) else 0
