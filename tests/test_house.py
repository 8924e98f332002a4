"""A walk through the house: what the hook loads, how big the rooms are, and what is allowed to stand where."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import memem
from memem.config import options
from memem.tools.memory import core

from .home import ROOT

PACKAGE = ROOT / "memem"
KINDS = (ast.Attribute, ast.Call, ast.Import, ast.ImportFrom, ast.ExceptHandler, ast.keyword)
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 400, 50
# The doors behind which every error ends: the hook, and a call of a tool. Others pass unknown errors on.
NOTED = ("Stop", "PreCompact", "SessionEnd")  # the shell passes them on to the miner, if there is one
DOORS = ("hook/__init__.py", "tools/stdio.py", "cli/main.py", "daemon/worker.py")
# All that the hook loads beyond a bare interpreter. Each pays on every prompt, so a new name here needs a reason;
# `_sqlite3` itself brings functools and collections, and text beyond ASCII the codec and unicodedata.
HOOK_LOADS = set(
    """
    __future__ _json _sqlite3 math unicodedata encodings.utf_16_le
    _collections _collections_abc _functools _operator collections functools itertools keyword operator reprlib types
    _stat genericpath os os.path posixpath stat
    memem memem.config memem.errors memem.hook memem.hook.call memem.hook.prompts memem.off
    memem.index memem.index.reader memem.index.schema memem.models
    memem.project memem.recall memem.recall.evidence memem.recall.ranking memem.recall.render
    memem.recall.slices memem.recall.steps
    memem.sqlite memem.state memem.state.helped memem.state.store memem.text memem.value
    """.split()
)

_CLOSURE = """
import sys
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
import memem.hook as hook
os = hook.os
environ = {"HOME": sys.argv[2], "MEMEM_DIR": sys.argv[2] + "/state", "MEMEM_OBSIDIAN_VAULT": sys.argv[2] + "/vault"}
payload = {"session_id": "s", "cwd": sys.argv[2] + "/work/harbor", "prompt": sys.argv[3], "source": "startup"}
for event in ("UserPromptSubmit", "SessionStart"):
    assert hook.respond(event, payload, environ), event
