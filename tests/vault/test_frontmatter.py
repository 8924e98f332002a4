"""Frontmatter: reads what people and programs write, changes only the lines asked for."""

import time

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from memem.vault import frontmatter
from memem.vault.frontmatter import Frontmatter, format_scalar, format_value
from memem.vault.note import decode, encode

ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
KEYS = st.sampled_from("title tags status updated replaced_by layer".split())
VALUES = ANY_TEXT | st.integers(0, 99) | st.lists(ANY_TEXT, max_size=4)
YAML_PIECES = st.sampled_from(
    [
        "---", "...", "\n", "\r\n", "\r", " ", "  ", "\t", ":", ": ", "- ", "-", "#", " # c", "'", '"', "[", "]", "{",
        "}", ",", "|", ">", "&a", "*a", "!!int", "!!timestamp", "!!python/object/apply:os.system", "%YAML 9", "~", "?",
        "title", "tags", "status: x", "null", "0x1f", "2026-01-02", "1:30", "\0", "\x85", "\u2028", "\ufeff", "é", "漢",
        "\\ud800", "\\x00", "a", "b: c", '"\\ud800"', "<<: *a", "=",
    ]
)  # fmt: skip


def values(text):
    head = Frontmatter(text)
    return head.values(), head.problem


def note(*lines):
    return "---\n" + "".join(f"{line}\n" for line in lines) + "---\n\nbody\n"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("k: plain words", "plain words"),
        ("k: plain # a comment", "plain"),
        ("k: it#s", "it#s"),
        ("k: 'it''s: # here'", "it's: # here"),
        (r'k: "a\tb \u00e9 \" \\"', 'a\tb é " \\'),
        ("k:", ""),
        ("k: ~", ""),
        ("k: null", ""),
        ("k: ''", ""),
        ("k: use uv: never pip", "use uv: never pip"),
        ("k: https://x.y/z#top", "https://x.y/z#top"),
        ("k: 2026-11-21", "2026-11-21"),
        ("k: 2026-11-21T00:48:32Z", "2026-11-21T00:48:32Z"),
        ("k: 08", "08"),
        ("k: yes", "yes"),
        ("k : spaced", "spaced"),
        ("'k': quoted", "quoted"),
        ("k: [a, 'b, c', \"d\"]", ["a", "b, c", "d"]),
        ("k: [a, b,]", ["a", "b"]),
        ("k: []", []),
        ("k: [ ]", []),
        ("k:\n- a\n- 'b: c'", ["a", "b: c"]),
        ("k:\n  - a\n  # why\n  - b", ["a", "b"]),
        ("k: |\n  first\n  second", "first\nsecond\n"),
        ("k: >-\n  one\n  line", "one line"),
        ("k: one\n  line", "one line"),
        ("k: [a,\n  b]", ["a", "b"]),
        ("k: {a: 1}", {"a": "1"}),
    ],
)
def test_every_common_form_of_a_value_is_read(line, value):
    assert values(note("first: 1", line, "last: 2")) == ({"first": "1", "k": value, "last": "2"}, "")


def test_a_value_that_needs_the_yaml_reader_does_not_change_how_others_are_read():
    lines = ("created: 2026-11-21T00:48:32+02:00", "date: 2026-11-21", "id: 0123", "ok: on", "none: null", "q: 'null'")
    simple, _ = values(note(*lines))
    full, problem = values(note(*lines, "x: {a: 1}"))
    assert problem == ""
    assert {key: full[key] for key in simple} == simple | {"q": "null"}


@pytest.mark.parametrize("text", ["", "\n", "body", "--", "----\na: b\n---\n", " ---\na: b\n", "# heading\n---\n"])
def test_text_without_frontmatter_is_all_body(text):
    head = Frontmatter(text)
    assert (head.present, head.values(), head.problem, head.body) == (False, {}, "", text)


