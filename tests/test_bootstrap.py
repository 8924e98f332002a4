"""bootstrap.sh as real processes: every home, checkout and state folder has spaces, quotes and umlauts in its path."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from memem import fetch_uv
from memem.bootstrap import EXIT_CODES

REPOSITORY = Path(__file__).parent.parent
PYTHON = Path(getattr(sys, "_base_executable", "") or sys.executable)
SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
MODULES = (
    "__init__ bootstrap install uninstall published fetch_uv config errors value sqlite vault/__init__ vault/seen "
    "state/__init__ state/lock process"
)
AWKWARD = 'it\'s a "quoted" földer ☕'

SERVER = """
import sys
def main(argv, prepare):
    print("ready" if prepare() else "installing", flush=True)
    for line in sys.stdin:
        print("ready" if prepare() else "installing", sys.path.count(sys.path[-1]), flush=True)
"""
COMMAND = """
import json, os, sys
def main(argv):
    if argv[0] == "needs-click":
        import click
    umask = os.umask(0)
    os.umask(umask)
    click = "click" in os.listdir(sys.path[-1])
    print(json.dumps({"argv": argv, "python": sys.executable, "umask": umask, "click": click}))
"""
UV = """#!/bin/sh
echo "$*" >>'{log}'
case $1 in
--version) echo 'uv {version} (a stand-in)' ;;
sync)
    [ ! -p '{gate}' ] || read -r _ <'{gate}'
    {sync}
    mkdir -p "$UV_PROJECT_ENVIRONMENT/{site}/click" "$UV_PROJECT_ENVIRONMENT/bin"
    : >"$UV_PROJECT_ENVIRONMENT/{site}/click/__init__.py"
    printf '#!/bin/sh\\necho "$PWD: $*"\\n' >"$UV_PROJECT_ENVIRONMENT/bin/python"
    chmod +x "$UV_PROJECT_ENVIRONMENT/bin/python" ;;
python) [ "$2" = install ] && : >'{log}.installed'
    [ -f '{log}.installed' ] && echo '{python}' ;;
esac
"""


@dataclass
class Machine:
    """A home, a checkout with a stand-in server and command line, and programs on PATH."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    user: int | None = None
    shell: str = "sh"

    def __post_init__(self) -> None:
        for name in ("home", "programs", "checkout/memem/vault", "checkout/memem/state"):
            (self.folder / name).mkdir(parents=True)
        for name in "sh date mkdir readlink chmod".split():
            (self.programs / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        for name in ("uv.lock", "pyproject.toml", *(f"memem/{name}.py" for name in MODULES.split())):
            shutil.copy(REPOSITORY / name, self.checkout / name)
        # The usual places of interpreters are left out, or this machine's own would be found in every test.
        script = (REPOSITORY / "bootstrap.sh").read_text(encoding="utf-8")
        usual = "$HOME/.local/bin:/opt/homebrew/bin:/usr/local/bin:/opt/local/bin:/usr/bin"
        assert usual in script
        (self.checkout / "bootstrap.sh").write_text(script.replace(usual, "$HOME/.local/bin"), encoding="utf-8")
        (self.checkout / "memem/server.py").write_text(SERVER, encoding="utf-8")
        (self.checkout / "memem/__main__.py").write_text(COMMAND, encoding="utf-8")
        self.variables = {"HOME": str(self.home), "PATH": str(self.programs), "MEMEM_PYTHON": str(PYTHON)}

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    @property
    def programs(self) -> Path:
        return self.folder / "programs"

    @property
    def state(self) -> Path:
        return self.home / ".memem"

    @property
    def vault(self) -> Path:
        return self.home / "obsidian-brain"

    @property
    def log(self) -> str:
        return (self.state / "bootstrap.log").read_text(encoding="utf-8")

    @property
    def capabilities(self) -> dict[str, object]:
        return json.loads((self.state / ".capabilities").read_text(encoding="utf-8"))

    @property
    def interpreter(self) -> str:
        return (self.state / "hook.conf").read_text(encoding="utf-8").partition("\n")[0]

    @property
    def environment(self) -> Path:
        return Path(str(self.capabilities["environment"]))

    @property
    def uv_calls(self) -> list[str]:
        log = self.folder / "uv-calls"
        return [line for line in log.read_text().splitlines() if line != "--version"] if log.exists() else []

    def add_uv(self, *, where: Path | None = None, version: str = "0.13.8", sync: str = ":") -> Path:
        path = (where or self.programs) / "uv"
        fields = {"log": self.folder / "uv-calls", "gate": self.folder / "gate", "site": SITE, "python": PYTHON}
        quoted = {name: str(value).replace("'", "'\\''") for name, value in fields.items()}
        return program(path, UV.format(**quoted, version=version, sync=sync))

    def command(self, *arguments: str) -> list[str]:
        return [shutil.which(self.shell) or self.shell, str(self.checkout / "bootstrap.sh"), *arguments]

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in (self.variables | variables).items() if value}
        return subprocess.run(
            self.command(*arguments), env=environ, cwd="/", user=self.user, input="", capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(self.command(*arguments), env=self.variables, cwd="/", text=True, **pipes)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / AWKWARD)


