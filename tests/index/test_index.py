"""The index: what finds what, and that no question is a syntax error."""

import random
import stat
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memem import sqlite
from memem.index.reader import any_of, open_reader, quote
from memem.index.schema import FILE_NAME, memory_values, row_memory
from memem.index.writer import Entry, memory_index, open_writer
from memem.models import GENERAL, Memory, Scope
from memem.text import Terms, query_terms, terms

HOSTILE = [
    "", " ", '"', '""', "'", "*", "^a", "a*", "a AND", "AND", "OR OR", "NOT", "a NOT b", "NEAR(a b, 3)", "NEAR(", ")",
    "(", "a:b", "title:", "title : x", "{title} : x", "-", "--", "+", "a + b", "a\0b", "\0", "%", "_", "\\", ";",
    "'; DROP TABLE notes; --", "SELECT * FROM notes", "../../etc/passwd", "$(id)", "`x`", "<script>", "[[x]]", "𝕏",
    "\ud800", "\udcff", "👩‍👩‍👧", "\u202e", "\u200b", "\ufeff", "é", "e\u0301", "漢", "漢字", "ー", "ｶﾅ", "ไทย",
    "\uffff",
    "a" * 100_000, "a " * 50_000, "(" * 1000, '"' * 1001, "漢" * 50_000, "a-b-c.d/e_f" * 1000, "aB" * 5000,
]  # fmt: skip


def entry(path):
    return Entry(path=path, etag="1-1-1", hash=path, read_ns=1)


def memory(body, *, title="", id="", **fields):
    return Memory(id=id or f"{body[:8]:_<8}-id", title=title or body[:40], body=body, **fields)


@pytest.fixture
def index():
    index = memory_index()
    yield index
    index.close()


def filled(index, *bodies, **fields):
    for number, body in enumerate(bodies):
        index.put(entry(f"{number}.md"), memory(body, **fields))
    return index


def found(index, question, limit=10, scope=None):
    return [candidate.memory.body for candidate in index.search(query_terms(question), limit, scope)]


NOTES = (
    "Redis of the shop listens on port 6380, not on the default.",
    "Deployments to Fly.io run with `make deploy-prod` after the smoke tests.",
    "`UserRepository.getUserName` caches by tenant_id; clear it with flush_cache().",
    "The café in São Paulo is the staging customer named Müller.",
    "数据库迁移必须在部署之前运行。",
    "テストは毎晩サーバーで実行する。",
    "배포는 금요일에 하지 않는다.",
    "ใช้ฐานข้อมูลทดสอบเท่านั้น",
    "Never commit package-lock.json changes made by CI.",
)


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("which port does redis listen on?", 0),
        ("On what PORT is Redis listening", 0),
        ("how do we deploy to production on fly", 1),
        ("deploy-prod", 1),
        ("make deploy_prod", 1),
        ("getUserName", 2),
        ("user_repository", 2),
        ("get user name", 2),
        ("get-user-name", 2),
        ("tenantId", 2),
        ("flushCache", 2),
        ("what does UserRepository cache?", 2),
        ("cafe sao paulo", 3),
        ("Cafe\u0301 MÜLLER", 3),
        ("数据库迁移", 4),
        ("什么时候运行迁移?", 4),
        ("库", 4),
        ("テスト", 5),
        ("サーバー", 5),
        ("배포", 6),
        ("ฐานข้อมูล", 7),
        ("package-lock.json", 8),
        ("package lock", 8),
    ],
)
def test_a_natural_question_finds_its_note_first(index, question, number):
    assert found(filled(index, *NOTES), question)[:1] == [NOTES[number]]


@pytest.mark.parametrize("question", ["", "the of and", "kubernetes ingress", "字", "?!"])
def test_what_no_note_speaks_of_finds_nothing(index, question):
    assert found(filled(index, *NOTES), question) == []


def test_a_word_in_the_title_outweighs_one_in_the_body(index):
    index.put(entry("a.md"), memory("Something about caching and many other words", title="Misc"))
    index.put(entry("b.md"), memory("Something else and many other words as well", title="Caching"))
    assert [item.path for item in index.search(query_terms("caching"), 5)] == ["b.md", "a.md"]


