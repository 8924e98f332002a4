"""The graph: what connects notes, and that changes one by one lead to the same edges as a new index."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memem import sqlite
from memem.index import edges
from memem.index.cues import cues_of, links_of, references
from memem.index.graph import audit, neighbors, stats
from memem.index.writer import Entry, memory_index
from memem.models import Memory

REDIS = "Redis of the harbor service listens on port 6380, since the staging tunnel took the usual one."
QUEUE = "The harbor queue keeps its jobs in redis; a restart of the tunnel loses none of them."
PAINT = "Watercolour paper buckles unless it is stretched overnight."


@pytest.fixture
def index():
    index = memory_index()
    yield index
    index.close()


def note(number, body, **fields):
    return Memory(id=f"{number:08d}-0000-4000-8000-{number:012d}", title=fields.pop("title", ""), body=body, **fields)


def put(index, *memories):
    with sqlite.transaction(index.connection):
        for memory in memories:
            path = f"memories/{memory.id8 if memory.id8.isdigit() else memory.id}.md"
            index.put(Entry(path=path, etag="1-1-1", hash=repr(memory), read_ns=1), memory)


def settled(index, *memories):
    put(index, *memories)
    edges.settle(index.connection)
    return index


def between(index, one, other):
    return [edge for edge in neighbors(index, [one.id]) if edge.other(one.id) == other.id]


def flaws(index):
    return {(flaw.what, flaw.ids) for flaw in audit(index)}


def test_notes_about_the_same_are_connected_and_say_by_what(index):
    redis, queue, paint = note(1, REDIS), note(2, QUEUE, project="other"), note(3, PAINT, project="art")
    settled(index, redis, queue, paint)
    (edge,) = between(index, redis, queue)
    assert edge.relation == "same_topic"
    assert {"redis", "tunnel"} <= set(edge.why.split(", "))
    assert 0 < edge.score < 0.95
    assert neighbors(index, [paint.id]) == []


def test_what_a_note_asserts_comes_first_and_hides_what_is_derived(index):
    redis = note(1, REDIS)
    queue = note(2, QUEUE, related=(redis.id,))
    settled(index, redis, queue)
    (edge,) = between(index, redis, queue)
    assert (edge.source, edge.relation, edge.target, edge.why) == (queue.id, "related", redis.id, "")


def test_links_lead_to_ids_short_ids_and_file_names_in_both_directions(index):
    redis = note(1, REDIS)
    short, wiki, alias = (
        note(2, PAINT, related=(redis.id8,)),
        note(3, f"See [[{redis.id8}]]."),
        note(4, "x [[a/00000001#b|c]]"),
    )
    settled(index, redis, short, wiki, alias, note(5, "An image: ![[00000001.png]]", project="art"))
    assert [(edge.source, edge.relation) for edge in neighbors(index, [redis.id]) if edge.relation != "temporal"] == [
        (short.id, "related"),
        (wiki.id, "links_to"),
        (alias.id, "links_to"),
    ]
    assert between(index, alias, redis)[0].relation == "links_to"


def test_a_prefix_that_several_ids_share_is_nobody(index):
    one, other = Memory(id="abcdefab-1", title="", body=REDIS), Memory(id="abcdefab-2", title="", body=PAINT)
    settled(index, one, other, note(3, "Snow melts", related=("abcdefab",)))
    assert ("dangling", (note(3, "").id,)) in flaws(index)


def test_a_correction_is_an_edge_from_new_to_old_whoever_tells(index):
    old = note(1, REDIS, status="superseded", replaced_by=note(2, "").id)
    new = note(2, QUEUE)
    settled(index, old, new)
    (edge,) = between(index, old, new)
    assert (edge.source, edge.relation, edge.target) == (new.id, "supersedes", old.id)


def test_wording_names_the_relation(index):
    needs = note(1, "Deploying harbor requires the vault token of the tunnel.", kind="procedure")
    token = note(2, "The vault token of the tunnel is renewed on Mondays.", kind="fact")
    settled(index, needs, token)
    (edge, *_) = between(index, needs, token)
    assert (edge.source, edge.relation, edge.target) == (needs.id, "depends_on", token.id)
    cause = note(3, "Uploads broke because the nginx buffer was too small.", kind="fix")
    buffer = note(4, "The nginx buffer holds 64 kB, and uploads need more.", kind="environment")
    settled(index, cause, buffer)
    assert between(index, cause, buffer)[0].relation == "causal"


def test_references_connect_within_a_project_only(index):
    here, there, far = (
        note(1, "Merged in !482 by @ana.", project="a"),
        note(2, "Reverted: see !482", project="a"),
        note(3, "Another !482", project="b"),
    )
    settled(index, here, there, far)
    assert [edge.relation for edge in between(index, here, there)] == ["entity"]
    assert between(index, here, far) == []


def test_references_are_told_from_colours_headings_and_addresses():
    text = "# 3 things\n#ff0000 a#4 me@host.org @pytest.fixture x/@scope !important &amp #12 &7 !9 @lee, #123456789"
    assert references(note(1, text)) == ("#12", "&7", "!9", "@lee")


def test_a_session_connects_its_notes(index):
    one, other = note(1, REDIS, source_session="s 1", project="a"), note(2, PAINT, source_session="s 1", project="b")
    settled(index, one, other)
    assert [edge.relation for edge in between(index, one, other)] == ["same_session"]


def test_history_is_reached_by_what_notes_assert_only(index):
    old = note(1, REDIS, status="archived", source_session="s")
    settled(index, old, note(2, QUEUE, source_session="s"))
    assert cues_of(old).words == ()
    assert between(index, old, note(2, "")) == [
        edge for edge in between(index, old, note(2, "")) if edge.relation == "temporal"
    ]


def test_a_note_keeps_only_its_best(index):
    many = [note(number, f"{REDIS} Harbor pier {number}.") for number in range(40)]
    settled(index, *many)
    kept = index.connection.execute("SELECT count(*) FROM edges GROUP BY note").fetchall()
    assert {row[0] for row in kept} == {edges.MOST}


def test_a_word_of_everybody_connects_nobody(index):
    settled(
        index, *(note(number, f"Zeppelin {number:05x}", project=str(number)) for number in range(edges.COMMONEST + 2))
    )
    assert index.connection.execute("SELECT count(*) FROM edges").fetchone()[0] == 0


def test_a_change_concerns_nobody_who_only_shares_common_words(index):
    many = [note(number, f"zeppelin hangar {number:05x}", project=str(number)) for number in range(70)]
    settled(index, *many)
    put(index, many[3].replace(body=f"{many[3].body} quokka"))
    assert edges.settle(index.connection) == 1


def test_a_deleted_note_leaves_no_edge(index):
    settled(index, note(1, REDIS), note(2, QUEUE))
    with sqlite.transaction(index.connection):
        index.remove("memories/00000001.md")
    edges.settle(index.connection)
    for table in ("nodes", "cues", "edges", "links"):
        assert index.connection.execute(f"SELECT count(*) FROM {table} WHERE note = 1").fetchone()[0] == 0, table
    assert neighbors(index, [note(2, "").id]) == []


def test_what_did_not_change_is_not_settled_again(index):
    settled(index, note(1, REDIS), note(2, PAINT), note(3, "Snow melts in April on the southern slopes."))
    assert edges.settle(index.connection) == 0
    put(index, note(3, "Snow melts in May on the northern slopes."))
    assert edges.settle(index.connection) == 1


def test_stats_count_a_derived_pair_once(index):
    settled(index, note(1, REDIS), note(2, QUEUE, project="b"), note(3, PAINT, related=("00000001",)))
    assert stats(index) == {"same_topic": 1, "related": 1}


def test_audit_names_every_kind_of_flaw(index):
    one, two, three = note(1, REDIS), note(2, QUEUE, supersedes=(note(1, "").id,)), note(3, PAINT)
    four = note(4, "Snow melts in April.", contradicts=(three.id,))
    five, six = note(5, "a", replaced_by=note(6, "").id), note(6, "b", replaced_by=note(5, "").id)
    lost = note(7, "Quokkas", related=("99999999-0000",), project="zoo")
    hub = note(8, "Alps", related=tuple(note(number, "").id for number in range(50, 90)))
    around = [note(number, f"Peak{number}", project=str(number)) for number in range(50, 90)]
    settled(index, one, two, three, four, five, six, lost, hub, *around)
    assert flaws(index) == {
        ("asymmetric", (one.id, two.id)),
        ("contradiction", (four.id, three.id)),
        ("cycle", (five.id, six.id)),
        ("dangling", (lost.id,)),
        ("orphan", (lost.id,)),
        ("hub", (hub.id,)),
    }


def test_long_histories_are_audited_quickly_and_are_no_circle(index):
    chain = [note(number, "x", status="superseded", replaced_by=note(number + 1, "").id) for number in range(400)]
    settled(index, *chain, note(400, "x"))
    assert not [flaw for flaw in audit(index) if flaw.what == "cycle"]


def test_links_of_a_note_are_read_as_people_write_them():
    text = "See [[Some Note|this]], [[folder/Other.md#part]] and ![[image.png]]; [[]] [[ ]]"
    memory = note(1, text, related=("[[In Obsidian]]", "short", "0123456789"))
    assert links_of(memory) == [
        ("related", "[[in obsidian"),
        ("related", "0123456789"),
        ("links_to", "[[some note"),
        ("links_to", "[[other"),
    ]


# Few words, so that they cross every threshold of rarity.
WORDS = [f"zeta{number}" for number in range(12)]
KINDS = ("fact", "fix", "decision")
BODIES = st.lists(st.sampled_from([*WORDS, "#7", "because", "requires", "."]), min_size=1, max_size=9).map(" ".join)
MEMORIES = st.builds(
    lambda number, body, project, kind, session, live: note(
        number, body, project=project, kind=kind, source_session=session, status="active" if live else "archived"
    ),
    st.integers(0, 19),
    BODIES,
    st.sampled_from("ab"),
    st.sampled_from(KINDS),
    st.sampled_from(["", "s1"]),
    st.integers(0, 9).map(bool),
)
CHANGES = st.lists(st.one_of(MEMORIES, st.integers(0, 19), st.just("settle")), max_size=40)


def by_path(index):
    query = """SELECT one.path, two.path, relation, score, why FROM edges
        JOIN notes AS one ON one.rowid = note JOIN notes AS two ON two.rowid = other"""
    return sorted(tuple(row) for row in index.connection.execute(query))


@settings(max_examples=150)
@given(changes=CHANGES, tiers=st.sampled_from([((3, 4), (12, 2), (48, 1)), ((1, 4), (2, 2), (4, 1))]))
def test_changes_one_by_one_lead_to_the_edges_of_a_new_index(changes, tiers):
    patched, before = edges, (edges._WEIGHTS, edges.COMMONEST, edges._WEIGHT_OF, edges.MOST, edges._BATCH)
    patched._WEIGHTS, patched.COMMONEST, patched.MOST, patched._BATCH = tiers, tiers[-1][0], 2, 3
    patched._WEIGHT_OF = tuple(map(edges._weight, range(edges.COMMONEST + 2)))
    grown, fresh = memory_index(), memory_index()
    try:
        for change in [*changes, "settle"]:
            if change == "settle":
                edges.settle(grown.connection)
            elif isinstance(change, int):
                with sqlite.transaction(grown.connection):
                    grown.remove(f"memories/{note(change, '').id8}.md")
            else:
                put(grown, change)
        settled(fresh, *(item.memory for item in grown.notes()))
        assert by_path(grown) == by_path(fresh)
    finally:
        grown.close()
        fresh.close()
        patched._WEIGHTS, patched.COMMONEST, patched._WEIGHT_OF, patched.MOST, patched._BATCH = before


def test_many_notes_have_the_edges_that_few_at_a_time_get():
    bodies = [f"{a} {b} pier{number % 50}" for number, (a, b) in enumerate(itertools.product(WORDS * 3, WORDS))]
    memories = [note(number, body) for number, body in enumerate(bodies)]
    assert len(memories) > edges._MANY
    at_once, by_parts = memory_index(), memory_index()
    settled(at_once, *memories)
    for start in range(0, len(memories), 60):
        settled(by_parts, *memories[start : start + 60])
    assert by_path(at_once) == by_path(by_parts)
    at_once.close()
    by_parts.close()


def test_a_small_step_is_all_that_one_turn_takes(index):
    for number in range(9):
        put(index, note(number, f"{REDIS} pier{number}"))
    calls = iter([False])
    edges.settle(index.connection, lambda: next(calls, True), step=2)
    states = [row[0] for row in index.connection.execute("SELECT state FROM nodes ORDER BY note")]
    assert states == [edges._UNSETTLED] * 2 + [edges._NEW] * 7
    calls = iter([False] * 9)  # seven are left, in four steps; and of one more step two are settled
    assert edges.settle(index.connection, lambda: next(calls, True), step=2) > 0
    edges.settle(index.connection, step=2)
    fresh = settled(memory_index(), *(item.memory for item in index.notes()))
    assert by_path(index) == by_path(fresh)
    fresh.close()


def test_two_who_settle_at_once_agree(tmp_path):
    from memem.index.writer import open_writer

    one, other = open_writer(str(tmp_path)), open_writer(str(tmp_path))
    settled(one, note(1, REDIS), note(2, PAINT))
    put(other, note(3, QUEUE))
    put(one, note(4, f"{QUEUE} Harbor."))
    settled(other)
    settled(one)
    fresh = settled(memory_index(), *(item.memory for item in one.notes()))
    assert by_path(one) == by_path(fresh)
    for index in (one, other, fresh):
        index.close()


def test_a_look_that_may_not_take_long_settles_what_is_asked_for_and_counts_the_rest(index):
    redis, queue = note(1, REDIS), note(2, QUEUE)
    put(index, redis, queue, *(note(number, f"Berth {number} of quay {number % 7}") for number in range(3, 40)))
    rows = {item.memory.id: item.row for item in index.notes()}
    assert edges.settle(index.connection, lambda: True, [rows[redis.id], rows[queue.id]]) == 2
    assert between(index, redis, queue)
    assert edges.unsettled(index.connection) == 37
    assert not [flaw for flaw in audit(index) if flaw.what == "orphan"]
    assert edges.settle(index.connection) >= 37
    assert edges.unsettled(index.connection) == 0
    everything = neighbors(index, list(rows))
    edges.unsettle(index.connection, rows.values())
    edges.settle(index.connection)
    assert neighbors(index, list(rows)) == everything
