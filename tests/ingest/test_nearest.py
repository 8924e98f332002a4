"""The notes that a text is compared with: in a large store as many that matter are found as in a small one."""

import pytest

from memem import sqlite
from memem.index.writer import Entry, memory_index
from memem.ingest import nearest as chosen
from memem.ingest.nearest import COMPARED, nearest
from memem.models import Memory, Scope

HARBOR = Scope(id="harbor", names=("harbor",))
RULE = "Always run the tests before a deploy"


@pytest.fixture
def index(monkeypatch):
    """A store that counts as large, in which every word but a number is common."""
    monkeypatch.setattr(chosen, "_SMALL", 20)
    monkeypatch.setattr(chosen, "_COMMON", 30)
    monkeypatch.setattr(chosen, "_MOST_POSTINGS", 30)
    index = memory_index()
    for number in range(100):
        put(
            index,
            f"tests/{number}",
            f"Tests of berth {number} run at night, always after the deploy of crane {number}.",
        )
    put(index, "rule", RULE)
    yield index
    index.close()


def put(index, name, body, **fields):
    memory = Memory(id=f"{name:_<12}", title=body[:40], body=body, project=fields.pop("project", "harbor"), **fields)
    with sqlite.transaction(index.connection):
        index.put(Entry(path=f"{name}.md", etag="1-1-1", hash="", read_ns=1), memory)


def paths(index, content):
    return [item.path for item in nearest(index, "", content, HARBOR)]


def test_a_version_of_a_note_finds_it_by_its_rare_words(index):
    again = (
        "Tests of berth 17 never run at night, always before the deploy of crane 17, because the quay is closed then."
    )
    assert paths(index, again)[0] == "tests/17.md"
    assert len(paths(index, again)) <= COMPARED


def test_a_text_that_holds_a_short_note_of_common_words_finds_it(index):
    rest = "Berth 4711 is painted in ochre, jade, teal, plum and sienna by the harbour's own painters."
    assert "rule.md" not in [item.path for item in index.search(chosen.query_terms("berth 4711 ochre"), 12, HARBOR)]
    assert "rule.md" in paths(index, f"{rest} {RULE}.")


def test_history_and_other_projects_are_not_compared(index):
    put(index, "old", "Run the tests with make check", status="superseded")
    put(index, "other", "Run the tests with make check", project="elsewhere")
    put(index, "mine", "Run the tests with make check")
    rest = "Berth 4711 is painted in ochre, jade, teal, plum and sienna by the harbour's own painters."
    found = paths(index, f"{rest} Run the tests with make check.")
    assert "mine.md" in found
    assert not {"old.md", "other.md"} & set(found)


def test_a_text_without_words_is_near_nothing(index):
    assert paths(index, "… !!! ???") == []
