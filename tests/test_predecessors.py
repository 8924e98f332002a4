"""Every setting of the programs that memem continues is honoured, or answered with what took its place."""

from __future__ import annotations

from memem.config import options
from memem.predecessors import ROWS, answer_for, meaningless, table


def test_every_setting_is_honoured_or_answered() -> None:
    readers = {variable for _, spec in options() for variable in spec.env}
    for row in table():
        assert bool(row.option) != bool(row.says), row
        assert (row.name in readers) == bool(row.option), row


def test_no_setting_is_listed_twice() -> None:
    names = [name for _, names, _ in ROWS for name in names.split()]
    assert len(names) == len(set(names))


def test_sentences_end_as_such() -> None:
    assert all(says == "" or says.endswith(".") for _, _, says in ROWS)


def test_other_spellings_of_a_file_s_key_are_known() -> None:
    assert answer_for("CALLMEM_UI__PORT") == answer_for("LLM_MEM_UI__PORT") == answer_for("ui.port") != ""
    assert answer_for("CALLMEM_BRIEFING__MAX_TOKENS") == answer_for("briefing.max_tokens")
    assert answer_for("MEMEM_NOTHING") == ""
    assert answer_for("CORTEX_DIR") == "It sets `dir`."


def test_variables_without_meaning_are_told_apart_from_typos() -> None:
    names = ["HOME", "MEMEM_DIR", "MEMEM_MINER", "MEMEM_FSYNC", "MEMEM_FSYNCH", "MEMMAN_STORE", "CALLMEM_X__Y"]
    replaced, unknown = meaningless(names)
    assert set(replaced) == {"MEMEM_FSYNC", "MEMMAN_STORE"}
    assert unknown == ["MEMEM_FSYNCH"]
