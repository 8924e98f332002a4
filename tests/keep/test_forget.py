"""What is forgotten is in no byte that memem keeps, and nothing brings it back."""

import gzip
import json
import os
import threading
from pathlib import Path

import pytest

from memem import graph
from memem.errors import BadInput, NotFound, VaultUnavailable
from memem.index.schema import FILE_NAME
from memem.keep.audit import audit
from memem.keep.backup import backup
from memem.keep.forget import Wish, carry_out, plan
from memem.miner import Miner
from memem.models import Draft
from memem.state import copies, helped
from memem.state.changes import Changes
from memem.tools.memory import transcript_search
from memem.verify import DAMAGE, verify

from ..home import Home
from ..sources.transcripts import agent, line, user

SESSION, OTHER = "aaaaaaaa-1111-4000-8000-000000000001", "bbbbbbbb-2222-4000-8000-000000000002"
FALCON = "The falcon service always deploys with zorblaxctl from the barn host, never by hand"
DEPLOYS = "Deploys happen on Friday"


@pytest.fixture
def session(home, checkout):
    """Writes a transcript of Claude Code in the project."""

    def write(name=SESSION, *texts):
        path = Path(home.session_dirs[0], "-work-shop", f"{name}.jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        how = {"sessionId": name, "cwd": checkout}
        said = texts or (f"From now on: {FALCON}.", "And please look at the weather, too.")
        path.write_bytes(b"".join(line(user(text, **how)) + line(agent("Understood.", **how)) for text in said))
        return path

    return write


def learned(memem, path):
    """Archive and mine a session; the memories that came of it."""
    assert all(not grown.problem for grown in memem.archive([str(path)], opted_in=True))
    (mined,) = Miner(memem).mine([str(path)])
    return [outcome.memory for outcome in mined.outcomes if outcome.action != "skipped"]


def forget(memem, **wish):
    problems = carry_out(memem, plan(memem, Wish(**wish)))
    assert problems == []


def held(folder, word):
    """Every file below a folder in which a word is, packed or not."""
    found = []
    for path in Path(folder).rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".gz":
                data = gzip.decompress(data)
            if word.lower().encode() in data.lower():
                found.append(path.name)
    return found


def use(memem, home, memory):
    """Leave all the traces that a memory leaves while it is used."""
    from memem.active import Task

    memem.slice(Task(text="how does the falcon service deploy?", session="s-9"))
    memem.state.mark_shown("s-9", {memory.id: "etag"}, 1.0)
    memem.state.stand("github.com/acme/shop", ("basis", "stamp"), [memory.id], {memory.id: "hash"})
    Path(home.state_path("events.jsonl")).write_text(
        f'{{"at": 1, "event": "prompt", "served": 1, "session": "s-9", "ids": ["{memory.id}"]}}\n'
        '{"at": 2, "event": "prompt", "served": 0}\n'
    )
    helped.record(memem.state.connection, [helped.Help(session=SESSION, memory=memory.id, at=1, sign="cited")])
    graph.neighbors(memem, memory.id)
    copies.keep(memem.state.connection, home.dir, float("inf"))
    copies.keep(memem.state.connection, home.dir, float("inf"))


def test_no_byte_of_a_forgotten_memory_is_left(memem, save, session, home, vault, opened):
    other = opened()  # another process has everything open meanwhile
    (memory, *_) = learned(memem, session())
    save(DEPLOYS)
    use(memem, home, memory)
    other.search("falcon")
    assert {FILE_NAME, "state.db", "events.jsonl"} <= {name.removesuffix("-wal") for name in held(home.dir, memory.id)}
    assert held(home.dir, "zorblaxctl")
    forget(memem, ids=(memory.id[:8],))
    assert held(home.dir, "zorblaxctl") == []
    assert held(home.dir, memory.id) == []
    assert held(home.memory_root, "zorblaxctl") == []
    assert [item.memory.lesson for item in memem.memories("*", history=True)] == [DEPLOYS]
    assert other.search("zorblaxctl").ids == []
    assert Path(home.state_path("events.jsonl")).read_text() == '{"at": 2, "event": "prompt", "served": 0}\n'
    assert [path.name for path in Path(home.dir).glob("state.db.good.*")] == ["state.db.good.1"]
    assert [finding for finding in verify(home) if finding.level == DAMAGE] == []


def test_mining_does_not_bring_a_forgotten_memory_back(memem, session, home, opened):
    path = session()
    (memory, *_) = learned(memem, path)
    forget(memem, ids=(memory.id,))
    assert learned(memem, path) == []
    (mined,) = Miner(memem).mine([str(path)], again=True)
    assert [outcome for outcome in mined.outcomes if "zorblaxctl" in outcome.memory.body] == []
    # Another session says the very same.
    (mined,) = Miner(memem).mine([str(session(OTHER))])
    assert {outcome.reason for outcome in mined.outcomes if "zorblaxctl" in outcome.memory.body} <= {
        "forgotten by the user"
    }
    assert memem.search("zorblaxctl").ids == []
    # On purpose it may be said again.
    assert memem.save(Draft(content=FALCON)).action == "added"


def test_a_forgotten_session_is_neither_searched_nor_mined_nor_archived_again(memem, session, home, opened):
    path = session()
    learned(memem, path)
    learned(memem, session(OTHER, "In the other session we talk of the barn owl, always."))
    assert memem.transcripts("weather", everywhere=True).passages
    forget(memem, session=SESSION)
    assert held(home.dir, SESSION) == []
    assert held(home.dir, "zorblaxctl") == []
    with open(path, "ab") as file:
        file.write(line(user("Always remember that zorblaxctl needs a vpn", sessionId=SESSION)))
    for memem_again in (memem, opened()):
        assert list(Miner(memem_again).mine([str(path.parent)])) == [] or all(
            mined.session == OTHER for mined in Miner(memem_again).mine([str(path.parent)])
        )
        assert [grown.events for grown in memem_again.archive([str(path)], opted_in=True)] == [0]
        assert memem_again.transcripts("zorblaxctl weather", everywhere=True).passages == ()
        assert memem_again.transcripts("owl", everywhere=True).passages
    assert "zorblaxctl" not in transcript_search(memem, {"query": "zorblaxctl", "limit": 5, "everywhere": True})
    assert path.exists(), "the transcript is the host's"


def test_a_fork_of_a_forgotten_session_does_not_bring_its_records_back(memem, session, home):
    path = session()
    learned(memem, path)
    forget(memem, session=SESSION)
    fork = path.with_name(f"{OTHER}.jsonl")
    records = [json.loads(one) | {"sessionId": OTHER} for one in path.read_text().splitlines()]
    fork.write_bytes(b"".join(line(one) for one in records) + line(user("New words about owls", sessionId=OTHER)))
    assert [grown.events for grown in memem.archive([str(fork)], opted_in=True)] == [1]
    assert learned(memem, fork) == []
    assert memem.transcripts("zorblaxctl", everywhere=True).passages == ()


def test_an_index_of_the_archive_made_anew_does_not_bring_it_back(memem, session, home, opened):
    path = session()
    (memory, *_) = learned(memem, path)
    forget(memem, ids=(memory.id,))
    for one in Path(home.dir).glob("transcripts-v*"):
        one.unlink()
    again = opened()
    list(again.archive([str(path)], opted_in=True))
    assert again.transcripts("zorblaxctl", everywhere=True).passages == ()
    assert again.transcripts("weather", everywhere=True).passages


def test_what_holds_all_words_goes_and_nothing_else(memem, save, session, home):
    learned(memem, session())
    one, two = save("The falcon feeds at noon"), save("Falcon and barn belong together")
    forget(memem, query="falcon BARN")
    assert memem.get([one.id])[0]
    assert memem.get([two.id])[1]
    assert held(home.dir, "zorblaxctl") == []
    assert memem.transcripts("weather", everywhere=True).passages


@pytest.mark.parametrize(
    "wish",
    [
        {"query": "falcon BARN"},
        {"session": SESSION, "query": "zorblaxctl"},
        {"since": "2026-01-01", "query": "falcon barn"},
    ],
)
def test_what_was_never_archived_is_passed_over_from_then_on(memem, session, home, opened, wish):
    path = session()
    before = path.read_bytes()
    planned = plan(memem, Wish(**wish))
    assert (len(planned.passages), planned.transcripts) == (1, (str(path),))
    assert carry_out(memem, planned) == []
    for again in (memem, opened()):
        assert again.transcripts("zorblaxctl", everywhere=True).passages == ()
        assert again.transcripts("weather", everywhere=True).passages
        assert learned(again, path) == []
    assert held(home.dir, "zorblaxctl") == held(home.memory_root, "zorblaxctl") == []
    assert path.read_bytes() == before, "the transcript is the host's"


def test_a_memory_s_words_in_a_session_that_was_never_archived_are_passed_over(memem, session, home):
    path = session(SESSION, f"Please note: {FALCON}.", "And please look at the weather, too.")
    memory = memem.save(Draft(content=FALCON, source_session=SESSION)).memory
    forget(memem, ids=(memory.id,))
    assert learned(memem, path) == []
    assert memem.transcripts("weather", everywhere=True).passages
    assert held(home.dir, "zorblaxctl") == []


def test_words_of_a_record_without_an_id_are_passed_over(memem, session, home):
    path = session(SESSION, "And please look at the weather, too.")
    waiting = {"type": "queue-operation", "operation": "enqueue", "content": FALCON, "sessionId": SESSION}
    path.write_bytes(line(waiting) + path.read_bytes())
    assert memem.transcripts("zorblaxctl", everywhere=True).passages
    forget(memem, query="zorblaxctl")
    learned(memem, path)
    assert memem.transcripts("zorblaxctl", everywhere=True).passages == ()
    assert memem.transcripts("weather", everywhere=True).passages
    assert held(home.dir, "zorblaxctl") == []


def test_excluded_and_older_transcripts_are_not_read(memem, session, home):
    path = session()
    os.utime(path, (1e9, 1e9))
    with pytest.raises(NotFound):
        plan(memem, Wish(query="falcon", since="2026-01-01"))
    with pytest.raises(NotFound):
        plan(memem, Wish(query="falcon weather"))


def test_by_day_and_by_origin(memem, save, home):
    one = save("The falcon feeds at noon")
    two = save(DEPLOYS, source_type="mined", trust="agent")
    today = one.created[:10]
    with pytest.raises(NotFound):
        plan(memem, Wish(until="2001-01-01"))
    assert {item.memory.id for item in plan(memem, Wish(since=today, until=today)).notes} == {one.id, two.id}
    assert [item.memory.id for item in plan(memem, Wish(origin="mined")).notes] == [two.id]
    assert [item.memory.id for item in plan(memem, Wish(origin="user", since=today)).notes] == [one.id]


def test_looking_changes_nothing(memem, session, home, vault):
    learned(memem, session())
    before = vault.snapshot()
    planned = plan(memem, Wish(session=SESSION))
    assert planned.notes and planned.events and planned.transcripts
    assert vault.snapshot() == before
    assert not Path(home.state_path("forgotten")).exists()


def test_links_and_playbooks_of_other_notes_are_cleaned_and_human_words_stay(memem, save, vault, home):
    from memem.mining import playbooks

    old = save("Falcon deploys run zorblaxctl on the barn host with the blue flag", kind="convention")
    near = save("Falcon deploys run zorblaxctl on the barn host with the green flag", kind="convention")
    stem = vault.path(near.id).stem
    third = save(DEPLOYS)
    path = vault.path(third.id)
    path.write_text(path.read_text() + f"\n## Related\n- [[{stem}]]\n- [[something else]]\n")
    mine = vault.write("memories/mine.md", f"See [[{stem}]], which I like")
    memem.sync()
    book, memory = playbooks.playbook(near.project, near.created)
    part = playbooks.playbook_part(memem.index.notes())
    from memem.ingest.grown import grow

    grow(memem.vault, memem.index, memem.state, book, memory, lambda _: part)
    assert b"zorblaxctl" in vault.read(book)
    problems = carry_out(memem, plan(memem, Wish(ids=(old.id, near.id))))
    assert [problem.partition(" ")[0] for problem in problems] == ["memories/mine.md"]
    assert b"zorblaxctl" not in vault.read(book)
    assert path.read_text().endswith("\n## Related\n- [[something else]]\n")
    assert mine.read_text() == f"See [[{stem}]], which I like"
    assert held(Path(home.memory_root) / "playbooks", "zorblaxctl") == []


def test_a_save_that_waits_for_the_vault_is_forgotten_too(memem, home, tmp_path):
    memem.save(Draft(content=DEPLOYS))
    vault = Path(home.vault)
    vault.rename(tmp_path / "away")
    waiting = memem.save(Draft(content=FALCON))
    assert waiting.action == "spooled"
    (tmp_path / "away").rename(vault)
    (vault / "memem" / ".git").mkdir()  # so that it goes on waiting
    (vault / "memem" / ".git" / "MERGE_HEAD").touch()
    planned = plan(memem, Wish(ids=(waiting.memory.id,)))
    assert len(planned.waiting) == 1
    assert carry_out(memem, planned) == []
    assert held(home.dir, "zorblaxctl") == []


def test_a_note_that_cannot_be_deleted_is_told_and_marked_all_the_same(memem, save, vault, home, monkeypatch):
    memory = save(FALCON)
    planned = plan(memem, Wish(ids=(memory.id,)))
    git = Path(home.memory_root, ".git")
    git.mkdir()
    (git / "MERGE_HEAD").touch()
    with pytest.raises(VaultUnavailable, match="merge"):
        carry_out(memem, planned)
    (git / "MERGE_HEAD").unlink()
    forget(memem, ids=(memory.id,))
    assert held(home.dir, "zorblaxctl") == []


def test_an_edit_after_the_look_is_kept_and_told(memem, save, vault, home):
    memory = save(FALCON)
    planned = plan(memem, Wish(ids=(memory.id,)))
    vault.edit(memory.id, body="Something quite different and of mine")
    problems = carry_out(memem, planned)
    assert "was changed in this moment" in problems[0]
    assert b"quite different" in vault.read(memory.id)


def test_the_undo_journal_forgets_too(memem, save, vault, home):
    from memem.keep.undo import chosen, take_back

    save(FALCON)
    take_back(memem, chosen(memem))  # its bytes are in the journal now
    take_back(memem, chosen(memem, redo=True))
    memory = memem.memories()[0].memory
    forget(memem, ids=(memory.id,))
    assert list(Path(home.state_path("undo")).iterdir()) == []
    with pytest.raises(NotFound):
        chosen(memem)


def test_what_was_forgotten_stays_so_when_the_state_is_lost_or_a_backup_restored(
    memem, session, home, opened, tmp_path
):
    from memem.keep.bundle import Bundle
    from memem.keep.restore import carry_out as bring_back
    from memem.keep.restore import plan as look

    path = session()
    (memory, *_) = learned(memem, path)
    made = backup(home, str(tmp_path), sessions=True)
    assert plan(memem, Wish(ids=(memory.id,))).backups == ()
    forget(memem, ids=(memory.id,))
    memem.close()
    for one in (*Path(home.dir).glob("state.db*"), *Path(home.dir).glob("archive/*"), *Path(home.dir).glob("trans*")):
        one.unlink()
    again = opened()
    with Bundle(Path(made.path)) as bundle:
        bring_back(again, bundle, look(again, bundle))
    assert again.search("zorblaxctl").ids == []
    assert again.transcripts("weather", everywhere=True).passages
    assert again.transcripts("zorblaxctl", everywhere=True).passages == ()
    assert held(home.dir, "zorblaxctl") == []
    assert held(home.dir, memory.id) == []
    assert learned(again, path) == []


def test_hooks_that_write_meanwhile_lose_no_line(memem, save, home):
    memory = save(FALCON)
    trail = Path(home.state_path("events.jsonl"))
    trail.write_text(f'{{"ids": ["{memory.id}"]}}\n')
    stop, written = threading.Event(), []

    def hook():
        while not stop.is_set():
            with open(trail, "a") as file:
                file.write(f'{{"at": {len(written)}}}\n')
            written.append(1)

    thread = threading.Thread(target=hook)
    thread.start()
    try:
        forget(memem, ids=(memory.id,))
    finally:
        stop.set()
        thread.join()
    assert len(trail.read_text().splitlines()) >= len(written) - 1
    assert memory.id not in trail.read_text()


@pytest.mark.parametrize(
    "wish", [{}, {"ids": ("abc",)}, {"since": "yesterday"}, {"until": "2030-13-01"}, {"query": "???"}]
)
def test_a_wish_that_says_nothing_is_refused(memem, wish):
    with pytest.raises(BadInput):
        plan(memem, Wish(**wish))


@pytest.mark.parametrize("name", ["ffffffff", "../../etc", "%%%%%%%%", "' OR 1=1 --", "________"])
def test_an_id_that_is_none_forgets_nothing(memem, save, name):
    save(DEPLOYS)
    with pytest.raises(NotFound):
        plan(memem, Wish(ids=(name,)))
    with pytest.raises(NotFound):
        plan(memem, Wish(session=name))


ZETTEL = "---\nid: {id}\ntitle: {title}\n---\n\n{title}, as the barn host needs it\n"


def test_the_beginning_of_several_ids_forgets_nothing_and_names_them(memem, vault):
    vault.write("one.md", ZETTEL.format(id="202311210930", title="Morning fig"))
    vault.write("two.md", ZETTEL.format(id="202311211015", title="Later plum"))
    with pytest.raises(BadInput, match=r"begins several ids.*202311210930 “Morning fig”, 202311211015 “Later plum”"):
        plan(memem, Wish(ids=("20231121",)))
    assert [item.memory.title for item in plan(memem, Wish(ids=("202311210930",))).notes] == ["Morning fig"]


def test_a_whole_id_is_meant_also_where_it_begins_another(memem, vault):
    vault.write("one.md", ZETTEL.format(id="20231121", title="Morning fig"))
    vault.write("two.md", ZETTEL.format(id="202311211015", title="Later plum"))
    forget(memem, ids=("20231121",))
    assert [item.memory.title for item in memem.memories("*")] == ["Later plum"]


def test_an_id_shorter_than_what_is_shown_of_others_is_enough(memem, vault, save, home):
    vault.write("one.md", ZETTEL.format(id="'12345'", title="Morning fig"))
    kept = save("The feeder number 12345 stands in the barn")
    memem.sync()
    assert [memory.title for memory in memem.get(["[12345]"])[0]] == ["Morning fig"]
    assert memem.timeline("12345").anchor.title == "Morning fig"
    assert audit(memem, "12345").memory.title == "Morning fig"
    assert graph.neighbors(memem, "12345")[0].title == "Morning fig"
    assert memem.save(Draft(content="The barn host wants a pear now", supersedes=("12345",)), dry_run=True).replaced
    with pytest.raises(NotFound):
        memem.timeline("1234")
    forget(memem, ids=("12345",))
    assert memem.get(["12345"])[1] and memem.get([kept.id])[0] == [kept]
    assert any(kept.id in change.cause for change in Changes(home.dir).all())


def test_two_notes_of_one_id_are_both_shown_and_both_forgotten_whole(tmp_path):
    home = Home(tmp_path)
    name = "bbbbbbbb-1111-4000-8000-000000000001"
    home.write_note("one", "The marten lives below the barn and eats figs", id=name, title="Marten")
    home.write_note("two", "The zorblaxctl heron nests upon the chimney", id=name, title="Heron")
    shown = home.run("forget", name).stdout
    for word in ("Marten", "memories/one.md", "Heron", "memories/two.md"):
        assert word in shown
    assert len(json.loads(home.run("forget", name, "--json").stdout)["memories"]) == 2
    assert home.run("forget", name, "--yes").returncode == 0
    assert held(home.state, "zorblaxctl") == held(home.state, "marten") == []
    for text in ("The marten lives below the barn and eats figs", "The zorblaxctl heron nests upon the chimney"):
        memem = home.open()
        assert memem.save(Draft(content=text, source_type="mined")).action == "skipped"
        memem.close()


def test_the_command_shows_first_what_goes(tmp_path):
    home = Home(tmp_path)
    memory = home.save(FALCON)
    shown = home.run("forget", memory.id[:8])
    assert "Nothing was changed" in shown.stdout and memory.id[:8] in shown.stdout
    assert len(list(home.notes.glob("*.md"))) == 1
    done = home.run("forget", memory.id[:8], "--yes")
    assert done.stdout.endswith("Forgotten.\n"), done
    assert list(home.notes.glob("*.md")) == []
    assert held(home.state, "zorblaxctl") == []
    transcript = home.root / ".claude" / "projects" / "-work" / f"{SESSION}.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.write_bytes(line(user(f"From now on: {FALCON}.", sessionId=SESSION)))
    told = home.run("forget", "--query", "zorblaxctl", "--yes").stdout
    assert f"1 passages of transcripts, which are passed over from now on\nstays: {transcript}\n" in told
    assert "delete them yourself" in told and transcript.exists()
    assert home.run("forget", "--yes").returncode == 2
    assert home.run("forget", memory.id[:8], "--yes").returncode == 3
