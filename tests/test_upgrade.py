"""Two released versions over one home, as real processes with real dependencies, while sessions run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .home import ROOT
from .test_bootstrap import SITE, Machine, machine, real_uv, registry

__all__ = ["machine", "real_uv", "registry"]
pytestmark = pytest.mark.usefixtures("real_uv")
AGES_AGO = 31 * 86400
FIRST = "Integration tests need Redis on port 6380, because 6379 is taken by the staging tunnel"
SECOND = "Invoices are sent on Tuesdays only, because the bank waits until Monday"


class Session:
    """The MCP server of a session, driven line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._id = 0

    def call(self, tool: str, **arguments: Any) -> str:
        """The text of a tool's result."""
        return str(self._ask("tools/call", {"name": tool, "arguments": arguments})["content"][0]["text"])

    def version(self) -> str:
        return str(self._ask("initialize", {"protocolVersion": "2025-06-18"})["serverInfo"]["version"])

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._id += 1
        assert self._process.stdin
        assert self._process.stdout
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["id"] == self._id
        result: dict[str, Any] = answer["result"]
        return result


def release(machine: Machine, version: str) -> None:
    """Put a version of memem with a lock file of its own where the plugin is, as an update does."""
    shutil.rmtree(machine.checkout / "memem")
    shutil.copytree(ROOT / "memem", machine.checkout / "memem", ignore=shutil.ignore_patterns("__pycache__"))
    (machine.checkout / "memem/__init__.py").write_text(f'__version__ = "{version}"\n')
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    (machine.checkout / "uv.lock").write_text(f"{lock}# {version}\n", encoding="utf-8")
    done = machine.run("setup")
    assert done.returncode == 0, done.stderr


@contextmanager
def session(machine: Machine) -> Iterator[Session]:
    with machine.start() as process:
        try:
            yield Session(process)
        finally:
            process.communicate(timeout=60)


def test_h5_sessions_of_two_versions_share_one_home_and_an_environment_stays_while_it_is_used(machine: Machine) -> None:
    release(machine, "7.0.0")
    older = machine.environment
    with session(machine) as before:
        assert before.version() == "7.0.0"
        assert "Memory saved" in before.call("memory_save", content=FIRST)
        release(machine, "7.1.0")
        assert machine.environment != older
        with session(machine) as after:
            assert after.version() == "7.1.0"
            assert "Memory saved" in after.call("memory_save", content=SECOND)
            assert "Redis" in after.call("memory_search", query="redis port")
            time.sleep(1.1)  # what another process wrote is looked for at most once a second
            assert "Invoices" in before.call("memory_search", query="invoices tuesdays")
            assert "already" in before.call("memory_save", content=SECOND)
        long_ago = time.time() - AGES_AGO
        os.utime(older / ".complete", (long_ago, long_ago))
        release(machine, "7.2.0")
        assert (older / SITE / "click").is_dir()
        assert "Memory saved" in before.call("memory_save", content="Deploys never happen on Fridays after noon")
    release(machine, "7.3.0")
    assert not older.exists()
    assert len(list((machine.vault / "memem/memories").iterdir())) == 3


def test_a_server_whose_environment_is_gone_asks_for_a_new_session(machine: Machine) -> None:
    release(machine, "7.0.0")
    with session(machine) as served:
        served.version()
        shutil.rmtree(machine.environment)
        # A word that may hold a token needs what knows tokens; a text without one is saved as ever.
        said = served.call("memory_save", content=f"{FIRST}: see docs/tunnels-2026.md")
        assert "was removed or replaced while this session ran: restart the session" in said
        assert "installing" not in said
    assert machine.run("setup").returncode == 0
    with session(machine) as served:
        assert "Memory saved" in served.call("memory_save", content=FIRST)


def test_d6_an_older_version_refuses_what_a_newer_one_left_and_names_it(machine: Machine) -> None:
    release(machine, "7.0.0")
    state = machine.checkout / "memem/state/store.py"
    text = state.read_text(encoding="utf-8")
    release(machine, "8.0.0")
    newer = re.sub(r"(?m)^VERSION = (\d+)$", lambda found: f"VERSION = {int(found[1]) + 1}", text)
    newer = newer.replace("\n)\n_SHOWN_FOR", '\n    ("CREATE TABLE later (x)",),\n)\n_SHOWN_FOR')
    assert "later" in newer
    state.write_text(newer, encoding="utf-8")
    with session(machine) as served:
        assert "Memory saved" in served.call("memory_save", content=FIRST)
    notes = sorted(Path(machine.vault).rglob("*.md"))
    release(machine, "7.0.0")
    with session(machine) as served:
        assert "update memem to 8.0.0 or newer" in served.call("memory_save", content=SECOND)
        assert "Redis" in served.call("memory_search", query="redis port")
    refused = machine.run("save", SECOND)
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "update memem to 8.0.0 or newer" in refused.stderr
    assert sorted(Path(machine.vault).rglob("*.md")) == notes