@pytest.fixture(scope="session")
def registry() -> None:
    """Skips a test where the registry of uv.lock cannot be reached."""
    lock = (REPOSITORY / "uv.lock").read_text(encoding="utf-8")
    url = min(re.findall(r'url = "([^"]+/click-[^"]+\.whl)"', lock))
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=10):
            pass
    except (OSError, urllib.error.URLError) as error:
        pytest.skip(f"the package registry cannot be reached: {error}")


@pytest.fixture
def real_uv(machine: Machine, registry: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = shutil.which("uv")
    if found:
        program(machine.programs / "uv", f'#!/bin/sh\nexec "{found}" "$@"\n')
        shim = {name: os.environ[name] for name in ("PYENV_ROOT",) if name in os.environ}  # uv may be a shim itself
        cache = tmp_path_factory.getbasetemp() / "uv-cache"
        machine.variables |= shim | {"UV_CACHE_DIR": str(cache)}
        machine.variables["PATH"] += f":{os.environ['PATH']}"
        return
    pytest.skip("there is no uv on this machine")


def wheel_of_uv(machine: Machine, version: str) -> Path:
    """A wheel of a stand-in uv that fits this machine; the machine's lock file pins it."""
    system, architecture, _ = fetch_uv.this_platform()
    tag = {"linux": f"manylinux_2_5_{architecture}", "darwin": f"macosx_10_0_{architecture}"}[system]
    wheel = machine.folder / "wheels" / f"uv-{version}-py3-none-{tag}.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"uv-{version}.data/scripts/uv", machine.add_uv(where=machine.folder / "unpacked").read_text())
        archive.writestr(f"uv-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: uv\nVersion: {version}\n")
        archive.writestr(f"uv-{version}.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: py3-none-{tag}\n")
    return wheel


def pin(machine: Machine, version: str, wheel: Path, url: str) -> None:
    lock = machine.checkout / "uv.lock"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    entry = f'name = "uv"\nversion = "{version}"\nwheels = [\n    {{ url = "{url}", hash = "sha256:{digest}" }},\n]\n\n'
    text = re.sub(r'(?s)name = "uv"\nversion.*?(?=\[\[package\]\])', lambda _: entry, lock.read_text(encoding="utf-8"))
    assert url in text
    lock.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def index(folder: Path) -> Iterator[str]:
    """A package index on the loopback that has the wheels of a folder."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/simple/"):
                body = "".join(f'<a href="/{wheel.name}">{wheel.name}</a>' for wheel in folder.iterdir()).encode()
            else:
                body = (folder / self.path.lstrip("/")).read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if self.path.startswith("/simple/") else "application/zip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def pip_of(machine: Machine) -> Callable[[str], None]:
    def point_to(url: str) -> None:
        machine.variables |= {"PIP_INDEX_URL": f"{url}/simple", "PIP_CONFIG_FILE": os.devnull}

    return point_to


def python_without_pip(machine: Machine) -> Path:
    folder = machine.folder / "without pip"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin/python"


def test_fresh_home_gets_dependencies_and_folders_for_its_owner_alone(machine: Machine, real_uv: None) -> None:
    before = tree(machine.checkout)
    done = machine.run("save", "a b", "ü")
    assert (done.returncode, json.loads(done.stdout)["argv"]) == (0, ["save", "a b", "ü"]), done.stderr
    assert json.loads(done.stdout)["click"]
    assert len(done.stderr.splitlines()) == 1
    assert "installing" in done.stderr
    assert (machine.vault / "memem/memories").is_dir()
    assert stat.S_IMODE(machine.state.stat().st_mode) == 0o700
    for name in (".capabilities", "bootstrap.log", ".vault-seen", "hook.conf"):
        assert stat.S_IMODE((machine.state / name).stat().st_mode) == 0o600, name
    assert machine.interpreter == str(PYTHON)
    assert machine.capabilities["degraded"] == []
    assert machine.capabilities["dependencies"] is True
    assert tree(machine.checkout) == before
    assert list((machine.state / "pycache").rglob("install.*.pyc"))

    again = machine.run("save")
    assert (again.returncode, again.stderr) == (0, "")


def test_the_server_starts_first_and_takes_in_the_dependencies_when_they_are_there(machine: Machine) -> None:
    machine.add_uv()
    os.mkfifo(machine.folder / "gate")
    with machine.start() as server:
        assert server.stdout is not None
        assert server.stdin is not None
        assert server.stdout.readline() == "installing\n"
        assert machine.capabilities["degraded"] == ["dependencies are being installed in the background"]
        (machine.folder / "gate").write_text("go\n")
        (machine.folder / "gate").unlink()
        assert machine.run("setup").returncode == 0
        for _ in range(2):
            server.stdin.write("again\n")
            server.stdin.flush()
            assert server.stdout.readline() == "ready 1\n"
        rest, errors = server.communicate()
    assert (server.returncode, rest, errors) == (0, "", "")
    assert len(machine.uv_calls) == 1
    assert machine.run().stdout == "ready\n"


def test_two_sessions_at_once_install_once(machine: Machine) -> None:
    machine.add_uv()
    os.mkfifo(machine.folder / "gate")
    with machine.start("setup") as first, machine.start("setup") as second:
        (machine.folder / "gate").write_text("go\n")
        assert (first.communicate()[1] + second.communicate()[1]).count("installing") == 1
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(machine.uv_calls) == 1


def test_uv_that_outlives_its_killed_parent_is_waited_for(machine: Machine) -> None:
    machine.add_uv()
    gate = machine.folder / "gate"
    os.mkfifo(gate)
    with machine.start("setup") as killed, gate.open("w") as opened:  # uv is at work as soon as this is open
        gate.unlink()
        killed.kill()
        killed.wait()
        with machine.start("setup") as second:
            opened.write("go\n")
            opened.close()
            assert second.communicate()[1].count("installing") == 1
    assert second.returncode == 0
    assert [call.split()[0] for call in machine.uv_calls] == ["sync", "sync"]
    assert json.loads(machine.run("search").stdout)["click"]


def test_half_made_or_damaged_environment_is_rebuilt(machine: Machine) -> None:
    machine.add_uv()
    assert machine.run("setup").returncode == 0
    environment = machine.environment
    shutil.rmtree(environment / SITE / "click")
    assert json.loads(machine.run("search").stdout)["click"]
    (environment / ".complete").unlink()
    (environment / "left over").touch()
    assert json.loads(machine.run("search").stdout)["click"]
    assert not (environment / "left over").exists()
    assert len(machine.uv_calls) == 3


def test_environment_is_keyed_by_the_lock_and_an_unused_one_goes_after_thirty_days(machine: Machine) -> None:
    machine.add_uv()
    environments = []
    for age in (31, 29, 0):
        assert machine.run("setup").returncode == 0
        environments.append(machine.environment)
        then = time.time() - age * 86400
        os.utime(machine.environment / ".complete", (then, then))
        with (machine.checkout / "uv.lock").open("a") as lock:
            lock.write("# another\n")
    assert [path.exists() for path in environments] == [False, True, True]


def test_offline_shows_what_uv_said_and_names_the_fix(machine: Machine) -> None:
    machine.add_uv(sync="echo 'error: failed to fetch: dns error' >&2; exit 2")
    done = machine.run("save")
    assert (done.returncode, done.stdout) == (12, "")
    assert "memem: uv could not install the dependencies\n    error: failed to fetch: dns error\nfix: " in done.stderr
    assert "dns error" in machine.log
    assert machine.capabilities["degraded"] == ["uv could not install the dependencies"]
    assert [path.name for path in (machine.state / "env").iterdir()] == [".lock"]
    for words in (["doctor"], ["status"], ["--version"], ["save", "--help"]):
        assert json.loads(machine.run(*words).stdout)["argv"] == words
    assert machine.run().stdout == "installing\n"


def test_uv_that_cannot_read_the_lock_or_is_too_old_gives_way_to_the_pinned_one(
    machine: Machine, pip_of: Callable[[str], None]
) -> None:
    wheel = wheel_of_uv(machine, "9.9.9")
    with index(wheel.parent) as url:
        pin(machine, "9.9.9", wheel, f"{url}/{wheel.name}")
        pip_of(url)
        machine.add_uv(version="0.5.1", sync="exit 99")
        assert machine.run("setup").returncode == 0
        shutil.rmtree(machine.state)
        machine.add_uv(sync="echo 'error: Failed to parse `uv.lock`'; exit 2")
        assert machine.run("setup").returncode == 0
    assert os.access(machine.state / "env/uv-9.9.9/uv", os.X_OK)
    assert [path.name for path in (machine.state / "env/uv-9.9.9").iterdir()] == ["uv"]


def test_uv_is_downloaded_without_pip_too(machine: Machine) -> None:
    wheel = wheel_of_uv(machine, "9.9.9")
    with index(wheel.parent) as url:
        pin(machine, "9.9.9", wheel, f"{url}/{wheel.name}")
        script = [machine.checkout / "memem/fetch_uv.py", machine.checkout / "uv.lock", machine.state]
        fetch = [python_without_pip(machine), "-I", "-S", *script]
        done = subprocess.run(fetch, env=machine.variables, capture_output=True, text=True)
    assert done.stdout == f"{machine.state}/uv-9.9.9/uv\n", done.stderr
    assert subprocess.run([done.stdout.strip(), "--version"], capture_output=True).returncode == 0


@pytest.mark.parametrize("with_pip", [True, False])
def test_uv_whose_hash_is_not_in_the_lock_is_refused(machine: Machine, with_pip: bool) -> None:
    wheel = wheel_of_uv(machine, "9.9.9")
    with index(wheel.parent) as url:
        pin(machine, "9.9.9", wheel, f"{url}/{wheel.name}")
        with zipfile.ZipFile(wheel, "a") as archive:
            archive.comment = b"not what was pinned"
        machine.variables |= {"PIP_INDEX_URL": f"{url}/simple", "PIP_CONFIG_FILE": os.devnull}
        if with_pip:
            done = machine.run("setup")
            assert done.returncode == 11
        else:
            script = [machine.checkout / "memem/fetch_uv.py", machine.checkout / "uv.lock", machine.state / "env"]
            fetch = [python_without_pip(machine), "-I", "-S", *script]
            done = subprocess.run(fetch, env=machine.variables, capture_output=True, text=True)
            assert done.returncode == 1
    assert "was refused: its sha256" in done.stderr
    assert not list((machine.state / "env").rglob("uv"))


def test_the_pinned_uv_is_what_the_registry_has(machine: Machine, registry: None) -> None:
    done = machine.run("setup", UV_CACHE_DIR=str(machine.folder / "cache"))
    assert done.returncode == 0, done.stderr
    assert list((machine.state / "env").glob("uv-*/uv"))
    assert not (machine.home / ".cache").exists()


def test_the_wheel_of_uv_fits_the_platform() -> None:
    _, wheels = fetch_uv.pinned((REPOSITORY / "uv.lock").read_text(encoding="utf-8"))
    for system, architecture, glibc, tag in (
        ("linux", "x86_64", (2, 36), "manylinux_2_17_x86_64"),
        ("linux", "x86_64", (), "musllinux_1_1_x86_64"),
        ("linux", "x86_64", (2, 12), "musllinux_1_1_x86_64"),
        ("linux", "aarch64", (2, 17), "manylinux_2_17_aarch64"),
        ("linux", "aarch64", (), "musllinux_1_1_aarch64"),
        ("linux", "armv7l", (2, 31), "manylinux_2_17_armv7l"),
        ("linux", "armv7l", (), "musllinux_1_1_armv7l"),
        ("linux", "armv6l", (2, 31), "linux_armv6l"),
        ("darwin", "arm64", (), "macosx_11_0_arm64"),
        ("darwin", "x86_64", (), "macosx_10_12_x86_64"),
        ("win32", "win_amd64", (), "win_amd64"),
        ("win32", "win_arm64", (), "win_arm64"),
        ("win32", "win32", (), "win32"),
    ):
        assert tag in fetch_uv.pick(wheels, system, architecture, glibc)[0].removesuffix(".whl").rpartition("none-")[2]
    with pytest.raises(fetch_uv.FetchFailed, match="no build of uv for sunos5 on sparc"):
        fetch_uv.pick(wheels, "sunos5", "sparc", ())


def test_no_registry_is_named_outside_the_lock_file() -> None:
    hosts = set(re.findall(r"https://([^/\"]+)/", (REPOSITORY / "uv.lock").read_text(encoding="utf-8")))
    assert hosts
    for path in (REPOSITORY / "bootstrap.sh", *(REPOSITORY / "memem").rglob("*.py"), *REPOSITORY.glob("tests/*.py")):
        text = path.read_text(encoding="utf-8")
        assert not [host for host in hosts if host in text], path


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "busybox", "zsh"])
def test_shim_is_asked_once_and_the_python_behind_it_remembered(machine: Machine, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    machine.shell = shell
    asked = machine.folder / "asked"
    program(machine.programs / "python3.14", "#!/bin/sh\necho 'shim: python3.14: command not found' >&2\nexit 127\n")
    shim = f'#!/bin/sh\necho >>"${{0%/*}}/../{asked.name}"\nexec "{PYTHON}" "$@"\n'
    program(machine.programs / "python3", shim)
    for _ in range(2):
        assert machine.run("setup", MEMEM_PYTHON="", MEMEM_SKIP_SYNC="1").returncode == 0
    assert machine.interpreter == str(PYTHON)
    assert asked.read_text() == "\n"


@pytest.mark.skipif(not Path("/proc/sys/kernel/hostname").exists(), reason="elsewhere it is asked at every start")
@pytest.mark.parametrize("shell", ["sh", "bash", "busybox", "zsh"])
def test_the_server_does_not_ask_the_python_again_that_answered_here(machine: Machine, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    machine.shell = shell
    runs = machine.folder / "runs"
    python = program(machine.folder / "python", f'#!/bin/sh\necho >>"${{0%/*}}/runs"\nexec "{PYTHON}" "$@"\n')

    def count(*arguments: str) -> int:
        (machine.state / "hook.conf").write_text(f"{python}\n")
        runs.write_text("")
        machine.run(*arguments, MEMEM_PYTHON="", MEMEM_SKIP_SYNC="1")
        return len(runs.read_text())

    machine.run("setup", MEMEM_SKIP_SYNC="1")
    assert count() == 1  # asked, and the Python behind it started
    asked = machine.state / ".python-asked"
    here = asked.read_text().partition(str(PYTHON))[0]
    asked.write_text(f"{here}{python}\n")
    os.utime(python, (1, 1))
    assert count() == 1  # started without being asked
    assert asked.read_text() == f"{here}{python}\n"
    assert count("status") == 1
    assert asked.read_text() == f"{here}{PYTHON}\n"  # a command asked
    asked.write_text(f"another-machine {python}\n")
    count()
    assert asked.read_text() == f"{here}{PYTHON}\n"
    asked.write_text(f"{here}{python}\n")
    os.utime(asked, (2, 2))
    python.touch()  # installed anew
    count()
    assert asked.read_text() == f"{here}{PYTHON}\n"


def test_python_of_an_activated_environment_gives_way_to_its_base(machine: Machine) -> None:
    project = python_without_pip(machine).parent
    done = machine.run("setup", MEMEM_PYTHON="", MEMEM_SKIP_SYNC="1", PATH=f"{project}:{machine.programs}")
    assert done.returncode == 0, done.stderr
    assert Path(machine.interpreter).samefile(PYTHON)
    assert "without pip" not in machine.interpreter


def test_remembered_python_that_is_gone_is_replaced(machine: Machine) -> None:
    machine.run("setup", MEMEM_SKIP_SYNC="1")
    for gone in ("/nowhere/python3", str(program(machine.folder / "broken", "#!/bin/sh\nexit 1\n"))):
        (machine.state / "hook.conf").write_text(f"{gone}\n")
        (machine.programs / "python3").unlink(missing_ok=True)
        (machine.programs / "python3").symlink_to(PYTHON)
        assert machine.run("setup", MEMEM_PYTHON=gone, MEMEM_SKIP_SYNC="1").returncode == 0
        assert Path(machine.interpreter).samefile(PYTHON)


def test_old_python_fetches_uv_which_installs_a_new_one(machine: Machine, pip_of: Callable[[str], None]) -> None:
    versions = Path(os.environ.get("PYENV_ROOT", "/nowhere")) / "versions"
    old = next(versions.glob("3.8.*/bin/python3"), None) or next(versions.glob("3.9.*/bin/python3"), None)
    if not old:
        pytest.skip("there is no Python older than 3.11 here")
    (machine.programs / "python3").symlink_to(old)
    wheel = wheel_of_uv(machine, "9.9.9")
    with index(wheel.parent) as url:
        pin(machine, "9.9.9", wheel, f"{url}/{wheel.name}")
        pip_of(url)
        done = machine.run("search", MEMEM_PYTHON="")
    assert done.returncode == 0, done.stderr
    assert "installing one with" in done.stderr
    assert json.loads(done.stdout)["python"] == machine.interpreter == str(PYTHON)
    assert machine.uv_calls[1] == "python install --no-bin 3.12"


def test_without_any_python_the_fix_is_named(machine: Machine) -> None:
    for setting in ("", "/nowhere/python3"):
        done = machine.run(MEMEM_PYTHON=setting)
        assert (done.returncode, done.stdout) == (10, "")
        assert "memem: no Python 3.11 or newer was found\nfix: install one" in done.stderr
    assert "(exit 10)" in machine.log


def test_without_home_nothing_is_written(machine: Machine) -> None:
    before = tree(machine.folder)
    for home in ("", "relative/home"):
        done = machine.run("status", HOME=home)
        assert (done.returncode, done.stdout) == (15, "")
        assert "HOME is not set" in done.stderr
        assert "fix: export HOME=" in done.stderr
    assert tree(machine.folder) == before


def test_state_folder_that_is_a_file_is_left_alone(machine: Machine) -> None:
    machine.state.write_text("mine")
    done = machine.run("save")
    assert (done.returncode, done.stdout) == (13, "")
    assert f"fix: move the file that is in the way of {machine.state}" in done.stderr
    assert json.loads(machine.run("doctor").stdout)["argv"] == ["doctor"]
    assert machine.run().stdout == "installing\n"
    assert machine.state.read_text() == "mine"


def test_state_folder_is_closed_to_others_and_may_lie_elsewhere(machine: Machine) -> None:
    machine.variables["MEMEM_DIR"] = "~/else where"
    (machine.home / "else where").mkdir(mode=0o755)
    assert machine.run("setup", MEMEM_SKIP_SYNC="1").returncode == 0
    assert stat.S_IMODE((machine.home / "else where").stat().st_mode) == 0o700
    assert not machine.state.exists()


def test_vault_that_was_there_is_not_made_anew(machine: Machine) -> None:
    machine.add_uv()
    assert machine.run("save").returncode == 0
    machine.vault.rename(machine.home / "unmounted")
    done = machine.run("list")
    assert (done.returncode, done.stdout) == (14, "")
    assert machine.run("save").returncode == 0  # it waits in the spool
    assert "is it mounted?\nfix: mount it, set MEMEM_OBSIDIAN_VAULT" in done.stderr
    assert machine.run().stdout == "ready\n"
    assert machine.run("status").returncode == 0
    assert machine.capabilities["vault_ok"] is False
    assert not machine.vault.exists()

    subprocess.run(["sh", "-c", done.stderr.rpartition("with: ")[2]], check=True)
    assert machine.run("save").returncode == 0
    assert machine.capabilities["vault_ok"] is True


def test_skipped_sync_installs_nothing_anywhere(machine: Machine) -> None:
    machine.add_uv()
    machine.variables["MEMEM_SKIP_SYNC"] = "1"
    assert machine.run("setup").returncode == 0
    assert machine.run().stdout == "installing\n"
    assert not json.loads(machine.run("search").stdout)["click"]
    missing = machine.run("needs-click")
    assert missing.returncode == 12
    assert "needs click, which is not installed\nfix: run " in missing.stderr
    assert machine.run("test").returncode == 12
    assert machine.uv_calls == []
    assert "MEMEM_SKIP_SYNC is set" in str(machine.capabilities["degraded"])


def test_tests_run_in_an_environment_of_their_own(machine: Machine) -> None:
    machine.add_uv()
    assert " -n auto " in machine.run("test").stdout
    done = machine.run("test", "-k", "a b")
    assert done.stdout.startswith(f"{machine.checkout}: -m pytest -o cache_dir={machine.state}/env/")
    assert done.stdout.endswith("-k a b\n")
    assert "--group dev" in machine.uv_calls[0]
    assert [path.name[16:] for path in (machine.state / "env").iterdir() if path.is_dir()] == ["-dev"]


def test_settings_that_do_not_fit_stop_the_command_line_but_not_the_server(machine: Machine) -> None:
    machine.state.mkdir()
    (machine.state / "config.toml").write_text("nonsense = 1\n")
    machine.variables["MEMEM_SKIP_SYNC"] = "1"
    done = machine.run("save")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'nonsense', which is no option" in done.stderr
    assert machine.run().stdout == "installing\n"
    assert json.loads(machine.run("config", "edit").stdout)["argv"] == ["config", "edit"]  # what mends them
    (machine.state / "config.toml").write_text("show_banner = true\n")
    assert machine.run("save").returncode == 0
    assert (machine.state / "hook.conf").read_text() == f"{PYTHON}\nshow_banner=1\n"


def test_settings_can_be_made_before_there_is_a_vault(machine: Machine) -> None:
    machine.run("config", "show", MEMEM_SKIP_SYNC="1")
    assert not machine.vault.exists()


def test_the_users_umask_holds_again_for_the_command(machine: Machine) -> None:
    done = json.loads(machine.run("save", MEMEM_SKIP_SYNC="1").stdout)
    assert done["umask"] == os.umask(done["umask"])


def test_interrupt_before_the_setup_has_begun_is_no_traceback(machine: Machine) -> None:
    (machine.checkout / "memem/bootstrap.py").write_text("raise KeyboardInterrupt\n")
    done = machine.run("get")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("before", [False, True])
def test_compiled_modules_are_closed_to_others_whatever_the_umask(machine: Machine, before: bool) -> None:
    if before:
        (machine.state / "pycache").mkdir(parents=True)
        (machine.state / "pycache").chmod(0o777)
    environ = machine.variables | {"MEMEM_SKIP_SYNC": "1"}
    subprocess.run(["sh", machine.checkout / "bootstrap.sh", "get"], env=environ, umask=0, check=True, stdout=-3)
    for folder in (machine.state, machine.state / "pycache"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_link_to_the_script_finds_the_checkout(machine: Machine) -> None:
    link = machine.home / "bin" / "memem"
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(machine.checkout / "bootstrap.sh", link.parent))
    environ = machine.variables | {"MEMEM_SKIP_SYNC": "1"}
    done = subprocess.run(["sh", link, "get"], env=environ, capture_output=True, text=True)
    assert json.loads(done.stdout)["argv"] == ["get"], done.stderr


def test_log_keeps_its_newest_half(machine: Machine) -> None:
    machine.add_uv(sync="exit 1")
    machine.run("setup")
    (machine.state / "bootstrap.log").write_text("an old line\n" * 20_000)
    machine.run("setup")
    assert 90_000 < (machine.state / "bootstrap.log").stat().st_size < 110_000
    assert machine.log.startswith("an old line\n")
    assert "uv could not install the dependencies" in machine.log.splitlines()[-1]


def test_head_of_the_script_documents_every_exit_code() -> None:
    head = (REPOSITORY / "bootstrap.sh").read_text(encoding="utf-8").partition("\n: ")[0]
    assert dict(re.findall(r"#   (\d+) (.+)", head)) == {str(code): text for code, text in EXIT_CODES.items()}


@pytest.fixture
def stranger() -> Iterator[Machine]:
    """A machine whose user is not root, so that permissions count."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        machine = Machine(Path(folder) / AWKWARD, shell="/bin/sh")
        if os.geteuid() == 0:
            python = next(
                (path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if _is_new_enough(path)), None
            )
            if not python:
                pytest.skip("there is no Python 3.11 that another user than root could run")
            machine.variables["MEMEM_PYTHON"] = python
            machine.user = 65534
            os.chown(machine.home, machine.user, -1)
        yield machine
        for path in (machine.checkout, *machine.folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)


def _is_new_enough(python: str) -> bool:
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    return os.access(python, os.X_OK) and subprocess.run([python, "-c", check]).returncode == 0


def test_read_only_checkout_is_enough(stranger: Machine, registry: None) -> None:
    before = tree(stranger.checkout)
    for path in (stranger.checkout, stranger.checkout / "memem"):
        path.chmod(0o555)
    done = stranger.run("search")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["click"]
    assert tree(stranger.checkout) == before


def test_unwritable_vault_or_state_folder_is_said_and_reading_goes_on(stranger: Machine, registry: None) -> None:
    assert stranger.run("setup").returncode == 0
    memories = stranger.vault / "memem/memories"
    memories.chmod(0o500)
    (stranger.state / ".capabilities").unlink()
    done = stranger.run("search")
    assert (done.returncode, json.loads(done.stdout)["argv"]) == (0, ["search"])
    assert "cannot be written: Permission denied\nfix: check the permissions of" in done.stderr
    assert stranger.run("setup").returncode == 14
    memories.chmod(0o700)
    stranger.state.chmod(0o500)
    done = stranger.run("search")
    assert (done.returncode, json.loads(done.stdout)["click"]) == (0, True)
    assert "the state folder" in done.stderr
    assert stranger.run("setup").returncode == 13
