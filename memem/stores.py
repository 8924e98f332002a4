"""Stores: the index, the state and the vault of one process, opened, kept fresh and healed.

Everything that can be missing, busy, damaged or read-only is met here, so that the verbs above need not know.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from memem import sqlite, volumes
from memem.config import Config, load
from memem.errors import Damaged, MememError, StateUnavailable, TooNew, VaultUnavailable
from memem.graves import Graves
from memem.index.reader import index_folder
from memem.index.writer import DAMAGED, IndexWriter, memory_index, move_aside, open_writer, settle_place
from memem.ingest.known import Known
from memem.ingest.rules import holds_no_secret
from memem.ingest.spool import Spool
from memem.models import Memory, Scope
from memem.project import find_checkout, scope_at, scope_named
from memem.state import copies
from memem.state.changes import Changes
from memem.state.events import rotate
from memem.state.forgotten import Forgotten
from memem.state.store import State, open_state
from memem.sync import Synced, sync, sync_path
from memem.text import clean, one_line
from memem.vault.store import Vault, open_vault

if TYPE_CHECKING:  # its tables of secrets load slowly, and a search writes nothing
    from memem.ingest.gate import Gate
    from memem.ingest.secrets import Redactor
    from memem.sources.claude_code import ClaudeCode

S = TypeVar("S", bound="Stores")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
_FRESH_SECONDS = 1.0
_WATCHED_SECONDS = 30.0  # while a watcher tells of changes; the system may lose some when there are very many
_BUILDING_SECONDS = 1.0  # for which a call waits while a large vault is read for the first time
_SWEEP_SECONDS = 600
# How long a call waits for another process, each time it meets its lock. An agent waits for us a second at most.
_PATIENCE_SECONDS, _HURRY_SECONDS, _STATE_SECONDS = 0.4, 0.05, 0.1
PATIENT_SECONDS = 10.0  # for who asked for a sync and nothing else
_GIT_SECONDS = 5


def verb(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """One call at a time; an index found damaged is moved aside and rebuilt, and the call made once more."""

    @wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            try:
                return method(self, *args, **kwargs)
            except sqlite.FAULTS as error:
                if not sqlite.is_damage(error):
                    raise StateUnavailable(
                        f"the index in {self.config.dir} is busy or full ({error}); retry."
                    ) from error
                self._mend(error)
            try:
                return method(self, *args, **kwargs)
            except sqlite.FAULTS as error:
                raise StateUnavailable(
                    f"the index in {self.config.dir} cannot be rebuilt ({error}): free some space, then delete it."
                ) from error

    return call


class Stores:
    """What one process works on. Calls may come from several threads: `verb` takes them one at a time."""

    def __init__(self, config: Config | None = None, folder: str = "", environ: Mapping[str, str] = os.environ) -> None:
        self.environ = environ  # for programs that are started on the user's behalf
        self.config = config or load(environ)
        self.folder = folder or environ.get("CLAUDE_PROJECT_DIR") or _working_folder()
        self.session = environ.get("CLAUDE_CODE_SESSION_ID", "")
        self.degraded: list[str] = []
        self._too_new: TooNew | None = None
        self._lock = threading.RLock()
        self._synced_at = self._swept_at = float("-inf")
        self.shared_by = ""
        self._left = 0  # files for which the last sync had no time
        self.catch_up: Callable[[], bool] = lambda: False  # a watcher's: takes in what it was told of
        self._known = Known(self.config, lambda: self.redactor)
        self.index = self._open_index()
        self.state = self._open_state()
        self.vault = self._open_vault()

    def close(self) -> None:
        """Release the databases."""
        with self._lock:
            self.index.close()
            if self.state:
                self.state.close()

    @verb
    def sync(self, patience: float = _PATIENCE_SECONDS, seconds: float = math.inf) -> Synced:
        """Bring the index up to date with the vault, and the vault with what waits in the spool.

        After so many `seconds` it ends with the rest `left`, and writes nothing into the vault.

        Raises:
            VaultUnavailable: the vault is not there; the index stays as it is.
            StateUnavailable: another process held the index for longer than `patience` (seconds).
        """
        if not self.index.current or not self.index.in_file:  # deleted under us, or it could not be opened before
            self.index.close()
            self.index = self._open_index()
        sqlite.wait_at_most(self.index.connection, patience)
        self.vault = self._open_vault()
        if not self.vault.exists():
            open_vault(self.config.memory_root, self.config.dir)  # says what is wrong
        # Before the sync: a temporary file is a second name of its note, whose etag changes when it goes.
        if time.monotonic() - self._swept_at > _SWEEP_SECONDS:  # which walks through all folders
            self.vault.sweep()
            self._spool().sweep()
            rotate(self.config.dir)
            self._swept_at = time.monotonic()
        until = time.monotonic() + seconds
        done = sync(
            self.vault,
            self.index,
            bury=lambda gone: self._graves.bury(self.state, gone),
            enough=lambda: time.monotonic() > until,
        )
        self._left = done.left
        self._known.keep()
        if not done.left:
            self._graves.keep(self.state, self.index)
            self._remember_root_commit()
            self._replay()
            self._renew_standing()
        self._synced_at = time.monotonic()
        self.degraded = [reason for reason in self.degraded if not reason.startswith("the index in")]
        if done.left:
            self.degraded.append(f"the index in {self.config.dir} is being built: {done.left} notes are not in it yet.")
        return done

    @verb
    def sync_some(self, paths: Sequence[str]) -> None:
        """Bring the rows of some files up to date that were written; one that is gone takes a `sync`.

        What stands is chosen by the next sync, which every start of a session makes.
        """
        if not self.index.current or self._left or not all(self.vault.stat(path) for path in paths):
            self.sync(seconds=_BUILDING_SECONDS)
            return
        for path in paths:
            sync_path(self.vault, self.index, path)

    @verb
    def rebuild(self) -> Synced:
        """Build the index anew from the vault."""
        self._replace_index(None)
        return self.sync(PATIENT_SECONDS)

    def scope(self, name: str = "", folder: str = "") -> Scope:
        """The scope of that name, or of a folder, or of the project this process runs in."""
        name = one_line(clean(name))
        here = scope_at(folder or self.folder, self.config.project_aliases, self.index.root_commit)
        return scope_named(name, here, self.config.project_aliases) if name else here

    def freshen(self) -> None:
        """Sync unless that was a moment ago. What is away or busy leaves the index as the last good copy."""
        age = time.monotonic() - self._synced_at
        if age < _FRESH_SECONDS or (age < _WATCHED_SECONDS and not self._left and self.catch_up()):
            return
        try:
            self.sync(seconds=_BUILDING_SECONDS)
        except (VaultUnavailable, StateUnavailable) as error:
            # Who holds the index now holds it for long: what this call writes there the next sync finds.
            sqlite.wait_at_most(self.index.connection, _HURRY_SECONDS)
            if str(error) not in self.degraded:
                self.degraded.append(str(error))

    def gate(self) -> Gate:
        """The door of everything that is written; used within a verb, or through `offering`.

        Raises:
            TooNew: a newer memem was here.
        """
        if self._too_new:  # what a newer memem left there must not be undone, and what it knows is not known here
            raise self._too_new
        from memem.ingest.gate import Gate

        if self._left:  # what is not in the index yet may be what is offered
            with contextlib.suppress(VaultUnavailable, StateUnavailable):
                self.sync()
        forgotten = Forgotten(self.config.dir).holds
        return Gate(self.vault, self.index, self._spool(), self.state, forgotten=forgotten, redact=self.redactor)

    @verb
    def offering(self, work: Callable[[Gate], T]) -> T:
        """Let some work offer to the gate over a fresh index, as one call: alone, and again after healing the index."""
        self.freshen()
        return work(self.gate())

    def human_owned(self, memory: Memory) -> bool:
        """Whether a human wrote or edited the note: automation may then supersede it visibly, never rewrite it."""
        left = self.state.written(memory.id) if self.state else ""
        return not left or all(entry.hash != left for entry in self.index.entries_of(memory.id))

    def durable(self) -> State:
        """The state database, for what cannot do without it.

        Raises:
            StateUnavailable: there is none.
        """
        if self.state is None:
            raise StateUnavailable(
                f"the state folder {self.config.dir} cannot be used, so nothing can be queued: run memem doctor."
            )
        return self.state

    def source(self) -> ClaudeCode:
        """The transcripts, without what was excluded, forgotten, or is to be left alone."""
        from memem.sources.claude_code import ClaudeCode

        return ClaudeCode(self.config.dir, self.config.excluded_projects, Forgotten(self.config.dir).holds)

    def warnings(self) -> tuple[str, ...]:
        """What keeps memem from working as it should, for answers that people and agents read."""
        waiting = self.waiting()
        spooled = [f"{waiting} saves wait for the vault in {self.config.state_path('spool')}"] if waiting else []
        return (*self.degraded, *spooled)

    def waiting(self) -> int:
        """How many saves wait for the vault."""
        return len(self._spool().waiting())

    def waiting_elsewhere(self) -> tuple[str, ...]:
        """What waits for vaults that are not in use now, one line for each of them."""
        counts = Counter(entry.vault for entry in self._spool().elsewhere())
        folder = self.config.state_path("spool")
        return tuple(f"{count} saves wait in {folder} for another vault, {name}" for name, count in counts.items())

    def _open_index(self) -> IndexWriter:
        self.degraded = [reason for reason in self.degraded if not reason.startswith("the state folder")]
        self._graves = Graves(self.config.memory_root)  # which are looked through once for each index
        try:
            Path(self.config.dir).mkdir(mode=0o700, parents=True, exist_ok=True)
            self.shared_by = volumes.shared_by(self.config.dir)
            folder = Path(settle_place(self.config.dir, self.config.cache_dir, shared=bool(self.shared_by)))
            before = set(folder.glob(DAMAGED))
            index = open_writer(str(folder), shared=bool(self.shared_by and volumes.shared_by(str(folder))))
            index.known = self._known
            sqlite.wait_at_most(index.connection, _PATIENCE_SECONDS)
            for aside in set(folder.glob(DAMAGED)) - before:
                self.degraded.append(f"the index was damaged and rebuilt; the old one is {aside}.")
            return index
        except (OSError, *sqlite.FAULTS) as error:
            self.degraded.append(
                f"the state folder {self.config.dir} cannot be written ({error}): memem reads the vault anew in each "
                "process and remembers nothing about sessions. Fix its permissions, or set MEMEM_DIR."
            )
            index = memory_index()
            index.known = self._known
            return index

    def _open_vault(self) -> Vault:
        self.degraded = [reason for reason in self.degraded if not reason.startswith("the vault")]
        try:
            vault = open_vault(self.config.memory_root, self.config.dir)
        except VaultUnavailable as error:
            self.degraded.append(str(error))
            vault = Vault(self.config.memory_root)
        vault.journal = Changes(self.config.dir, holds_no_secret).keep
        return vault

    def _mend(self, error: Exception) -> None:
        """Replace what is damaged: the state by a copy of it, or else the index."""
        if self.state and copies.damaged(self.config.dir):
            copies.restore(self.config.dir)
            self.state.close()
            self.state = self._open_state()
        else:
            self._replace_index(error)

    def _replace_index(self, error: Exception | None) -> None:
        in_file, current = self.index.in_file, self.index.current
        self.index.close()
        if in_file and current:
            aside = move_aside(index_folder(self.config.dir, self.config.cache_dir))
            if error is None:
                aside.unlink(missing_ok=True)
            else:
                self.degraded.append(f"the index was damaged ({error}) and rebuilt; the old one is {aside}.")
        self.index = self._open_index()
        self._synced_at = float("-inf")

    def _open_state(self) -> State | None:
        folder = self.config.dir
        self.degraded = [reason for reason in self.degraded if not reason.startswith("the state database")]
        try:
            try:
                state = open_state(folder, shared=bool(self.shared_by))
            except TooNew:
                raise
            except Damaged:
                if not copies.restore(folder):
                    raise
                state = open_state(folder, shared=bool(self.shared_by))
            sqlite.keep_journal(state.connection, shared=bool(self.shared_by))
            sqlite.wait_at_most(state.connection, _STATE_SECONDS)
        except MememError as error:
            self._too_new = error if isinstance(error, TooNew) else None
            if self.index.in_file:  # otherwise the state folder as a whole is unusable, and that was told
                self.degraded.append(str(error))
            return None
        for aside in copies.set_aside(folder):
            self.degraded.append(
                f"the state database was damaged and is replaced by a copy; the old one is {aside}: delete it when you "
                "do not need it. What was mined after the copy is mined once more, which adds nothing."
            )
        return state

    def _replay(self) -> None:
        if not self._too_new and self.waiting():
            self.gate().replay()

    @cached_property
    def redactor(self) -> Redactor:
        """What every text goes through before it is kept, sent or shown."""
        from memem.ingest.secrets import Redactor

        return Redactor(self.config)

    def _spool(self) -> Spool:
        return Spool(self.config.state_path("spool"), self.config.vault)

    def _renew_standing(self) -> None:
        from memem.standing import renew

        with contextlib.suppress(sqlite.Error):  # busy: the next sync chooses
            if self.state:
                renew(self.config, self.folder, self.scope(), self.index, self.state, time.time())

    def _remember_root_commit(self) -> None:
        checkout = find_checkout(os.path.realpath(self.folder)) if self.folder else None
        if checkout and not self.index.root_commit(checkout.common):
            commit = _root_commit(checkout.top)
            if commit:
                self.index.remember_root_commit(checkout.common, commit)


def _root_commit(folder: str) -> str:
    """The id of a repository's first commit (12 digits), or nothing before there is one."""
    import subprocess

    command = ["git", "-C", folder, "rev-list", "--max-parents=0", "HEAD"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    # Histories joined later have several roots; the smallest id is the same for everyone.
    return min(done.stdout.split(), default="")[:12]


def _working_folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was deleted under us
        return ""
