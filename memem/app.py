"""Memem: wires the rooms of the house together once, and offers every verb as one method.

All surfaces (tools, CLI) call this facade; only the hook reads below it, for its speed. Calls may come from several
threads and are taken one at a time.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from memem import sqlite
from memem.config import Config, load
from memem.conflicts import Conflict, find_conflicts
from memem.errors import BadInput, MememError, NotFound, StateUnavailable, VaultUnavailable
from memem.index.writer import DAMAGED, IndexWriter, memory_index, move_aside, open_writer
from memem.ingest.spool import Spool
from memem.models import Candidate, Draft, Memory, Outcome, Query, Scope, Slice
from memem.project import find_checkout, scope_at, scope_named
from memem.recall import slices
from memem.state.store import State, open_state
from memem.sync import Synced, sync
from memem.text import clean, one_line
from memem.value import Value
from memem.vault.store import Vault, open_vault

if TYPE_CHECKING:
    from memem.ingest.gate import Gate

P = ParamSpec("P")
R = TypeVar("R")
_FRESH_SECONDS = 1.0
_GIT_SECONDS = 5
_SHORTEST_ID = 8


class Timeline(Value):
    """A memory among its neighbours: earlier and later ones of its project, oldest first, and those it links to."""

    anchor: Memory
    before: tuple[Memory, ...]
    after: tuple[Memory, ...]
    linked: tuple[Memory, ...]


def _verb(method: Callable[Concatenate[Memem, P], R]) -> Callable[Concatenate[Memem, P], R]:
    """One call at a time; an index found damaged is moved aside and rebuilt, and the call made once more."""

    @wraps(method)
    def call(self: Memem, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            try:
                return method(self, *args, **kwargs)
            except sqlite.FAULTS as error:
                if not sqlite.is_damage(error):
                    raise StateUnavailable(
                        f"the index in {self.config.dir} is busy or full ({error}); retry."
                    ) from error
                self._replace_index(error)
            try:
                return method(self, *args, **kwargs)
            except sqlite.FAULTS as error:
                raise StateUnavailable(
                    f"the index in {self.config.dir} cannot be rebuilt ({error}): free some space, then delete it."
                ) from error

    return call


class Memem:
    """The product as an object: build it once per process, close it at the end."""

    def __init__(self, config: Config | None = None, folder: str = "", environ: Mapping[str, str] = os.environ) -> None:
        self.config = config or load(environ)
        self.folder = folder or environ.get("CLAUDE_PROJECT_DIR") or _working_folder()
        self.session = environ.get("CLAUDE_CODE_SESSION_ID", "")
        self.degraded: list[str] = []
        self._lock = threading.RLock()
        self._synced_at = float("-inf")
        self.index = self._open_index()
        self.state = self._open_state()
        self.vault = self._open_vault()

    def close(self) -> None:
        """Release the databases."""
        with self._lock:
            self.index.close()
            if self.state:
                self.state.close()

    # Writing

    @_verb
    def save(self, draft: Draft, scope: str = "", *, dry_run: bool = False) -> Outcome:
        """Offer a draft to the write gate, in the named scope or the project here.

        Raises:
            BadInput, NotFound, VaultUnavailable, NotReady: see `Gate.ingest`.
        """
        self._freshen()
        draft = draft.replace(source_session=draft.source_session or self.session)
        return self._gate().ingest(draft, self.scope(scope), dry_run=dry_run)

    @_verb
    def sync(self) -> Synced:
        """Bring the index up to date with the vault, and the vault with what waits in the spool.

        Raises:
            VaultUnavailable: the vault is not there; the index stays as it is.
        """
        if not self.index.current:
            self.index.close()
            self.index = self._open_index()
        self.vault = self._open_vault()
        if not self.vault.exists():
            open_vault(self.config.memory_root, self.config.dir)  # says what is wrong
        done = sync(self.vault, self.index)
        self._keep_tombstones(done)
        self._remember_root_commit()
        self._replay()
        self.vault.sweep()
        self._synced_at = time.monotonic()
        self.degraded = [reason for reason in self.degraded if not reason.startswith("the index in")]
        return done

    @_verb
    def rebuild(self) -> Synced:
        """Build the index anew from the vault."""
        self._replace_index(None)
        return self.sync()

    # Reading

    @_verb
    def conflicts(self) -> list[Conflict]:
        """Notes that need a human's decision: several versions of one memory, and notes that cannot be read well."""
        self._freshen()
        return find_conflicts(self.index)

    def human_owned(self, memory: Memory) -> bool:
        """Whether a human wrote or edited the note: automation may then supersede it visibly, never rewrite it."""
        left = self.state.written(memory.id) if self.state else ""
        return not left or all(entry.hash != left for entry in self.index.entries_of(memory.id))

    @_verb
    def search(self, text: str, limit: int = 10, scope: str = "", *, strict: bool = False) -> Slice:
        """Memories about a text, all layers; those of the scope first, or only those with `strict`."""
        self._freshen()
        query = Query(text=_question(text), scope=self.scope(scope), limit=_bounded(limit, 50), strict=strict)
        return slices.for_search(self.index, query).replace(warnings=self.warnings())

    @_verb
    def get(self, ids: Sequence[str]) -> tuple[list[Memory], list[str]]:
        """Memories by id or unique prefix of at least 8 characters, and the names that nothing was found for."""
        self._freshen()
        found: list[Memory] = []
        missing: list[str] = []
        for name in dict.fromkeys(part.strip().strip("[]") for part in ids):
            matches = [item.memory for item in self.index.by_prefix(name)] if len(name) >= _SHORTEST_ID else []
            if not matches and len(name) >= _SHORTEST_ID:
                matches = [memory for memory in self._spool().waiting() if memory.id.startswith(name.lower())]
            found += matches
            missing += [] if matches else [name]
        return found, missing

    @_verb
    def timeline(self, name: str, before: int = 5, after: int = 5) -> Timeline:
        """A memory's neighbours in time within its project.

        Raises:
            NotFound: no memory has that id.
        """
        memories, missing = self.get([name])
        if missing:
            raise NotFound(f"no memory {name!r}; give at least {_SHORTEST_ID} characters of its id (memory_search).")
        anchor = memories[0]
        same = [
            item.memory for item in self.index.notes("project = ? AND id != ''", (anchor.project,), order="created, id")
        ]
        at = next(number for number, memory in enumerate(same) if memory.id == anchor.id)
        ties = (*anchor.related, *anchor.supersedes, anchor.replaced_by)
        linked, _ = self.get([tie for tie in ties if tie])
        return Timeline(
            anchor=anchor,
            before=tuple(same[max(at - before, 0) : at]),
            after=tuple(same[at + 1 : at + 1 + after]),
            linked=tuple(linked),
        )

    @_verb
    def slice(
        self,
        text: str,
        scope: str = "",
        *,
        paths: Sequence[str] = (),
        folder: str = "",
        limit: int = 10,
        strict: bool = False,
    ) -> Slice:
        """The Active Memory Slice for a question: identity pinned, then what matches."""
        self._freshen()
        query = Query(
            text=_question(text),
            scope=self.scope(scope, folder),
            paths=tuple(path for path in paths if path),
            session=self.session,
            limit=_bounded(limit, 50),
            strict=strict,
        )
        return slices.for_question(self.index, query).replace(warnings=self.warnings())

    @_verb
    def volunteered(self, prompt: str, scope: str = "") -> Slice:
        """What the prompt hook would inject for a prompt into a session that has seen nothing."""
        self._freshen()
        query = Query(
            text=prompt, scope=self.scope(scope), limit=self.config.prompt_limit, budget=self.config.prompt_budget
        )
        return slices.for_prompt(self.index, query, self.config.memory_root, dict)

    @_verb
    def session_start(self, scope: str = "") -> Slice:
        """What the session start hook would inject."""
        self._freshen()
        query = Query(
            text="",
            scope=self.scope(scope),
            limit=self.config.session_start_limit,
            budget=self.config.session_start_budget,
        )
        return slices.for_session(self.index, query, self.config.memory_root)

    @_verb
    def memories(self, scope: str = "", *, history: bool = False) -> list[Candidate]:
        """The memories of a scope, or with `scope="*"` of all; live ones only unless `history`."""
        self._freshen()
        wanted = None if scope == "*" else self.scope(scope)
        return [
            item
            for item in self.index.notes(order="project, layer, created, id")
            if item.memory.id
            and (history or item.memory.live)
            and (wanted is None or wanted.holds(item.memory.project))
        ]

    def scope(self, name: str = "", folder: str = "") -> Scope:
        """The scope of that name, or of a folder, or of the project this process runs in."""
        name = one_line(clean(name))
        here = scope_at(folder or self.folder, self.config.project_aliases, self.index.root_commit)
        return scope_named(name, here, self.config.project_aliases) if name else here

    def warnings(self) -> tuple[str, ...]:
        """What keeps memem from working as it should, for answers that people and agents read."""
        waiting = len(self._spool_files())
        spooled = [f"{waiting} saves wait for the vault in {self.config.state_path('spool')}"] if waiting else []
        return (*self.degraded, *spooled)

    # Wiring

    def _open_index(self) -> IndexWriter:
        try:
            folder = Path(self.config.dir)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            before = set(folder.glob(DAMAGED))
            index = open_writer(self.config.dir)
            for aside in set(folder.glob(DAMAGED)) - before:
                self.degraded.append(f"the index was damaged and rebuilt; the old one is {aside}.")
            return index
        except (OSError, *sqlite.FAULTS) as error:
            self.degraded.append(
                f"the state folder {self.config.dir} cannot be written ({error}): memem reads the vault anew in each "
                "process and remembers nothing about sessions. Fix its permissions, or set MEMEM_DIR."
            )
            return memory_index()

    def _open_vault(self) -> Vault:
        self.degraded = [reason for reason in self.degraded if not reason.startswith("the vault")]
        try:
            return open_vault(self.config.memory_root, self.config.dir)
        except VaultUnavailable as error:
            self.degraded.append(str(error))
            return Vault(self.config.memory_root)

    def _replace_index(self, error: Exception | None) -> None:
        in_file, current = self.index.in_file, self.index.current
        self.index.close()
        if in_file and current:
            aside = move_aside(self.config.dir)
            if error is None:
                aside.unlink(missing_ok=True)
            else:
                self.degraded.append(f"the index was damaged ({error}) and rebuilt; the old one is {aside}.")
        self.index = self._open_index()
        self._synced_at = float("-inf")

    def _freshen(self) -> None:
        """Sync unless that was a moment ago. What is away or busy leaves the index as the last good copy."""
        if time.monotonic() - self._synced_at < _FRESH_SECONDS:
            return
        try:
            self.sync()
        except (VaultUnavailable, StateUnavailable) as error:
            if str(error) not in self.degraded:
                self.degraded.append(str(error))

    def _open_state(self) -> State | None:
        try:
            return open_state(self.config.dir)
        except MememError as error:
            if self.index.in_file:  # otherwise the state folder as a whole is unusable, and that was told
                self.degraded.append(str(error))
            return None

    def _keep_tombstones(self, done: Synced) -> None:
        """Remember what a human deleted, so that automation does not bring it back; forget what a human restored."""
        if self.state is None:
            return
        from memem.ingest.gate import text_key

        with contextlib.suppress(sqlite.Error):
            if done.gone:
                self.state.bury({memory.id: text_key(memory.body) for memory in done.gone}, time.time())
            back = [memory for memory in self.state.buried_ids() if self.index.by_prefix(memory)]
            if back:
                self.state.unbury(back)

    def _replay(self) -> None:
        if not self._spool_files():
            return
        self._gate().replay()

    def _gate(self) -> Gate:
        from memem.ingest.gate import Gate

        return Gate(self.vault, self.index, self._spool(), self.state)

    def _spool(self) -> Spool:
        return Spool(self.config.state_path("spool"))

    def _spool_files(self) -> list[Path]:
        return list(Path(self.config.state_path("spool")).glob("*.md"))

    def _remember_root_commit(self) -> None:
        checkout = find_checkout(os.path.realpath(self.folder)) if self.folder else None
        if checkout and not self.index.root_commit(checkout.common):
            commit = _root_commit(checkout.top)
            if commit:
                self.index.remember_root_commit(checkout.common, commit)


def _root_commit(folder: str) -> str:
    """The id of a repository's first commit (12 digits), or nothing before there is one."""
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


def _question(text: str) -> str:
    if not text.strip():
        raise BadInput("the query is empty: say what you are looking for.")
    return text[:2000]


def _bounded(limit: int, most: int) -> int:
    if not 1 <= limit <= most:
        raise BadInput(f"limit must be between 1 and {most}.")
    return limit
