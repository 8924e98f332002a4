"""The facade: every verb over real files, and what it does when something of its own is broken."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from memem import sqlite
from memem.active import Task
from memem.app import Memem
from memem.errors import BadInput, MememError, NotFound
from memem.index.reader import open_reader
from memem.index.schema import FILE_NAME
from memem.models import GENERAL, Draft, Scope
from memem.text import query_terms
from memem.tools.arguments import validate
from memem.tools.full import profile

SHOP = "github.com/acme/shop"


def test_the_project_is_that_of_the_folder(memem):
    assert memem.scope().id == SHOP
    assert memem.scope("general") == Scope()
    assert memem.scope(" a\nb\ud800 ").id == "a b"


def test_a_saved_memory_is_found_at_once(memem, save):
    memory = save("Redis must run on 6380")
    assert memory.project == SHOP
    assert memem.search("which port has redis").ids == [memory.id]
    assert memem.get([memory.id8]) == ([memory], [])


def test_an_edit_in_obsidian_is_found(memem, vault, save):
    memory = save("Use uv, not pip")
    vault.edit(memory.id, body="Use uv sync --frozen", title="Installs")
    memem.sync()
    assert memem.search("frozen").ids == [memory.id]
    assert memem.search("pip").ids == []


def test_another_process_finds_what_this_one_saved(memem, save, opened):
    memory = save("Redis must run on 6380")
    assert opened().search("redis").ids == [memory.id]


def test_two_processes_that_save_the_same_keep_one_note(memem, opened, vault):
    other = opened()
    first = memem.save(Draft(content="Redis must run on 6380"))
    assert other.save(Draft(content="Redis must run on 6380")).memory.id == first.memory.id
    assert len(vault.snapshot()) == 1


def test_history_is_listed_only_when_asked_for(memem, save):
    old, new = save("Redis must run on 6380"), save("Redis must run on 6379 not 6380")
    assert [item.memory.id for item in memem.memories()] == [new.id]
    assert {item.memory.id for item in memem.memories(history=True)} == {old.id, new.id}
    assert memem.search("redis").ids == [new.id]


def test_memories_of_other_projects_are_found_after_the_own_and_not_with_strict(memem, save):
    own = save("Redis of ours runs on 6380")
    other = memem.save(Draft(content="Redis of theirs runs elsewhere entirely"), "github.com/acme/api").memory
    assert memem.search("redis runs").ids == [own.id, other.id]
    assert memem.search("redis runs", strict=True).ids == [own.id]
    assert [item.memory.id for item in memem.memories("github.com/acme/api")] == [other.id]
    assert len(memem.memories("*")) == 2


def test_the_timeline_shows_neighbours_and_ties(memem, vault):
    for day in range(1, 6):
        vault.write(
            f"{day}.md",
            f"---\nid: day-{day}-00\nproject: {SHOP}\ncreated: 2027-01-0{day}\nrelated: [day-1-00]\n---\nx {day}\n",
        )
    vault.write("empty.md", "")
    memem.sync()
    found = memem.timeline("day-3-00", before=1, after=5)
    assert [memory.id for memory in found.before] == ["day-2-00"]
    assert [memory.id for memory in found.after] == ["day-4-00", "day-5-00"]
    assert [memory.id for memory in found.linked] == ["day-1-00"]


def test_a_file_that_says_nothing_is_no_memory_anywhere(memem, vault, save):
    memory = memem.save(Draft(content="The logo is blue and round"), GENERAL).memory
    vault.write("empty.md", "")
    memem.sync()
    assert [item.id for item in (*memem.timeline(memory.id).before, *memem.timeline(memory.id).after)] == []
    assert [item.memory.id for item in memem.memories("*", history=True)] == [memory.id]
    assert memem.index.problems() == [("memories/empty.md", "empty: not downloaded yet, or emptied")]


@pytest.mark.parametrize("name", ["", "abc", "%%%%%%%%", "deadbeef", "../../../../etc/passwd", "\0" * 9, "\ud800" * 9])
def test_an_id_of_nothing_is_not_found(memem, save, name):
    save("Redis must run on 6380")
    assert memem.get([name])[0] == []
    with pytest.raises(NotFound):
        memem.timeline(name)


@pytest.mark.parametrize(
    "ask", [lambda m: m.search(" "), lambda m: m.search("x", limit=0), lambda m: m.slice(Task(text="x", limit=51))]
)
def test_a_question_out_of_bounds_is_refused(memem, ask):
    with pytest.raises(BadInput):
        ask(memem)


@pytest.mark.parametrize(
    "text", ['"', "a AND (", "NEAR(", "*", "\0", "\ud800", "漢", "; DROP TABLE notes", "x" * 100_000, "not now"]
)
def test_no_question_fails(memem, save, text):
    save("Redis must run on 6380")
    memem.search(text)
    memem.slice(Task(text=text, scope=text, current_file=text, session=text, name=text, branch=text))
    memem.volunteered(text)
    assert memem.index.size() == 1
    assert memem.warnings() == ()


def test_rebuilding_finds_the_same(memem, save):
    ids = {save("Redis must run on 6380").id, save("Deploys happen on Friday").id}
    assert memem.rebuild().changed == 2
    assert {item.memory.id for item in memem.memories()} == ids
    assert memem.warnings() == ()


def damage(path: Path, how: str) -> None:
    size = path.stat().st_size
    if how == "schema":  # SQLite's message about it is no text
        path.write_bytes(path.read_bytes().replace(b"CREATE TABLE notes", b"CREATE T\xa2BLE notes"))
        return
    with path.open("r+b") as file:
        if how == "truncated":
            file.truncate(size // 2)
        elif how == "empty":
            file.truncate(0)
        elif how == "garbage":
            file.write(os.urandom(size))
        else:  # the header stays, every page of data is overwritten
            file.seek(4096)
            file.write(os.urandom(size - 4096))


@pytest.mark.parametrize(
    ("how", "while_open"),
    [
        *((how, True) for how in ("truncated", "garbage", "pages")),
        *((how, False) for how in ("truncated", "empty", "garbage", "pages", "schema")),
    ],
)
def test_a_damaged_index_is_rebuilt_and_the_question_answered(opened, home, how, while_open):
    memem = opened()
    memory = memem.save(Draft(content="Redis must run on 6380")).memory
    path = Path(home.state_path(FILE_NAME))
    memem.index.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    memem.index.connection.execute("PRAGMA busy_timeout = 50")
    if not while_open:
        memem.close()
    damage(path, how)
    if not while_open:
        memem = opened()
    assert memem.search("redis").ids == [memory.id]
    assert memem.save(Draft(content="Deploys happen on Friday")).action == "added"
    assert opened().search("deploys").ids != []


@pytest.mark.parametrize("how", ["garbage", "pages", "schema"])
def test_a_damaged_index_is_told(opened, home, how):
    memem = opened()
    memem.save(Draft(content="Redis must run on 6380"))
    memem.close()
    damage(Path(home.state_path(FILE_NAME)), how)
    memem = opened()
    assert len(memem.search("redis").ids) == 1
    (aside,) = Path(home.dir).glob("*.damaged-*")
    assert f"the old one is {aside}" in " ".join(memem.warnings())


@pytest.mark.parametrize("sidecars", [True, False])
def test_an_index_deleted_while_open_is_opened_anew(opened, home, sidecars):
    memem = opened()
    memory = memem.save(Draft(content="Redis must run on 6380")).memory
    for suffix in ("", "-wal", "-shm") if sidecars else ("",):
        Path(home.state_path(FILE_NAME + suffix)).unlink()
    memem.sync()
    assert memem.search("redis").ids == [memory.id]
    reader = open_reader(home.dir)  # which is what the hook reads
    assert [item.memory.id for item in reader.search(query_terms("redis"), 5)] == [memory.id]
    reader.close()


def test_a_busy_index_answers_from_what_it_has_and_a_save_is_kept(opened, home, vault):
    memem = opened()
    memory = memem.save(Draft(content="Redis must run on 6380")).memory
    memem.index.connection.execute("PRAGMA busy_timeout = 50")
    memem._synced_at = float("-inf")
    other = opened()
    with sqlite.transaction(other.index.connection):
        found = memem.search("redis")
        saved = memem.save(Draft(content="Deploys happen on Friday"))
    assert found.ids == [memory.id]
    assert "busy" in " ".join(found.warnings)
    assert saved.action == "added"
    assert "next sync" in saved.reason
    assert b"Deploys happen on Friday" in vault.read(saved.memory.id)
    memem.sync()
    assert memem.search("deploys").ids == [saved.memory.id]
    assert memem.warnings() == ()


def test_without_a_state_folder_memem_answers_from_the_vault_and_says_so(memem, save, home, checkout, tmp_path):
    memory = save("Redis must run on 6380")
    (tmp_path / "file").touch()
    blind = Memem(home.replace(dir=str(tmp_path / "file" / "state")), checkout, environ={})
    assert blind.search("redis").ids == [memory.id]
    assert "cannot be written" in " ".join(blind.search("redis").warnings)
    assert blind.save(Draft(content="Deploys happen on Friday")).action == "added"
    assert len(blind.search("deploys").ids) == 1
    assert blind.rebuild().changed == 2
    blind.close()
    memem.sync()
    assert len(memem.search("deploys").ids) == 1


def test_many_threads_lose_nothing_and_see_their_own(memem, vault):
    failures = []
    subjects = "alpha bravo charlie delta echo foxtrot golf hotel".split()

    def work(subject):
        try:
            for number in range(5):
                content = f"{subject} {'xyzvw'[number] * 9} {subject * 2} means {subject[::-1]}{number}"
                memory = memem.save(Draft(content=content)).memory
                if memory.id not in memem.search(f"{subject}", limit=50).ids:
                    failures.append(memory)
        except (MememError, AssertionError, KeyError, ValueError, sqlite.Error) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(subject,)) for subject in subjects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert memem.rebuild().changed == len(vault.snapshot())


def test_processes_that_start_at_once_share_one_index(home, checkout):
    code = (
        "import sys\nfrom memem.app import Memem\nfrom memem.config import resolve\nfrom memem.models import Draft\n"
        "memem = Memem(resolve({'HOME': sys.argv[1]}, {})[0], sys.argv[2], environ={})\n"
        "print(memem.save(Draft(content=f'{sys.argv[3] * 12} is a subject of its own')).action, *memem.warnings())\n"
    )
    arguments = [sys.executable, "-c", code, str(Path(home.dir).parent), checkout]
    started = [
        subprocess.Popen([*arguments, letter], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for letter in "abcd"
    ]
    assert [process.communicate(timeout=60)[0] for process in started] == [b"added\n"] * 4
    memem = Memem(home, checkout, environ={})
    assert len(memem.memories()) == 4
    memem.close()


def test_a_broken_config_of_git_does_not_stop_anything(memem, save, checkout):
    (Path(checkout) / ".git" / "config").write_bytes(b'\xff\x00[remote "origin"\nurl')
    assert save("Redis must run on 6380").project == "local:shop"


def test_a_fact_corrected_many_times_is_recalled_as_it_is_now(memem):
    for port in range(6311, 6327):
        memem.save(Draft(content=f"Redis listens on port {port} in the dev compose file."))
    assert [item.memory.body for item in memem.memories()] == ["Redis listens on port 6326 in the dev compose file."]
    assert len(memem.search("redis port", limit=1).found) == 1
    assert len(memem.volunteered("On which port does Redis listen in the dev compose file?").found) == 1


def test_a_large_vault_is_read_while_calls_answer_from_what_is_there(memem, vault, monkeypatch):
    for number in range(401):
        vault.write(f"{number}.md", f"Zebra {number} lives in enclosure {number}\n")
    monkeypatch.setattr("memem.stores._BUILDING_SECONDS", -1.0)
    monkeypatch.setattr("memem.stores._FRESH_SECONDS", -1.0)
    monkeypatch.setattr("memem.sync._FIRST_BATCH", 200)
    found = memem.search("zebra")
    assert found.found
    assert "is being built: 201 notes" in found.warnings[0]
    # A save is compared with every note there is.
    saved = memem.save(Draft(content="Zebra 400 lives in enclosure 400"), scope=GENERAL)
    assert (saved.action, saved.reason) == ("skipped", "known")
    assert not memem.warnings()


@pytest.fixture
def slowly_read(monkeypatch):
    """Of a vault that is new, a call reads the first 200 notes at most."""
    monkeypatch.setattr("memem.stores._BUILDING_SECONDS", -1.0)
    monkeypatch.setattr("memem.stores._FRESH_SECONDS", -1.0)
    monkeypatch.setattr("memem.sync._FIRST_BATCH", 200)


@pytest.mark.usefixtures("slowly_read")
def test_a_note_that_is_not_in_the_index_yet_is_read_by_its_id(memem, vault):
    ids = [f"{number:08x}-1111-4111-8111-111111111111" for number in range(401)]
    for number, name in enumerate(ids):
        vault.write(f"{number}.md", f"---\nid: {name}\n---\n\nZebra {number} lives in enclosure {number}\n")
    assert len(memem.memories("*")) == 200
    found, missing = memem.get(ids)
    assert (len(found), missing) == (401, [])
    assert memem.warnings() == ()


@pytest.mark.usefixtures("slowly_read")
def test_an_answer_of_an_index_that_is_being_built_says_so(memem, vault, monkeypatch):
    for number in range(401):
        vault.write(f"{number}.md", f"Zebra {number} lives in enclosure {number}\n")
    monkeypatch.setattr("memem.app.PATIENT_SECONDS", -1.0)
    tools = {tool.name: tool for tool in profile("full", lambda: memem)}
    for name, arguments in (
        ("memory_list", {"scope_id": "*"}),
        ("memory_recent", {"scope_id": "*"}),
        ("memory_get", {"ids": ["00000000"]}),
    ):
        memem._replace_index(None)
        tool = tools[name]
        assert "is being built" in tool.run(validate(tool.schema, arguments)[0]), name
