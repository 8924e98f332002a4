"""The miner's lock: who holds it, and whether it still means what it meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memem.state import lock


def test_a_lock_whose_file_is_gone_or_another_s_no_longer_lies_there(tmp_path: Path) -> None:
    held = lock.acquire(str(tmp_path))
    assert held
    assert held.lies_in(str(tmp_path))
    Path(tmp_path, lock.FILE).unlink()
    assert not held.lies_in(str(tmp_path))
    second = lock.acquire(str(tmp_path))
    assert second
    assert second.lies_in(str(tmp_path))
    assert not held.lies_in(str(tmp_path))
    held.release()
    second.release()


def test_where_an_open_file_has_another_number_its_presence_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = os.stat("/")
    monkeypatch.setattr(os, "fstat", lambda _: elsewhere)
    held = lock.acquire(str(tmp_path))
    assert held
    assert held.lies_in(str(tmp_path))
    Path(tmp_path, lock.FILE).unlink()
    assert not held.lies_in(str(tmp_path))
    held.release()
