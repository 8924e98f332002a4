"""The list of faults and the tests name each other, so that neither can grow old."""

import importlib.util

import pytest

from ..home import ROOT


@pytest.fixture(scope="module")
def faults():
    spec = importlib.util.spec_from_file_location("faults", ROOT / "docs" / "faults.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_row_has_a_test_named_after_it_or_a_reason(faults):
    found = faults.tests(ROOT)
    assert [row for row, _, why in faults.ROWS if row not in found and not why] == []


def test_every_test_that_is_named_after_a_row_is_of_one_that_is_listed(faults):
    assert sorted(faults.tests(ROOT).keys() - {row for row, _, _ in faults.ROWS}) == []


def test_what_a_reason_names_is_there(faults):
    import re

    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = [name for _, _, why in faults.ROWS for name in re.findall(r"`(test_\w+)`", why)]
    # A row that has a test of its own by now needs no reason any more.
    own = faults.tests(ROOT)
    reasons = {row: why for row, _, why in faults.ROWS if row not in own}
    assert [name for name in named if f"def {name}(" not in text and any(name in why for why in reasons.values())] == []
