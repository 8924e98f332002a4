"""Health checks: one table for status, doctor and every other place that tells whether memem works."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from memem import __version__, sqlite
from memem.adopt import diagnosis
from memem.app import Memem
from memem.errors import MememError
from memem.index.reader import index_folder
from memem.published import left
from memem.transcripts.archive import sizes
from memem.value import Value
from memem.vault.conflicts import git_at_work

OK, DEGRADED, FAILING = "ok", "degraded", "failing"
VERDICTS = {OK: "HEALTHY", DEGRADED: "DEGRADED", FAILING: "FAILING"}
_LEAST_FREE_BYTES = 50_000_000
_RECENT_SECONDS = 86_400
_OUTCOME_BYTES = 2_000_000  # of the event log, from its end


class Check(Value):
    """The result of one check: what was found, and how to mend it."""

    name: str
    level: str
    text: str
    fix: str = ""


def run(memem: Memem) -> list[Check]:
    """All checks, after a sync, so that they tell of the vault as it is now."""
    try:
        memem.sync()
    except MememError:
        pass  # the checks say what is wrong
    return [check(memem) for check in CHECKS]


def verdict(checks: list[Check]) -> str:
    """The worst level among checks."""
    levels = {check.level for check in checks}
    return FAILING if FAILING in levels else DEGRADED if DEGRADED in levels else OK


def status(memem: Memem) -> dict[str, Any]:
    """Counts of memories, sizes, and outcomes of the hooks, for `memem status`."""
    memories = [item.memory for item in memem.memories("*", history=True)]
    live = [memory for memory in memories if memory.live]
    return {
        "version": __version__,
        "project": memem.scope().id,
        "memories": len(live),
        "history": len(memories) - len(live),
        "here": sum(memem.scope().holds(memory.project) for memory in live),
        "by_project": dict(Counter(memory.project for memory in live).most_common()),
        "by_kind": dict(Counter(memory.kind for memory in live).most_common()),
        "by_layer": {f"L{layer}": sum(memory.layer == layer for memory in live) for layer in range(4)},
        "vault": memem.config.memory_root,
        "state": memem.config.dir,
        "archive": sizes(memem.config.dir).as_dict(),
        "injection": memem.config.injection_mode,
        "outcomes": outcomes(memem.config.state_path("events.jsonl")),
        "unreadable": len(memem.index.problems()),
        "warnings": list(memem.warnings()),
    }


def outcomes(path: str) -> dict[str, int]:
    """What the hooks did, from the end of their log: prompts seen, served, and memories injected."""
    import json

    counted = {"sessions": 0, "prompts": 0, "served": 0, "injected": 0}
    try:
        with open(path, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - _OUTCOME_BYTES, 0))
            lines = file.read().splitlines()
    except OSError:
        return counted
    for line in lines:
        try:
            event = json.loads(line)
            kind, served = event["event"], int(event["served"])
        except (ValueError, KeyError, TypeError):
            continue  # cut off at the start, or another writer's
        if kind == "session":
            counted["sessions"] += 1
        elif kind == "prompt":
            counted["prompts"] += 1
            counted["served"] += served > 0
            counted["injected"] += served
    return counted


def _python(_: Memem) -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(name="python", level=OK, text=f"{version} at {sys.executable}")


def _dependencies(_: Memem) -> Check:
    missing = []
    for module in ("yaml", "rapidfuzz", "click", "detect_secrets", "rich", "watchdog"):
        try:
            __import__(module)
        except ImportError:
            missing.append(module)
    if missing:
        fix = "run bootstrap.sh setup in the plugin folder and read bootstrap.log in the state folder"
        return Check(name="dependencies", level=FAILING, text=f"missing: {', '.join(missing)}", fix=fix)
    return Check(name="dependencies", level=OK, text="all there")


def _search(_: Memem) -> Check:
    try:
        sqlite.connect(":memory:").execute("CREATE VIRTUAL TABLE probe USING fts5 (text)")
    except sqlite.Error as error:
        return Check(name="search", level=FAILING, text=f"SQLite has no FTS5 ({error})", fix="use another Python")
    return Check(name="search", level=OK, text="SQLite with FTS5")


def _state(memem: Memem) -> Check:
    folder = memem.config.dir
    if not memem.index.in_file:
        fix = "fix its permissions, or set MEMEM_DIR to a folder of yours"
        return Check(name="state folder", level=DEGRADED, text=f"{folder} cannot be written", fix=fix)
    mode = Path(folder).stat().st_mode & 0o077
    if mode:
        return Check(name="state folder", level=DEGRADED, text=f"{folder} is open to others", fix=f"chmod 700 {folder}")
    return Check(name="state folder", level=OK, text=folder)


def _database(memem: Memem) -> Check:
    if not memem.shared_by:
        return Check(name="index", level=OK, text=f"{memem.index.size()} notes")
    where = index_folder(memem.config.dir, memem.config.cache_dir)
    kept = f"the index is kept in {where}" if where != memem.config.dir else "the index is slower there"
    fix = "set MEMEM_DIR to a folder on a local disk that no program syncs"
    return Check(
        name="index", level=DEGRADED, text=f"{memem.config.dir} is shared ({memem.shared_by}): {kept}", fix=fix
    )


def _vault(memem: Memem) -> Check:
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
        probe.write_bytes(b"memem")
        probe.unlink()
    except OSError as error:
        fix = "saves wait in the spool until it can be written: check permissions and space"
        return Check(name="vault", level=DEGRADED, text=f"{root}: {error.strerror}", fix=fix)
    free = shutil.disk_usage(root).free
    if free < _LEAST_FREE_BYTES:
        return Check(name="vault", level=DEGRADED, text=f"{free // 1_000_000} MB free", fix="free some space")
    return Check(name="vault", level=OK, text=str(root))


def _notes(memem: Memem) -> Check:
    found = memem.conflicts()
    if not found:
        return Check(name="notes", level=OK, text=f"{memem.index.size()} readable")
    listed = "; ".join(f"{conflict.paths[0]}: {conflict.what}" for conflict in found[:10])
    more = f" and {len(found) - 10} more" if len(found) > 10 else ""
    fix = "memem conflicts names the next step for each; memem leaves them as they are"
    return Check(name="notes", level=DEGRADED, text=f"{len(found)} need a look: {listed}{more}", fix=fix)


def _spool(memem: Memem) -> Check:
    waiting = [warning for warning in memem.warnings() if "saves wait" in warning]
    if waiting:
        return Check(
            name="spool", level=DEGRADED, text=waiting[0], fix="they are replayed once the vault can be written"
        )
    return Check(name="spool", level=OK, text="empty")


def _hook(memem: Memem) -> Check:
    failures = Path(memem.config.state_path("hook-failures.log"))
    snapshot = Path(memem.config.state_path("hook.conf"))
    compiled = snapshot.read_text(encoding="utf-8", errors="replace") if snapshot.is_file() else ""
    interpreter = compiled.partition("\n")[0]
    if interpreter and not os.access(interpreter, os.X_OK):
        fix = "start a new session: the plugin's bootstrap finds another"
        return Check(name="hooks", level=DEGRADED, text=f"their Python {interpreter} is gone", fix=fix)
    recent = _recent_failures(failures)
    if recent:
        fix = f"report {failures} if it goes on; it holds no word of a prompt"
        return Check(name="hooks", level=DEGRADED, text=f"{recent} failed in the last day", fix=fix)
    seen = outcomes(memem.config.state_path("events.jsonl"))
    return Check(name="hooks", level=OK, text=f"{seen['served']} of {seen['prompts']} prompts served")


def _recent_failures(log: Path) -> int:
    try:
        stamps = [line.partition(" ")[0] for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return 0
    return sum(stamp.isdigit() and time.time() - int(stamp) < _RECENT_SECONDS for stamp in stamps)


def _published(memem: Memem) -> Check:
    well, text = diagnosis(left(memem.config.dir))
    fix = "" if well else "memem adopt shows what it would stop, and asks first"
    return Check(name="published", level=OK if well else DEGRADED, text=text, fix=fix)


def _tools(_: Memem) -> Check:
    missing = [name for name in ("git",) if not shutil.which(name)]
    if missing:
        fix = "install git: without it a repository without a remote is known by its folder's name only"
        return Check(name="git", level=DEGRADED, text="not found", fix=fix)
    return Check(name="git", level=OK, text="found")


CHECKS: tuple[Callable[[Memem], Check], ...] = (
    _python, _dependencies, _search, _state, _database, _vault, _notes, _spool, _hook, _tools, _published,
)  # fmt: skip
