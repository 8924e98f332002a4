"""Memem: every verb of the product as one method. All surfaces call this facade; only the hook reads below it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from memem.active import ActiveSlice, Task
from memem.dates import end_of, named
from memem.errors import BadInput, NotFound, StateUnavailable, Unavailable, VaultUnavailable
from memem.models import GENERAL, SHORTEST_ID, Candidate, Draft, Imported, Memory, Outcome, Query, Scope, Slice
from memem.off import is_off
from memem.project import find_checkout
from memem.recall import slices
from memem.recall.paths import File
from memem.slicing import activated
from memem.state import helped
from memem.stores import PATIENT_SECONDS, Stores, verb
from memem.value import Value

if TYPE_CHECKING:  # what reads transcripts loads slowly, and a search needs none of it
    from memem.conflicts import Conflict
    from memem.sources.search import Found
    from memem.transcripts.archive import Grown

_MOST_PASSAGES = 5


class Timeline(Value):
    """A memory among its neighbours: earlier and later ones of its project, oldest first, and those it links to."""

    anchor: Memory
    before: tuple[Memory, ...]
    after: tuple[Memory, ...]
    linked: tuple[Memory, ...]


class Memem(Stores):
    """The product as an object: build it once per process, close it at the end."""

    # Writing

    @verb
    def save(self, draft: Draft, scope: str = "", *, dry_run: bool = False) -> Outcome:
        """Offer a draft to the write gate, in the named scope or the project here.

        Raises:
            BadInput, NotFound, VaultUnavailable, NotReady: see `Gate.ingest`.
        """
        self.freshen()
        draft = draft.replace(source_session=draft.source_session or self.session)
        if (self.config.session_off and not dry_run) or is_off(self.config.dir, draft.source_session):
            raise BadInput("memem is off for this session, nothing was saved: memem off --undo takes that back.")
        return self.gate().ingest(draft, self.scope(scope), dry_run=dry_run)

    def import_from(
        self, path: str, scope: str = "", *, roots: Sequence[str] = (), dry_run: bool = True
    ) -> Iterator[Imported]:
        """Offer the texts of a file or folder to the write gate, one after the other; by default only to see.

        What an imported text says otherwise than a memory stands beside it and names it. Only what lies below the home
        folder, the project or `roots` is read; the vault's own notes and the state folder are left out.

        Raises:
            BadInput, NotFound: see `imports.allowed` and `imports.read`.
        """
        from memem.ingest import imports

        home = self.environ.get("HOME", "")
        start = imports.allowed(path, [folder for folder in (home, self.folder, *roots) if folder.strip("/")])
        own = (self.config.memory_root, self.config.dir)
        if any(f"{start}/".startswith(f"{Path(folder).resolve()}/") for folder in own):
            raise BadInput(f"{start} is memem's own: its notes are in the vault already.")
        # All is read before anything is written: too much is refused as a whole.
        place = "" if dry_run else f"imported from {start.name}"
        for found in list(imports.read(start, own, lambda text: self.redactor(text, place))):
            if isinstance(found, imports.Skipped):
                yield Imported(file=found.file, reason=found.reason)
            else:
                yield self._import(found.file, found.draft, scope, dry_run, found.redacted)

    @verb
    def _import(self, file: str, draft: Draft, scope: str, dry_run: bool, redacted: Sequence[str]) -> Imported:
        self.freshen()
        try:
            outcome = self.gate().ingest(draft, self.scope(scope), dry_run=dry_run, most=0)
        except BadInput as error:
            return Imported(file=file, reason=str(error))
        redacted = tuple(dict.fromkeys((*redacted, *outcome.redacted)))
        return Imported(file=file, outcome=outcome.replace(redacted=redacted))

    # Reading

    @verb
    def conflicts(self) -> list[Conflict]:
        """Notes that need a human's decision: several versions of one memory, and notes that cannot be read well."""
        from memem.conflicts import find_conflicts

        self.freshen()
        return find_conflicts(self.index)

    @verb
    def search(self, text: str, limit: int = 10, scope: str = "", *, strict: bool = False, as_of: str = "") -> Slice:
        """Memories about a text, all layers; those of the scope first, or only those with `strict`.

        With `as_of` (a date or time, ISO 8601) what was valid then, whatever became of it.
        """
        self.freshen()
        query = Query(text=_question(text), scope=self.scope(scope), limit=_bounded(limit, 50), strict=strict)
        query = query.replace(at=end_of(as_of) if as_of else "", when=named(text, datetime.now(UTC).date()))
        return slices.for_search(self.index, query, self._uses).replace(warnings=self.warnings())

    def _uses(self, ids: Sequence[str]) -> Mapping[str, int]:
        return helped.uses(self.state.connection, ids) if self.state else {}

    @verb
    def get(self, ids: Sequence[str]) -> tuple[list[Memory], list[str]]:
        """Memories by id or its beginning of at least 8 characters, and the names that nothing was found for."""
        self.freshen()
        names = list(dict.fromkeys(part.strip().strip("[]") for part in ids))
        if self._left and not all(map(self._named, names)):  # it may be in what the index does not hold yet
            with contextlib.suppress(VaultUnavailable, StateUnavailable):
                self.sync(seconds=PATIENT_SECONDS)
        found = {name: self._named(name) for name in names}
        return [memory for matches in found.values() for memory in matches], [name for name in names if not found[name]]

    def _named(self, name: str) -> list[Memory]:
        """The memories whose id it is or begins, in the index or else in the spool."""
        found = [item.memory for item in self.index.named(name)]
        if found or len(name) < SHORTEST_ID:
            return found
        return [memory for memory in self._spool().waiting() if memory.id.startswith(name.lower())]

    @verb
    def timeline(self, name: str, before: int = 5, after: int = 5) -> Timeline:
        """A memory's neighbours in time within its project.

        Raises:
            NotFound: no memory has that id.
        """
        memories, missing = self.get([name])
        if missing:
            unknown = f"no memory {name!r}; give at least {SHORTEST_ID} characters of its id, as a search shows."
            raise NotFound(" ".join((unknown, *self.degraded)))
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

    def slice(self, task: Task, writeback: str = "") -> ActiveSlice:
        """The Active Memory Slice for a task; `writeback` is "", "preview" or "commit", see `ingest.deltas`.

        Raises:
            BadInput: a field of the task is out of bounds.
        """
        text = _question(task.text)
        _bounded(task.limit, 50)
        said = self.transcripts(text, _MOST_PASSAGES, task.scope).passages if task.transcripts else ()
        judge = None
        if task.judge:
            from memem import judge as judges

            judge = partial(judges.judge, self)
        return activated(self, task.replace(text=text), said, writeback, judge)

    @verb
    def volunteered(self, prompt: str, scope: str = "") -> Slice:
        """What the prompt hook would inject for a prompt into a session that has seen nothing."""
        self.freshen()
        query = Query(
            text=prompt,
            scope=self.scope(scope),
            limit=self.config.prompt_limit,
            budget=self.config.prompt_budget,
            today=_today(),
        )
        return slices.for_prompt(self.index, query, self.config.memory_root, lambda _: {})

    @verb
    def session_start(self, scope: str = "") -> Slice:
        """What the session start hook would inject."""
        self.freshen()
        query = Query(
            text="",
            scope=self.scope(scope),
            limit=self.config.session_start_limit,
            budget=self.config.session_start_budget,
            today=_today(),
        )
        stood = self.state.stood(query.scope.id)[1] if self.state else []
        told = self.state.told(query.scope.id) if self.state else {}
        return slices.for_session(self.index, query, self.config.memory_root, stood, told)

    @verb
    def memories(self, scope: str = "", *, history: bool = False, path: str = "") -> list[Candidate]:
        """The memories of a scope, or with `scope="*"` of all; live ones only unless `history`.

        With `path` only those whose globs concern that file, closest first.
        """
        self.freshen()
        wanted = None if scope == "*" else self.scope(scope)
        if path:
            return self._concerning(path, self.memories(scope, history=history))
        return [
            item
            for item in self.index.notes(order="project, layer, created, id")
            if item.memory.id
            and (history or item.memory.live)
            and (wanted is None or wanted.holds(item.memory.project))
        ]

    def _concerning(self, path: str, found: list[Candidate]) -> list[Candidate]:
        folder = find_checkout(os.path.realpath(self.folder)) if self.folder else None
        below = path.removeprefix(f"{folder.top}/" if folder else f"{self.folder}/").removeprefix("./").strip("/")
        file = File([below])
        close = {item.row: file.closeness(item.memory.paths) for item in found}
        return sorted((item for item in found if close[item.row]), key=lambda item: -close[item.row])

    # Sessions

    def transcripts(
        self,
        text: str,
        limit: int = 5,
        scope: str = "",
        *,
        everywhere: bool = False,
        by_session: bool = False,
        newest: bool = False,
    ) -> Found:
        """Places in the scope's sessions, or in all, that hold the words; secrets are removed.

        `by_session` answers one place of each session, the sessions ranked as a whole, `newest` the latest sooner.
        What is archived is found by its index, the rest by a scan. No verb: a scan takes seconds, others need not wait.
        """
        from memem.transcripts.archive import open_archive
        from memem.transcripts.search import search as search_sessions
        from memem.transcripts.turns import Order

        question, limit = _question(text), _bounded(limit, 20)
        here = self._scope_of(scope, "")

        @cache
        def belongs(folder: str) -> bool:
            there = self._scope_of("", folder or "/")
            if GENERAL in (here.id, there.id):
                return here.id == there.id
            # Folders that are gone are known by their name only; other repositories of that name are not meant.
            known = there.id in here.names or there.id.removeprefix("local:") in here.names
            return known or (bool(scope) and here.id in there.names)

        source = self.source()
        with contextlib.ExitStack() as stack:
            archive = open_archive(self.config.dir, source)
            if archive:
                stack.callback(archive.close)
            found = search_sessions(
                archive,
                source,
                self.config.session_dirs,
                question,
                belongs=(lambda _: True) if everywhere else belongs,
                remembered=lambda project: project in here.names and project != GENERAL,
                redact=self.without_secrets,
                limit=limit,
                order=Order(by_session=by_session, newest=newest),
            )
        return found.replace(passages=tuple(one for one in found.passages if not is_off(self.config.dir, one.session)))

    def archive(
        self, paths: Sequence[str], *, opted_in: bool, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Grown]:
        """Archive what transcripts (files or folders) hold beyond what is archived of them, one after the other.

        A path that is gone or cannot be read is told as such. Afterwards the archive is within its retention.

        Raises:
            BadInput: the user did not opt in.
            StateUnavailable, NotReady: see `Archive.grow`.
        """
        if not opted_in:
            raise BadInput("sessions are archived only when you opted in: start the miner, which asks.")
        from memem.sources.claude_code import transcripts
        from memem.transcripts.archive import Archive, Grown

        source = self.source()
        with contextlib.closing(Archive(self.config.dir, source, self._project_of)) as archive:
            # A file that is gone is passed on, so that it is told; a folder that is gone holds nothing.
            found = (path for name in paths for path in (transcripts(name) if Path(name).is_dir() else [Path(name)]))
            for path in dict.fromkeys(found):
                if stop():
                    return
                if source.excludes(path):
                    continue
                try:
                    yield archive.grow(
                        path, redact=partial(self.without_secrets, place=f"session {path.stem}"), stop=stop
                    )
                except StateUnavailable:
                    raise
                except Unavailable as error:
                    yield Grown(path=str(path), problem=str(error))
            archive.prune(self.config.archive_days, stop)

    @verb
    def _scope_of(self, name: str, folder: str) -> Scope:
        return self.scope(name, folder)

    def without_secrets(self, text: str, place: str = "") -> str:
        return self.redactor(text, place).text

    def _project_of(self, folder: str) -> str:
        """What a folder belongs to, if it is there to tell."""
        return self._scope_of("", folder).id if Path(folder).is_dir() else ""


def _question(text: str) -> str:
    if not text.strip():
        raise BadInput("the query is empty: say what you are looking for.")
    return text[:2000]


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _bounded(limit: int, most: int) -> int:
    if not 1 <= limit <= most:
        raise BadInput(f"limit must be between 1 and {most}.")
    return limit
