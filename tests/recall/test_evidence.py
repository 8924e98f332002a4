"""What recall volunteers for a prompt, and when it stays silent. Quality is measured by benchmarks/gate.py."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memem.index.writer import IndexWriter
from memem.models import GENERAL, Query, Scope
from memem.recall.evidence import FLOOR, floor, judged, relevant, weigh
from memem.recall.slices import for_prompt

from .store import HARBOR, filled, memory

REDIS = memory(1, "Integration tests need Redis on port 6380, because 6379 is taken by the staging tunnel")
KAFKA = memory(2, "The Kafka consumer commits offsets by hand; auto-commit lost messages on rebalance")


def found(index: IndexWriter, text: str, scope: Scope = HARBOR) -> list[str]:
    return [candidate.memory.id for candidate in relevant(text, index, scope)]


@pytest.mark.parametrize("others", [0, 30, 2000])
def test_prompt_about_a_note_finds_it_in_stores_of_any_size(others: int) -> None:
    index = filled(REDIS, KAFKA, others=others)
    assert found(index, "why can the integration tests not reach redis?") == [REDIS.id]
    assert found(index, "does the kafka consumer commit offsets automatically?") == [KAFKA.id]


@pytest.mark.parametrize("others", [0, 30, 2000])
@pytest.mark.parametrize(
    "text",
    ["", "   ", "?!", "hello", "the", "fix the failing test", "write a haiku about the sea"],
)
def test_prompt_that_shares_a_chance_word_at_most_finds_nothing(text: str, others: int) -> None:
    assert found(filled(REDIS, KAFKA, others=others), text) == []


def test_only_memories_of_the_scope_are_found() -> None:
    index = filled(REDIS.replace(project="local:lighthouse"), KAFKA.replace(project=GENERAL))
    assert found(index, "why can the integration tests not reach redis?") == []
    assert found(index, "does the kafka consumer commit offsets automatically?") == [KAFKA.id]


def test_project_whose_name_begins_alike_is_another_one() -> None:
    index = filled(REDIS.replace(project="local:harbor-web"), KAFKA.replace(project="local"))
    assert found(index, "integration tests redis kafka consumer offsets") == []


def test_forms_of_one_word_are_one_piece_of_evidence() -> None:
    once, often = (
        relevant(text, filled(REDIS), HARBOR)
        for text in ("staging tunnel redis", "staging staged stages tunnel tunnels redis")
    )
    assert often[0].score <= once[0].score * 1.05


def test_key_finds_a_note_that_says_it_in_other_words() -> None:
    index = filled(REDIS.replace(keys=("cache server", "memcache")))
    assert found(index, "is the memcache server down?") == [REDIS.id]


def test_best_comes_first_and_says_why() -> None:
    best, second = relevant("staging tunnel redis port", filled(memory(5, "The staging tunnel is slow"), REDIS), HARBOR)
    assert best.memory == REDIS
    assert best.score >= second.score >= FLOOR
    assert best.reasons[0].startswith("matches ")
    assert "redis" in best.reasons[0]


def test_end_of_a_long_prompt_is_pasted_material() -> None:
    index = filled(REDIS, KAFKA, others=100)
    pasted = "crane berth tide " * 1000
    assert found(index, f"why can the integration tests not reach redis?\n{pasted}")[0] == REDIS.id
    assert KAFKA.id not in found(index, f"{pasted}\nkafka consumer offsets")


def test_weights_are_finite_and_rarest_come_first() -> None:
    prompt = weigh("redis redis the tests port 6380 e-mail user_id 記憶", filled(REDIS, others=50))
    weights = list(prompt.information.values())
    assert weights == sorted(weights, reverse=True)
    assert all(0 < weight < 20 and math.isfinite(weight) for weight in weights)


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_prompt(text: str) -> None:
    for candidate in relevant(text, INDEX, HARBOR):
        assert math.isfinite(candidate.score)


@given(st.lists(st.sampled_from(['"', "*", "AND", "NEAR(", "^", "title:", "-", "OR", "}", "{body} :", "redis"])))
@settings(max_examples=60, deadline=None)
def test_syntax_of_the_search_engine_is_text(words: list[str]) -> None:
    relevant(" ".join(words), INDEX, HARBOR)


INDEX = filled(REDIS, KAFKA, others=20)


def test_long_note_needs_more_than_the_words_that_any_long_text_holds() -> None:
    words = " ".join(f"subject{number} matter" for number in range(600))
    short, long = memory(1, "The crane needs a permit"), memory(2, f"The crane needs a permit. {words}")
    assert found(filled(short), "does the crane need a permit") == [short.id]
    assert found(filled(long), "does the crane need a permit") == []


def test_floor_rises_with_the_store() -> None:
    assert floor(0) == FLOOR < floor(100) < floor(10_000)


def test_floor_rises_faster_for_a_prompt_in_words_that_the_store_never_used() -> None:
    assert floor(300, 0.5) > floor(300) > floor(30)
    assert floor(300, 0.5) - floor(300) > floor(3, 0.5) - floor(3), "a small store uses few words at all"
    own = "the redis tunnel of the museum"
    strange = f"{own} beside quiet violins, copper lanterns and amber saddles"
    known = [memory(number, f"Cargo {number} of the museum is quiet") for number in range(100, 400)]
    index = filled(REDIS, *(note.replace(project="local:harbor") for note in known))
    assert weigh(own, index).strangeness == 0.0 < weigh(strange, index).strangeness <= 1.0
    assert weigh("", index).strangeness == 0.0


def test_notes_of_other_projects_do_not_raise_the_floor() -> None:
    prompt = "where does the redis museum sell its tunnel posters"
    others = [memory(number, f"The {number} cargo record", project="local:other") for number in range(100, 1100)]
    own = [note.replace(project="local:harbor") for note in others]
    assert found(filled(REDIS, *others), prompt) == [REDIS.id]
    assert found(filled(REDIS, *own), prompt) == []


def test_words_that_follow_each_other_in_prompt_and_note_are_more_than_the_words() -> None:
    prompt = "move the staging tunnel"
    beside, apart = (
        memory(1, "Cranes need the staging tunnel of the third pier and its lights"),
        memory(1, "Cranes need the tunnel of the third pier and the lights of its staging"),
    )
    whole, words = (relevant(prompt, filled(note), HARBOR)[0].score for note in (beside, apart))
    assert whole > words + 1


@pytest.mark.parametrize("note", ["the staging_tunnel is slow", "stagingTunnel is slow", "staging of tunnels is slow"])
def test_identifiers_and_forms_of_words_stand_beside_each_other(note: str) -> None:
    whole = judged("staging tunnel crane berth", index := filled(memory(1, note)), index.notes())
    apart = judged("staging crane tunnel berth", index, index.notes())
    assert next(iter(whole.values())).score > next(iter(apart.values())).score


def test_words_that_no_note_holds_do_not_crowd_out_those_that_one_does() -> None:
    strange = " ".join(f"strange{letter * 3}" for letter in "bcdfghjklmnp")
    text, index = f"{strange} integration tests need redis, staging tunnel", filled(REDIS, KAFKA)
    assert len(weigh(text, index).unused) == 12
    assert found(index, text) == [REDIS.id]


def test_one_word_is_no_prompt_about_a_note_but_may_name_a_file() -> None:
    index = filled(REDIS, KAFKA)
    assert for_prompt(index, Query(text="tunnel it", scope=HARBOR), "", lambda _: {}).ids == []
    assert for_prompt(index, Query(text="the redis tunnel", scope=HARBOR), "", lambda _: {}).ids == [REDIS.id]
    assert found(index, "tunnel") == [REDIS.id]


def test_words_repeated_apart_from_each_other_cost_no_more_than_their_number() -> None:
    text = "ox " * 1000 + "of the third pier " + "elk " * 700
    index = filled(*(memory(number, f"{number} {text}") for number in range(12)))
    started = time.process_time()
    judged("elk ox", index, index.notes())
    assert time.process_time() - started < 0.3


def test_two_links_to_one_site_have_nothing_in_common() -> None:
    note = memory(1, "The handbook lives at https://github.com/harbor/handbook and is printed nightly")
    index = filled(note, others=3)
    assert found(index, "see https://github.com/rails/rails/pull/17") == []
    assert found(index, "look at https://www.github.com/other/repo/issues/3") == []
    assert found(index, "where is https://github.com/harbor/handbook printed") == [note.id]


def test_two_files_have_nothing_in_common_by_their_root_and_kind() -> None:
    note = memory(1, "Report errors of the crane to src/api/handlers/errors.ts")
    assert found(filled(note), "what is in src/index.ts?") == []
    assert found(filled(note), "src/api/handlers/users.ts throws") == [note.id]


def test_parts_of_a_number_are_no_pair() -> None:
    index = filled(memory(1, "The project builds with Go 1.26.2"))
    assert weigh("crane 1, 26 and 2", index).pairs == {("crane", "1")}


def test_pieces_of_one_word_are_no_pair() -> None:
    index = filled(memory(1, "数据库连接池"))
    assert weigh("数据库连接池", index).pairs == frozenset()


def test_the_floor_rises_with_the_store_as_far_as_that_was_measured() -> None:
    assert floor(0) < floor(100) < floor(2400)
    assert floor(2400) == floor(100_000), "beyond it even a memory about the prompt would be silent"