def test_a_missing_fence_ends_at_the_first_line_that_is_no_frontmatter():
    head = Frontmatter("---\ntitle: Ports\ntags:\n- a\n\nRedis is on 6380.\nkey: not ours\n")
    assert head.values() == {"title": "Ports", "tags": ["a"]}
    assert "closing" in head.problem
    assert head.body == "\nRedis is on 6380.\nkey: not ours\n"


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ("tags: [a, b", 3),
        ('author: "never closed', 3),
        ("junk without a colon", 3),
        ("x: {a: b: c}", 3),
        ("tags:\n  # why\n  - a\njunk", 6),
        ("x: @here", 3),
        ("layer: 2\n\tx: y", 4),
    ],
)
def test_a_problem_names_its_line_and_the_other_values_stay(broken, line):
    read, problem = values(note("title: Keep me", broken, "status: active"))
    assert f"line {line}:" in problem
    assert read["title"] == "Keep me"


@pytest.mark.parametrize("line", ["a: &x [1]\nb: *x", "a: " + "[" * 40 + "]" * 40, "a: *nowhere"])
def test_aliases_and_deep_nesting_are_refused_with_a_reason(line):
    read, problem = values(note("title: t", line))
    assert "aliases or deep nesting" in problem
    assert read["title"] == "t"


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['touch x']", "!!int ''", "!!bool foo", "!!timestamp foo", "!!float ''"]
)
def test_no_tag_makes_an_object_or_an_error(tag):
    read, problem = values(note("title: t", f"x: {tag}"))
    assert read["title"] == "t"
    assert isinstance(read["x"], (str, list))
    assert problem == ""


@pytest.mark.parametrize(
    "line",
    [
        "a" + " " * 300_000,
        "a: [" + " " * 300_000 + "[]",
        "a: [" + "x " * 30_000 + "[",
        "a: [" + "b," * 200_000 + "]",
        "a: '" + "''" * 100_000,
        'a: "' + "\\n" * 100_000,
        "a: [" + "'" * 100_000,
        "a:\n" + "- b\n" * 100_000,
        "\n" * 300_000,
        "a: 0x" + "f" * 20_000 + "\nb: {c: d}",
        "- " * 30_000,
        "? " * 30_000,
        "a: b\n" * 50_000,
    ],
)
def test_no_frontmatter_takes_long(line):
    began = time.process_time()
    head = Frontmatter(note("title: t", line))
    head.values()
    head.set("status", "superseded")
    assert time.process_time() - began < 2


@given(ANY_TEXT)
@example("abc\n")
@example("yes")
@example("1e3")
@example("12:30:00")
@example("\x85\u2028\ufeff\uffff\x00\x1b")
@example("😀 漢字 é")
@example("- a")
@example("=")
@example("<<")
def test_any_text_is_read_back_by_us_and_by_yaml(text):
    scalar = format_scalar(text)
    assert "\n" not in scalar
    assert yaml.safe_load(f"k: {scalar}") == {"k": text}
    assert values(note(f"k: {scalar}", "z: 1"))[0]["k"] == text
    assert yaml.safe_load("\n".join(format_value("k", [text, text]))) == {"k": [text, text]}
    assert values(note(*format_value("k", [text, "b"])))[0]["k"] == [text, "b"]


