"""Search in sessions: by the index where there is one, by a scan where there is not, and each place once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memem import sqlite
from memem.app import Memem
from memem.errors import BadInput
from memem.sources.search import Found
from memem.transcripts import archive as archives

from ..sources.transcripts import agent, call, line, result, user, write


@pytest.fixture
def projects(memem: Memem) -> Path:
    return Path(memem.config.claude_dir) / "projects"


@pytest.fixture
def keep(memem: Memem, projects: Path) -> Callable[[], None]:
    def keep() -> None:
        assert all(grown.complete for grown in memem.archive([str(projects)], opted_in=True))

    return keep


def snippets(found: Found) -> list[str]:
    return [passage.snippet for passage in found.passages]


def test_nothing_is_archived_without_consent(memem: Memem, projects: Path) -> None:
    write(projects / "a.jsonl", user("redis"))
    with pytest.raises(BadInput, match="opted in"):
        list(memem.archive([str(projects)], opted_in=False))
    assert not Path(memem.config.dir, "archive").exists()


def test_what_is_indexed_is_found_without_a_scan(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str
) -> None:
    said = user("The webhooks arrive twice.", cwd=checkout, sessionId="s1", timestamp="2026-11-12T08:00:00Z")
    write(projects / "a" / "s1.jsonl", said, agent("I see."))
    scanned = memem.transcripts("webhook")
    keep()
    found = memem.transcripts("webhook")
    assert (found.files, found.bytes, found.indexed, found.complete) == (0, 0, 1, True)
    assert [passage.replace(score=0) for passage in found.passages] == [
        passage.replace(score=0) for passage in scanned.passages
    ]


def test_tail_that_is_not_indexed_is_scanned(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str
) -> None:
    path = write(projects / "a.jsonl", user("redis before", cwd=checkout))
    keep()
    with open(path, "ab") as file:
        file.write(line(user("redis after", cwd=checkout)))
    found = memem.transcripts("redis")
    assert sorted(snippets(found)) == ["redis after", "redis before"]
    assert found.bytes < path.stat().st_size
    keep()
    assert sorted(snippets(memem.transcripts("redis"))) == ["redis after", "redis before"]


def test_session_not_archived_is_scanned_beside_those_that_are(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str
) -> None:
    write(projects / "a.jsonl", user("redis on port 6397", cwd=checkout))
    keep()
    write(projects / "b.jsonl", user("redis", cwd=checkout), user("the redis port is 6380", cwd=checkout))
    assert snippets(memem.transcripts("redis port 6380"))[0] == "the redis port is 6380"
    assert len(memem.transcripts("redis", 20).passages) == 3
    assert len(memem.transcripts("redis", 2).passages) == 2


def test_session_is_found_after_its_transcript_is_gone(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str
) -> None:
    path = write(projects / "a.jsonl", user("redis", cwd=checkout))
    keep()
    path.unlink()
    assert snippets(memem.transcripts("redis")) == ["redis"]


def test_moved_or_copied_transcript_is_found_once(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str
) -> None:
    path = write(projects / "a" / "s1.jsonl", user("redis", cwd=checkout))
    keep()
    shutil.copytree(projects / "a", projects / "b")
    path.rename(projects / "s1.jsonl")
    assert snippets(memem.transcripts("redis")) == ["redis"]
    keep()
    assert snippets(memem.transcripts("redis")) == ["redis"]


def test_project_is_remembered_when_its_folder_is_gone(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str
) -> None:
    inner = Path(checkout) / "deep" / "inside"
    inner.mkdir(parents=True)
    write(projects / "a.jsonl", user("redis inside", cwd=str(inner)))
    write(projects / "b.jsonl", user("redis elsewhere", cwd="/gone/other"))
    assert snippets(memem.transcripts("redis")) == ["redis inside"]
    keep()
    shutil.rmtree(inner.parent)
    assert snippets(memem.transcripts("redis")) == ["redis inside"]
    assert len(memem.transcripts("redis", everywhere=True).passages) == 2


def test_one_passage_a_turn_the_best_of_it(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str
) -> None:
    here = {"cwd": checkout}
    write(
        projects / "a.jsonl",
        user("Where does redis listen?", **here), agent("redis listens on port 6397", **here),
        call("Bash", command="redis-cli -p 6397 ping"), result("PONG"),
    )  # fmt: skip
    keep()
    said = snippets(memem.transcripts("redis port 6397"))
    assert sorted(said) == ["Where does redis listen?", "redis listens on port 6397"]
    assert "PONG" in snippets(memem.transcripts("PONG"))
    assert snippets(memem.transcripts("listening"))[0] == "Where does redis listen?"


def test_of_equal_turns_the_newest_comes_first(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str
) -> None:
    for number in (1, 3, 2):
        at = f"2026-0{number}-01T00:00:00Z"
        write(projects / f"{number}.jsonl", user(f"redis {'abc'[number - 1]}", cwd=checkout, timestamp=at))
    keep()
    assert snippets(memem.transcripts("redis")) == ["redis c", "redis b", "redis a"]
    assert snippets(memem.transcripts("redis", 1)) == ["redis c"]


def test_turn_without_a_word_is_found_beside_what_it_answers(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str
) -> None:
    here = {"cwd": checkout}
    for number in range(5):
        write(projects / f"{number}.jsonl", user(f"Rename module {number}.", **here), agent("Done.", **here))
    write(
        projects / "a.jsonl",
        user("Which port does the staging redis listen on?", **here), agent("6397, behind the tunnel.", **here),
    )  # fmt: skip
    keep()
    assert "6397, behind the tunnel." in snippets(memem.transcripts("staging redis port", 2))


def test_day_that_a_question_names_decides_between_turns(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str
) -> None:
    for day in ("03", "09", "21"):
        said = user(f"Deployed to staging, build {day}.", cwd=checkout, timestamp=f"2026-05-{day}T08:00:00Z")
        write(projects / f"{day}.jsonl", said)
    keep()
    assert snippets(memem.transcripts("what was deployed to staging on 9 May", 1)) == ["Deployed to staging, build 09."]


@pytest.mark.parametrize("archived", [True, False])
def test_sessions_are_ranked_as_a_whole_or_the_newest_sooner(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str, archived: bool
) -> None:
    def at(day: str) -> dict[str, str]:
        return {"cwd": checkout, "timestamp": f"{day}T08:00:00Z", "sessionId": f"s{day}"}

    talk = [user("The redis cache loses keys.", **at("2026-05-03")), agent("redis evicts keys.", **at("2026-05-03"))]
    write(projects / "s2026-05-03.jsonl", *talk, user("Then raise the redis memory.", **at("2026-05-03")))
    write(projects / "s2026-05-09.jsonl", user("redis", **at("2026-05-09")))
    if archived:
        keep()
    found = memem.transcripts("redis keys memory", by_session=True).passages
    assert [passage.at[:10] for passage in found] == ["2026-05-03", "2026-05-09"]


@pytest.fixture
def session(projects: Path, checkout: str) -> Callable[..., None]:
    """Writes a session of a day and a branch, that was asked for something and changed some files."""

    def session(day: int, asked: str, *changed: str, branch: str = "main", answer: str = "Done.") -> None:
        common = {
            "cwd": checkout,
            "sessionId": f"s{day}",
            "gitBranch": branch,
            "timestamp": f"2026-05-{day:02}T08:00:00Z",
        }
        records = [user(asked, **common)]
        for number, path in enumerate(changed):
            given = {"file_path": f"{checkout}/{path}", "old_string": "a", "new_string": "b"}
            records += [call("Edit", f"t{number}", **given) | common, result("ok", f"t{number}", **common)]
        write(projects / f"s{day}.jsonl", *records, agent(answer, **common))

    return session


def days(found: Found) -> list[int]:
    return [int(passage.session[1:]) for passage in found.passages]


def test_session_is_found_by_its_branch_and_what_is_kin_by_it(
    memem: Memem, session: Callable[..., None], keep: Callable[[], None]
) -> None:
    session(1, "Rework the quay first.", branch="dana/docks-12")
    session(2, "Now the crane and the winch of it.", branch="dana/docks-12")
    session(3, "The crane is broken.")
    session(4, "The winch is broken.")
    keep()
    assert days(memem.transcripts("docks", by_session=True))[:2] in ([1, 2], [2, 1])
    assert days(memem.transcripts("docks crane", by_session=True))[0] == 2
    assert memem.transcripts("docks").passages == ()  # a branch is no turn's own
    assert days(memem.transcripts("crane winch", by_session=True))[:2] == [2, 4]
    assert days(memem.transcripts("quay crane", by_session=True))[:2] == [1, 2]


def test_session_that_changed_the_same_files_comes_sooner(
    memem: Memem, session: Callable[..., None], keep: Callable[[], None]
) -> None:
    session(1, "The anchor chain of the lighthouse rattles.", "src/chain.py", "src/anchor.py")
    session(2, "The lighthouse is dark.", "src/chain.py", "src/anchor.py")
    session(3, "The lighthouse is dark.", "src/lamp.py")
    session(4, "The lighthouse is dark.")
    keep()
    assert days(memem.transcripts("anchor chain lighthouse", by_session=True))[:2] == [1, 2]


def test_session_is_found_by_what_it_was_begun_for(
    memem: Memem, session: Callable[..., None], keep: Callable[[], None]
) -> None:
    session(1, "Make the harbor faster.", "src/a.py", answer="The crane has to wait.")
    session(2, "Make the crane faster.", "src/b.py", answer="The harbor has to wait.")
    keep()
    assert days(memem.transcripts("crane", by_session=True)) == [2, 1]
    assert days(memem.transcripts("harbor", by_session=True)) == [1, 2]


def test_words_of_every_order_do_not_choose_a_session(
    memem: Memem, session: Callable[..., None], keep: Callable[[], None]
) -> None:
    session(1, "Fix the failing test of the crane, then review the branch.")
    session(2, "The winch again.")
    keep()
    assert days(memem.transcripts("fix the failing test of the winch", by_session=True)) == [2]
    assert days(memem.transcripts("fix the failing test", by_session=True)) == [1]  # there are no others
    assert 1 in days(memem.transcripts("fix the failing test of the winch"))


def test_last_sessions_are_found_whatever_they_hold_when_the_newest_are_asked_for(
    memem: Memem, session: Callable[..., None], keep: Callable[[], None]
) -> None:
    session(1, "The crane is broken.")
    session(2, "Something else.")
    keep()
    assert days(memem.transcripts("crane", by_session=True)) == [1]
    assert sorted(days(memem.transcripts("crane", by_session=True, newest=True))) == [1, 2]
    assert memem.transcripts("giraffe", by_session=True, newest=True).passages == ()


@pytest.mark.parametrize("archived", [True, False])
def test_session_of_this_moment_comes_first_of_the_newest_archived_or_not(
    memem: Memem, projects: Path, session: Callable[..., None], keep: Callable[[], None], checkout: str, archived: bool
) -> None:
    session(1, "The crane, the winch and the quay.")
    session(2, "The crane is broken.")
    keep()
    common = {"cwd": checkout, "sessionId": "s9", "timestamp": datetime.now(UTC).isoformat()}
    write(projects / "s9.jsonl", user("The crane again.", **common), agent("Yes, the crane.", **common))
    if archived:
        keep()
    assert days(memem.transcripts("crane winch quay", by_session=True))[0] == 1
    assert days(memem.transcripts("crane winch quay", by_session=True, newest=True))[0] == 9


def test_session_that_is_archived_in_part_and_its_sub_agents_are_one(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str
) -> None:
    common = {"cwd": checkout, "sessionId": "s1"}
    path = write(projects / "p" / "s1.jsonl", user("The crane is broken.", **common))
    side = {"isSidechain": True, "agentId": "a7"} | common
    write(
        path.with_suffix("") / "subagents" / "agent-a7.jsonl",
        user("Look at the crane.", **side),
        agent("Crane.", **side),
    )
    keep()
    with open(path, "ab") as file:
        file.write(line(user("The crane still is.", **common)))
    assert len(memem.transcripts("crane").passages) > 1
    assert days(memem.transcripts("crane", by_session=True)) == [1]


def test_words_that_are_everywhere_do_not_hide_a_rare_one(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memem.transcripts import turns

    for number in range(12):
        write(projects / f"{number}.jsonl", user(f"redis {'zebra' if number == 3 else 'port'}", cwd=checkout))
    keep()
    monkeypatch.setattr(turns, "_MOST_ROWS", 4)
    assert snippets(memem.transcripts("redis zebra")) == ["redis zebra"]
    assert len(memem.transcripts("redis").passages) == 5


def test_query_is_never_syntax(memem: Memem, projects: Path, keep: Callable[[], None], checkout: str) -> None:
    write(projects / "a.jsonl", user("redis and port", cwd=checkout))
    keep()
    for query in ('"', "redis OR", "human: redis", "folder:f1 redis", "(redis*", "redis' --", "the and", "NEAR(a b)"):
        memem.transcripts(query)
    assert snippets(memem.transcripts('redis" AND ("')) == ["redis and port"]


def test_busy_or_unwritable_archive_is_done_without(
    memem: Memem, projects: Path, keep: Callable[[], None], checkout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(projects / "a.jsonl", user("redis", cwd=checkout))
    keep()

    def locked(_: str) -> None:
        raise sqlite.OperationalError("database is locked")

    monkeypatch.setattr(archives, "open_turns", locked)
    assert snippets(memem.transcripts("redis")) == ["redis"]


def test_own_sessions_are_neither_archived_nor_scanned_again(
    memem: Memem, projects: Path, keep: Callable[[], None]
) -> None:
    write(projects / "a.jsonl", user("<memem-miner> redis"))
    keep()
    found = memem.transcripts("redis", everywhere=True)
    assert (found.passages, found.indexed) == ((), 1)
    assert not os.listdir(Path(memem.config.dir, "archive"))


def test_gone_paths_are_told_and_stop_is_obeyed(memem: Memem, projects: Path) -> None:
    write(projects / "a.jsonl", user("redis"))
    assert [grown.gone for grown in memem.archive([str(projects / "none.jsonl")], opted_in=True)] == [True]
    assert list(memem.archive([str(projects)], opted_in=True, stop=lambda: True)) == []


def test_transcript_that_cannot_be_read_does_not_stop_the_pass(memem: Memem, projects: Path) -> None:
    write(projects / "b.jsonl", user("redis"))
    os.mkfifo(projects / "a.jsonl")
    paths = [str(projects / name) for name in ("a.jsonl", "b.jsonl")]
    told = list(memem.archive(paths, opted_in=True))
    assert ["no regular file" in grown.problem for grown in told] == [True, False]
    assert told[1].events == 1


def test_status_tells_the_size(memem: Memem, projects: Path, keep: Callable[[], None]) -> None:
    from click.testing import CliRunner

    from memem.cli.system import status

    assert "archive" not in CliRunner().invoke(status, [], obj=lambda **_: memem).output
    write(projects / "a.jsonl", user("redis"))
    keep()
    assert "archive    1 sessions, 0.0 MB" in CliRunner().invoke(status, [], obj=lambda **_: memem).output


def test_retention_is_kept_after_a_pass(memem: Memem, projects: Path, keep: Callable[[], None]) -> None:
    write(projects / "a.jsonl", user("redis"))
    keep()
    (file,) = Path(memem.config.dir, "archive").glob("*.gz")
    os.utime(file, (0, 0))
    keep()
    assert len(memem.transcripts("redis", everywhere=True).passages) == 1
    memem.config = memem.config.replace(archive_days=1)
    keep()
    assert memem.transcripts("redis", everywhere=True).passages == ()
