"""Sessions that memem is to leave alone: a folder of empty files, named by the ids of the sessions.

Looked at by everything that a session could reach: hooks, tools, archive, mining, and the search in transcripts.
"""

from __future__ import annotations

import os

FOLDER = "off"
_LONGEST = 128


def is_off(folder: str, session: str) -> bool:
    """Whether a session was switched off; `folder` is the state folder."""
    return bool(session) and os.path.exists(_mark(folder, session))  # noqa: PTH110 - the hook pays for pathlib


def turn_off(folder: str, session: str) -> bool:
    """Switch a session off, for good or until it is switched on; False when its id is none.

    Raises:
        OSError: the state folder cannot be written.
    """
    if not _is_id(session):
        return False
    os.makedirs(f"{folder}/{FOLDER}", mode=0o700, exist_ok=True)  # noqa: PTH103
    os.close(os.open(_mark(folder, session), os.O_CREAT | os.O_WRONLY, 0o600))
    return True


def turn_on(folder: str, session: str) -> bool:
    """Switch a session on again; whether it was off.

    Raises:
        OSError: the state folder cannot be written.
    """
    if not is_off(folder, session):
        return False
    os.unlink(_mark(folder, session))  # noqa: PTH108
    return True


def _mark(folder: str, session: str) -> str:
    return f"{folder}/{FOLDER}/{session}" if _is_id(session) else ""


def _is_id(session: str) -> bool:
    plain = session.replace("-", "").replace("_", "")
    return 0 < len(session) <= _LONGEST and session.isascii() and plain.isalnum()
