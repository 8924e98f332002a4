"""Checks of what memem runs on: Python, its dependencies, SQLite, git, and its settings."""

from __future__ import annotations

import shutil
import sys
from importlib import import_module

from memem import sqlite
from memem.adopt import diagnosis
from memem.app import Memem
from memem.config import CONFIG_FILE, load, settings_of
from memem.errors import BadInput
from memem.health.check import DEGRADED, FAILING, OK, Check
from memem.predecessors import meaningless
from memem.published import left


def python(_: Memem) -> Check:
    """Which Python runs memem."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(name="python", level=OK, text=f"{version} at {sys.executable}")


def dependencies(_: Memem) -> Check:
    """Whether the packages that memem needs are there."""
    missing = []
    for module in ("yaml", "rapidfuzz", "click", "detect_secrets", "rich", "watchdog"):
        try:
            import_module(module)
        except ImportError:
            missing.append(module)
    if missing:
        fix = "run bootstrap.sh setup in the plugin folder and read bootstrap.log in the state folder"
        return Check(name="dependencies", level=FAILING, text=f"missing: {', '.join(missing)}", fix=fix)
    return Check(name="dependencies", level=OK, text="all there")


def search(_: Memem) -> Check:
    """Whether SQLite can search."""
    try:
        sqlite.connect(":memory:").execute("CREATE VIRTUAL TABLE probe USING fts5 (text)")
    except sqlite.Error as error:
        return Check(name="search", level=FAILING, text=f"SQLite has no FTS5 ({error})", fix="use another Python")
    return Check(name="search", level=OK, text="SQLite with FTS5")


def git(_: Memem) -> Check:
    """Whether git is there."""
    missing = [name for name in ("git",) if not shutil.which(name)]
    if missing:
        fix = "install git: without it a repository without a remote is known by its folder's name only"
        return Check(name="git", level=DEGRADED, text="not found", fix=fix)
    return Check(name="git", level=OK, text="found")


def predecessor(memem: Memem) -> Check:
    """What a published memem left running."""
    well, text = diagnosis(left(memem.config.dir))
    fix = "" if well else "memem adopt shows what it would stop, and asks first"
    return Check(name="published", level=OK if well else DEGRADED, text=text, fix=fix)


def configuration(memem: Memem) -> Check:
    """Whether every setting fits: with one that does not, commands and tools stop, and hooks use its default."""
    try:
        load()
    except BadInput as error:
        fix = "mend what it names, or take it out: memem config edit, or unset the variable"
        return Check(name="configuration", level=FAILING, text=str(error), fix=fix)
    return Check(name="configuration", level=OK, text=memem.config.state_path(CONFIG_FILE))


def variables(_: Memem) -> Check:
    """Whether variables are set that mean nothing."""
    replaced, unknown = meaningless(settings_of())
    told = [f"{name} means nothing now: {answer}" for name, answer in replaced.items()]
    if unknown:
        text = "; ".join([f"{', '.join(unknown)} is no setting of memem", *told])
        fix = "unset it, or look for the right name: memem config show"
        return Check(name="variables", level=DEGRADED, text=text, fix=fix)
    return Check(name="variables", level=OK, text="; ".join(told) or "nothing is set that means nothing")
