"""The one tree of errors. Every message is for the user and names the next step.

MememError
├── BadInput            the request itself is wrong: say what is accepted              exit 2
├── NotFound            no memory, project or file of that name                        exit 3
├── NotReady            something is still being installed or built: retry             exit 20
├── Unavailable         a folder, database or tool cannot be used now                  exit 4
│   ├── VaultUnavailable    the vault is missing, read-only or full
│   ├── StateUnavailable    the state folder is missing, read-only or full
│   ├── Locked              the key of the sealed secrets is missing, wrong, or open to others
│   └── ModelUnusable       the model needs a human: login, key, quota, address
├── TransientError      it may well work later: the work waits, it is not to blame     exit 20
│   ├── Busy                our own other calls leave no room for this one
│   └── Stopped             we were asked to stop
├── PermanentError      the work itself is at fault: it is not tried again unchanged   exit 1
│   ├── Refused             the model declined
│   ├── Truncated           question or answer did not fit: halve it
│   └── Malformed           the answer did not fit the schema, asked twice
├── Paused              waits until a known time through no fault of its own: retry    exit 20
├── LeaseLost           another worker has the job by now: commit nothing              exit 20
└── Damaged             a file of ours cannot be read and must not be overwritten      exit 5
    └── TooNew              a newer memem wrote it: says which one is needed
"""

from __future__ import annotations


class MememError(Exception):
    """Base of all errors that memem raises on purpose; `str()` is one line fit to print.

    `spent` is what a model was paid although the call failed: an `Answer` without data, or None. `asked` means that
    the question was on its way when the call ended, so that it has cost something nobody can tell.
    """

    exit_code = 1
    spent: object = None
    asked = False


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


class Locked(Unavailable):
    """What was redacted cannot be sealed or shown: its key is missing, wrong, open to others, or not wanted."""


class ModelUnusable(Unavailable):
    """The model cannot be used until a human mends login, key, quota or settings; no work is to blame."""


class TransientError(MememError):
    """A fault that passes by itself.

    `retry_after` is the seconds that the other side asked for, at most an hour. `counted` means that the work may be
    the cause after all (it got its process killed), so that it is not tried for ever.
    """

    exit_code = 20

    def __init__(self, message: str, *, retry_after: float | None = None, counted: bool = False) -> None:
        super().__init__(message)
        self.retry_after, self.counted = retry_after, counted


class Busy(TransientError):
    """As many model calls as are allowed run already; the backend is not to blame."""


class Stopped(TransientError):
    """The work was put down because this process is to end."""


class PermanentError(MememError):
    """The work fails however often it is tried."""


class Refused(PermanentError):
    """The model declined to answer."""


class Truncated(PermanentError):
    """The question was too long, or the answer was cut off; in halves it fits."""


class Malformed(PermanentError):
    """The answer did not fit the schema, not even when asked again."""


class Paused(MememError):
    """Work that has to wait: a backend rests, or the budget of the day is used up. `until` is in seconds since 1970."""

    exit_code = 20

    def __init__(self, reason: str, until: float) -> None:
        super().__init__(reason)
        self.until = until


class LeaseLost(MememError):
    """The lease of a job went to another worker."""

    exit_code = 20


class Damaged(MememError):
    """A file of ours is damaged or from a newer version, and is left alone."""

    exit_code = 5


class TooNew(Damaged):
    """A newer memem wrote it: nothing may be written any more, notes can still be read."""
