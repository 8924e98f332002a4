"""The bundled sample session and the lessons that memem should learn from it."""

from __future__ import annotations

import fnmatch
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from memem.models import KINDS

SAMPLE = files("memem.cli") / "sample"
LESSONS = Path(__file__).with_name("lessons.json")  # what a reader of the session would keep
PROJECT_FOLDER = "/home/dana/harbor"
FIELDS = {"content", "title", "kind", "layer", "importance", "keys", "paths", "evidence"}
LARGEST = 80_000
LONGEST, LONGEST_TITLE = 500, 80
# Each stands in the session and is noise: recalled text, a chat, a refuted guess, a replaced statement, a secret.
NOISE = ("dock-2", "coffee", "evict", "uv run pytest", "oday we", "correct-horse-battery", "/model")
FOREIGN_PATH = re.compile(r"(?<![\w.])/(?:home|Users|root|tmp|private|var|mnt|opt|work|workspace)/[\w./-]+|[A-Z]:\\\\")


def session_text() -> str:
    return (SAMPLE / "session.jsonl").read_bytes().decode("utf-8")


def session() -> list[dict[str, Any]]:
    return [json.loads(line) for line in session_text().split("\n")[:-1]]


def lessons() -> list[dict[str, Any]]:
    return json.loads(LESSONS.read_bytes())


def blocks(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    contents = [record["message"]["content"] for record in records if "message" in record]
    return [block for content in contents if isinstance(content, list) for block in content if block["type"] == kind]


def test_every_line_of_the_session_is_a_record():
    records = session()
    assert 60 <= len(records) <= 90
    assert all(isinstance(record, dict) and record["type"] for record in records)
    assert len(session_text().encode()) < LARGEST


def test_files_have_lf_endings_and_end_in_a_newline():
    for path in (SAMPLE / "session.jsonl", LESSONS):
        data = path.read_bytes()
        assert b"\r" not in data
        assert data.endswith(b"\n")
        assert not data.endswith(b"\n\n")


def test_the_chain_of_records_has_one_root_and_no_gap():
    chain = [record for record in session() if "uuid" in record]
    uuids = [record["uuid"] for record in chain]
    assert len(set(uuids)) == len(uuids)
    assert [record["parentUuid"] for record in chain] == [None, *uuids[:-1]]


def test_references_outside_the_chain_name_records_of_the_session():
    records = session()
    uuids = {record["uuid"] for record in records if "uuid" in record}
    for field in ("leafUuid", "messageId", "sourceToolAssistantUUID"):
        assert {record[field] for record in records if field in record} <= uuids


def test_all_records_belong_to_one_session_of_one_project():
    chain = [record for record in session() if "uuid" in record]
    assert len({record["sessionId"] for record in session() if "sessionId" in record}) == 1
    assert {record["cwd"] for record in chain} == {PROJECT_FOLDER}
    assert {record["version"] for record in chain} == {"2.1.197"}


def test_timestamps_rise_within_one_month():
    times = [record["timestamp"] for record in session() if "timestamp" in record]
    assert times == sorted(times)
    assert all(time.startswith("2026-11-") and time.endswith("Z") for time in times)


def test_every_tool_call_has_its_result():
    records = session()
    calls = [block["id"] for block in blocks(records, "tool_use")]
    assert [block["tool_use_id"] for block in blocks(records, "tool_result")] == calls
    assert len(set(calls)) == len(calls)


def test_an_assistant_record_holds_one_block_of_its_message():
    messages = [record["message"] for record in session() if record["type"] == "assistant"]
    assert all(len(message["content"]) == 1 for message in messages)
    assert len({message["id"] for message in messages}) < len(messages)


def test_no_local_path_but_the_invented_project():
    for text in (session_text(), json.dumps(lessons(), ensure_ascii=False)):
        paths = FOREIGN_PATH.findall(text)
        assert [path for path in paths if not f"{path}/".startswith(f"{PROJECT_FOLDER}/")] == []


def test_lessons_fit_their_bounds():
    assert 7 <= len(lessons()) <= 8
    for lesson in lessons():
        assert set(lesson) == FIELDS
        assert 10 <= len(lesson["content"]) <= LONGEST
        assert 0 < len(lesson["title"]) <= LONGEST_TITLE
        assert lesson["kind"] in KINDS
        assert lesson["layer"] in range(4)
        assert lesson["importance"] in range(1, 6)
        assert all(isinstance(entry, str) and entry for field in ("keys", "paths") for entry in lesson[field])


def test_lessons_are_of_different_kinds_and_one_is_identity():
    assert len({lesson["kind"] for lesson in lessons()}) == len(lessons())
    assert [lesson["layer"] for lesson in lessons()].count(0) == 1


def test_evidence_of_every_lesson_is_in_the_session():
    uuids = {record["uuid"] for record in session() if "uuid" in record}
    for lesson in lessons():
        assert lesson["evidence"]
        assert set(lesson["evidence"]) <= uuids


def test_files_that_the_session_edits_fall_under_the_paths_of_a_lesson():
    globs = [glob for lesson in lessons() for glob in lesson["paths"]]
    inputs = [block["input"] for block in blocks(session(), "tool_use") if block["name"] in ("Edit", "Write")]
    for name in {given["file_path"].removeprefix(f"{PROJECT_FOLDER}/") for given in inputs}:
        assert any(fnmatch.fnmatch(name, glob) for glob in globs), name


def test_noise_of_the_session_is_in_no_lesson():
    kept = json.dumps(lessons(), ensure_ascii=False)
    for noise in NOISE:
        assert noise in session_text()
        assert noise not in kept
