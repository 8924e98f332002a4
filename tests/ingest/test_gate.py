"""The write gate: what comes in, what is replaced, and what is refused."""

from datetime import UTC, datetime

import pytest

from memem.errors import BadInput, NotFound, VaultUnavailable
from memem.index.writer import memory_index
from memem.ingest.gate import LONGEST, LONGEST_TITLE, Gate
from memem.ingest.spool import Spool
from memem.models import GENERAL, UNCONFIRMED, Draft, Scope
from memem.vault.note import parse
from memem.vault.store import Vault

SHOP = Scope(id="github.com/acme/shop", names=("github.com/acme/shop", "shop", GENERAL))
API = Scope(id="github.com/acme/api", names=("github.com/acme/api", "api", GENERAL))
NOON = datetime(2027, 1, 2, 12, tzinfo=UTC)
TOKEN = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ6"


class Desk:
    """A gate with its vault and index in sight."""

    def __init__(self, folder):
        self.vault = Vault(str(folder / "memem"))
        self.vault.make()
        self.index = memory_index()
        self.spool = Spool(str(folder / "spool"), str(folder))
        self.gate = Gate(self.vault, self.index, self.spool, now=lambda: NOON)

    def save(self, content, scope=SHOP, *, dry_run=False, **fields):
        return self.gate.ingest(Draft(content=content, **fields), scope, dry_run=dry_run)

    def note(self, memory):
        """The memory as its file says now."""
        (item,) = self.index.by_prefix(memory.id)
        return parse(self.vault.read(item.path), item.path).memory

    def files(self):
        return sorted(file.path for file in self.vault.files())


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.index.close()


def test_a_draft_becomes_a_note_with_all_its_fields(desk):
    outcome = desk.save(
        "Redis must run on 6380.\nThe default is taken.",
        tags=("redis", " redis ", "ports"),
        keys=("cache port",),
        paths=("compose.yml",),
        trust="agent",
        source_type="agent",
        source_session="s-1",
        evidence=("e-1",),
    )
    assert (outcome.action, outcome.replaced, outcome.redacted, outcome.reason) == ("added", (), (), "")
    memory = desk.note(outcome.memory)
    assert memory == outcome.memory
    assert memory.title == "Redis must run on 6380."
    assert memory.body == "Redis must run on 6380.\nThe default is taken."
    assert memory.project == SHOP.id
    assert memory.tags == ("redis", "ports")
    assert (memory.keys, memory.paths) == (("cache port",), ("compose.yml",))
    assert (memory.trust, memory.source_type, memory.source_session) == ("agent", "agent", "s-1")
    assert memory.evidence == ("e-1",)
    assert memory.created == memory.updated == memory.valid_at == "2027-01-02T12:00:00+00:00"
    assert desk.files() == [outcome.path]


def test_the_same_again_is_known(desk):
    first = desk.save("Redis must run on 6380")
    again = desk.save("redis must run on **6380**.")
    assert (again.action, again.reason, again.memory.id) == ("skipped", "known", first.memory.id)
    assert desk.files() == [first.path]


def test_a_correction_supersedes_and_keeps_the_history(desk):
    old = desk.save("Redis must run on 6380").memory
    outcome = desk.save("Redis must run on 6379 not 6380")
    assert outcome.action == "superseded"
    assert [memory.id for memory in outcome.replaced] == [old.id]
    assert desk.note(outcome.memory).supersedes == (old.id,)
    was = desk.note(old)
    assert (was.status, was.replaced_by, was.invalid_at) == ("superseded", outcome.memory.id, outcome.memory.created)
    assert was.body == "Redis must run on 6380"


def test_what_was_corrected_may_be_said_again(desk):
    desk.save("Redis must run on 6380")
    desk.save("Redis must run on 6379")
    assert desk.save("Redis must run on 6380").action == "superseded"
    assert len(desk.files()) == 3


def test_two_subjects_both_stay(desk):
    desk.save("Staging database listens on 5433")
    outcome = desk.save("Production database listens on 5432")
    assert outcome.action == "added"
    assert all(item.memory.live for item in desk.index.notes())
    assert len(outcome.memory.related) == 1


