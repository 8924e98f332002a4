"""The shell shim of the hooks as a real process, with a stand-in for `memem.hook`; needs no client."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_SHIM = Path(__file__).parents[2] / "hooks" / "memem.sh"
_ECHO = """\
import os, sys
def main(event):
    os.write(1, (event + ":" + sys.stdin.read() + ":" + str(sys.flags.isolated)).encode())
    os._exit(0)
"""


class Shim:
    """A copy of the shim in a plugin folder of its own, with a state folder that names an interpreter."""

    def __init__(self, root: Path, name: str = "plugin") -> None:
        self.root = root / name
        self.state = root / "state"
        (self.root / "hooks").mkdir(parents=True)
        (self.root / "memem").mkdir()
        shutil.copy(_SHIM, self.root / "hooks")
        self.write("__init__", "")
        self.write("config", "def load(): return 'config'\n")
        self.write("install", "def use_environment(config): assert config == 'config'\n")
        self.write("app", "class Memem:\n    def sync(self): pass\n")
        self.write("hook", _ECHO)
        self.use(sys.executable)
        self.environment = {"PATH": "/nowhere", "HOME": str(root), "MEMEM_DIR": str(self.state)}

    def write(self, module: str, text: str) -> None:
        (self.root / "memem" / f"{module}.py").write_text(text, encoding="utf-8")

    def use(self, interpreter: str | Path) -> None:
        self.state.mkdir(exist_ok=True)
        (self.state / "hook.conf").write_text(f"{interpreter}\nvault=/x\n", encoding="utf-8")

    def run(self, event: str = "UserPromptSubmit", cwd: Path | None = None) -> str:
        """What the shim prints; whatever happens it exits 0."""
        done = subprocess.run(
            ["/bin/sh", str(self.root / "hooks" / "memem.sh"), event],
            env=self.environment,
            cwd=cwd,
            input="{}",
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done
        return done.stdout


@pytest.fixture
def shim(tmp_path: Path) -> Shim:
    return Shim(tmp_path)


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_shim_runs_the_hook_isolated_with_its_event_and_input(shim: Shim) -> None:
    assert shim.run() == "UserPromptSubmit:{}:1"


@pytest.mark.parametrize("name", ["two  blanks", "qu'o\"te", "$HOME `id` \\", "ünï 記憶", "a;b&c"])
def test_plugin_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    assert Shim(tmp_path, name).run() == "UserPromptSubmit:{}:1"


@pytest.mark.parametrize("variable", ["MEMEM_MINER", "MEMEM_HOOK_DISABLE"])
def test_marked_calls_are_left_alone(shim: Shim, variable: str) -> None:
    shim.environment[variable] = "1"
    assert shim.run() == ""
    assert shim.run("SessionStart") == ""


@pytest.mark.parametrize("name", ["HOME", "MEMEM_DIR", "PATH"])
def test_environment_may_lack_a_variable(shim: Shim, name: str) -> None:
    shim.environment["PATH"] = str(Path(sys.executable).parent)
    del shim.environment[name]
    assert shim.run() == "UserPromptSubmit:{}:1"


def test_working_folder_may_be_gone(shim: Shim, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'rmdir "$PWD"; exec /bin/sh "$0" UserPromptSubmit'
    command = ["/bin/sh", "-c", script, str(shim.root / "hooks" / "memem.sh")]
    environment = {**shim.environment, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, cwd=gone, input="{}", stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "UserPromptSubmit:{}:1"


@pytest.mark.parametrize("hook", ["raise ValueError", "import sys; sys.exit(2)", "import nothing_like_it", "no python"])
def test_failing_hook_never_blocks_a_prompt(shim: Shim, hook: str) -> None:
    shim.write("hook", f"{hook}\n")
    assert shim.run() == ""
    assert shim.run("SessionStart") == ""


def test_interpreter_that_is_gone_or_too_old_gives_way_to_the_next(shim: Shim, tmp_path: Path) -> None:
    _program(tmp_path / "bin" / "python3.11", f'exec "{sys.executable}" "$@"')
    shim.environment["PATH"] = str(tmp_path / "bin")
    shim.use(tmp_path / "gone")
    assert shim.run() == "UserPromptSubmit:{}:1"
    for code in (3, 127):  # too old; a version manager's shim that has no version to run
        shim.use(_program(tmp_path / "old", f"exit {code}"))
        assert shim.run() == "UserPromptSubmit:{}:1"


def test_session_start_without_python_says_what_to_install(shim: Shim, tmp_path: Path) -> None:
    shim.use(tmp_path / "gone")
    told = json.loads(shim.run("SessionStart"))["hookSpecificOutput"]
    assert told["hookEventName"] == "SessionStart"
    assert "Python 3.11" in told["additionalContext"]
    assert shim.run("UserPromptSubmit") == ""


def test_plugin_folder_stays_clean_and_the_state_private(shim: Shim) -> None:
    shim.run()
    assert not list(shim.root.rglob("*.pyc"))
    assert list(shim.state.rglob("hook.*.pyc"))
    assert (shim.state / "pycache").stat().st_mode & 0o777 == 0o700


def test_session_start_does_not_wait_for_the_sync(shim: Shim, tmp_path: Path) -> None:
    go, done = _fifo(tmp_path / "go"), _fifo(tmp_path / "done")
    shim.write(
        "app",
        f"""\
class Memem:
    def sync(self):
        open({str(tmp_path / "go")!r}).readline()
        open({str(tmp_path / "done")!r}, "w").write("synced")
""",
    )
    try:
        assert shim.run("SessionStart") == "SessionStart:{}:1"  # its output is closed, though the sync still waits
        os.write(go, b"now\n")
        assert select.select([done], [], [], 20)[0], "the sync was not started"
        assert os.read(done, 100) == b"synced"
    finally:
        os.close(go)
        os.close(done)


def _fifo(path: Path) -> int:
    os.mkfifo(path)
    return os.open(path, os.O_RDWR)  # open at both ends: neither side waits for the other to come
