"""A home of its own for one test: vault, state folder, project, and the hooks and the command line as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from memem.app import Memem
from memem.config import load
from memem.models import Draft, Memory

ROOT = Path(__file__).parents[1]
SHIM = ROOT / "hooks" / "memem.sh"
SECONDS = 60  # far beyond what any process here needs, so that only a hang trips over it


class Home:
    """Everything that one user has on disk, and what they can start."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state"
        self.vault = root / "vault"
        self.project = root / "work" / "harbor"
        self.project.mkdir(parents=True)
        self.environ = {
            "HOME": str(root),
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "MEMEM_DIR": str(self.state),
            "MEMEM_OBSIDIAN_VAULT": str(self.vault),
        }

    @property
    def notes(self) -> Path:
        """The folder of the memory notes."""
        return self.vault / "memem" / "memories"

    def open(self) -> Memem:
        """The facade over this home, for preparing and for checking."""
        return Memem(load(self.environ), folder=str(self.project), environ=self.environ)

    def save(self, content: str, **fields: Any) -> Memory:
        """Save a memory in the project, as the agent's tool does."""
        memem = self.open()
        outcome = memem.save(Draft(content=content, **fields))
        memem.close()
        return outcome.memory

    def write_note(self, name: str, body: str, **fields: Any) -> Path:
        """Put a note into the vault as another program would, byte for byte, and sync the index."""
        self.notes.mkdir(parents=True, exist_ok=True)
        head = "".join(f"{key}: {json.dumps(value)}\n" for key, value in fields.items())
        path = self.notes / f"{name}.md"
        path.write_text(f"---\n{head}---\n\n{body}\n", encoding="utf-8")
        self.sync()
        return path

    def sync(self) -> None:
        """Bring the index up to date with the vault."""
        memem = self.open()
        memem.sync()
        memem.close()

    def welcomed(self) -> None:
        """Leave the state folder as it is after the very first session."""
        self.state.mkdir(mode=0o700, exist_ok=True)
        (self.state / ".welcome-shown").touch()
        (self.state / "hook.conf").write_text(f"{sys.executable}\n", encoding="utf-8")

    def shim(
        self, event: str, stdin: bytes | str = b"", *, shim: Path = SHIM, cwd: Path | None = None, **environ: str
    ) -> str:
        """What the hook's shim prints for raw input; it exits 0 and complains to nobody, whatever happens."""
        done = subprocess.run(
            ["sh", str(shim), event],
            input=stdin.encode("utf-8", "surrogatepass") if isinstance(stdin, str) else stdin,
            env=self.environ | environ,
            cwd=cwd or self.project,
            capture_output=True,
            timeout=SECONDS,
        )
        assert (done.returncode, done.stderr) == (0, b""), done
        return done.stdout.decode("utf-8")

    def hook(self, event: str, payload: Mapping[str, Any], **environ: str) -> str:
        """The context that the hook injects for an event, or nothing."""
        stdin = json.dumps({"session_id": "s-1", "cwd": str(self.project), "hook_event_name": event} | dict(payload))
        return context(self.shim(event, stdin, **environ), event)

    def prompt(self, text: str, **fields: Any) -> str:
        """What is injected with a prompt."""
        return self.hook("UserPromptSubmit", {"prompt": text} | fields)

    def start(self, source: str = "startup", **fields: Any) -> str:
        """What is injected when a session starts. The sync it leaves behind is not waited for."""
        return self.hook("SessionStart", {"source": source} | fields)

    def run(self, *arguments: str, stdin: bytes | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
        """One command line of memem."""
        done = subprocess.run(
            [sys.executable, "-m", "memem", *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env=self.environ | {"PYTHONPATH": str(ROOT)} | environ,
            cwd=self.project,
            capture_output=True,
            timeout=SECONDS,
        )
        out, errors = done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
        assert "Traceback" not in errors, errors
        return subprocess.CompletedProcess(done.args, done.returncode, out, errors)

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run git without the settings of the machine."""
        settings = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "init.defaultBranch=main"]
        done = subprocess.run(
            ["git", *settings, "-c", "protocol.file.allow=always", *arguments],
            cwd=cwd or self.project,
            env=os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done
        return done.stdout.strip()


def context(output: str, event: str) -> str:
    """The injected context of a hook's output, which is empty or one JSON document of that event."""
    if not output:
        return ""
    document = json.loads(output)
    assert set(document) <= {"hookSpecificOutput", "systemMessage"}
    assert document["hookSpecificOutput"]["hookEventName"] == event
    return str(document["hookSpecificOutput"]["additionalContext"])
