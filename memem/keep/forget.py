"""`memem forget`: memories and what was said in sessions taken out of everything that memem keeps, for good.

First it is remembered, as hashes, that this is forgotten; then it goes from the notes, and only then from what is
derived of them, so that whatever runs meanwhile brings nothing back. Claude Code's own transcripts are not memem's:
they are named, never touched, and never read again where they were forgotten, whether they were archived before or not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from memem import sqlite
from memem.app import Memem
from memem.errors import BadInput, MememError, NotFound, StateUnavailable, Unavailable, VaultUnavailable
from memem.index.reader import index_folder
from memem.index.schema import FILE_NAME as INDEX_FILE
from memem.index.writer import DAMAGED
from memem.ingest.gate import text_key
from memem.ingest.grown import grow
from memem.keep.backup import made_here
from memem.keep.meant import meant
from memem.keep.undo import keep_ownership
from memem.mining import playbooks
from memem.models import SHORTEST_ID, Candidate, Memory
from memem.project import find_checkout
from memem.sources.claude_code import listed
from memem.sources.events import Event, record_of
from memem.state.changes import Changes
from memem.state.forgotten import MEMORY, RECORD, SESSION, TEXT, Forgotten
from memem.state.purging import purge_copies, purge_logs, purge_rows
from memem.text import one_line, terms
from memem.transcripts.archive import Archive
from memem.transcripts.dropping import archived, drop
from memem.transcripts.members import Header
from memem.value import Value
from memem.vault import note
from memem.vault.note import content_hash

_NOT_SEARCHED = ("env", "pycache", "backups", "demo")
_MOST_READ = 2_000_000_000
_OPENING, _SHORTEST_OPENING = 60, 20


class Wish(Value):
    """What is to be forgotten: everything that fits all that is given. Dates are days in UTC, both inclusive."""

    ids: tuple[str, ...] = ()
    query: str = ""  # memories and archived words of sessions that hold every word of it
    session: str = ""
    since: str = ""
    until: str = ""
    origin: str = ""  # source or trust of a memory: user, agent, mined, import, tool, web …

    @property
    def whole_session(self) -> bool:
        """Whether a session is to go as such, and not only something in it."""
        return bool(self.session) and self == Wish(session=self.session)


class Plan(Value):
    """What goes, and what of it is not memem's to take away."""

    wish: Wish
    notes: tuple[Candidate, ...] = ()
    waiting: tuple[Memory, ...] = ()  # saves that have not reached the vault
    events: tuple[Event, ...] = ()  # of archived sessions
    mentions: tuple[str, ...] = ()  # other notes that link to one that goes, or quote it
    transcripts: tuple[str, ...] = ()  # the host's, which stay
    passages: tuple[str, ...] = ()  # records in these that are passed over from now on
    backups: tuple[str, ...] = ()  # made before, which stay
    by_hand: int = 0  # of the notes those that a human wrote or edited
    committed: bool = False  # the vault is in a git repository, whose history stays

    @property
    def each(self) -> tuple[Memory, ...]:
        """What goes; two notes may have one id."""
        return (*(item.memory for item in self.notes), *self.waiting)

    @property
    def memories(self) -> dict[str, Memory]:
        """What goes, by id."""
        return {memory.id: memory for memory in self.each}


def plan(memem: Memem, wish: Wish) -> Plan:
    """Look for everything that is meant; nothing is changed.

    Raises:
        BadInput: nothing is said, an id is too short or begins several, or a date is none.
        NotFound: an id is unknown, or nothing fits.
    """
    _check(wish)
    memem.sync()
    wish = wish.replace(ids=tuple(meant(memem, name) for name in wish.ids))
    known = (item for item in memem.index.notes(order="path") if item.memory.id)
    notes = tuple(item for item in known if _fits(wish, _whole(memem, item)))
    waiting = tuple(entry.memory for entry in memem._spool().entries() if _fits(wish, entry.memory))
    found = Plan(wish=wish, notes=notes, waiting=waiting)
    missing = [name for name in wish.ids if name not in found.memories]
    if missing:
        raise NotFound(f"no memory {', '.join(missing)} fits the rest; memem list --all --history shows ids.")
    events = tuple(archived(memem.config.dir, _gone(found)))
    said: dict[str, list[str]] = dict(_said(memem, found))
    if not (notes or waiting or events or said):
        raise NotFound("nothing fits, so nothing is forgotten: memem search and memem transcripts show what there is.")
    mentions = tuple(_mentions(memem, found))
    backups = tuple(made_here(memem.config))
    return found.replace(
        events=events,
        mentions=mentions,
        transcripts=tuple(said),
        passages=tuple(dict.fromkeys(record for records in said.values() for record in records)),
        backups=backups,
        by_hand=sum(memem.human_owned(item.memory) for item in notes),
        committed=bool(notes) and find_checkout(str(memem.vault.root)) is not None,
    )


