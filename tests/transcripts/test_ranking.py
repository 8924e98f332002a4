"""The arithmetic of ranking turns and sessions: what each signal does."""

from __future__ import annotations

import pytest

from memem.dates import When
from memem.transcripts.ranking import (
    NEAR,
    SPREAD,
    Row,
    Word,
    among_kin,
    evidence,
    newest,
    rank,
    recent,
    sessions,
)

NOBODY: frozenset[int] = frozenset()


def row(number: int, words: int = 20, at: str = "", *, human: bool = False) -> Row:
    return Row(row=number, words=words, at=at, human=human)


def test_turn_gains_by_what_its_neighbours_say() -> None:
    told = evidence([Word(rows=((10, 20),)), Word(rows=((11, 20), (50, 20)))], 100, 20)
    assert told[11] > told[50]
    assert told[10] > told[12] > told[13] > 0
    assert 20 not in told


def test_neighbours_of_near_and_far_turns_are_told_alike() -> None:
    rows = [(10, 30), (12, 80), (19, 5), (40, 30)]
    told = evidence([Word(rows=tuple(reversed(rows)))], 100, 30.0)
    near = {row + away for row, _ in rows for away in range(-NEAR, NEAR + 1)}
    assert told.keys() == near
    assert told[36] == told[44] > 0
    assert told[6] == pytest.approx(told[36])  # only one turn is near either
    assert told[11] > told[39]  # two are near this one


def test_neighbours_of_the_first_turns_of_all_are_told_like_those_of_others() -> None:
    rows = ((1, 20), (2, 3), (4, 80))
    first, later = (
        evidence([Word(rows=rows)], 100, 30.0),
        evidence([Word(rows=tuple((row + 9, n) for row, n in rows))], 100, 30.0),
    )
    assert {row + 9: told for row, told in first.items()} == later


def test_neighbours_count_for_the_rarest_words_only_where_many_turns_hold_the_others() -> None:
    rare = Word(rows=((7, 30),))
    common = Word(rows=tuple((row, 30) for row in range(100, 100 + 10 * SPREAD, 10)))
    told = evidence([rare, common], 20_000, 30.0)
    assert (6 in told, 100 in told, 101 in told) == (True, True, False)
    assert 101 in evidence([common], 20_000, 30.0)  # where there is no other word


def test_rare_word_tells_more_than_a_common_one() -> None:
    told = evidence([Word(rows=((1, 20),)), Word(rows=tuple((number, 20) for number in range(20, 60)))], 100, 20)
    assert told[1] > told[40]


def test_word_tells_less_in_a_long_turn() -> None:
    told = evidence([Word(rows=((1, 10), (50, 2000)))], 100, 20)
    assert told[1] > 2 * told[50]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (row(1, human=True), row(2)),
        (row(1, words=20), row(2, words=2)),
        (row(1, at="2026-03-04T10:00:00Z"), row(2, at="2026-03-09T10:00:00Z")),
        (row(7), row(2)),  # the speaker's
    ],
)
def test_of_turns_that_hold_the_same_one_signal_decides(better: Row, worse: Row) -> None:
    scores = rank({1: 1.0, 2: 1.0, 7: 1.0}, [better, worse], frozenset({7}), When(month=3, day=4))
    assert scores[better.row] > scores[worse.row]


def test_several_good_turns_make_a_better_session_than_one() -> None:
    found = sessions({101: 2.0, 201: 2.0, 202: 2.0}, [], {1: 50, 2: 50}, 100)
    assert found[2] > found[1]
    assert all(0 <= score <= 1 for score in found.values())


def test_nothing_told_ranks_nothing() -> None:
    assert evidence([], 0, 1.0) == {}
    assert rank({}, [], NOBODY, When(year=2026)) == {}
    assert sessions({}, [], {}, 100) == {}
    assert sessions({101: 0.0}, [], {1: 1}, 100) == {1: 0.0}


def test_a_session_of_today_is_worth_twice_that_of_yesterday() -> None:
    assert recent(0) == pytest.approx(2 * recent(86_400))
    assert recent(-5) == recent(0)


def test_first_turn_tells_what_a_session_of_work_was_for() -> None:
    scores, word = {100: 2.0, 201: 2.0}, Word(rows=((100, 20), (201, 20)))
    talk = sessions(scores, [word], {1: 50, 2: 50, 3: 50}, 100)
    work = sessions(scores, [word], {1: 50, 2: 50, 3: 50}, 100, work=True)
    assert talk[1] == talk[2]
    assert work[1] == 1.0 > work[2] > 0


def test_sessions_of_the_branch_that_leads_come_before_others_of_their_words() -> None:
    raised = among_kin({1: 1.0, 2: 0.3, 3: 0.4}, {}, {1: frozenset({7}), 2: frozenset({7}), 3: frozenset({8})})
    assert raised[1] == 1.0 > raised[2] > raised[3] > 0
    assert among_kin({1: 1.0, 2: 0.5}, {}, {1: frozenset({7})}) == pytest.approx({1: 1.0, 2: 0.5})


def test_sessions_that_changed_the_files_of_a_good_one_gain_by_the_share_of_them() -> None:
    files = {1: frozenset({1, 2}), 2: frozenset({1, 2}), 3: frozenset({2, 3, 4}), 4: frozenset({9})}
    raised = among_kin({1: 1.0, 2: 0.2, 3: 0.2, 4: 0.2, 5: 0.2}, files, {})
    assert raised[1] == 1.0 > raised[2] > raised[3] > raised[4] == raised[5] > 0


def test_many_sessions_of_one_file_raise_each_other_by_a_few_only() -> None:
    few, many = (
        among_kin(dict.fromkeys(range(count), 0.1) | {99: 1.0}, dict.fromkeys(range(count), frozenset({1})), {})
        for count in (4, 40)
    )
    assert few[0] == pytest.approx(many[0])
    assert few[0] < few[99] == 1.0


def test_without_kin_nothing_changes() -> None:
    assert among_kin({1: 0.8, 2: 0.3}, {}, {}) == pytest.approx({1: 0.8, 2: 0.3})
    assert among_kin({1: 0.0}, {}, {}) == {1: 0.0}
    assert among_kin({}, {}, {}) == {}


def test_newest_session_comes_before_a_better_one_of_another_week() -> None:
    ranked = newest({1: 0.9, 2: 0.1, 3: 0.5}, {1: 7 * 86_400.0, 2: 600.0})
    assert ranked[2] > ranked[1] > ranked[3] == 0.5