def test_projects_never_correct_each_other(desk):
    desk.save("Redis must run on 6380")
    desk.save("Redis must run on 6381", Scope())
    outcome = desk.save("Redis must run on 6379", API)
    assert outcome.action == "added"
    assert all(item.memory.live for item in desk.index.notes())


def test_superseding_keeps_the_humans_bytes(desk):
    outcome = desk.save("Redis must run on 6380")
    path = desk.vault.root / outcome.path
    path.write_bytes(
        path.read_bytes().replace(b"---\n\nRedis", b"rating: 5 # mine\naliases: [a,  b]\n---\n\n\n\nRedis")
    )
    before = path.read_bytes()
    new = desk.save("Redis must run on 6379 not 6380").memory
    after = path.read_bytes()
    assert b"rating: 5 # mine\naliases: [a,  b]\n" in after
    changed = set(after.splitlines()) ^ set(before.splitlines())
    assert {line.split(b":")[0] for line in changed} <= {b"status", b"replaced_by", b"invalid_at", b"updated"}
    assert desk.note(new).live


def test_a_note_without_frontmatter_is_not_touched_and_the_answer_says_so(desk):
    path = desk.vault.root / "memories" / "plain.md"
    path.write_text("Redis must run on 6380\n")
    from memem.sync import sync_path

    sync_path(desk.vault, desk.index, "memories/plain.md")
    desk.index.connection.execute("UPDATE notes SET project = ?", (SHOP.id,))
    outcome = desk.save("Redis must run on 6379", supersedes=(desk.index.notes()[0].memory.id,))
    assert path.read_text() == "Redis must run on 6380\n"
    assert "memories/plain.md" in outcome.reason


def test_the_author_names_what_is_replaced(desk):
    old = desk.save("Sessions live in Postgres").memory
    outcome = desk.save("Everything ephemeral is kept by Valkey", supersedes=(old.id8,))
    assert [memory.id for memory in outcome.replaced] == [old.id]
    assert not desk.note(old).live


def test_an_unknown_or_ambiguous_id_replaces_nothing(desk):
    first, second = desk.save("Sessions live in Postgres"), desk.save("Logos are blue and round")
    for outcome in (first, second):
        path = desk.vault.root / outcome.path
        path.write_text(path.read_text().replace(outcome.memory.id, f"abcdef12-{outcome.memory.id}"))
        from memem.sync import sync_path

        sync_path(desk.vault, desk.index, outcome.path)
    with pytest.raises(BadInput, match="several"):
        desk.save("Something entirely new", supersedes=("abcdef12",))
    for name in ("deadbeef", "abc", "%%%%%%%%", "../../../x"):
        with pytest.raises(NotFound, match="to supersede"):
            desk.save("Something entirely new", supersedes=(name,))
    assert len(desk.files()) == 2
    assert all(item.memory.live for item in desk.index.notes())


@pytest.mark.parametrize("trust", ["web", "tool"])
def test_a_page_or_a_tool_never_takes_the_place_of_a_persons_words(desk, trust):
    old = desk.save("Redis must run on 6380").memory
    outcome = desk.save("Redis must run on 6379", trust=trust, source_type="web")
    assert outcome.action == "added"
    assert desk.note(old).live
    assert outcome.memory.related == (old.id,)
    assert desk.note(outcome.memory).trust == trust


def test_what_a_page_said_is_replaced_when_a_person_says_it(desk):
    old = desk.save("Redis must run on 6380", trust="web").memory
    outcome = desk.save("Redis must run on 6380", trust="user")
    assert outcome.action == "superseded"
    assert not desk.note(old).live
    assert desk.note(outcome.memory).trust == "user"