def carry_out(memem: Memem, planned: Plan) -> list[str]:
    """Forget it; answers what could not be done, each with the next step. Done again, it finishes what was stopped.

    Raises:
        StateUnavailable: the state folder cannot be written, or is busy: some of it may be there still, retry.
        VaultUnavailable: a note cannot be deleted; nothing of what is derived was touched.
    """
    if memem._too_new:
        raise memem._too_new
    wish, forgotten = planned.wish, Forgotten(memem.config.dir)
    gone = _gone(planned)
    forgotten.add(_marks(planned))
    problems = [*_remove_notes(memem, planned), *_remove_mentions(memem, planned)]
    for memory in planned.waiting:
        memem._spool().remove(memory)
    memem.sync()
    _purge_index(memem)
    _purge_journal(memem, planned)
    archive = Archive(memem.config.dir, memem.source())
    try:
        drop(archive, gone, lambda session: wish.whole_session and session == wish.session)
    finally:
        archive.close()
    names = [*planned.memories, *([wish.session] if wish.whole_session else [])]
    purge_logs(memem.config.dir, planned.memories, names[len(planned.memories) :])
    if memem.state:
        try:
            purge_rows(memem.state, planned.memories, names[len(planned.memories) :])
        except sqlite.Error as error:
            raise StateUnavailable(f"the state is busy ({error}): forget once more in a moment.") from error
        purge_copies(memem.state, memem.config.dir)
    return [*problems, *leftovers(memem, planned)]


def leftovers(memem: Memem, planned: Plan) -> list[str]:
    """Files of the state folder that still hold an id or the beginning of a text that went: there should be none."""
    needles = [name.encode() for name in planned.memories if _stands_alone(memem, name)]
    lines = (memory.lesson.strip().partition("\n")[0][:_OPENING] for memory in planned.each)
    needles += [line.encode("utf-8", "replace") for line in lines if len(line) >= _SHORTEST_OPENING]
    found = []
    for folder, names, files in os.walk(memem.config.dir):
        names[:] = [name for name in names if name not in _NOT_SEARCHED]
        for path in (Path(folder, name) for name in files):
            try:
                if path.is_file() and path.stat().st_size < _MOST_READ and _holds(path, needles):
                    found.append(f"{path} still names it: look at it, and delete it if you do not need it")
            except OSError:
                continue
    return found


def _check(wish: Wish) -> None:
    if wish == Wish():
        raise BadInput("say what to forget: ids, --query, --session, --since, --until or --origin.")
    if wish.query and not terms(wish.query):
        raise BadInput("the query has no word to look for.")
    for day in (wish.since, wish.until):
        try:
            date.fromisoformat(day or "2000-01-01")
        except ValueError as error:
            raise BadInput(f"{day!r} is no day: write it as 2030-12-31.") from error


def _whole(memem: Memem, item: Candidate) -> Memory:
    """A memory with the secrets that a human wrote into its note, which the index does not know."""
    if "[REDACTED:" not in f"{item.memory.title}{item.memory.body}":
        return item.memory
    try:
        return note.parse(memem.vault.read(item.path), item.path).memory
    except OSError:
        return item.memory


