"""Drives the real Claude Code client in a throw-away home and git project, against `MessagesStub`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .messages import API_KEY, MessagesStub, Request, Use

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_PATIENCE = 30
_CLOSED_PORT = "http://127.0.0.1:9"
# What the project's environment may need to install dependencies: mirrors, certificates, proxies.
_PASSED_ON = ("UV_", "PIP_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy")


@dataclass(frozen=True, slots=True)
class Session:
    """What came out of one run of the client."""

    code: int
    out: str
    err: str
    debug: str = field(repr=False)
    requests: tuple[Request, ...]

    @property
    def first(self) -> Request:
        """The first request of the conversation."""
        assert self.requests, (
            f"the client asked the model nothing: {self.code} {self.out} {self.err}\n{self.debug[-3000:]}"
        )
        return self.requests[0]


@dataclass
class Client:
    """One client program with a home, a project, a state folder and a vault of its own below `root`."""

    program: str
    root: Path
    extra: dict[str, str] = field(default_factory=dict)
    runs: int = 0

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / ".gitconfig").write_text("[user]\n\tname = T\n\temail = t@example.invalid\n", encoding="utf-8")
        self.make_project(self.project)
        self._answer_first_questions()

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def project(self) -> Path:
        return self.root / "shop"

    @property
    def state(self) -> Path:
        return self.home / ".memem"

    @property
    def notes(self) -> Path:
        return self.home / "obsidian-brain" / "memem" / "memories"

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of the client; nothing of the caller's is in it that could change the outcome."""
        passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
        return {
            **passed,
            "HOME": str(self.home),
            "PATH": _SYSTEM_PATH,
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "SHELL": "/bin/bash",
            "MEMEM_DIR": str(self.state),
            "ANTHROPIC_BASE_URL": _CLOSED_PORT,
            "ANTHROPIC_API_KEY": API_KEY,
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_INSTALLATION_CHECKS": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            **self.extra,
        }

    def make_project(self, folder: Path) -> None:
        """A git project with one commit."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "shop.py").write_text("print('shop')\n", encoding="utf-8")
        for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Start"]):
            subprocess.run(["git", *command], cwd=folder, env=self.environment, check=True)

    def command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A subcommand of the client, such as `plugin install`."""
        return subprocess.run(
            [self.program, *map(str, arguments)],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def install(self, plugin: Path) -> None:
        """What the README tells a user to type: add the clone as a marketplace, install the plugin."""
        for arguments in (("marketplace", "add", plugin), ("install", "memem@memem-marketplace")):
            done = self.command("plugin", *arguments)
            assert done.returncode == 0, f"plugin {arguments[0]}: {done.stdout}{done.stderr}"

    def run(self, prompt: str, script: Sequence[str | Use] = (), arguments: Sequence[str] = ()) -> Session:
        """One session with one prompt, as `claude -p` runs it."""
        with MessagesStub(script) as stub:
            return self.start(prompt, stub, arguments).finish()

    def start(self, prompt: str, stub: MessagesStub, arguments: Sequence[str] = ()) -> Running:
        """The same, not waited for; the caller keeps the stub."""
        self.runs += 1
        debug = self.root / f"debug-{self.runs}.log"
        tools = [turn.tool for turn in stub.script if isinstance(turn, Use)]
        allowed = ["--allowedTools", ",".join(tools)] if tools else []
        process = subprocess.Popen(
            [self.program, "-p", "--debug-file", str(debug), *allowed, *arguments, "--", prompt],
            cwd=self.project,
            env=self.environment | stub.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return Running(process, stub, debug)

    def memem(self, plugin: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The plugin's own command line, as a slash command of it calls it."""
        return subprocess.run(
            ["sh", str(plugin / "bootstrap.sh"), *arguments],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
        )

    def _answer_first_questions(self) -> None:
        """Onboarding, trust and the key's approval, as if the user had gone through them."""
        answers = {
            "hasCompletedOnboarding": True,
            "lastOnboardingVersion": "99.0.0",
            "theme": "dark",
            "customApiKeyResponses": {"approved": [API_KEY[-20:]], "rejected": []},
            "projects": {str(self.project): {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}},
        }
        (self.home / ".claude.json").write_text(json.dumps(answers), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Running:
    """A session that has been started."""

    process: subprocess.Popen[str]
    stub: MessagesStub
    debug: Path

    def finish(self, timeout: float = 120) -> Session:
        """Wait for its end; a session that does not end is killed and fails the test."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        debug = self.debug.read_text(encoding="utf-8", errors="replace") if self.debug.exists() else ""
        return Session(self.process.returncode, out, err, debug, tuple(self.stub.requests))


class Terminal:
    """The client's full-screen mode inside tmux. Each look at the screen is kept as a text file in `folder`."""

    def __init__(self, client: Client, stub: MessagesStub, folder: Path, arguments: Sequence[str] = ()) -> None:
        self._socket = client.root / "tmux"
        self._folder = folder
        self._shots = 0
        folder.mkdir(parents=True, exist_ok=True)
        environment = client.environment | stub.environment
        words = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), client.program]
        words += ["--debug-file", str(client.root / "debug-terminal.log"), *arguments]
        self._environment = {name: environment[name] for name in ("HOME", "PATH", "LANG", "TERM")}
        self._tmux(
            "new-session", "-d", "-s", "e2e", "-x", "110", "-y", "40", "-c", str(client.project), shlex.join(words)
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server", check=False)

    def type(self, text: str) -> None:
        """Type a line and send it."""
        self._tmux("send-keys", "-t", "e2e", "-l", text)
        self.wait_for(text[:40])
        self._tmux("send-keys", "-t", "e2e", "Enter")

    def key(self, name: str) -> None:
        """Press one key by tmux's name for it."""
        self._tmux("send-keys", "-t", "e2e", name)

    def screen(self, label: str = "") -> str:
        """What is on the screen; with a label it is kept for a human to look at."""
        text = self._tmux("capture-pane", "-p", "-t", "e2e").rstrip() + "\n"
        if label:
            self._shots += 1
            (self._folder / f"{self._shots}-{label}.txt").write_text(text, encoding="utf-8")
        return text

    def wait_for(self, *texts: str) -> str:
        """The screen as soon as one of the texts is on it."""
        return self._wait(lambda shown: any(text in shown for text in texts), f"none of {texts}")

    def wait_until_gone(self, text: str) -> str:
        """The screen as soon as a text is no longer on it."""
        return self._wait(lambda shown: text not in shown, f"still {text!r}")

    def _wait(self, fits: Callable[[str], bool], complaint: str) -> str:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            shown = self.screen()
            if fits(shown):
                return shown
            time.sleep(0.1)  # the screen of another program has no event to wait for
        raise AssertionError(f"{complaint} after {_PATIENCE} s on this screen:\n{self.screen('timeout')}")

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), "-f", "/dev/null", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=check,
        )
        return done.stdout


def programs() -> list[str]:
    """The clients to test: `MEMEM_CLAUDE_BINS`, paths joined by colons, else `claude` if it is on the PATH."""
    named = [path for path in os.environ.get("MEMEM_CLAUDE_BINS", "").split(":") if path]
    found = shutil.which("claude")
    return named or ([found] if found else [])


def snapshot(folder: Path, names: Iterable[str] = ()) -> dict[str, bytes]:
    """The content of every file below a folder, or of the named ones, by relative path."""
    paths = [folder / name for name in names] or [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
