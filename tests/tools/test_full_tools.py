"""The tools of the full profile, called as a transport calls them, and that core pays nothing for them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from memem.errors import BadInput, NotFound
from memem.tools.arguments import validate
from memem.tools.full import additional, profile
from memem.tools.memory import core

from ..home import ROOT, Home

REDIS = "Integration tests of the harbor need Redis on port 6380, because 6379 is taken by the staging tunnel"
QUEUE = "The harbor queue keeps its jobs in redis; a restart of the staging tunnel loses none of them"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def call(home):
    memem = home.open()
    tools = {tool.name: tool for tool in profile("full", lambda: memem)}

    def run(name, **arguments):
        return tools[name].run(validate(tools[name].schema, arguments)[0])

    yield run
    memem.close()


def test_full_is_core_and_more_and_names_no_tool_twice():
    names = [tool.name for tool in profile("full", lambda: pytest.fail("opened too early"))]
    assert len(names) == len(set(names)) == 16
    assert names[:6] == [tool.name for tool in core(lambda: None)]
    assert [tool.name for tool in profile("core", lambda: None)] == names[:6]


def test_each_additional_schema_is_sound_and_short():
    tools = additional(lambda: None)
    for tool in tools:
        assert set(tool.schema["required"]) <= set(tool.schema["properties"])
        assert tool.description.endswith(".")
        assert not tool.always
    assert sum(len(json.dumps(tool.schema)) + len(tool.description) for tool in tools) < 4000


@pytest.mark.parametrize(("wanted", "count"), [("", 6), ("core", 6), ("full", 16), ("nonsense", 6)])
def test_the_server_offers_the_profile_of_the_settings(home, wanted, count):
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    done = subprocess.run(
        [sys.executable, "-m", "memem.server"],
        input=json.dumps(asked).encode() + b"\n",
        env=home.environ | {"PYTHONPATH": str(ROOT), "MEMEM_TOOL_PROFILE": wanted},
        cwd=home.project,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert len(json.loads(done.stdout.splitlines()[0])["result"]["tools"]) == count


def test_recall_answers_with_the_text_of_the_notes(home, call):
    home.save(REDIS)
    assert "6379 is taken" in call("memory_recall", query="redis port")
    assert call("memory_recall", query="redis port", compact=True).startswith("### Compact memory index (1")
    assert "0 of 0 candidates" in call("memory_recall", query="xyzzy")


def test_list_pages_through_projects_kinds_and_files(home, call):
    for number in range(3):
        home.save(f"Pier number {number * 1111} of the harbor has {number + 2} cranes", kind="fact")
    about = home.save("Migrations are never edited after a release", paths=("db/**/*.sql",), kind="convention")
    home.save("The moon is far away", project="general")
    text = call("memory_list", limit=2)
    assert text.startswith("### 4 memories") or text.startswith("### 5 memories")
    offset = re.search(r"offset=(\d+)", text)
    assert offset and "from number 3" in call("memory_list", limit=2, offset=int(offset[1]))
    assert call("memory_list", kind="convention").count("[") == 1
    for path in ("db/v1/a.sql", str(home.project / "db/v1/a.sql")):
        assert about.id8 in call("memory_list", path=path)
    assert call("memory_list", path="src/a.sql") == "No memories here."


def test_recent_begins_with_the_newest(home, call):
    home.write_note("old", "An old note of the harbor", project="x", updated="2020-01-01")
    home.write_note("new", "A new note of the harbor", project="x", updated="2026-01-01")
    lines = call("memory_recent", scope_id="*").splitlines()
    assert [line[:10] for line in lines] == ["2026-01-01", "2020-01-01"]


def test_import_shows_first_and_saves_when_asked(home, call):
    path = home.project / "AGENTS.md"
    path.write_text("# Harbor\n\nRun `make test` before a push.\n")
    assert "Nothing was written" in call("memory_import", source_path=str(path))
    assert call("memory_list") == "No memories here."
    assert call("memory_import", source_path=str(path), dry_run=False).startswith("### Imported: 1 added")
    assert "make test" in call("memory_list")
    with pytest.raises(BadInput, match="outside"):
        call("memory_import", source_path="/etc/passwd")


def test_the_graph_is_seen_walked_written_and_audited(home, call):
    redis, queue, paint = home.save(REDIS), home.save(QUEUE), home.save("Watercolour paper buckles unless stretched")
    assert queue.id8 in call("memory_graph", memory_id=redis.id8)
    assert call("memory_connect", source_id=queue.id8, target_id=paint.id8, relation="related_to").startswith(
        "Connected"
    )
    assert "already" in call("memory_connect", source_id=queue.id8, target_id=paint.id8)
    walk = call("memory_explore", start=redis.id8)
    assert walk.index(redis.id8) < walk.index(queue.id8) < walk.index(paint.id8)
    assert "→ related" in walk
    assert call("memory_graph_audit").startswith("The graph is sound")
    assert "3 memories" in call("memory_graph_rebuild")
    with pytest.raises(NotFound):
        call("memory_graph", memory_id="../../etc")


def test_the_commands_say_the_same(home):
    redis, queue = home.save(REDIS), home.save(QUEUE)
    assert queue.id8 in home.run("graph", "neighbors", redis.id8).stdout
    assert json.loads(home.run("graph", "explore", redis.id8, "--json").stdout)[1]["memory"]["id"] == queue.id
    assert home.run("graph", "connect", redis.id8, "related", queue.id8).returncode == 0
    assert "related" in home.run("graph", "stats").stdout
    assert home.run("graph", "audit").stdout.startswith("The graph is sound")
    assert home.run("graph", "rebuild").stdout == "Connections of 2 memories made anew.\n"
    assert home.run("graph", "neighbors", "00000000").returncode == 3
    (home.project / "a.md").write_text("Cranes of the harbor are tested each spring")
    assert "--apply" in home.run("import", "a.md").stdout
    assert json.loads(home.run("import", "a.md", "--apply", "--json").stdout)[0]["applied"]
    assert home.run("import", "/etc/hostname").returncode == 2
    assert "nothing to import" in home.run("import", "none.md").stderr
    assert os.listdir(home.project) == ["a.md"]