def _fits(wish: Wish, memory: Memory) -> bool:
    """Whether a memory is meant."""
    if wish.ids and memory.id not in wish.ids:
        return False
    if wish.session and memory.source_session != wish.session:
        return False
    if wish.origin and wish.origin not in (memory.source_type, memory.trust):
        return False
    if not _within(wish, memory.created):
        return False
    said = " ".join((memory.title, memory.body, *memory.tags, *memory.keys, *memory.paths))
    return not wish.query or set(terms(wish.query)) <= set(terms(said))


def _within(wish: Wish, at: str) -> bool:
    if not (wish.since or wish.until):
        return True
    return bool(at) and (wish.since or at[:10]) <= at[:10] <= (wish.until or at[:10])


def _gone(planned: Plan) -> Callable[[Header, Event], bool]:
    """Tells of an archived event whether it is meant: a memory that goes was made of it or stands in it, or it fits."""
    wish = planned.wish
    evidence = frozenset(uuid for memory in planned.each for uuid in memory.evidence)
    words = set(terms(wish.query))
    openings = tuple(_opening(memory) for memory in planned.each)
    by_memory_only = bool(wish.ids or wish.origin)

    def gone(header: Header, event: Event) -> bool:
        if event.uuid in evidence:
            return True
        said = one_line(event.text).casefold()
        if any(opening in said for opening in openings if opening):
            return True
        if by_memory_only or (wish.session and wish.session not in (header.session, event.session)):
            return False
        return _within(wish, event.at) and (not words or words <= set(terms(event.text)))

    return gone


def _opening(memory: Memory) -> str:
    """How a lesson begins, where that is long enough to be told from other talk."""
    opening = one_line(memory.lesson).casefold()[:_OPENING]
    return opening if len(opening) >= _SHORTEST_OPENING else ""


def _marks(planned: Plan) -> Iterator[tuple[str, str]]:
    """What must not come back. Records only of what is known: a whole session is passed over as such."""
    for memory in planned.each:
        yield MEMORY, memory.id
        yield TEXT, text_key(memory.lesson)
        yield TEXT, text_key(memory.body)
        yield from ((RECORD, uuid) for uuid in memory.evidence)
    if planned.wish.whole_session:
        yield SESSION, planned.wish.session
    # Forks and resumed sessions repeat records under the same ids.
    yield from ((RECORD, record_of(event)) for event in planned.events)
    yield from ((RECORD, record) for record in planned.passages)


def _said(memem: Memem, found: Plan) -> Iterator[tuple[str, list[str]]]:
    """The host's transcripts in which something is meant, each with those records of it; none where all of it goes.

    What goes by its id or origin is looked for in the sessions that it was learned in, anything else everywhere.
    """
    wish, gone, source = found.wish, _gone(found), memem.source()
    sessions = {wish.session} if wish.session else {memory.source_session for memory in found.each}
    everywhere = not (wish.session or wish.ids or wish.origin)
    for path, about in (one for folder in memem.config.session_dirs for one in listed(folder)):
        of_session = sessions & {Path(path).stem, Path(path).parent.parent.name}
        if not (everywhere or of_session) or time.strftime("%Y-%m-%d", time.gmtime(about.st_mtime)) < wish.since:
            continue
        try:
            head = source.head(Path(path))
            if wish.whole_session:
                yield path, []
            elif not head.ours and not source.excludes(Path(path)):
                header = Header(source="", identity="", offset=0, session=head.session)
                read = (event for event in source.read(Path(path)) if gone(header, event))
                if records := list(dict.fromkeys(map(record_of, read))):
                    yield path, records
        except (NotFound, Unavailable):
            continue  # it went away, or nobody can read it, memem neither


def _mentions(memem: Memem, planned: Plan) -> Iterator[str]:
    """Other notes that name one that goes: by its id, or by a link."""
    going = {item.path for item in planned.notes}
    links = [f"[[{_stem(item.path)}" for item in planned.notes]
    for item in memem.index.notes(order="path"):
        memory = item.memory
        if item.path in going or not going:
            continue
        ties = {*memory.related, *memory.supersedes, *memory.contradicts, memory.replaced_by}
        if ties & planned.memories.keys() or any(link in _text(memem, item.path) for link in links):
            yield item.path