@pytest.mark.parametrize("field", ["keys", "tags", "paths", "entities"])
def test_synonyms_tags_paths_and_entities_are_found(index, field):
    index.put(entry("a.md"), memory("Nothing of it in the text", **{field: ("src/authService",)}))
    assert found(index, "auth service") == ["Nothing of it in the text"]


def test_a_scope_restricts_to_its_names_exactly(index):
    for project in ("github.com/acme/shop", "github.com/acme/shop-api", "shop", GENERAL):
        index.put(entry(f"{project}.md"), memory(f"Redis of {project}", project=project))
    scope = Scope(id="github.com/acme/shop", names=("github.com/acme/shop", "shop"))
    assert sorted(found(index, "redis", scope=scope)) == ["Redis of github.com/acme/shop", "Redis of shop"]
    assert len(found(index, "redis")) == 4


def test_live_notes_of_a_scope_come_by_layer(index):
    for number, fields in enumerate(
        ({"layer": 2}, {"layer": 0}, {"layer": 3}, {"status": "superseded"}, {"replaced_by": "x"}, {"status": "open"})
    ):
        index.put(entry(f"{number}.md"), memory(f"note {number}", id=f"id-{number}", **fields))
    assert [item.memory.id for item in index.in_scope(Scope())] == ["id-1", "id-0", "id-5"]


def test_every_field_comes_back_from_its_row(index):
    full = Memory(
        **{
            field: ("a b", "c,d") if isinstance(default, tuple) else 2 if isinstance(default, int) else f"{field} ☂ '"
            for field, default in {**dict.fromkeys(("id", "title", "body"), ""), **Memory.__defaults__}.items()
        }
    )
    index.put(entry("a.md"), full)
    assert index.notes()[0].memory == full
    assert row_memory(memory_values(full)) == full


def test_an_id_is_found_by_any_prefix_in_any_case_and_by_nothing_else(index):
    index.put(entry("a.md"), memory("one", id="ABCDEF12-3456"))
    index.put(entry("b.md"), memory("two", id="abcdef12-9999"))
    assert [item.path for item in index.by_prefix("abcdef12")] == ["a.md", "b.md"]
    assert [item.path for item in index.by_prefix("ABCDEF12-3")] == ["a.md"]
    for name in ("%", "_bcdef12", "abcdef1*", "' OR 1=1 --", "\0", "\ud800", "../abcdef12", "x" * 100_000):
        assert index.by_prefix(name) == []


def test_a_removed_note_is_really_forgotten(index):
    filled(index, *NOTES)
    for number, body in enumerate(NOTES):
        index.remove(f"{number}.md")
        for word in query_terms(body).words:
            assert body not in found(index, word)
    assert index.size() == 0
    # Nothing is left in the contentless table either: no document, and no term of any.
    assert index.connection.execute("SELECT count(*) FROM terms").fetchone()[0] == 0
    index.connection.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, terms, row)")
    assert index.connection.execute("SELECT term FROM temp.words").fetchall() == []
    index.connection.execute("INSERT INTO terms (terms) VALUES ('integrity-check')")


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=40)), max_size=8))
def test_replacing_notes_leaves_no_trace_of_the_old_ones(changes):
    changed, fresh = memory_index(), memory_index()
    last = {}
    for path, raw in changes:
        text = raw.encode("utf-8", "replace").decode().replace("\0", "")
        last[path] = memory(text, title="t", tags=(text.replace("\x1f", ""),) if text.replace("\x1f", "") else ())
        changed.put(entry(path), last[path])
    for path in sorted(last):
        fresh.put(entry(path), last[path])
    for one in (changed, fresh):
        one.connection.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, terms, row)")
    words = [sorted(map(tuple, one.connection.execute("SELECT * FROM temp.words"))) for one in (changed, fresh)]
    changed.close()
    fresh.close()
    assert words[0] == words[1]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_no_hostile_question_is_a_syntax_error(index, number):
    filled(index, *NOTES)
    began = time.monotonic()
    index.search(query_terms(HOSTILE[number]), 10)
    index.search(Terms(words=tuple(terms(HOSTILE[number])[:20]) or ("x",)), 10)
    index.count(HOSTILE[number].encode("utf-8", "replace").decode()[:200] or "x")
    assert time.monotonic() - began < 1