print(" ".join(sorted(set(sys.modules) - before)))
"""


@pytest.fixture(scope="module", autouse=True)
def _forgotten_afterwards() -> Iterator[None]:
    yield
    walked.cache_clear()


@cache
def walked() -> dict[type[ast.AST], list[tuple[str, ast.AST]]]:
    """All nodes of the kinds that are looked at, with their places: the trees are many, so they are made once."""
    found: dict[type[ast.AST], list[tuple[str, ast.AST]]] = {}
    for path in MODULES:
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, KINDS):
                found.setdefault(type(node), []).append((f"{name}:{node.lineno}", node))
    return found


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    return iter(walked()[kind])


def called(node: ast.AST) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def document(name: str) -> str:
    path = ROOT / name
    if not path.exists() or path.stat().st_size < 200:
        pytest.skip(f"{name} is not written yet")
    return path.read_text(encoding="utf-8")


def test_hook_loads_only_what_it_needs(tmp_path: Path) -> None:
    from .home import Home

    home = Home(tmp_path)
    home.welcomed()
    home.save("Integration tests need Redis on port 6380, because 6379 is taken by the staging tunnel — höre")
    command = [sys.executable, "-I", "-S", "-c", _CLOSURE, str(ROOT), str(tmp_path), "höre: which redis port is taken?"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= HOOK_LOADS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_module_and_its_functions_stay_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


def test_environment_is_read_where_processes_begin_only() -> None:
    # config reads settings; the others hand the environment on, or give it to a process that they start.
    allowed = {
        "config.py",
        "hook/__init__.py",
        "stores.py",
        "bootstrap.py",
        "install.py",
        "fetch_uv.py",
        "daemon/entry.py",
    }
    readers = {place for place, node in nodes(ast.Attribute) if ast.unparse(node) == "os.environ"}
    readers |= {place for place, node in nodes(ast.Call) if called(node) in ("os.getenv", "getenv")}
    assert {place.partition(":")[0] for place in readers} <= allowed, readers


def test_sqlite_is_opened_in_one_module() -> None:
    imports = {
        place.partition(":")[0]
        for kind in (ast.Import, ast.ImportFrom)
        for place, node in nodes(kind)
        if "sqlite3" in ast.unparse(node)
    }
    assert imports == {"sqlite.py"}


def test_everything_is_caught_at_the_doors_only() -> None:
    broad = [
        place
        for place, node in nodes(ast.ExceptHandler)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(node.type)))
        and ast.unparse(node.body[-1]) != "raise"  # it cleans up and passes the error on
    ]
    assert {place.partition(":")[0] for place in broad} <= set(DOORS), broad


def test_s7_nothing_stored_is_ever_executed() -> None:
    forbidden = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"}
    calls = {(place.partition(":")[0], called(node)) for place, node in nodes(ast.Call)}
    assert not {(place, name) for place, name in calls if name in forbidden}
    shells = [place for place, node in nodes(ast.keyword) if isinstance(node, ast.keyword) and node.arg == "shell"]
    assert not shells
    modules = {
        name.name
        for kind in (ast.Import, ast.ImportFrom)
        for _, node in nodes(kind)
        for name in [*getattr(node, "names", []), *([ast.alias(node.module)] if getattr(node, "module", "") else [])]
    }
    assert not modules & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}


def test_versions_agree() -> None:
    plugin = json.loads((ROOT / ".claude-plugin" / "plugin.json").read_text(encoding="utf-8"))
    assert plugin["version"] == memem.__version__
    changelog = ROOT / "CHANGELOG.md"
    if changelog.exists():
        assert memem.__version__ in changelog.read_text(encoding="utf-8")


def test_marketplace_offers_the_plugin() -> None:
    market = json.loads((ROOT / ".claude-plugin" / "marketplace.json").read_text(encoding="utf-8"))
    plugin = json.loads((ROOT / ".claude-plugin" / "plugin.json").read_text(encoding="utf-8"))
    assert [entry["name"] for entry in market["plugins"]] == [plugin["name"]]


def test_hooks_ask_for_more_time_than_they_take_themselves() -> None:
    from memem import hook

    events = json.loads((ROOT / "hooks" / "hooks.json").read_text(encoding="utf-8"))["hooks"]
    named = set()
    for event, entries in events.items():
        for entry in entries:
            # A matcher misses the sources that newer clients add; but not every tool may pay for a shell.
            assert ("matcher" in entry) == (event == "PreToolUse")
            (command,) = entry["hooks"]
            shim, _, name = command["command"].rpartition(" ")
            assert shim == 'sh "${CLAUDE_PLUGIN_ROOT}/hooks/memem.sh"'
            if name in NOTED:
                continue
            assert hook.EVENTS[name].seconds < command["timeout"]
            named.add(name)
    assert named == set(hook.EVENTS)
    assert set(NOTED) <= set(events)


def test_every_option_is_documented() -> None:
    text = document("docs/configuration.md")
    missing = [variable for _, spec in options() for variable in spec.env[:1] if f"`{variable}`" not in text]
    assert not missing


def test_every_tool_is_documented() -> None:
    text = document("README.md")
    missing = [tool.name for tool in core(lambda: pytest.fail("no tool was called")) if f"`{tool.name}" not in text]
    assert not missing


def test_every_command_is_documented() -> None:
    from memem.cli.main import COMMANDS

    text = document("README.md")
    names = [name for _, rows in COMMANDS for name, _, _ in rows]
    missing = [name for name in names if not re.search(rf"(memem|bootstrap\.sh) {name}\b", text)]
    assert not missing


def test_readme_is_read_in_one_sitting() -> None:
    assert len(document("README.md").splitlines()) < 200


@pytest.mark.parametrize("name", ["README.md", "AGENTS.md", "CONTRIBUTING.md", "llms.txt", "docs/architecture.md"])
def test_links_of_documents_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", document(name))
    assert not [link for link in links if not (ROOT / name).parent.joinpath(link).exists()]


def test_generated_documents_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_every_exit_code_is_in_the_help() -> None:
    from memem import errors
    from memem.cli.main import EPILOG

    codes = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.MememError)
    }
    assert codes <= {int(code) for code in re.findall(r"\d+", EPILOG)}


def test_no_registry_is_named_outside_the_lock_file() -> None:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    hosts = ["pypi" + ".org", "files.python" + "hosted.org", "registry.npm" + "js.org", "proxy.golang" + ".org"]
    found = []
    for name in filter(None, names):
        path = ROOT / name
        if name != "uv.lock" and path.is_file():
            data = path.read_bytes().decode("utf-8", "replace")
            found += [(name, host) for host in hosts if host in data]
    assert not found


def test_imports_go_down_the_floors_only() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout + done.stderr


def test_s7_the_linter_looks_for_what_is_dangerous() -> None:
    import tomllib

    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]  # the rules of bandit
    # Starting a program by a list of words is safe; a shell, a pickle, an eval and SQL from pieces are not.
    assert {rule for rule in lint["ignore"] if re.fullmatch(r"S\d+", rule)} == {"S603", "S607"}
    assert not any(
        "S" in rules for rules in lint["per-file-ignores"].values() if "memem/**" in lint["per-file-ignores"]
    )


def test_s8_every_dependency_has_an_upper_bound_and_is_locked_from_the_public_index() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    extras = [name for names in project["project"]["optional-dependencies"].values() for name in names]
    wanted = [*project["project"]["dependencies"], *extras, *project["dependency-groups"]["dev"]]
    locked = {package["name"]: package for package in lock["package"]}
    for requirement in wanted:
        name = re.match(r"[\w.-]+", requirement)
        assert name and re.search(r">=[\d.]+,<[\d.]+$", requirement), requirement
        assert name[0].lower() in locked
    for package in locked.values():
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert all(file["hash"].startswith("sha256:") for file in files)
    assert len({package["source"].get("registry", "") for package in locked.values()} - {""}) == 1


def test_s8_a_job_installs_the_newest_dependencies_and_starts_the_server() -> None:
    job = ROOT / ".ci" / "run"
    text = job.read_text(encoding="utf-8")
    assert "newest dependencies" in text and "tests/drive_server.py" in text


def test_every_test_that_the_security_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", document("SECURITY.md")))
    written = {
        name
        for path in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    assert len(named) > 20
    assert named <= written
