"""The only door to SQLite: how every database of memem is opened, and one transaction.

It uses the C module directly: the `sqlite3` package around it imports datetime and collections, which the prompt
hook would pay for, and adds nothing that is used here.
"""

from __future__ import annotations

import _sqlite3

from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

Row = _sqlite3.Row
Error = _sqlite3.Error
OperationalError = _sqlite3.OperationalError
FAULTS = (Error, UnicodeDecodeError)  # what SQLite says about a damaged schema may be no text
BUSY_SECONDS = 5.0  # for opening, when another process may be making or changing the very tables
_LOCKED = (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED
_DAMAGE = (1, 11, 26)  # SQLITE_ERROR (a table of ours is missing), SQLITE_CORRUPT, SQLITE_NOTADB


class Connection(_sqlite3.Connection):
    """A connection that closes when nobody holds it any more; newer Pythons warn when that is left to chance."""

    def __del__(self) -> None:
        try:
            self.close()
        except Error:  # it never came to be open
            pass


def connect(path: str, *, read_only: bool = False, still: bool = False, busy: float = BUSY_SECONDS) -> Connection:
    """Open a database file (":memory:" for none), in autocommit, with rows that answer to names.

    `still` promises that nobody writes meanwhile: then not even SQLite's own lock files are made beside it.

    Raises:
        Error: the file is no database, cannot be opened, or (`read_only`) does not exist.
    """
    if path == ":memory:":
        name = path
    else:
        quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        name = f"file:{quoted}?mode={'ro' if read_only else 'rwc'}{'&immutable=1' if still else ''}"
    connection = _sqlite3.connect(
        name, uri=True, timeout=busy, isolation_level=None, check_same_thread=False, factory=Connection
    )
    connection.row_factory = Row
    connection.execute("PRAGMA synchronous=NORMAL")  # of the connection, not of the file
    return connection


def use_write_ahead_log(connection: Connection) -> None:
    """Readers never wait for the writer. A property of the file, so it is set when the file is made."""
    for _ in range(5):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except OperationalError as error:
            if is_damage(error):
                raise
        # Several processes make the file at once: the change does not wait for the others, but a transaction does.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode=WAL")


def keep_journal(connection: Connection, *, shared: bool) -> None:
    """Give an open file the journal that suits its folder: no shared memory is needed where machines share it.

    While another process has the file open that must wait, and the next one that opens it tries again.
    """
    wanted = "truncate" if shared else "wal"
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
        try:
            connection.execute(f"PRAGMA journal_mode={wanted}")
        except OperationalError as error:
            if not is_busy(error):
                raise


def wait_at_most(connection: Connection, seconds: float) -> None:
    """How long a statement of this connection waits for another process's lock."""
    connection.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")


def leave_nothing(connection: Connection) -> bool:
    """Write a file anew without what was deleted from it, also beside it; False when another process reads it now."""
    connection.execute("VACUUM")
    return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]


def is_busy(error: Error | UnicodeDecodeError) -> bool:
    """Whether an error says that another process holds a lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED


def is_damage(error: Error | UnicodeDecodeError) -> bool:
    """Whether an error says that the file is broken, as opposed to locked, full or not writable."""
    code = getattr(error, "sqlite_errorcode", None)
    # Without a code it was Python that could not make a text of what it read.
    return isinstance(error, (OperationalError, UnicodeDecodeError)) if code is None else code & 0xFF in _DAMAGE


class transaction:  # noqa: N801 - reads as a statement: `with transaction(connection):`
    """One writer at a time: takes the write lock at once, commits at the end, rolls back on any exception."""

    __slots__ = ("connection",)

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.connection.execute("COMMIT")
        finally:
            # A full disk has rolled back already; a second time would be an error that hides the first.
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