@settings(max_examples=300)
@given(st.text(max_size=80), st.text(max_size=20))
def test_no_text_is_a_syntax_error(text, project):
    index = memory_index()
    filled(index, NOTES[0])
    index.search(query_terms(text), 5, Scope(id=project, names=(project,)))
    index.search(Terms(words=(text.encode("utf-8", "replace").decode(),)), 5)
    index.close()


def test_ten_thousand_fuzzed_questions_are_answered(index):
    filled(index, *NOTES)
    chance = random.Random(11)
    pieces = [piece[:20] for piece in HOSTILE] + [word for note in NOTES for word in note.split()]
    began = time.monotonic()
    for _ in range(10_000):
        index.search(query_terms("".join(chance.choice(pieces) + chance.choice(" ~") for _ in range(4))), 5)
    assert time.monotonic() - began < 30


def test_a_quoted_term_is_one_string():
    assert quote('a"b\0') == '"a""b"'
    assert any_of(("a", "OR")) == '{title body keys} : ("a" OR "OR")'


def test_a_file_index_is_private_and_read_by_others(tmp_path):
    writer = open_writer(str(tmp_path))
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    with sqlite.transaction(writer.connection):
        filled(writer, *NOTES)
    reader = open_reader(str(tmp_path))
    assert found(reader, "redis port")[0] == NOTES[0]
    with pytest.raises(sqlite.Error):
        reader.connection.execute("DELETE FROM notes")
    reader.close()
    writer.close()


def test_there_is_no_reader_before_there_is_an_index(tmp_path):
    assert open_reader(str(tmp_path)) is None
    (tmp_path / FILE_NAME).touch()
    assert open_reader(str(tmp_path)) is None
    (tmp_path / FILE_NAME).write_bytes(b"garbage" * 1000)
    assert open_reader(str(tmp_path)) is None
    assert open_reader(str(tmp_path / "missing")) is None