@settings(max_examples=600)
@given(st.lists(YAML_PIECES, max_size=25).map("".join), st.binary(max_size=30))
@example("title: '", b"\xff")
def test_arbitrary_text_is_read_without_an_error_and_kept_byte_for_byte(middle, raw):
    data = b"---\n" + middle.encode() + raw + b"\n---\nbody"
    head = Frontmatter(decode(data))
    read = head.values()
    assert all(isinstance(key, str) for key in read)
    assert all(isinstance(value, (str, list, dict)) for value in read.values())
    assert encode(head.text()) == data


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_kept(data):
    head = Frontmatter(decode(data))
    head.values()
    assert encode(head.text()) == data


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from("a b title tags status x-y".split()), VALUES), unique_by=lambda pair: pair[0]),
    KEYS,
    VALUES,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\ufeff"]),
)
def test_setting_one_key_keeps_every_other_byte(pairs, key, value, newline, mark):
    blocks = [(name, newline.join(format_value(name, old)) + newline) for name, old in pairs]
    comment = f"# mine, not yours{newline}{newline}"
    tail = f"---{newline}{newline}# Body{newline}status: not a field\r{newline}"
    text = mark + f"---{newline}" + comment + "".join(block for _, block in blocks) + tail
    head = Frontmatter(text)
    head.set(key, value)
    new = newline.join(format_value(key, value)) + newline
    kept = [(name, new if name == key else block) for name, block in blocks]
    if key not in dict(blocks):
        kept.append((key, new))
    # A blank line before the fence stays where it was, behind the new key.
    expected = mark + f"---{newline}" + comment + "".join(block for _, block in kept) + tail
    if not blocks:
        expected = mark + f"---{newline}# mine, not yours{newline}{new}{newline}{tail}"
    assert head.text() == expected
    assert Frontmatter(head.text()).values()[key] == (
        [str(v) for v in value] if isinstance(value, list) else str(value)
    )


def test_setting_a_key_replaces_its_whole_block_and_nothing_behind_it():
    head = Frontmatter(
        "---\ntags:\n  - a\n\n  - b\n\n# about the status\nstatus: active # really\nmine: |\n  x\n---\nb"
    )
    head.set("tags", ["new"])
    head.set("status", "superseded")
    assert head.text() == "---\ntags:\n- new\n\n# about the status\nstatus: superseded # really\nmine: |\n  x\n---\nb"


def test_setting_a_key_twice_changes_one_line():
    head = Frontmatter("---\na: 1\n---\n")
    head.set("status", "active")
    head.set("status", "superseded")
    assert head.text() == "---\na: 1\nstatus: superseded\n---\n"


def test_a_key_is_added_before_the_blank_line_that_the_published_version_writes():
    head = Frontmatter("---\nid: x\n\n---\n\nbody")
    head.set("status", "superseded")
    assert head.text() == "---\nid: x\nstatus: superseded\n\n---\n\nbody"


def test_latin_1_bytes_survive_a_change_of_another_line():
    data = b"---\nauthor: Jos\xe9\nstatus: active\n---\ncaf\xe9"
    head = Frontmatter(decode(data))
    head.set("status", "superseded")
    assert encode(head.text()) == data.replace(b"active", b"superseded")


HEAD_KEYS = st.sampled_from(["id", "title", "tags", "x y", '"q"', "Über", "2x"])
HEAD_VALUES = st.sampled_from(
    ["abc", "a b: c", '"q"', '"a # b"', '"a" # r', "x # y", "x#y", "[]", "[a, b]", "", "null", "~", "'s'", '"a\\"b"',
     '"', '""', "3", "2026-01-01T00:00:00+00:00", "|", "*a", '"un', "[] # c"]
)  # fmt: skip
HEAD_ITEMS = st.sampled_from(
    ["- a", '- "b"', "- a: b", '- "a: b"', "-", "- # x", "  - d", "# remark", "", "- ~", '- "x" # y', "-x", " cont",
     "...", "--- ", "---"]
)  # fmt: skip
HEADS = st.lists(st.one_of(st.tuples(HEAD_KEYS, HEAD_VALUES).map(": ".join), HEAD_ITEMS), max_size=6)


@given(HEADS, st.sampled_from(["\n", "\n", "\r\n"]), st.sampled_from(["", "body\n---\nmore\n"]))
def test_plain_heads_are_read_as_the_careful_reader_reads_them(lines, newline, body):
    def read():
        head = Frontmatter(newline.join(["---", *lines, "---", body]))
        return head.text(), head.lines, head.body, head.values(), head.problem

    quick = read()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(frontmatter, "_plain_values", lambda lines: None)
        patched.setattr(Frontmatter, "_split_plainly", lambda self, text: False)
        assert quick == read()
