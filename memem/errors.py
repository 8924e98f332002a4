"""The one tree of errors. Every message is for the user and names the next step.

MememError
├── BadInput            the request itself is wrong: say what is accepted              exit 2
├── NotFound            no memory, project or file of that name                        exit 3
├── NotReady            something is still being installed or built: retry             exit 20
├── Unavailable         a folder, database or tool cannot be used now                  exit 4
│   ├── VaultUnavailable    the vault is missing, read-only or full
│   └── StateUnavailable    the state folder is missing, read-only or full
└── Damaged             a file of ours cannot be read and must not be overwritten      exit 5
"""

from __future__ import annotations


class MememError(Exception):
    """Base of all errors that memem raises on purpose; `str()` is one line fit to print."""

    exit_code = 1


class BadInput(MememError):
    """The request is malformed or out of bounds."""

    exit_code = 2


class NotFound(MememError):
    """Nothing of that name exists."""

    exit_code = 3


class NotReady(MememError):
    """Not possible yet, but soon without anyone's help."""

    exit_code = 20


class Unavailable(MememError):
    """A resource cannot be used at the moment."""

    exit_code = 4


class VaultUnavailable(Unavailable):
    """Notes cannot be written, or not even read."""


class StateUnavailable(Unavailable):
    """The state folder cannot be written; memem goes on read-only from the vault."""


class Damaged(MememError):
    """A file of ours is damaged or from a newer version, and is left alone."""

    exit_code = 5
