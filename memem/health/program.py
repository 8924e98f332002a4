"""Checks of what memem runs on: Python, its dependencies, SQLite, git."""

from __future__ import annotations

import shutil
import sys
from importlib import import_module

from memem import sqlite
from memem.adopt import diagnosis
from memem.app import Memem
from memem.health.check import DEGRADED, FAILING, OK, Check
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
