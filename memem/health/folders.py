"""Checks of what lies on disk: the state folder, the vault, the notes in it, and the saves that wait for it."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from memem.app import Memem
from memem.errors import Locked
from memem.health.check import DEGRADED, FAILING, OK, Check
from memem.index.reader import index_folder
from memem.models import Memory
from memem.settings import KEYS_FILE
from memem.state import copies
from memem.state.store import FILE_NAME
from memem.vault import note
from memem.vault.conflicts import git_at_work

_LEAST_FREE_BYTES = 50_000_000
_MOST_NAMED = 3
_MARK = "[REDACTED:"
_ELSEWHERE = (
    "they follow with MEMEM_OBSIDIAN_VAULT=THAT_VAULT memem sync; if that vault is this one by now, take the line "
    "waits_for_vault out of their files"
)


def state(memem: Memem) -> Check:
    """Whether the state folder can be written."""
    folder = memem.config.dir
    if not memem.index.in_file:
        fix = "fix its permissions, or set MEMEM_DIR to a folder of yours"
        return Check(name="state folder", level=DEGRADED, text=f"{folder} cannot be written", fix=fix)
    return Check(name="state folder", level=OK, text=folder)


def database(memem: Memem) -> Check:
    """Whether the index can lie in the state folder."""
    if not memem.shared_by:
        return Check(name="index", level=OK, text=f"{memem.index.size()} notes")
    where = index_folder(memem.config.dir, memem.config.cache_dir)
    kept = f"the index is kept in {where}" if where != memem.config.dir else "the index is slower there"
    fix = "set MEMEM_DIR to a folder on a local disk that no program syncs"
    return Check(
        name="index", level=DEGRADED, text=f"{memem.config.dir} is shared ({memem.shared_by}): {kept}", fix=fix
    )


def kept_state(memem: Memem) -> Check:
    """Whether the state database is well, and no damaged one was left beside it."""
    name, path = "state database", f"{memem.config.dir}/{FILE_NAME}"
    told = "; ".join(reason for reason in memem.degraded if FILE_NAME in reason)
    if copies.damaged(memem.config.dir):
        fix = f"move {path}* away, and a new one begins; memem restore takes in what a backup knows"
        return Check(name=name, level=FAILING, text=told or f"{path} is damaged", fix=fix)
    if told or memem.state is None:
        fix = "do what it says; meanwhile memem saves and recalls"
        return Check(name=name, level=DEGRADED, text=told or f"{path} cannot be used", fix=fix)
    return Check(name=name, level=OK, text=path)


def permissions(memem: Memem) -> Check:
    """Whether the state folder and the files in it are the owner's alone."""
    folder = Path(memem.config.dir)
    try:
        entries = [folder, *(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())]
        opened = [path for path in entries if path.stat().st_mode & 0o077]
    except OSError as error:
        fix = f"look at its permissions: ls -ld {folder}"
        return Check(name="permissions", level=DEGRADED, text=f"{folder}: {error.strerror}", fix=fix)
    if folder in opened or folder / KEYS_FILE in opened:
        path = folder if folder in opened else folder / KEYS_FILE
        fix = f"chmod go= {shlex.quote(str(path))}"
        return Check(name="permissions", level=DEGRADED, text=f"{path} is open to others", fix=fix)
    # A folder that is closed closes what is in it.
    return Check(name="permissions", level=OK, text="the state folder is yours alone")


def secrets(memem: Memem) -> Check:
    """Whether what was redacted can be sealed, and looked at."""
    from memem.ingest.sealed import SealedStore

    store = SealedStore(memem.config)
    try:
        store.check()
    except Locked as error:
        fix = "bring back what is missing or damaged; nothing new takes the place of it by itself"
        return Check(name="sealed secrets", level=FAILING, text=str(error), fix=fix)
    try:
        if store.where == "file":
            store.check_place()
    except Locked as error:
        fix = "memem config set secrets_key_file FILE; until then what is redacted is kept nowhere"
        return Check(name="sealed secrets", level=DEGRADED, text=str(error), fix=fix)
    kept = f"{len(store.items())} sealed" if store.where != "off" else "kept nowhere"
    return Check(name="sealed secrets", level=OK, text=kept)


