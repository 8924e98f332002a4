"""What memem told in a session is read apart from its events, wherever a client wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memem.errors import NotFound
from memem.sources.recalled import Recalled, recalled
from tests.sources.transcripts import Record, agent, attachment, call, line, read, record, result, user, write

TOLD = "floats lost a cent"
BLOCK = f"<memem-recall>\n> {TOLD}\n</memem-recall>"
TOOL = "mcp__plugin_memem_memem__memory_search"


def own(number: str = "t1") -> Record:
    return result([{"type": "text", "text": TOLD}], number)


@pytest.mark.parametrize(
    "records",
    [
        [attachment("hook_additional_context", content=[BLOCK])],
        [
            user(
                f"<system-reminder>\nUserPromptSubmit hook additional context: {BLOCK}\n</system-reminder>", isMeta=True
            )
        ],
        [user([{"type": "text", "text": BLOCK}])],
        [call("Read", "t1", file_path="/a.py"), result(f"x = 1\n{BLOCK}", "t1")],
        [call(TOOL, "t1", query="cents"), own()],
        [call("mcp__memem__transcript_search", "t1", query="cents"), own()],
        [call("Bash", "t1", command='memem search "cents"'), own()],
        [call("Bash", "t1", command="cat ~/brain/memem/memories/prices-5d1f0c7e.md"), own()],
        [call("Bash", "t1", command="grep -r cents ~/brain/memem/playbooks/"), own()],
        [call("Bash", "t1", command="sh '/plugins/memem/bootstrap.sh' search cents"), own()],
        [call("Read", "t1", file_path="/home/dana/brain/memem/memories/prices-5d1f0c7e.md"), own()],
        [record("progress", data={"type": "agent_progress", "message": one}) for one in (call(TOOL, "t1"), own())],
    ],
)
def test_what_memem_told_is_found_wherever_a_client_writes_it(tmp_path: Path, records: list[Record]) -> None:
    path = write(tmp_path / "s.jsonl", user("hello"), *records, agent("bye"))
    found = recalled(path)
    assert any(TOLD in told.text for told in found)
    assert {told.place for told in found} == {len(line(user("hello")))} or len(records) > 1
    assert not any(TOLD in event.text for event in read(path)[0]), "and is no event"


@pytest.mark.parametrize(
    "records",
    [
        [agent(f"I was told: {BLOCK}")],
        [call("Bash", "t1", command="pytest"), own()],
        [call(TOOL, "t1", query=TOLD)],
        [own("never-called")],
    ],
)
def test_what_others_said_was_not_told_by_memem(tmp_path: Path, records: list[Record]) -> None:
    assert recalled(write(tmp_path / "s.jsonl", *records)) == ()


def test_a_text_counts_from_where_it_was_told_first(tmp_path: Path) -> None:
    told = attachment("hook_additional_context", content=[BLOCK])
    path = write(tmp_path / "s.jsonl", told, user("x"), told)
    assert recalled(path) == (Recalled(text=BLOCK, place=0),)


def test_sub_agents_are_told_for_the_main_thread_and_it_for_them(tmp_path: Path) -> None:
    told = attachment("hook_additional_context", content=[BLOCK])
    main = write(tmp_path / "s.jsonl", user("x"), attachment("hook_additional_context", content=["<memem-context>M"]))
    inner = write(tmp_path / "s" / "subagents" / "agent-a1.jsonl", agent("y"), told)
    assert {(one.text, one.place > 0) for one in recalled(main)} == {(BLOCK, False), ("<memem-context>M", True)}
    assert {(one.text, one.place > 0) for one in recalled(inner)} == {(BLOCK, True), ("<memem-context>M", False)}


def test_torn_and_strange_lines_are_no_harm(tmp_path: Path) -> None:
    told = attachment("hook_additional_context", content=[BLOCK, 1, None, {"deep": [BLOCK]}])
    torn = b'{"type": "attachment", "memem": "<memem-recall>' + b"x" * 50 + b"\n"
    strange = json.dumps({"type": 7, "message": {"content": [{"type": "tool_use", "name": None, "input": "memem"}]}})
    path = write(tmp_path / "s.jsonl", b"\xff memem\n", torn, strange.encode() + b"\n", told, b'{"memem')
    assert [one.text for one in recalled(path)] == [BLOCK]


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="is gone"):
        recalled(tmp_path / "s.jsonl")


def test_an_answer_counts_from_its_call_because_a_fork_may_write_it_behind_what_was_said_of_it(tmp_path: Path) -> None:
    path = write(tmp_path / "s.jsonl", user("x"), call(TOOL, "t1"), agent(TOLD), own())
    assert recalled(path) == (Recalled(text=TOLD, place=len(line(user("x")))),)