def _text(memem: Memem, path: str) -> str:
    try:
        return note.decode(memem.vault.whole(path))
    except OSError:
        return ""


def _remove_notes(memem: Memem, planned: Plan) -> Iterator[str]:
    for item in planned.notes:
        try:
            # The index knows the hash of what it has read, which of a huge note is the beginning.
            same = content_hash(memem.vault.read(item.path)) == item.hash
            whole = content_hash(memem.vault.whole(item.path))
            if not (same and memem.vault.remove(item.path, whole, cause=None)):
                yield f"{item.path} was changed in this moment and stays: look at it, and forget it once more"
        except (VaultUnavailable, OSError):
            if memem.vault.stat(item.path):
                raise  # or else another process was faster


def _remove_mentions(memem: Memem, planned: Plan) -> Iterator[str]:
    """Take what memem wrote about what is gone out of other notes; a human's own words stay and are told."""
    memem.sync()
    for project in {item.memory.project for item in planned.notes}:
        _regrow(memem, project)
    named = [(item.memory.id, _stem(item.path)) for item in planned.notes]
    for path in planned.mentions:
        try:
            seen, _ = memem.vault.edit(path, lambda data: _without(data, named))
            keep_ownership(memem, memem.vault.whole(path), instead_of=seen)
        except (MememError, OSError) as error:
            yield f"{path} names what was forgotten and cannot be changed: {error}"
            continue
        if any(f"[[{stem}" in _text(memem, path) for _, stem in named):
            yield f"{path} still links to what was forgotten, in words of yours: change it by hand"


def _regrow(memem: Memem, project: str) -> None:
    """Let the playbook of a project, if it has one, tell what is left."""
    path, memory = playbooks.playbook(project, time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()))
    if memem.vault.stat(path) or memem.index.by_prefix(memory.id):
        part = playbooks.playbook_part([item for item in memem.index.notes() if item.memory.project == project])
        grow(memem.vault, memem.index, memem.state, path, memory, lambda _: part, memem.redactor)


def _without(data: bytes, named: list[tuple[str, str]]) -> bytes:
    for name, stem in named:
        data = note.without(data, name, stem)
    return data


def _purge_index(memem: Memem) -> None:
    """Leave nothing in the index's file of the rows that went with the sync."""
    folder = Path(index_folder(memem.config.dir, memem.config.cache_dir))
    for aside in (*folder.glob(DAMAGED), *folder.glob("index-v*.db*")):
        if not aside.name.startswith(INDEX_FILE) or ".damaged-" in aside.name:
            aside.unlink(missing_ok=True)
    if not memem.index.in_file:
        return
    try:
        memem.index.connection.execute("INSERT INTO terms (terms) VALUES ('optimize')")
        if sqlite.leave_nothing(memem.index.connection):
            return
    except sqlite.Error as error:
        raise StateUnavailable(f"the index is busy or full ({error}): forget once more in a moment.") from error
    raise StateUnavailable("another process reads the index: forget once more in a moment.")


def _stands_alone(memem: Memem, name: str) -> bool:
    """Whether an id that went, or its beginning, is found in nothing else, no word and no other id."""
    return len(name) >= SHORTEST_ID and not memem.index.by_prefix(name)


def _purge_journal(memem: Memem, planned: Plan) -> None:
    """Take out of the journal of changes whatever could bring a text back."""
    paths = {item.path for item in planned.notes}
    short = {name: name[:SHORTEST_ID] for name in planned.memories}
    ids = [(short[name] if _stands_alone(memem, short[name]) else f"id: {name}\n").encode() for name in short]
    journal = Changes(memem.config.dir)
    journal.drop(
        [
            change
            for change in journal.all()
            if change.path in paths
            or change.cause.removeprefix("undo ") in planned.memories
            or any(name in change.old or name in change.path.encode() for name in ids)
        ]
    )


def _holds(path: Path, needles: list[bytes]) -> bool:
    longest = max(map(len, needles), default=1)
    with path.open("rb") as file:
        before = b""
        while piece := file.read(1 << 22):
            window = before + piece
            if any(needle in window for needle in needles):
                return True
            before = window[-longest:]
    return False


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".md")