@pytest.mark.parametrize("data", [b"garbage" * 1000, b"", b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_index_is_moved_aside_when_it_is_opened(tmp_path, data):
    (tmp_path / FILE_NAME).write_bytes(data)
    writer = open_writer(str(tmp_path))
    assert writer.size() == 0
    kept = [path.read_bytes() for path in tmp_path.glob("*.damaged-*")]
    assert kept == ([data] if data else [])
    writer.close()


def test_a_failed_transaction_leaves_the_error_and_no_lock(tmp_path):
    writer = open_writer(str(tmp_path))
    writer.connection.execute(f"PRAGMA max_page_count = {writer.connection.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(sqlite.Error, match="full") as raised, sqlite.transaction(writer.connection):
        for number in range(1000):
            writer.put(entry(f"{number}.md"), memory("x" * 5000))
    assert not sqlite.is_damage(raised.value)
    assert writer.size() == 0
    other = open_writer(str(tmp_path))
    with sqlite.transaction(other.connection):
        filled(other, *NOTES)
    assert writer.size() == len(NOTES)
    writer.close()
    other.close()


def test_an_index_knows_when_its_file_was_replaced(tmp_path):
    writer = open_writer(str(tmp_path))
    assert writer.current
    (tmp_path / FILE_NAME).rename(tmp_path / "elsewhere")
    assert not writer.current
    other = open_writer(str(tmp_path))
    assert other.current
    assert not writer.current
    writer.close()
    other.close()
    memory = memory_index()
    assert memory.current
    memory.close()


PLACE = Scope(id="a", names=("a", GENERAL))


def led(index, most):
    return [item.memory.id for item in index.leading(PLACE, ("directive",), ["stood"], most)]


def test_a_session_is_led_by_the_weightiest_notes_and_by_all_that_stand(index):
    index.put(entry("identity.md"), memory("who", id="identity", project="a", layer=0))
    index.put(entry("rule.md"), memory("rule", id="rule", kind="directive", importance=1, project=GENERAL))
    index.put(entry("stood.md"), memory("stood", id="stood", importance=1, project="a"))
    for number in range(20):
        kept = {"importance": 5 if number == 7 else 2, "updated": f"2026-01-{number + 1:02}"}
        index.put(entry(f"{number}.md"), memory(f"note {number}", id=f"n{number:02}", project="a", **kept))
    assert led(index, 2) == ["identity", "n07", "rule", "stood"]  # the identity is among the two weightiest
    assert led(index, 3) == ["identity", "n07", "n19", "rule", "stood"]
    everything = [item.memory.id for item in index.in_scope(PLACE)]
    assert sorted(led(index, 100)) == sorted(everything)


def test_what_may_not_be_told_takes_no_place_of_what_may(index):
    for number, fields in enumerate(
        ({"trust": "web"}, {"tags": ("unconfirmed",)}, {"status": "superseded"}, {"project": "b"}, {"layer": 3})
    ):
        note = {"project": "a", "importance": 5} | fields
        index.put(entry(f"{number}.md"), memory(f"no {number}", id=f"no{number}", **note))
    index.put(entry("broken.md").replace(problem="cut short"), memory("broken", id="no9", project="a", importance=5))
    index.put(entry("yes.md"), memory("yes", id="yes", project="a", importance=1))
    assert led(index, 1) == ["yes"]


def test_every_version_of_a_leading_note_is_there(index):
    index.put(entry("old.md"), memory("old", id="same", project="a", importance=5, updated="2026-01-01"))
    index.put(entry("new.md"), memory("new", id="same", project="a", importance=1, updated="2026-02-01"))
    index.put(entry("other.md"), memory("other", id="other", project="a", importance=4))
    assert led(index, 1) == ["same", "same"]


def segments(index):
    return index.connection.execute("SELECT count(DISTINCT segid) FROM terms_idx").fetchone()[0]


def test_segments_are_brought_together_after_many_writes_only(tmp_path, monkeypatch):
    index = open_writer(str(tmp_path))
    for number in range(3):
        with sqlite.transaction(index.connection):
            index.put(entry(f"{number}.md"), memory(f"Redis {number}"))
    index.tidy()
    assert segments(index) == 3
    monkeypatch.setattr("memem.index.writer._MANY", 3)
    other = open_writer(str(tmp_path))
    sqlite.wait_at_most(index.connection, 0)
    with sqlite.transaction(other.connection):
        index.tidy()  # not while another writes
    assert segments(index) == 3
    index.tidy()
    assert segments(index) == 1
    other.close()
    assert len(found(index, "redis")) == 3
    index.close()


def test_files_that_have_settled_are_told_from_the_others(index):
    index.put(entry("a.md").replace(settled=True), memory("one"))
    index.put(entry("b.md"), memory("two"))
    assert (index.settled(), index.unsettled()) == ({"a.md": "1-1-1"}, {"b.md": "1-1-1"})
    index.refresh(entry("b.md").replace(settled=True))
    assert (list(index.settled()), index.unsettled()) == (["a.md", "b.md"], {})


def test_settled_files_are_told_with_whatever_their_names_hold(index):
    names = ["a/b\nc.md", "a/ d.md", "a/ü|x\x1f.md", "'e'.md"]
    for name in names:
        index.put(Entry(path=name, etag="1-2-3-4", hash="", read_ns=1, settled=True), memory(name))
    assert index.settled() == dict.fromkeys(names, "1-2-3-4")


def test_ids_that_notes_have_are_told_from_the_others_however_many_there_are(index, monkeypatch):
    monkeypatch.setattr("memem.index.writer.MOST_BOUND", 2)
    for number in range(3):
        index.put(entry(f"{number}.md"), memory("Redis", id=f"id-{number}"))
    assert index.held(["gone", "id-2", "ID-0", "id", "id-1"]) == ["id-2", "ID-0", "id-1"]
    assert index.held([]) == []
