"""Ranking: one table of signals, each of which raises what it speaks for; the newer of two versions comes first."""

from __future__ import annotations

import pytest

from memem.dates import When
from memem.models import Query
from memem.recall import slices
from memem.recall.ranking import SIGNALS, total

from .store import HARBOR, filled, memory

OLD, NEW = {"created": "2026-01-01T00:00:00+00:00"}, {"created": "2026-02-01T00:00:00+00:00"}
BODY = "The crane service rejects every tide record"


def ids(*memories, text="which crane record does the tide reject?", uses=None, **fields):
    query = Query(text=text, scope=HARBOR, **fields)
    return [int(name[:8]) for name in slices.for_search(filled(*memories), query, lambda _: uses or {}).ids]


@pytest.mark.parametrize(
    ("raised", "asked"),
    [
        ({"project": "local:harbor"}, {}),
        ({"created": "2025-05-04T00:00:00+00:00"}, {"when": When(year=2025, month=5, day=4)}),
        ({"paths": ("src/crane.py",)}, {"paths": ("src/crane.py",)}),
        ({"paths": ("src/crane.py",)}, {"text": "crane record tide in crane.py"}),
        ({"keys": ("winch",)}, {"text": "crane record tide winch"}),
        ({"kind": "decision"}, {"text": "why does the crane record the tide?"}),
        ({"entities": ("!12",)}, {"text": "crane record tide !12"}),
        ({"importance": 5}, {}),
        ({"updated": "2026-02-01T00:00:00+00:00"}, {}),
    ],
    ids=str,
)
def test_every_signal_raises_what_it_speaks_for(raised, asked):
    plain = memory(1, f"{BODY} twice", project="local:lighthouse")
    other = memory(2, f"{BODY} again", **{"project": "local:lighthouse"} | raised)
    assert ids(plain, other, **asked) == [2, 1]
    assert ids(other, plain, **asked) == [2, 1]


def test_what_helped_in_sessions_comes_before_what_did_not():
    one, two = memory(1, f"{BODY} twice"), memory(2, f"{BODY} again")
    assert ids(one, two, uses={one.id: 3}) == [1, 2]
    assert ids(two, one, uses={two.id: 3}) == [2, 1]


def test_explained_signals_make_up_the_score():
    found = slices.for_search(filled(memory(1, BODY)), Query(text="crane tide", scope=HARBOR)).found[0]
    assert [name for name, _, _ in found.signals] == ["words", "evidence", *(signal.name for signal in SIGNALS)]
    assert found.score == total(list(found.signals))


def test_text_that_begins_with_the_topic_comes_before_one_that_only_has_it():
    one = memory(1, "Berths are numbered by the port office", **OLD)
    two = memory(2, "Customer berths have a letter by now", **NEW)
    assert ids(one, two, text="berths?") == [1, 2]


def test_equals_are_told_the_newest_first():
    one, two = memory(1, "Staging lives on pier four", **OLD), memory(2, "Staging moved to berth nine", **NEW)
    assert ids(one, two, text="what is the address of staging?") == [2, 1]
    assert ids(two, one, text="what is the address of staging?") == [2, 1]


def test_what_is_only_linked_does_not_come_before_what_fits_for_being_newer():
    one = memory(1, "We deploy the crane on Thursdays since May", **OLD)
    two = memory(2, "Helm charts deploy crane images, never sources, to registries by night", related=(one.id,), **NEW)
    assert ids(one, two, text="when do we deploy the crane?") == [1, 2]


def test_newer_statement_about_the_same_comes_first_where_the_question_cannot_tell():
    one = memory(1, "Deploys of the harbor site go through Jenkins", **OLD)
    two = memory(2, "Deploys of the harbor site go through Argo", **NEW)
    assert ids(one, two, text="how do deploys of the harbor site go?") == [2, 1]
    query = Query(text="how do deploys of the harbor site go?", scope=HARBOR, limit=3)
    assert slices.for_prompt(filled(one, two), query, "", lambda _: {}).ids == [two.id]


def test_question_that_names_the_older_subject_finds_it_first():
    one = memory(1, "Questions about spring tides and moorings go to Ann", **OLD)
    two = memory(2, "Questions about tower cranes and pulleys go to Bo", **NEW)
    assert ids(one, two, text="who answers questions about spring tides and moorings?") == [1, 2]
    query = Query(text="who answers questions about spring tides and moorings?", scope=HARBOR, limit=3)
    assert one.id in slices.for_prompt(filled(one, two), query, "", lambda _: {}).ids


def test_signals_without_weight_are_named_and_cost_nothing():
    assert [signal.name for signal in SIGNALS if not signal.weight] == ["links", "neighbours"]
    assert sum(signal.weight for signal in SIGNALS) < 1
