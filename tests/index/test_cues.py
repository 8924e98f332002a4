"""Short cuts of cues: what is looked for before a pattern is tried stands in everything that the pattern finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memem.index import cues


@pytest.mark.parametrize(
    ("pattern", "stems"),
    [(cues._NEEDS, cues._NEEDS_STEMS), (cues._CAUSES, cues._CAUSES_STEMS), (cues._REFERENCE, cues._SIGNS)],
    ids=["needs", "causes", "references"],
)
def test_whatever_a_pattern_finds_holds_one_of_its_stems(pattern, stems) -> None:
    @given(st.from_regex(pattern, fullmatch=True))
    def holds(found: str) -> None:
        assert any(stem in found.lower() for stem in stems)

    holds()
