"""A memory as a note and back: version 1, what older versions wrote, and names that every file system takes."""

import random
import re
import string
import time

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memem.models import KINDS, STATUSES, TRUSTS, Memory
from memem.vault.note import decode, encode, parse, render, stem_for, with_fields

LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=20)
LINES = st.lists(LINE, min_size=1, max_size=4).map(" ".join)
ITEMS = st.lists(LINES, max_size=4).map(tuple)
BODY = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\0"), max_size=200).map(str.strip)
MEMORIES = st.builds(
    Memory,
    id=st.uuids().map(str),
    title=LINES.filter(lambda title: not title.startswith("[x] ")),
    body=BODY,
    project=LINES,
    kind=st.sampled_from(KINDS),
    layer=st.integers(0, 3),
    importance=st.integers(1, 5),
    status=st.sampled_from(STATUSES),
    trust=st.sampled_from(TRUSTS),
    source_type=LINES,
    source_session=LINES | st.just(""),
    replaced_by=st.uuids().map(str) | st.just(""),
    created=st.datetimes().map(lambda at: at.isoformat() + "+00:00"),
    updated=st.datetimes().map(lambda at: at.isoformat() + "+00:00"),
    valid_at=LINES | st.just(""),
    invalid_at=LINES | st.just(""),
    **dict.fromkeys("tags keys paths entities related supersedes contradicts evidence".split(), ITEMS),
)

# Byte for byte as 1.1.2 and 2.9.7 wrote them.
BY_1_1_2 = b"""---
id: 07b43ade-9c7b-4c79-9ccc-de9a79bc6d50
schema_version: 1
title: "[x] Use RS256 JWTs: never HS256"
project: webapp
tags: [mined, 1a2b3c4d, "type:procedural"]
related: [1f2e3d4c]
created: 2026-03-01
updated: 2026-03-02
source_type: mined
source_session: 1a2b3c4d
importance: 4
status: active
valid_to:
layer: 1
contradicts: [aaaabbbb]
---

Use RS256 JWTs in production because keys rotate.

## Related
- [[use-hs256-jwts-1f2e3d4c]]
- [[rotate-keys-99887766]]
"""
BY_2_9_7 = b"""---
id: 07b43ade-9c7b-4c79-9ccc-de9a79bc6d50
schema_version: 1
title: Use RS256 JWTs
project: webapp
tags:
- mined
- webapp
- supersedes:12345678
keys:
- jwt signing
related:
- 1f2e3d4c
created: '2026-11-21T00:48:32.052091+00:00'
updated: '2026-11-21T00:48:33.052118+00:00'
source_type: user
source_session: ''
importance: 3
status: active
valid_to: ''
layer: 2
valid_at: '2026-11-21T00:48:32.052091+00:00'
invalid_at: '2027-01-01T00:00:00+00:00'
replaced_by: deadbeef
clustered_into: x
last_accessed_at: '2026-11-21T00:48:32.052091+00:00'
access_count: 0
decay_immune: false
paths:
- src/auth/**

---

Use RS256 JWTs in production because keys rotate.
"""


def read(text, path="memories/the-file-name.md"):
    return parse(text if isinstance(text, bytes) else text.encode(), path)


@settings(max_examples=300)
@given(MEMORIES)
def test_a_memory_survives_its_note(memory):
    note = parse(render(memory), "memories/x.md")
    assert note.problem == ""
    assert note.memory == memory


@given(MEMORIES)
def test_obsidian_reads_the_same_values(memory):
    head = render(memory).decode().removeprefix("---\n").partition("\n---\n")[0]
    values = yaml.safe_load(head)
    assert values["id"] == memory.id
    assert values["title"] == memory.title
    assert values["tags"] == list(memory.tags)
    assert values.get("keys", []) == list(memory.keys)
    assert values["created"] == memory.created
    assert values["schema_version"] == 1


def test_related_links_are_written_for_obsidian_and_not_read_as_text():
    memory = Memory(id="0" * 36, title="Ports", body="Redis is on 6380.\n\n## Key points\n- one")
    data = render(memory, ("a-note-11111111", "b-note-22222222"))
    assert data.endswith(b"- one\n\n## Related\n- [[a-note-11111111]]\n- [[b-note-22222222]]\n")
    assert read(data).memory.body == memory.body


