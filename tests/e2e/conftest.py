"""One copy of the plugin and one private environment for all end-to-end tests, one home for each."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .client import Client, programs

_ROOT = Path(__file__).parents[2]
_ABSENT = "no Claude Code client here: put `claude` on the PATH, or paths joined by colons into MEMEM_CLAUDE_BINS"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test once per client, and once to be skipped where there is none."""
    if "program" in metafunc.fixturenames:
        found = programs() or [None]
        names = [_version_in(path) if path else "absent" for path in found]
        metafunc.parametrize("program", found, ids=names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def program(request: pytest.FixtureRequest) -> str:
    """Path of the client under test."""
    if request.param is None:
        pytest.skip(_ABSENT)
    return str(request.param)


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the plugin as a clone has it, in a folder whose name has a blank and a letter beyond ASCII."""
    folder = tmp_path_factory.mktemp("clone") / "mémem plugin"
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listing, cwd=_ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        if (_ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def dependencies(program: str, plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `env` of a state folder after the first run of the bootstrap, shared to save each test the wait."""
    client = Client(program, tmp_path_factory.mktemp("first-run"))
    done = client.memem(plugin, "status")
    assert done.returncode == 0, f"bootstrap status: {done.returncode}\n{done.stdout}{done.stderr}"
    return client.state / "env"


@pytest.fixture
def client(program: str, dependencies: Path, tmp_path: Path) -> Client:
    """The client with an empty home and state folder; nothing is installed but the dependencies."""
    return make_client(program, dependencies, tmp_path)


@pytest.fixture
def installed(client: Client, plugin: Path) -> Client:
    """The same with the plugin installed."""
    client.install(plugin)
    return client


def make_client(program: str, dependencies: Path, root: Path) -> Client:
    """A client with a home below `root` that shares the environment made once."""
    client = Client(program, root)
    client.state.mkdir(mode=0o700)
    (client.state / "env").symlink_to(dependencies)
    return client


def _version_in(path: str) -> str:
    found = re.search(r"\d+\.\d+\.\d+", path)
    return found[0] if found else Path(path).name
