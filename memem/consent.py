"""What the user allowed: capturing sessions, mining them, and (a second word) spending on a model.

It is one small file in the state folder, so that the hooks know without a database whether there is anything to do.
Only a person's command writes it; no tool of the agent does. The published memem left an empty file of the same name:
that is a consent to capture, and to nothing else.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from memem.errors import StateUnavailable
from memem.value import Value

MARKER = ".miner-opted-in"


class Consent(Value):
    """`since` (seconds since 1970) bounds what is mined: sessions that were active after it, or all with `history`."""

    capture: bool = False
    mining: bool = False
    since: float = 0.0
    history: bool = False
    spend: str = ""  # the model backend that may cost something, or "" for none
    stopped: bool = False  # the miner stays off until it is started again; what was allowed is remembered

    @property
    def active(self) -> bool:
        """Whether the miner should run."""
        return self.capture and not self.stopped


def read(folder: str) -> Consent:
    """The consent given in a state folder. What cannot be understood allows nothing that costs or writes notes."""
    path = f"{folder}/{MARKER}"
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(10_000)
    except FileNotFoundError:
        return Consent()
    except (OSError, ValueError):
        return Consent(capture=True, stopped=True)
    try:
        said = json.loads(text)
        given = {name: said[name] for name in Consent.__fields__ if name in said}
        right = all(type(value) in _accepted(name) for name, value in given.items())
    except (ValueError, TypeError, RecursionError):
        return Consent(capture=True)
    return Consent(**given) if given and right else Consent(capture=True)


def write(folder: str, consent: Consent) -> None:
    """Remember a consent.

    Raises:
        StateUnavailable: the state folder cannot be written; the consent is as it was.
    """
    path = f"{folder}/{MARKER}"
    temp = f"{path}.{os.getpid()}.tmp"
    try:
        with open(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(consent.as_dict(), file)
            file.flush()
            os.fsync(file.fileno())  # an empty file would pass for the published memem's
        os.replace(temp, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(temp)  # noqa: PTH108
        raise _unwritable(folder, error) from error


def withdraw(folder: str) -> None:
    """Forget every consent.

    Raises:
        StateUnavailable: the state folder cannot be written; the consent is as it was.
    """
    try:
        os.unlink(f"{folder}/{MARKER}")  # noqa: PTH108
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: str, error: OSError) -> StateUnavailable:
    return StateUnavailable(f"{folder} cannot be written ({error.strerror}), so your word cannot be kept: mend that.")


def _accepted(name: str) -> tuple[type, ...]:
    kind = type(Consent.__defaults__[name])
    return (int, float) if kind is float else (kind,)
