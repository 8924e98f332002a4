"""The archive grows with its sources, outlives them, and keeps neither secrets nor anything twice."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memem import sqlite
from memem.errors import StateUnavailable
from memem.ingest.secrets import redact
from memem.transcripts import members
from memem.transcripts.archive import Archive, Grown, open_archive, sizes
from memem.transcripts.turns import DAMAGED, FILE_NAME, VERSION, Order

from ..home import ROOT
from ..sources.transcripts import Record, agent, attachment, call, line, queue, result, user, write

NOW = 1_800_000_000
TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3


class Keeping:
    """One state folder and one folder of transcripts."""

    def __init__(self, root: Path) -> None:
        self.state = root / "state"
        self.path = root / "projects" / "p" / "s1.jsonl"
        self.now = NOW
        self.opened: list[Archive] = []
        self.archive = self.open()

    def open(self) -> Archive:
        self.opened.append(Archive(str(self.state), clock=lambda: self.now))
        return self.opened[-1]

    def again(self) -> None:
        """As another process finds it."""
        self.archive.close()
        self.archive = self.open()

    def grow(self, path: Path | None = None, **more: object) -> Grown:
        return self.archive.grow(path or self.path, **({"redact": lambda text: redact(text).text} | more))  # type: ignore[arg-type]

    def append(self, *records: Record | bytes) -> None:
        with open(self.path, "ab") as file:
            file.writelines(one if isinstance(one, bytes) else line(one) for one in records)

    @property
    def files(self) -> list[Path]:
        return sorted((self.state / "archive").glob("*.gz"))

    def texts(self) -> list[str]:
        """All that is archived, file by file."""
        return [event.text for path in self.files for member in members.members(path) for event in member.events]

    def found(self, *words: str) -> list[str]:
        return [" | ".join(event.text for event in events) for _, events in self.archive.find(words, 20)]

    def raw(self) -> bytes:
        """Every byte in the state folder, unpacked."""
        self.archive.turns.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        rest = b"".join(path.read_bytes() for path in self.state.rglob("*") if path.is_file())
        return rest + b"".join(gzip.decompress(path.read_bytes()) for path in self.files)


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Keeping]:
    made = Keeping(tmp_path)
    yield made
    for archive in made.opened:
        archive.close()


def test_grows_by_what_is_new(keeping: Keeping) -> None:
    write(keeping.path, user("use uv"), agent("I use uv."))
    assert keeping.grow().events == 2
    assert keeping.grow() == Grown(
        path=str(keeping.path), session="s1", start=(size := keeping.path.stat().st_size), offset=size
    )
    keeping.append(user("and ruff"))
    keeping.again()
    grown = keeping.grow()
    assert (grown.events, grown.start, grown.offset) == (1, size, keeping.path.stat().st_size)
    assert keeping.texts() == ["use uv", "I use uv.", "and ruff"]
    assert keeping.found("ruff")[0] == "and ruff"


def test_files_are_for_their_owner_only(keeping: Keeping) -> None:
    write(keeping.path, user("use uv"))
    keeping.grow()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (keeping.state, *keeping.state.rglob("*"))}
    assert {mode for name, mode in modes.items() if name in ("state", "archive")} == {0o700}
    assert {mode for name, mode in modes.items() if name not in ("state", "archive")} == {0o600}


def test_half_a_line_waits_for_its_end(keeping: Keeping) -> None:
    whole = line(user("second"))
    write(keeping.path, user("first"), whole[:50])
    assert keeping.grow().events == 1
    keeping.append(whole[50:])
    assert keeping.grow().events == 1
    assert keeping.texts() == ["first", "second"]


def test_outlives_its_source(keeping: Keeping) -> None:
    write(keeping.path, user("use uv"))
    keeping.grow()
    keeping.path.unlink()
    assert keeping.grow() == Grown(path=str(keeping.path), gone=True)
    assert keeping.found("uv") == ["use uv"]


@pytest.mark.parametrize("replaced", [True, False])
def test_rewound_or_replaced_source_adds_only_what_is_new(keeping: Keeping, replaced: bool) -> None:
    one, two, three = user("one"), user("two"), user("three")
    write(keeping.path, one, two)
    keeping.grow()
    if replaced:
        keeping.path.unlink()
        write(keeping.path.with_name("blocker"), b"")  # so that the inode is not used again
    write(keeping.path, one, three)
    assert keeping.grow().events == 1
    write(keeping.path, one)
    assert keeping.grow().events == 0
    assert keeping.texts() == ["one", "two", "three"]


def test_fork_and_copy_hold_only_what_is_their_own(keeping: Keeping) -> None:
    one, two = user("one"), user("two")
    write(keeping.path, one, two)
    keeping.grow()
    fork = write(keeping.path.with_name("s2.jsonl"), one | {"sessionId": "s2"}, user("mine", sessionId="s2"))
    copy = write(keeping.path.parent / "moved" / "s1.jsonl", one, two, user("more"))
    assert [keeping.grow(fork).events, keeping.grow(copy).events] == [1, 1]
    assert sorted(keeping.texts()) == ["mine", "more", "one", "two"]
    assert len(keeping.files) == 2


def test_sub_agents_have_archives_of_their_own(keeping: Keeping) -> None:
    write(keeping.path, user("one"))
    inner = write(keeping.path.parent / "s1" / "subagents" / "agent-a1.jsonl", agent("looked", isSidechain=True))
    assert [keeping.grow(path).events for path in (keeping.path, inner)] == [1, 1]
    assert len(keeping.files) == 2


def test_own_sessions_and_injected_text_are_never_kept(keeping: Keeping) -> None:
    ours = write(keeping.path.with_name("ours.jsonl"), user("<memem-miner> secret plan"), agent("plan"))
    assert [keeping.grow(ours).ours, keeping.grow(ours).ours] == [True, True]
    write(
        keeping.path,
        user("hello <memem-recall>old words</memem-recall>"),
        attachment("hook_additional_context", content=["<memem-context>old words</memem-context>"]),
        call("mcp__plugin_memem_memem__memory_search", "t1", query="x"),
        result("old words", "t1"),
    )
    keeping.grow()
    assert keeping.texts() == ["hello"]
    assert keeping.found("old words") == []


def test_told_to_stop_keeps_what_it_has_and_goes_on_there(keeping: Keeping) -> None:
    records = [user(f"prompt {number}") for number in range(9)]
    write(keeping.path, *records)
    ticks = iter(range(100))
    some = keeping.grow(stop=lambda: next(ticks) > 5)
    assert (some.complete, 0 < some.events < 9) == (False, True)
    rest = keeping.grow()
    assert (rest.complete, some.events + rest.events) == (True, 9)
    assert keeping.texts() == [f"prompt {number}" for number in range(9)]


@pytest.mark.parametrize("reads", range(1, 12))
def test_prompt_that_waits_in_the_queue_survives_a_stop(keeping: Keeping, reads: int) -> None:
    write(
        keeping.path, user("first"), queue("enqueue", "typed meanwhile"), agent("working"), queue("dequeue"),
        agent("still working"), user("typed meanwhile"), agent("done"), user("last"),
    )  # fmt: skip
    ticks = iter(range(100))
    keeping.grow(stop=lambda: next(ticks) > reads)
    keeping.again()
    keeping.grow()
    assert sorted(keeping.texts()) == ["done", "first", "last", "still working", "typed meanwhile", "working"]


def test_index_deleted_at_any_time_is_built_anew(keeping: Keeping) -> None:
    write(keeping.path, user("use uv"))
    keeping.grow()
    keeping.archive.close()
    for path in keeping.state.glob(f"{FILE_NAME}*"):
        path.unlink()
    keeping.again()
    assert keeping.found("uv") == ["use uv"]
    keeping.append(user("and ruff"))
    assert keeping.grow().events == 1
    assert keeping.texts() == ["use uv", "and ruff"]


def test_damaged_index_is_moved_aside_and_built_anew(keeping: Keeping) -> None:
    write(keeping.path, user("use uv"))
    keeping.grow()
    keeping.archive.close()
    for path in keeping.state.glob(f"{FILE_NAME}-*"):
        path.unlink()
    (keeping.state / FILE_NAME).write_bytes(b"no database" * 1000)
    keeping.again()
    assert keeping.found("uv") == ["use uv"]
    assert len(list(keeping.state.glob(DAMAGED))) == 1
    keeping.archive.turns.connection.execute("DROP TABLE turns")  # found while it is in use
    assert keeping.found("uv") == ["use uv"]
    assert len(list(keeping.state.glob(DAMAGED))) == 2


def test_archive_ahead_of_its_index_is_caught_up_with(keeping: Keeping) -> None:
    write(keeping.path, user("use uv"))
    keeping.grow()
    with sqlite.transaction(keeping.archive.turns.connection):  # a crash between file and index
        (name,) = keeping.archive.turns.sizes()
        keeping.archive.turns.remove(name, members.members(keeping.files[0]))
        keeping.archive.turns.connection.execute("DELETE FROM sources")
    keeping.again()
    assert keeping.grow().events == 0
    assert (keeping.texts(), keeping.found("uv")) == (["use uv"], ["use uv"])


def test_torn_end_is_cut_and_read_again(keeping: Keeping) -> None:
    write(keeping.path, user("use uv"))
    keeping.grow()
    with open(keeping.files[0], "ab") as file:
        file.write(members.pack(members.Header(source="x", identity="", offset=1, session=""), ())[:-3])
    keeping.append(user("and ruff"))
    keeping.again()
    assert keeping.found("uv") == ["use uv"]
    assert keeping.grow().events == 1
    assert gzip.decompress(keeping.files[0].read_bytes()).count(b"\n") == 4


def test_archive_taken_away_is_forgotten_by_the_next_sync(keeping: Keeping) -> None:
    write(keeping.path, user("use uv"))
    keeping.grow()
    keeping.files[0].unlink()
    assert keeping.found("uv") == [""]
    keeping.again()
    keeping.archive.sync()
    assert keeping.found("uv") == []
    assert keeping.grow().events == 1


def test_nothing_moves_when_the_archive_cannot_be_written(keeping: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    write(keeping.path, user("use uv"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StateUnavailable, match="No space left"):
            keeping.grow()
    keeping.again()
    assert keeping.grow().events + len(keeping.texts()) >= 1
    assert keeping.texts() == ["use uv"]


def test_other_process_at_the_same_session_is_noticed(keeping: Keeping) -> None:
    write(keeping.path, user("use uv"))
    other = keeping.open()

    def meanwhile(text: str) -> str:
        other.grow(keeping.path, redact=lambda text: text)
        return text

    with pytest.raises(StateUnavailable, match="another process"):
        keeping.grow(redact=meanwhile)
    assert keeping.grow().events == 0
    assert keeping.texts() == ["use uv"]


# Secrets


def planted() -> Iterator[tuple[str, Callable[[str], list[Record]]]]:
    yield "prompt", lambda secret: [user(f"my token is {secret} ok")]
    yield "prose", lambda secret: [agent(f"found {secret}")]
    yield "command", lambda secret: [call("Bash", command=f"curl -H 'X: {secret}' x"), result("ok")]
    yield "path", lambda secret: [call("Edit", file_path=f"/tmp/{secret}/a.py", new_string="x = 1"), result("ok")]
    yield "folder", lambda secret: [user("hello", cwd=f"/home/dana/{secret}")]
    yield "branch", lambda secret: [user("hello", gitBranch=f"fix/{secret}")]
    yield "cut at the start", lambda secret: [call("Bash", command="x"), result("a " * 485 + secret + " b" * 4000)]
    yield "cut at the end", lambda secret: [call("Bash", command="x"), result("a " * 4000 + secret + " b" * 485)]
    yield "cut prompt", lambda secret: [user("a " * 9_985 + secret)]
    yield "session", lambda secret: [user("hello", sessionId=secret)]


@pytest.mark.parametrize("place", [name for name, _ in planted()])
def test_planted_secret_is_in_neither_archive_nor_index(keeping: Keeping, place: str) -> None:
    write(keeping.path, *dict(planted())[place](TOKEN))
    assert keeping.grow().events
    raw = keeping.raw().lower()
    assert TOKEN.lower().encode() not in raw
    assert TOKEN[:16].lower().encode() not in raw  # nor the half of it that a cut would leave
    assert TOKEN[-16:].lower().encode() not in raw


@pytest.mark.parametrize("filler", [0, 200, 480, 900, 1500, 3000, 6000])
def test_key_block_is_gone_wherever_a_long_output_is_cut(keeping: Keeping, filler: int) -> None:
    body = [os.urandom(48).hex()[:64] for _ in range(50)]
    block = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *body, "-----END RSA PRIVATE KEY-----"])
    output = "line of output\n" * 300 + block + "\n" + "x " * (filler // 2)
    write(keeping.path, call("Bash", command="cat key"), result(output), agent("Done.\n" + output))
    assert keeping.grow().events == 3
    raw = keeping.raw()
    assert not [row for row in body if row.encode() in raw or row[-20:].encode() in raw]


def test_token_over_two_lines_is_gone(keeping: Keeping) -> None:
    write(keeping.path, call("Bash", command="cat x"), result(f"token:\n  {TOKEN[:20]}\\\n  {TOKEN[20:]}\nend"))
    keeping.grow()
    assert TOKEN[:20].encode() not in keeping.raw()


def test_secret_in_the_project_s_name_is_gone(keeping: Keeping) -> None:
    keeping.archive.close()
    keeping.archive = Archive(str(keeping.state), project=lambda _: f"example.org/{TOKEN}")
    keeping.opened.append(keeping.archive)
    write(keeping.path, user("hello"))
    keeping.grow()
    assert TOKEN.encode() not in keeping.raw()


# Retention


def test_nothing_is_pruned_unless_days_are_set(keeping: Keeping) -> None:
    write(keeping.path, user("use uv"))
    keeping.grow()
    os.utime(keeping.files[0], (0, 0))
    assert keeping.archive.prune(0) == 0
    assert keeping.texts() == ["use uv"]


def test_pruned_session_is_gone_for_good_and_goes_on_where_it_was(keeping: Keeping) -> None:
    write(keeping.path, user("zebra crossing"))
    other = write(keeping.path.with_name("s2.jsonl"), user("use uv"))
    keeping.grow()
    keeping.grow(other)
    old = next(path for path in keeping.files if b"zebra" in gzip.decompress(path.read_bytes()))
    for path in keeping.files:
        os.utime(path, (NOW - 11 * 86_400,) * 2 if path == old else (NOW,) * 2)
    assert (keeping.archive.prune(10), keeping.archive.prune(10)) == (1, 0)
    assert (keeping.texts(), keeping.found("zebra"), keeping.found("uv")) == (["use uv"], [], ["use uv"])
    assert b"zebra" not in keeping.raw()
    keeping.archive.close()
    (keeping.state / FILE_NAME).unlink()
    keeping.again()
    keeping.append(user("giraffe"))
    assert keeping.grow().events == 1
    assert sorted(keeping.texts()) == ["giraffe", "use uv"]


def test_pruned_session_leaves_neither_branch_nor_files(keeping: Keeping) -> None:
    at = {"gitBranch": "dana/zebra-7", "cwd": "/home/dana/harbor"}
    edit = call("Edit", "t1", file_path="/home/dana/harbor/giraffe.py", old_string="a", new_string="b") | at
    write(keeping.path, user("Go on.", **at), edit, result("ok", "t1", **at))
    keeping.grow()
    found = [len(events) for _, events in keeping.archive.find(["zebra"], 5, order=Order(by_session=True))]
    assert len(found) == 1
    os.utime(keeping.files[0], (0, 0))
    assert keeping.archive.prune(10) == 1
    assert keeping.archive.find(["zebra"], 5, order=Order(by_session=True)) == []
    assert keeping.archive.turns.connection.execute("SELECT count(*) FROM traces").fetchone()[0] == 0
    assert not any(word in keeping.raw() for word in (b"zebra", b"giraff"))


def test_index_of_an_older_version_is_removed_and_all_is_found_in_the_new_one(keeping: Keeping) -> None:
    write(keeping.path, user("use uv"))
    keeping.grow()
    keeping.archive.close()
    older = keeping.state / f"transcripts-v{VERSION - 1}.db"
    (keeping.state / FILE_NAME).rename(older)
    keeping.again()
    assert keeping.found("uv") == ["use uv"]
    assert not older.exists()
    assert (keeping.grow().events, keeping.texts()) == (0, ["use uv"])


def test_sizes_are_told(keeping: Keeping, tmp_path: Path) -> None:
    write(keeping.path, user("use uv"))
    keeping.grow()
    told = sizes(str(keeping.state))
    assert (told.sessions, told.bytes) == (1, keeping.files[0].stat().st_size)
    assert told.index_bytes > 0
    assert sizes(str(tmp_path / "none")).sessions == 0


def test_reading_makes_no_archive_where_none_is(tmp_path: Path) -> None:
    from memem.sources.claude_code import ClaudeCode

    assert open_archive(str(tmp_path), ClaudeCode()) is None
    assert os.listdir(tmp_path) == []


# Size

_MEASURE = """
import sys
from pathlib import Path
from memem.transcripts.archive import Archive
archive = Archive(sys.argv[2])
grown = archive.grow(Path(sys.argv[1]), redact=lambda text: text)
peak = next(row for row in open("/proc/self/status") if row.startswith("VmHWM"))
print(grown.events, grown.skipped, int(peak.split()[1]) // 1024)
archive.close()
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read the peak from")
def test_huge_transcript_with_a_huge_line_takes_little_memory(keeping: Keeping) -> None:
    keeping.path.parent.mkdir(parents=True)
    with open(keeping.path, "wb") as file:
        for number in range(2000):
            file.write(line(agent(f"{number} " + os.urandom(4_000).hex(), toolUseResult="x" * 30_000)))
        file.write(b'{"type":"user","message":"' + b"x" * 50_000_000 + b'"}\n')
        file.write(line(user("the last one")))
    command = [sys.executable, "-c", _MEASURE, str(keeping.path), str(keeping.state)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, timeout=120)
    events, skipped, megabytes = map(int, done.stdout.split())
    assert (events, skipped) == (2001, 1)
    assert megabytes < 120
