"""What sessions leave behind: which traces two of them share, and that nothing is readable in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memem import sqlite
from memem.sources.events import Event
from memem.transcripts import traces
from memem.transcripts.members import Header, Member


@pytest.fixture
def connection() -> Iterator[sqlite.Connection]:
    made = sqlite.connect(":memory:")
    made.execute(traces.CREATE)
    yield made
    made.close()


def member(*paths: str, folder: str = "/home/dana/harbor", project: str = "", branch: str = "main") -> Member:
    events = [Event(kind="prompt", text="Go on.", session="s", uuid="u", branch=branch)]
    events += [Event(kind="edit", text="x", session="s", uuid="u", path=path, branch=branch) for path in paths]
    header = Header(source="s", identity="1", offset=1, session="s", folder=folder, project=project)
    return Member(start=0, end=1, header=header, events=tuple(events))


def test_one_file_in_two_checkouts_of_a_project_is_one_trace(connection: sqlite.Connection) -> None:
    traces.put(connection, 1, member("/home/dana/harbor/src/dock.py", project="harbor"))
    traces.put(connection, 2, member("/tmp/tree/src/dock.py", "src/crane.py", folder="/tmp/tree", project="harbor"))
    traces.put(connection, 3, member("/tmp/tree/src/dock.py", folder="/tmp/tree", project="pier"))
    found = traces.files(connection, [1, 2, 3])
    assert found[1] < found[2]
    assert not found[1] & found[3]


def test_what_is_worked_on_everywhere_is_no_branch(connection: sqlite.Connection) -> None:
    for archive, branch in enumerate(("main", "master", "", "HEAD", "dana/docks-12", "dana/docks-12")):
        traces.put(connection, archive, member(branch=branch))
    found = traces.branches(connection, list(range(6)))
    assert found.keys() == {4, 5}
    assert found[4] == found[5]
    assert traces.branch_terms(member(branch="dana/docks-12")).split()[:3] == ["dana", "docks", "12"]
    assert traces.branch_terms(member(branch="main")) == ""


def test_files_that_were_only_read_leave_no_trace(connection: sqlite.Connection) -> None:
    seen = member()
    event = Event(kind="result", text="x", session="s", uuid="u", path="src/dock.py")
    traces.put(connection, 1, seen.replace(events=(*seen.events, event)))
    assert traces.files(connection, [1]) == {}


def test_traces_are_numbers_and_can_be_removed(connection: sqlite.Connection) -> None:
    for archive in (1, 2):
        traces.put(connection, archive, member("src/dock.py", branch="docks"))
        traces.put(connection, archive, member("src/dock.py", branch="docks"))
    rows = connection.execute("SELECT * FROM traces").fetchall()
    assert len(rows) == 4
    assert all(type(value) is int for row in rows for value in row)
    traces.remove(connection, 1)
    assert traces.files(connection, [1, 2]).keys() == traces.branches(connection, [1, 2]).keys() == {2}
