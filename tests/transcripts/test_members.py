"""Archive files: what is appended is whole or not there, and damage costs only what it hit."""

from __future__ import annotations

import fcntl
import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memem.errors import StateUnavailable
from memem.sources.events import Event
from memem.transcripts import members
from memem.transcripts.members import Header, append, file_name, load, pack, replace

EVENT = Event(kind="prompt", text="use uv — höre", session="s", uuid="u1", at="2026-11-12", folder="/home/dana")


def header(offset: int) -> Header:
    return Header(source="x", identity="1:2:3", offset=offset, session="s", folder="/home/dana", at=7)


def filled(path: Path, count: int = 3) -> list[int]:
    """An archive of so many members; answers where each ends."""
    ends = [0]
    for number in range(1, count + 1):
        event = EVENT.replace(text=f"said {number} " + os.urandom(200).hex())
        ends.append(append(path, pack(header(number), [event, EVENT]), ends[-1]))
    return ends[1:]


def offsets(path: Path, start: int = 0) -> list[int]:
    return [member.header.offset for member in members.members(path, start)]


def test_what_is_packed_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    events = [EVENT, EVENT.replace(kind="result", failed=True, tool="Bash", text="a\nb\u2028c\x85d"), EVENT]
    append(path, pack(header(9), events), 0)
    (member,) = members.members(path)
    assert (member.header, member.events, member.end) == (header(9), tuple(events), path.stat().st_size)
    assert load(path, 0, 1, 2) == tuple(events[1:])
    assert '"role":"human"' in gzip.decompress(path.read_bytes()).decode()
    assert path.stat().st_mode & 0o777 == 0o600


def test_member_of_another_process_is_never_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    first, *_ = filled(path)
    for end in (first, first + 1):
        with pytest.raises(StateUnavailable, match="another process"):
            append(path, pack(header(4), [EVENT]), end)
    with open(path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StateUnavailable, match="another process"):
            append(path, pack(header(4), [EVENT]), path.stat().st_size)
    assert offsets(path) == [1, 2, 3]


def test_every_cut_of_the_last_member_is_known_for_one_and_cut_off(tmp_path: Path) -> None:
    whole = tmp_path / "whole.gz"
    first, second, end = filled(whole)
    data = whole.read_bytes()
    for cut in range(second, end):
        path = tmp_path / "torn.gz"
        path.write_bytes(data[:cut])
        assert offsets(path) == [1, 2]
        append(path, pack(header(4), [EVENT]), second)
        assert offsets(path) == [1, 2, 4]
    assert offsets(whole, first) == [2, 3]


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_flipped_byte_costs_one_member_at_most(tmp_path_factory: pytest.TempPathFactory, at: int, flip: int) -> None:
    path = tmp_path_factory.mktemp("flip") / "a.gz"
    filled(path)
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= flip
    path.write_bytes(data)
    assert len(offsets(path)) >= 2


def test_a_member_of_nothing_but_zeros_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"\0" * (members._MOST + 1)) + pack(header(1), [EVENT]))
    assert offsets(path) == [1]


def test_a_member_of_another_version_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b'{"v":99}\n') + gzip.compress(b"[]\n") + pack(header(1), [EVENT]))
    assert offsets(path) == [1]


def test_a_line_that_cannot_be_read_keeps_the_places_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    lines = gzip.decompress(pack(header(1), [EVENT, EVENT])).split(b"\n")
    path.write_bytes(gzip.compress(b"\n".join([lines[0], b"{torn", *lines[2:]])))
    assert [event.text for event in load(path, 0, 0, 5)] == ["", EVENT.text]


def test_replacing_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    filled(path)
    replace(path, pack(header(3), ()))
    assert offsets(path) == [3]
    assert os.listdir(tmp_path) == ["a.gz"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_name_holds_neither_path_nor_id() -> None:
    names = {file_name(session, agent) for session in ("../../etc/passwd", "s", "") for agent in ("", "a/b")}
    assert len(names) == 6
    assert all(name.removesuffix(".jsonl.gz").isalnum() for name in names)


def test_missing_file_holds_nothing_and_missing_folder_is_told(tmp_path: Path) -> None:
    assert (offsets(tmp_path / "none"), load(tmp_path / "none", 0, 0, 1)) == ([], ())
    with pytest.raises(StateUnavailable, match="free some space"):
        append(tmp_path / "no" / "a.gz", b"x", 0)
    with pytest.raises(StateUnavailable, match="check its permissions"):
        offsets(tmp_path)
