"""What the user allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from memem import consent
from memem.consent import Consent


def test_nothing_is_allowed_before_someone_says_so(tmp_path: Path) -> None:
    assert consent.read(str(tmp_path)) == Consent()
    assert not Consent().active


def test_what_was_allowed_is_read_back_and_can_be_withdrawn(tmp_path: Path) -> None:
    given = Consent(capture=True, mining=True, since=1.5, spend="claude")
    consent.write(str(tmp_path), given)
    assert consent.read(str(tmp_path)) == given
    assert (tmp_path / consent.MARKER).stat().st_mode & 0o077 == 0
    consent.withdraw(str(tmp_path))
    consent.withdraw(str(tmp_path))
    assert not consent.read(str(tmp_path)).capture


@pytest.mark.parametrize(
    "content", ["", "2026-01-01", "{}", "[]", '{"capture": "yes"}', '{"spend": true, "mining": 1}', '{"mining": 1}']
)
def test_another_s_marker_allows_capture_and_nothing_that_costs(tmp_path: Path, content: str) -> None:
    (tmp_path / consent.MARKER).write_text(content, encoding="utf-8")
    said = consent.read(str(tmp_path))
    assert (said.capture, said.mining, said.spend) == (True, False, "")


def test_a_marker_that_cannot_be_read_allows_nothing_to_run(tmp_path: Path) -> None:
    (tmp_path / consent.MARKER).mkdir()
    assert not consent.read(str(tmp_path)).active