@pytest.mark.parametrize(
    "body",
    [
        "See\n\n## Related\n- [[a]]\nand more",
        "## Related work\n- [[a]]",
        "x\n\n## Related\n\n- a plain line",
        "x\n\n### Related\n- [[a]]",
    ],
)
def test_a_humans_own_section_is_text(body):
    assert read(f"---\ntitle: t\n---\n\n{body}\n").memory.body == body


def test_a_note_of_1_1_2_is_read():
    note = read(BY_1_1_2)
    assert note.problem == ""
    assert note.memory == Memory(
        id="07b43ade-9c7b-4c79-9ccc-de9a79bc6d50",
        title="Use RS256 JWTs: never HS256",
        body="Use RS256 JWTs in production because keys rotate.",
        project="webapp",
        kind="note",
        layer=1,
        importance=4,
        tags=("mined", "1a2b3c4d", "type:procedural"),
        related=("1f2e3d4c",),
        contradicts=("aaaabbbb",),
        trust="agent",
        source_type="mined",
        source_session="1a2b3c4d",
        created="2026-03-01",
        updated="2026-03-02",
    )


def test_a_note_of_2_9_7_is_read():
    note = read(BY_2_9_7)
    assert note.problem == ""
    assert note.memory == Memory(
        id="07b43ade-9c7b-4c79-9ccc-de9a79bc6d50",
        title="Use RS256 JWTs",
        body="Use RS256 JWTs in production because keys rotate.",
        project="webapp",
        tags=("mined", "webapp", "supersedes:12345678"),
        keys=("jwt signing",),
        related=("1f2e3d4c",),
        paths=("src/auth/**",),
        replaced_by="deadbeef",
        trust="user",
        created="2026-11-21T00:48:32.052091+00:00",
        updated="2026-11-21T00:48:33.052118+00:00",
        valid_at="2026-11-21T00:48:32.052091+00:00",
        invalid_at="2027-01-01T00:00:00+00:00",
    )


def test_superseding_an_old_note_keeps_every_key_that_is_not_ours():
    changed = with_fields(BY_2_9_7, {"status": "superseded", "replaced_by": "cafe"})
    expected = BY_2_9_7.replace(b"status: active", b"status: superseded").replace(b"deadbeef", b"cafe")
    assert changed == expected


def test_unquoted_colons_flow_lists_and_dates_are_read_together():
    memory = read("---\ntitle: Redis: use 6380\ncreated: 2026-01-02\ntags: [a, b]\n---\nBody").memory
    assert (memory.title, memory.created, memory.updated) == ("Redis: use 6380", "2026-01-02", "2026-01-02")
    assert memory.tags == ("a", "b")


def test_tags_in_one_line_are_several():
    assert read("---\ntags: a, b\n---\nx").memory.tags == ("a", "b")


def test_a_note_without_frontmatter_is_named_by_its_heading_and_keeps_one_id():
    note = read("# Ports of the shop\n\nRedis is on 6380.")
    assert (note.memory.title, note.problem) == ("Ports of the shop", "")
    assert note.memory.body.endswith("Redis is on 6380.")
    assert note.memory.id == read("other text").memory.id
    assert note.memory.id != read("other text", "memories/other.md").memory.id


def test_a_note_without_any_text_is_named_by_its_file():
    assert read("---\nlayer: 1\n---\n").memory.title == "the-file-name"


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("layer: 9", "layer", 3),
        ("layer: -4", "layer", 0),
        ("layer: two", "layer", 2),
        ("layer: .inf", "layer", 2),
        ("importance: 1e999", "importance", 3),
        ("importance: 4.0", "importance", 4),
        ("kind: Decision", "kind", "decision"),
        ("kind: haiku", "kind", "note"),
        ("status: ACTIVE", "status", "active"),
        ("status: [x]", "status", "active"),
        ("trust: root", "trust", "user"),
        ("valid_to: 2027-01-01", "invalid_at", "2027-01-01"),
        ("id:", "id", read("x").memory.id),
    ],
)
def test_a_value_out_of_bounds_falls_back(line, field, value):
    assert getattr(read(f"---\n{line}\n---\nx").memory, field) == value


