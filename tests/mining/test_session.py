"""From a transcript to notes: what is saved, what is remembered, and that nothing is mined twice or lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from memem.app import Memem
from memem.cli import demo
from memem.config import Config
from memem.errors import BadInput, VaultUnavailable
from memem.miner import Miner
from memem.models import Draft
from memem.sources.claude_code import line_start
from memem.vault import store

SAMPLE = Path(demo.__file__).parent / "sample" / "session.jsonl"


@pytest.fixture
def session(tmp_path: Path) -> Path:
    path = tmp_path / "projects" / "-home-dana-harbor" / "session.jsonl"
    path.parent.mkdir(parents=True)
    shutil.copy(SAMPLE, path)
    return path


def mined(memem: Memem, path: Path, **options: bool) -> list[str]:
    return [
        outcome.memory.body
        for one in Miner(memem).mine([str(path)], **options)
        for outcome in one.outcomes
        if outcome.action != "skipped"
    ]


def test_a_session_is_mined_once(memem: Memem, session: Path) -> None:
    first = mined(memem, session)
    assert any("6397" in body for body in first)
    assert mined(memem, session) == []
    assert [item.memory.source_type for item in memem.memories("*")] == ["mined"] * len(first)
    assert all(item.memory.evidence and item.memory.source_session for item in memem.memories("*"))


def test_a_dry_run_writes_nothing_and_remembers_nothing(memem: Memem, session: Path) -> None:
    planned = mined(memem, session, dry_run=True)
    assert memem.memories("*") == []
    assert mined(memem, session) == planned


def test_a_grown_session_gives_only_what_is_new(memem: Memem, session: Path) -> None:
    lines = SAMPLE.read_bytes().splitlines(keepends=True)
    session.write_bytes(b"".join(lines[:40]))
    first = mined(memem, session)
    session.write_bytes(b"".join(lines))
    second = mined(memem, session)
    assert first
    assert second
    assert not set(first) & set(second)


def test_the_offset_stays_when_nothing_can_be_saved(
    memem: Memem, session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise VaultUnavailable("no space anywhere")

    with monkeypatch.context() as patched:
        patched.setattr(store.Vault, "create", full)
        patched.setattr("memem.ingest.spool.Spool.keep", full)
        with pytest.raises(VaultUnavailable):
            mined(memem, session)
    assert any("6397" in body for body in mined(memem, session))


def test_what_a_human_deleted_is_not_mined_again(memem: Memem, session: Path) -> None:
    mined(memem, session)
    victim = next(item for item in memem.memories("*") if "6397" in item.memory.body)
    (memem.vault.root / victim.path).unlink()
    memem.sync()
    copy = session.with_name("fork.jsonl")
    shutil.copy(session, copy)
    mined(memem, copy)
    assert not any("6397" in item.memory.body for item in memem.memories("*"))


def test_a_guess_is_found_by_search_but_not_volunteered_until_confirmed(memem: Memem, session: Path) -> None:
    mined(memem, session)
    guess = next(item.memory for item in memem.memories("*") if "unconfirmed" in item.memory.tags)
    assert guess.id in memem.search(guess.body, scope="local:harbor").ids
    assert guess.id not in memem.volunteered(guess.body, "local:harbor").ids
    confirmed = memem.save(Draft(content=guess.body), "local:harbor").memory
    assert confirmed.id in memem.volunteered(guess.body, "local:harbor").ids


def test_a_path_that_does_not_exist_is_named(memem: Memem) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        list(Miner(memem).mine(["/nowhere/at/all"]))


def test_t4_a_huge_session_is_read_in_windows_and_nothing_between_them_is_lost(
    memem: Memem, session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = set(mined(memem, session, dry_run=True))
    monkeypatch.setattr("memem.mining.session.WINDOW_BYTES", 20_000)
    monkeypatch.setattr("memem.mining.session.CONTEXT_BYTES", 10_000)
    (dry,) = Miner(memem).mine([str(session)], dry_run=True)
    in_windows = set(mined(memem, session))
    assert len(dry.outcomes) >= len(in_windows)
    assert len(whole - in_windows) <= len(whole) // 3, "a lesson may need more than its window, most do not"
    assert memem.state and memem.state.offset(str(session))[1] == session.stat().st_size
    assert mined(memem, session) == []


@pytest.mark.parametrize(("at", "found"), [(-5, 0), (0, 0), (1, 4), (4, 4), (5, 8), (99, 99)])
def test_a_line_starts_after_the_end_of_the_one_before(tmp_path: Path, at: int, found: int) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b"one\ntwo\nend")
    assert line_start(path, at) == (found if at < 90 else at - 1)


@pytest.mark.parametrize("record", ["of 2.x", "of 1.x"])
def test_what_a_published_memem_had_mined_is_not_mined_twice(
    memem: Memem, home: Config, session: Path, record: str
) -> None:
    lines = session.read_bytes().splitlines(keepends=True)
    whole = session.read_bytes()
    session.write_bytes(b"".join(lines[: len(lines) // 2]))
    if record == "of 2.x":
        Path(home.state_path(".mined_sessions")).write_text(f"{session.stem}\n")
        Path(home.state_path(".offsets")).mkdir()
        Path(home.state_path(".offsets"), session.stem).write_text(str(session.stat().st_size))
    else:
        Path(home.state_path(".mined_sessions")).write_text(
            f'{{"session_id": "{session.stem}", "status": "complete", "size": {session.stat().st_size}}}\n'
        )
    (first,) = Miner(memem).mine([str(session)])
    assert (first.outcomes, first.unchanged, first.earlier) == ((), True, True)
    session.write_bytes(whole)
    (grown,) = Miner(memem).mine([str(session)], dry_run=True)
    (again,) = Miner(memem).mine([str(session)], dry_run=True, again=True)
    assert grown.earlier
    assert 0 < len(grown.outcomes) < len(again.outcomes)
    list(Miner(memem).mine([str(session)]))
    (after,) = Miner(memem).mine([str(session)])
    assert (after.unchanged, after.earlier) == (True, False)