def with_secrets(memem: Memem) -> list[str]:
    """The notes that hold a secret in plain text: the index knows them with more marks than they have themselves."""
    where = "instr(body, ?1) OR instr(title, ?1) OR instr(tags, ?1)"
    rows = memem.index.notes(where, (_MARK,), order="path")
    paths = []
    for item in rows:
        try:
            written = note.parse(memem.vault.read(item.path), item.path).memory
        except OSError:
            continue  # it is gone, or cannot be read, which another check says
        if _marks(item.memory) > _marks(written):
            paths.append(item.path)
    return paths


def _marks(memory: Memory) -> int:
    return sum(text.count(_MARK) for text in (memory.title, memory.body, *memory.tags))


def typed_secrets(memem: Memem) -> Check:
    """Which notes hold a secret in plain text, because a human typed it there: memem shows it nowhere, others can."""
    paths = with_secrets(memem)
    if not paths:
        return Check(name="secrets in notes", level=OK, text="none in plain text")
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    text = f"{len(paths)} in plain text, hidden from all that memem shows: {', '.join(paths[:_MOST_NAMED])}{more}"
    fix = "take it out of the note; or, at a terminal: memem secrets false-positive"
    return Check(name="secrets in notes", level=DEGRADED, text=text, fix=fix)


def space(memem: Memem) -> Check:
    """Whether the disks of the vault and the state folder have room."""
    short = []
    for folder in (str(memem.vault.root), memem.config.dir):
        try:
            free = shutil.disk_usage(folder).free
        except OSError:
            continue  # it is not there, which another check says
        if free < _LEAST_FREE_BYTES:
            short.append(f"{free // 1_000_000} MB free for {folder}")
    if short:
        return Check(name="space", level=DEGRADED, text="; ".join(short), fix="free some space; saves wait meanwhile")
    return Check(name="space", level=OK, text="enough for vault and state")


def vault(memem: Memem) -> Check:
    """Whether the vault is there and can be written."""
    root = memem.vault.root
    if not memem.vault.exists():
        fix = f"mount it, set MEMEM_OBSIDIAN_VAULT, or begin a new one: mkdir -p {root}"
        return Check(name="vault", level=FAILING, text=f"{root} is not there", fix=fix)
    git = git_at_work(str(root))
    if git:
        fix = "finish or abort it (or delete a stale .git/index.lock); saves wait in the spool meanwhile"
        return Check(name="vault", level=DEGRADED, text=f"a git {git} is under way in {root}", fix=fix)
    probe = root / f".memem-doctor-{os.getpid()}.tmp"
    try:
        try:
            probe.write_bytes(b"memem")
        finally:
            probe.unlink(missing_ok=True)  # a full disk makes the file and then has no room for what is in it
    except OSError as error:
        fix = "saves wait in the spool until it can be written: check permissions and space"
        return Check(name="vault", level=DEGRADED, text=f"{root}: {error.strerror}", fix=fix)
    return Check(name="vault", level=OK, text=str(root))


def notes(memem: Memem) -> Check:
    """Whether every note can be read and is there once."""
    found = memem.conflicts()
    if not found:
        return Check(name="notes", level=OK, text=f"{memem.index.size()} readable")
    listed = "; ".join(f"{conflict.paths[0]}: {conflict.what}" for conflict in found[:10])
    more = f" and {len(found) - 10} more" if len(found) > 10 else ""
    fix = "memem conflicts names the next step for each; memem leaves them as they are"
    return Check(name="notes", level=DEGRADED, text=f"{len(found)} need a look: {listed}{more}", fix=fix)


def spool(memem: Memem) -> Check:
    """Whether saves wait for the vault, or for another one."""
    waiting = [warning for warning in memem.warnings() if "saves wait" in warning]
    elsewhere = memem.waiting_elsewhere()
    fixes = ["they are replayed once the vault can be written"] if waiting else []
    fixes += [_ELSEWHERE] if elsewhere else []
    if fixes:
        return Check(name="spool", level=DEGRADED, text="; ".join([*waiting, *elsewhere]), fix="; ".join(fixes))
    return Check(name="spool", level=OK, text="empty")