def test_line_endings_and_marks_of_windows_are_read():
    memory = read(b"\xef\xbb\xbf---\r\ntitle: Ports\r\nstatus: superseded\r\n---\r\n\r\none\r\ntwo\r\n").memory
    assert (memory.title, memory.status, memory.body) == ("Ports", "superseded", "one\ntwo")


def test_bytes_that_are_no_utf_8_are_told_and_the_rest_is_read():
    note = read(b"---\ntitle: caf\xe9\n---\nol\xe9 and text")
    assert "UTF-8" in note.problem
    assert (note.memory.title, note.memory.body) == ("caf\ufffd", "ol\ufffd and text")


def test_a_replacement_character_of_the_author_is_no_problem():
    assert read("---\ntitle: t\n---\n\ufffd").problem == ""


@settings(max_examples=400)
@given(st.binary(max_size=120), st.sampled_from([b"", b"---\n", b'---\ntitle: "', b"---\ntags:\n- "]))
@example(b'\\ud800"\n---\nx', b'---\ntitle: "')
@example(b"\xff\xfe\x00", b"---\ntitle: '")
def test_no_bytes_at_all_are_rejected(data, head):
    note = parse(head + data, "memories/x.md")
    for value in note.memory.as_dict().values():
        "".join(value if isinstance(value, tuple) else [str(value)]).encode()
    assert encode(decode(head + data)) == head + data


@pytest.mark.parametrize(
    "body", ["\n" * 1_000_000, "\n## Related\n" * 80_000, "- [[a]]\n" * 120_000, " " * 1_000_000, "## Related \n\n" * 9]
)
def test_no_body_takes_long(body):
    began = time.monotonic()
    read(f"---\ntitle: t\n---\nx\n{body}\nend")
    assert time.monotonic() - began < 2


def random_titles(count):
    chance = random.Random(7)
    pieces = [
        "CON", "aux", "NUL", "com1", "lpt9", "..", ".", "/", "\\", ":", "*", "?", '"', "<", ">", "|", "\t", "\n", "~",
        "$HOME", "`x`", "-", "--", "_", "é", "e\u0301", "İ", "ß", "漢字", "日本語のタイトル", "한국어", "ไทย", "😀",
        "👩‍👩‍👧", "🏳️‍🌈", "\u202e", "\u200b", "%00", "a" * 300, "é" * 200, "漢" * 200, "𝔘𝔫𝔦" * 50,
        "word", "Redis", "#", "[[x]]",
    ]  # fmt: skip
    for _ in range(count):
        yield "".join(chance.choice([*pieces, chance.choice(string.printable)]) for _ in range(chance.randint(0, 6)))


def test_a_thousand_titles_become_names_that_every_file_system_takes(tmp_path):
    names = {}
    for number, title in enumerate(random_titles(1000)):
        memory = Memory(id=f"{number:08x}-0000-4000-8000-000000000000", title=title, body="x")
        stem = stem_for(memory)
        assert stem.endswith(f"-{memory.id8}")
        assert len(f"{stem}.md".encode()) <= 200
        assert not re.search(r'[\x00-\x1f<>:"/\\|?*\x7f]|^[.\s-]|[.\s]$', stem), (title, stem)
        assert not re.match(r"(con|prn|aux|nul|com\d|lpt\d)(-[0-9a-f]{8})?$", stem.removesuffix(f"-{memory.id8}"))
        names[stem.casefold()] = memory
        (tmp_path / f"{stem}.md").write_bytes(render(memory))
    assert len(names) == 1000
    assert len(list(tmp_path.iterdir())) == 1000
    for path in tmp_path.iterdir():
        note = parse(path.read_bytes(), path.name)
        assert note.memory.id == names[path.stem.casefold()].id
        assert note.problem == ""


def test_a_name_tells_the_title():
    memory = Memory(id="12345678-aaaa", title="Use RS256 JWTs (never HS256)", body="x")
    assert stem_for(memory) == "use-rs256-jwts-never-hs256-12345678"
    assert stem_for(memory, full_id=True) == "use-rs256-jwts-never-hs256-12345678-aaaa"
