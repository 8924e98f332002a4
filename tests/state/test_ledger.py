"""The spend ledger and the breaker."""

from __future__ import annotations

from pathlib import Path

import pytest

from memem.errors import Paused
from memem.state.ledger import COOLDOWN_SECONDS, FAILURES_TO_OPEN, LONGEST_REST, Budget, Ledger
from memem.state.store import open_state
from tests.fakes import Clock

BUDGET = Budget(tokens=1000, usd=1.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    return Ledger(open_state(str(tmp_path)).connection, clock)


def _reserve(ledger: Ledger, tokens: int = 100, usd: float = 0.1) -> int:
    return ledger.reserve("claude", "mine", BUDGET, tokens=(tokens, 0), usd=usd)


@pytest.mark.parametrize("call", [{"tokens": 400}, {"usd": 0.4}])
def test_the_day_s_budget_holds_before_the_call_and_opens_tomorrow(
    ledger: Ledger, clock: Clock, call: dict[str, float]
) -> None:
    _reserve(ledger, **call)  # type: ignore[arg-type]
    _reserve(ledger, **call)  # type: ignore[arg-type]
    with pytest.raises(Paused, match="held by other calls") as pause:
        _reserve(ledger, **call)  # type: ignore[arg-type]
    assert pause.value.until - clock.at == 60, "they may come to less than was reserved"
    clock.at += 901  # they died
    with pytest.raises(Paused, match="budget of the day") as pause:
        _reserve(ledger, **call)  # type: ignore[arg-type]
    assert 0 < pause.value.until - clock.at <= 86_400
    clock.at = pause.value.until
    _reserve(ledger, **call)  # type: ignore[arg-type]


def test_a_budget_of_nothing_allows_nothing(ledger: Ledger) -> None:
    with pytest.raises(Paused):
        ledger.reserve("claude", "mine", Budget(tokens=0, usd=0), tokens=(1, 0), usd=0)


def test_what_was_reserved_counts_until_the_truth_is_known(ledger: Ledger) -> None:
    number = _reserve(ledger, tokens=900)
    assert ledger.spent().tokens == 900
    ledger.settle(number, "haiku", (300, 50), 0.02)
    assert (ledger.spent().tokens, ledger.spent().usd, ledger.spent().calls) == (350, 0.02, 1)
    (row,) = ledger.days()
    assert (row.model, row.input, row.output, row.cost) == ("haiku", 300, 50, 0.02)
    ledger.release(_reserve(ledger))
    assert ledger.spent().calls == 1


def test_five_failures_open_the_breaker_and_one_probe_closes_it(ledger: Ledger, clock: Clock) -> None:
    for _ in range(FAILURES_TO_OPEN - 1):
        ledger.faltered("claude", "overloaded")
        ledger.admit("claude", 60)
    assert ledger.faltered("claude", "overloaded") == clock.at + COOLDOWN_SECONDS
    with pytest.raises(Paused, match="overloaded"):
        ledger.admit("claude", 60)
    ledger.admit("ollama", 60)
    clock.at += COOLDOWN_SECONDS
    ledger.admit("claude", 60)
    with pytest.raises(Paused, match="being tried"):
        ledger.admit("claude", 60)
    ledger.succeeded("claude")
    ledger.admit("claude", 60)


def test_a_probe_that_fails_opens_it_again_and_one_that_died_frees_the_next(ledger: Ledger, clock: Clock) -> None:
    ledger.faltered("claude", "not logged in", open_now=True)
    clock.at += COOLDOWN_SECONDS
    ledger.admit("claude", 60)
    clock.at += 61
    ledger.admit("claude", 60)
    assert ledger.faltered("claude", "not logged in") == clock.at + COOLDOWN_SECONDS


def test_l1_a_backend_that_says_how_long_is_left_alone_for_that_long_but_an_hour_at_most(
    ledger: Ledger, clock: Clock
) -> None:
    assert ledger.faltered("claude", "429", rest_seconds=90) == clock.at + 90
    with pytest.raises(Paused) as pause:
        ledger.admit("claude", 60)
    assert pause.value.until == clock.at + 90
    assert ledger.faltered("claude", "429", rest_seconds=1e9) == clock.at + LONGEST_REST


def test_c1_a_clock_set_back_does_not_rest_a_backend_for_years(ledger: Ledger, clock: Clock) -> None:
    clock.at += 1e8
    ledger.faltered("claude", "overloaded", open_now=True)
    clock.at -= 1e8
    ledger.admit("claude", 60)


def test_the_reason_of_a_rest_does_not_grow_with_each_try(ledger: Ledger, clock: Clock) -> None:
    ledger.faltered("claude", "not logged in", open_now=True)
    for _ in range(20):
        clock.at += COOLDOWN_SECONDS
        ledger.admit("claude", 60)  # and the call is never made
    assert ledger.rest("claude").reason == "not logged in; being tried again"