def test_a_dry_run_tells_the_same_and_writes_nothing(desk):
    old = desk.save("Redis must run on 6380")
    outcome = desk.save("Redis must run on 6379", dry_run=True)
    assert (outcome.action, outcome.path) == ("superseded", "")
    assert desk.files() == [old.path]
    assert desk.note(old.memory).live


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"content": "too short"}, "at least 10"),
        ({"content": "   \u200b\n\x00       \t  "}, "at least 10"),
        ({"content": "x" * (LONGEST + 1)}, "at most 5000"),
        ({"kind": "haiku"}, "no kind of memory"),
        ({"layer": 4}, "layer is 0"),
        ({"importance": 6}, "from 1 to 5"),
        ({"tags": tuple(map(str, range(31)))}, "at most 30"),
    ],
)
def test_what_is_out_of_bounds_is_refused_with_what_is_accepted(desk, fields, message):
    with pytest.raises(BadInput, match=message):
        desk.save(**{"content": "Redis must run on 6380"} | fields)
    assert desk.files() == []


def test_the_longest_content_is_taken(desk):
    assert desk.save("Redis runs. " * (LONGEST // 12)).action == "added"


def test_invisible_characters_and_control_codes_do_not_come_in(desk):
    memory = desk.save(
        "Redis\u200b must \x1b[31mrun\x1b[0m on\u202e 6380\ud800",
        title="A\nB\x00",
        tags=("a\nb",),
        source_session="s\ud800",
    ).memory
    assert memory.body == "Redis must run on 6380"
    assert (memory.title, memory.tags, memory.source_session) == ("A B", ("a b",), "s")
    assert desk.note(memory) == memory


def test_a_project_name_with_odd_characters_is_found_again(desk):
    scope = Scope(id="odd: 'näme' \U0001f600", names=("odd: 'näme' \U0001f600", GENERAL))
    memory = desk.save("Redis must run on 6380", scope).memory
    assert desk.note(memory).project == scope.id
    assert desk.save("Redis must run on 6380", scope).action == "skipped"


@pytest.mark.parametrize(
    "content", ["# A heading\n\nand its text", "- an item of a list. More", "漢字のテスト。次の文です。"]
)
def test_the_title_is_the_first_sentence(desk, content):
    title = desk.save(content).memory.title
    assert title in content
    assert "\n" not in title


def test_an_exclamation_is_no_title(desk):
    said = "Not local time! Always store timestamps as UTC. The marina's time zone is for people."
    assert desk.save(said).memory.title == "Not local time! Always store timestamps as UTC."
    assert desk.save("UTC. Nothing else").memory.title == "UTC. Nothing else"


def test_a_long_first_sentence_is_cut(desk):
    title = desk.save("word " * 500).memory.title
    assert len(title) <= LONGEST_TITLE
    assert title.endswith("…")


@pytest.mark.parametrize("before", range(60, 120, 7))
def test_no_part_of_a_secret_is_left_where_a_title_or_tag_is_cut(desk, before):
    outcome = desk.save("x" * before + " " + TOKEN, tags=("y" * 50 + " " + TOKEN,), keys=(TOKEN,))
    assert outcome.redacted
    written = (desk.vault.root / outcome.path).read_text() + outcome.path + str(outcome.memory)
    assert TOKEN[:14] not in written
    assert TOKEN[4:14].lower() not in written.lower()


def test_a_secret_hidden_by_invisible_characters_is_found(desk):
    outcome = desk.save(f"The token is {TOKEN[:20]}\u200b{TOKEN[20:]} of CI")
    assert TOKEN[:20] not in (desk.vault.root / outcome.path).read_text()


def test_a_spooled_save_moves_into_the_vault_once(desk):
    old = desk.save("Redis must run on 6380").memory
    away = desk.vault.root.with_name("away")
    desk.vault.root.rename(away)
    outcome = desk.save("Redis must run on 6379", tags=("a, b: c",))
    assert (outcome.action, outcome.path) == ("spooled", "")
    assert desk.spool.waiting() == [outcome.memory]
    assert desk.gate.replay() == 0
    assert desk.spool.waiting() == [outcome.memory]
    away.rename(desk.vault.root)
    assert desk.gate.replay() == 1
    assert desk.gate.replay() == 0
    assert desk.spool.waiting() == []
    assert desk.note(outcome.memory) == outcome.memory
    assert not desk.note(old).live
    assert len(desk.files()) == 2


def test_what_is_saved_twice_while_the_vault_is_away_waits_once(desk):
    away = desk.vault.root.with_name("away")
    desk.vault.root.rename(away)
    outcomes = [
        desk.save(content) for content in ("Redis must run on 6380", "Logos are blue", "Redis must run on 6380")
    ]
    assert [outcome.action for outcome in outcomes] == ["spooled"] * 3
    assert outcomes[0].memory == outcomes[2].memory
    assert desk.spool.waiting() == [outcome.memory for outcome in outcomes[:2]]
    away.rename(desk.vault.root)
    assert desk.gate.replay() == 2
    assert len(desk.files()) == 2


def test_one_unreadable_file_in_the_spool_does_not_hide_the_others(desk):
    away = desk.vault.root.with_name("away")
    desk.vault.root.rename(away)
    memory = desk.save("Redis must run on 6380").memory
    (desk.spool.folder / "folder.md").mkdir()
    assert desk.spool.waiting() == [memory]


def test_a_spooled_save_that_reached_the_vault_before_a_crash_is_not_written_twice(desk):
    outcome = desk.save("Redis must run on 6380")
    from memem.errors import VaultUnavailable

    desk.spool.keep(outcome.memory, VaultUnavailable("x"))
    assert desk.gate.replay() == 1
    assert desk.files() == [outcome.path]
    assert desk.spool.waiting() == []


def test_an_old_note_that_cannot_be_marked_now_is_marked_later(memem, opened, monkeypatch):
    memem.save(Draft(content="The cluster runs Postgres 14 in production"))

    def busy(*_):
        raise VaultUnavailable("keeps being rewritten")

    with monkeypatch.context() as patched:
        patched.setattr(Vault, "edit", busy)
        outcome = memem.save(Draft(content="The cluster runs Postgres 15 in production"))
    assert "marked as superseded later" in outcome.reason
    other = opened()
    other.sync()
    assert [item.memory.id for item in other.memories()] == [outcome.memory.id]
    assert other.warnings() == ()


def guess(desk, content, session, *evidence):
    return desk.save(
        content, trust="agent", source_type="mined", tags=(UNCONFIRMED,), source_session=session, evidence=evidence
    )


def test_a_guess_that_another_session_repeats_is_confirmed(desk):
    old = guess(desk, "Redis must run on 6380", "s-1", "a").memory
    outcome = guess(desk, "Redis must run on 6380", "s-2", "b")
    assert outcome.memory.tags == ()
    assert desk.note(old).replaced_by == outcome.memory.id


@pytest.mark.parametrize(("session", "evidence"), [("s-1", "b"), ("s-2", "a")])
def test_a_guess_is_not_confirmed_by_its_own_session_or_a_fork_of_it(desk, session, evidence):
    guess(desk, "Redis must run on 6380", "s-1", "a")
    assert guess(desk, "Redis must run on 6380", session, evidence).reason == "known"


def test_a_guess_said_by_the_agent_on_purpose_is_confirmed(desk):
    old = guess(desk, "Redis must run on 6380", "s-1").memory
    outcome = desk.save("Redis must run on 6380", trust="agent", source_type="agent")
    assert [memory.id for memory in outcome.replaced] == [old.id]
    assert outcome.memory.tags == ()


def test_a_guess_stands_beside_what_it_contradicts(desk):
    old = desk.save("Redis must run on 6379").memory
    assert guess(desk, "Redis must run on 6380", "s-1").action == "added"
    assert desk.note(old).live


def test_what_was_superseded_is_not_brought_back_by_reading_the_same_records_again(memem):
    def mined(content, *evidence):
        draft = Draft(content=content, source_type="mined", source_session="s-1", evidence=evidence)
        return memem.gate().ingest(draft, memem.scope())

    first = mined("The cluster runs Postgres 14 in production", "r-1")
    second = mined("The cluster runs Postgres 15 in production", "r-2")
    assert second.replaced == (first.memory,)
    again = mined("The cluster runs Postgres 14 in production", "r-1")
    assert (again.action, again.reason) == ("skipped", "known")
    later = mined("The cluster runs Postgres 14 in production", "r-3")
    assert later.action == "superseded", "it is true again, says another record"
