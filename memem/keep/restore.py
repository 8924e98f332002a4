"""`memem restore`: a backup brought back, on this machine or another, into whatever vault is configured here.

What is here stays as it is. A note that is missing comes back; one that says something else here is put beside its
namesake as a conflict copy, which `memem conflicts` shows; what was forgotten on purpose stays forgotten.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from memem import off, sqlite
from memem.app import Memem
from memem.config import CONFIG_FILE
from memem.errors import Damaged, MememError, VaultUnavailable
from memem.keep.backup import ARCHIVE, FILES, SPOOL, STATE, VAULT
from memem.keep.bundle import MOST_NOTE, Bundle
from memem.models import SHORTEST_ID, Memory
from memem.sources.events import Event, record_of
from memem.state.changes import MOST
from memem.state.forgotten import FILE_NAME as FORGOTTEN
from memem.state.forgotten import MEMORY, RECORD, SESSION, Forgotten
from memem.state.merging import merge
from memem.state.store import FILE_NAME
from memem.transcripts import members
from memem.transcripts.archive import Archive
from memem.transcripts.dropping import drop
from memem.transcripts.members import Header
from memem.value import Value
from memem.vault import note
from memem.vault.store import Vault
from memem.vault.temporary import copy_of

NEW, SAME, BESIDE, KEPT, LEFT = "new", "same", "beside", "kept", "left out"
AUTOMATIC = ("mined", "grown")  # what memem wrote by itself
# Settings that name places of the machine they were made on.
_PLACES = ("vault", "cache_dir", "claude_dir", "extra_session_dirs")


class Step(Value):
    """What becomes of one file of a backup: `new`, `same`, `beside` (a copy next to what is there), `kept` or
    `left out`; `where` it goes, relative to the memem folder or the state folder; and why, where that needs saying."""

    name: str
    what: str
    where: str
    why: str = ""


class Plan(Value):
    """What a restore does, file by file."""

    path: str
    made: str
    steps: tuple[Step, ...]
    gone: tuple[tuple[str, str], ...] = ()  # id and file name of what was forgotten, which other notes may name
    cause: str | None = None  # by which the journal knows it as one deed

    @property
    def counts(self) -> dict[str, int]:
        """How many files there are of each kind."""
        return dict(Counter(step.what for step in self.steps))


def plan(memem: Memem, bundle: Bundle) -> Plan:
    """Check a backup as a whole and compare it with what is here; nothing is changed.

    Raises:
        Damaged: it is not as it was written.
        VaultUnavailable: the vault is not there.
    """
    bundle.check()
    memem.sync()
    forgotten = Forgotten(memem.config.dir)
    gone = tuple(_gone(bundle, forgotten)) if Path(memem.config.dir, FORGOTTEN).exists() else ()
    steps = [*_notes(memem, bundle, forgotten, gone), *_state(memem, bundle), *_archive(memem, bundle, forgotten)]
    return Plan(path=str(bundle.path), made=str(bundle.facts.get("made", ""))[:40], steps=tuple(steps), gone=gone)


def carry_out(memem: Memem, bundle: Bundle, planned: Plan) -> dict[str, int]:
    """Do what was planned: the notes first, then what is known beside them. Done twice, it adds nothing.

    Answers how many rows of the state are new, by table.

    Raises:
        VaultUnavailable, StateUnavailable: there is no space; what is back stays, and the next try goes on.
    """
    if memem._too_new:
        raise memem._too_new
    # One deed, to be undone as one; where the journal could hold only a part of it, none.
    whole = sum(planned.counts.get(what, 0) for what in (NEW, BESIDE)) <= MOST // 2
    planned = planned.replace(cause=f"restore of {planned.made} at {time.time_ns()}" if whole else None)
    for step in planned.steps:
        if step.what in (NEW, BESIDE):
            _PUT[step.name.partition("/")[0]](memem, bundle, step, planned)
    merged = _merged(memem, bundle)
    if any(step.name.startswith(ARCHIVE) and step.what == NEW for step in planned.steps):
        _forget_again(memem)
    memem.sync()
    return merged


def _forget_again(memem: Memem) -> None:
    """Take out of the archive that is back what was forgotten since; and bring its index up to date."""
    forgotten = Forgotten(memem.config.dir)

    def gone(header: Header, event: Event) -> bool:
        names = (header.session, event.session)
        return forgotten.holds(RECORD, record_of(event)) or any(forgotten.holds(SESSION, name) for name in names)

    archive = Archive(memem.config.dir)
    try:
        drop(archive, gone, lambda session: forgotten.holds(SESSION, session))
    finally:
        archive.close()


def _gone(bundle: Bundle, forgotten: Forgotten) -> Iterator[tuple[str, str]]:
    """Id and file name of the notes in a backup that were forgotten since."""
    for name, entry in bundle.entries.items():
        if name.startswith(VAULT) and name.endswith(".md") and entry.size <= MOST_NOTE:
            memory = note.parse(bundle.read(name), name).memory
            if memory.id and _is_forgotten(forgotten, memory):
                yield memory.id, name.rpartition("/")[2].removesuffix(".md")


def _without(data: bytes, gone: tuple[tuple[str, str], ...]) -> bytes:
    """A note without what memem wrote into it about what is gone: ties, links, and lines of a playbook."""
    for name, stem in gone:
        data = note.without(data, name, stem)
        link = f"[[{stem}|{name[:SHORTEST_ID]}]]".encode()
        if link in data:
            data = b"".join(line for line in data.splitlines(keepends=True) if not line.rstrip().endswith(link))
    return data


def _notes(memem: Memem, bundle: Bundle, forgotten: Forgotten, gone: tuple[tuple[str, str], ...]) -> Iterator[Step]:
    places: dict[str, list[str]] = {}
    for item in memem.index.notes(order="path"):
        places.setdefault(item.memory.id, []).append(item.path)
    waiting = {entry.memory.id for entry in memem._spool().entries()}
    buried = set(memem.state.buried_ids()) if memem.state else set()
    for name, entry in bundle.entries.items():
        folder = next((folder for folder in (VAULT, SPOOL) if name.startswith(folder)), "")
        if not folder:
            continue
        inside = name.removeprefix(folder)
        if entry.size > MOST_NOTE or (folder == SPOOL and ("/" in inside or not inside.endswith(".md"))):
            yield Step(name=name, what=LEFT, where=inside, why="is nothing that memem writes there")
            continue
        data = bundle.read(name)
        memory = note.parse(data, inside).memory if inside.endswith(".md") else None
        if memory and _is_forgotten(forgotten, memory):
            yield Step(name=name, what=LEFT, where=inside, why="was forgotten on purpose")
        elif folder == SPOOL:
            known = memory is None or memory.id in places or memory.id in waiting
            yield Step(name=name, what=SAME if known else NEW, where=inside)
        else:
            data = _without(data, gone) if memory else data
            yield _note(memem.vault, name, inside, data, places.get(memory.id, []) if memory else [], memory, buried)


def _note(
    vault: Vault, name: str, inside: str, data: bytes, known: list[str], memory: Memory | None, buried: set[str]
) -> Step:
    """What becomes of one note: compared with the file of its name, then with the files of its id."""
    if _leads_out(vault.root, inside):
        return Step(name=name, what=LEFT, where=inside, why="its folder is a link here")
    for path in dict.fromkeys([inside, *known]):
        if _is_there(vault, path):
            if _holds(vault, path, data):
                return Step(name=name, what=SAME, where=path)
            if inside.endswith(".md"):
                return Step(name=name, what=BESIDE, where=path, why="says something else here, which stays")
            return Step(name=name, what=KEPT, where=path, why="is another file here")
    why = "you deleted it since" if memory and memory.id in buried else ""
    return Step(name=name, what=NEW, where=inside, why=why)


def _holds(vault: Vault, path: str, data: bytes) -> bool:
    """Whether a note, or a copy that an earlier restore put beside it, has these very bytes."""
    if _is(vault, path, data):
        return True
    target = vault.root / path
    copies = target.parent.glob(f"{_literal(target.stem)} (conflicted copy *.md")
    return any(_is(vault, copy.relative_to(vault.root).as_posix(), data) for copy in copies)


def _is(vault: Vault, path: str, data: bytes) -> bool:
    try:
        return vault.whole(path) == data
    except OSError:
        return False


def _literal(stem: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in stem)


def _is_there(vault: Vault, path: str) -> bool:
    return bool(vault.stat(path))


def _leads_out(root: Path, inside: str) -> bool:
    """Whether a folder on the way is a link, and would take a note out of the vault."""
    at = root
    for part in inside.split("/")[:-1]:
        at = at / part
        if at.is_symlink():
            return True
    return False


def _is_forgotten(forgotten: Forgotten, memory: Memory) -> bool:
    learned = memory.source_type in AUTOMATIC and forgotten.holds(SESSION, memory.source_session)
    return learned or forgotten.holds(MEMORY, memory.id)


def _state(memem: Memem, bundle: Bundle) -> Iterator[Step]:
    for name in sorted(name for name in bundle.entries if name.startswith(STATE)):
        inside = name.removeprefix(STATE)
        path = Path(memem.config.state_path(inside))
        if inside == FILE_NAME:
            yield Step(name=name, what=SAME, where=inside, why="what is missing here is taken in, row by row")
        elif inside == FORGOTTEN:
            yield Step(name=name, what=SAME, where=inside, why="what was forgotten then stays so")
        elif not _is_kept(inside) or bundle.entries[name].size > 2 * MOST_NOTE:
            yield Step(name=name, what=LEFT, where=inside, why="is nothing that memem keeps there")
        elif path.exists():
            same = path.stat().st_size == bundle.entries[name].size and _digest(path) == bundle.entries[name].sha256
            yield Step(name=name, what=SAME if same else KEPT, where=inside, why="" if same else "yours stays")
        else:
            yield Step(name=name, what=NEW, where=inside)


def _archive(memem: Memem, bundle: Bundle, forgotten: Forgotten) -> Iterator[Step]:
    for name in sorted(name for name in bundle.entries if name.startswith(ARCHIVE)):
        inside = name.removeprefix(ARCHIVE)
        stem = inside.removesuffix(members.SUFFIX)
        path = Path(memem.config.state_path(ARCHIVE), inside)
        if stem == inside or len(stem) != 32 or stem.strip("0123456789abcdef"):
            yield Step(name=name, what=LEFT, where=inside, why="is no archived session")
        elif path.exists():
            same = _digest(path) == bundle.entries[name].sha256
            yield Step(name=name, what=SAME if same else KEPT, where=inside, why="" if same else "yours stays")
        else:
            yield Step(name=name, what=NEW, where=inside)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put_note(memem: Memem, bundle: Bundle, step: Step, planned: Plan) -> None:
    target = memem.vault.root / step.where
    path = copy_of(target) if step.what == BESIDE else target
    data = bundle.read(step.name)
    data = _without(data, planned.gone) if step.name.endswith(".md") else data
    memem.vault.place(path.relative_to(memem.vault.root).as_posix(), data, planned.cause)


def _put_waiting(memem: Memem, bundle: Bundle, step: Step, _: Plan) -> None:
    memory = note.parse(bundle.read(step.name), step.where).memory
    memem._spool().keep(memory, VaultUnavailable("it waited for the vault when the backup was made."))


def _put_file(memem: Memem, bundle: Bundle, step: Step, _: Plan) -> None:
    data = bundle.read(step.name)
    if step.where == CONFIG_FILE:
        lines = data.decode("utf-8", "replace").splitlines(keepends=True)
        data = "".join(line for line in lines if line.partition("=")[0].strip() not in _PLACES).encode()
    path = Path(memem.config.state_path(step.where))
    path.parent.mkdir(mode=0o700, exist_ok=True)
    members.replace(path, data)


def _is_kept(inside: str) -> bool:
    """Whether memem keeps a file of that name in the state folder."""
    folder, _, name = inside.rpartition("/")
    return inside in (*FILES, CONFIG_FILE) or (folder == off.FOLDER and off.is_mark(name))


def _put_session(memem: Memem, bundle: Bundle, step: Step, _: Plan) -> None:
    folder = Path(memem.config.state_path(ARCHIVE))
    folder.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=memem.config.dir) as staged:
        path = Path(staged, step.where)
        _unpack(bundle, step.name, path)
        path.replace(folder / step.where)


_PUT = {"vault": _put_note, "spool": _put_waiting, "state": _put_file, "archive": _put_session}


def _merged(memem: Memem, bundle: Bundle) -> dict[str, int]:
    """Take in what the backup's state knows beside the notes; without it all notes are back all the same."""
    if STATE + FORGOTTEN in bundle.entries:
        lines = bundle.read(STATE + FORGOTTEN).decode("ascii", "replace").splitlines()
        Forgotten(memem.config.dir).add_lines(lines)
    if STATE + FILE_NAME not in bundle.entries or memem.state is None:
        return {}
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=memem.config.dir) as staged:
        _unpack(bundle, STATE + FILE_NAME, Path(staged, FILE_NAME))
        try:
            return merge(memem.state, staged, Forgotten(memem.config.dir).holds)
        except Damaged as error:
            memem.degraded.append(f"all notes are back, but {error}")
        except sqlite.Error as error:
            raise MememError(
                f"all notes are back; the state is busy ({error}): run memem restore once more."
            ) from error
    return {}


def _unpack(bundle: Bundle, name: str, target: Path) -> None:
    with target.open("xb") as file:
        target.chmod(0o600)
        for piece in bundle.pieces(name):
            file.write(piece)
