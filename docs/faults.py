"""The faults that memem must survive, and the tests that inject them: a table made from the tests' own names."""

from __future__ import annotations

import re
from pathlib import Path

_TEST = re.compile(r"^def (test_(?:[a-z]\d+_)+\w+)\(", re.MULTILINE)
_ROW = re.compile(r"([a-z]\d+)_")
_NO_HTTP = "nothing listens: memem has no HTTP server"
# Row, fault, and why no test is named after it: because it does not apply, or because a check of another kind holds it.
ROWS: tuple[tuple[str, str, str], ...] = (
    ("P1", "the miner is killed at any point", ""),
    ("P2", "the MCP server is killed while it saves", ""),
    ("P3", "the miner is told to end while a model is asked", ""),
    ("P4", "the miner sleeps longer than its lease", ""),
    ("P5", "the worker crashes again and again", ""),
    ("P6", "two miners start at once", ""),
    ("P7", "the pid file is stale, the number another program's", ""),
    ("P8", "the program that asks the model is killed for its memory", ""),
    ("P9", "no process or descriptor is left", ""),
    ("P10", "fifty sessions end at once", ""),
    ("P11", "the machine sleeps or starts anew in the middle of a call", ""),
    ("P12", "hooks fire while no miner runs", ""),
    ("F1", "the disk is full", ""),
    ("F2", "a quota, a limit on file size, an error of the device", ""),
    ("F3", "the vault is read-only", ""),
    ("F4", "the state folder is read-only or full", ""),
    ("F5", "the vault is missing or unmounted", ""),
    ("F6", "a write is cut short", ""),
    ("F7", "a crash leaves a temporary file", ""),
    ("F8", "the file system folds case or spells accents its own way", ""),
    ("F9", "titles that no file may be named after", ""),
    ("F10", "links in the vault and to it", ""),
    ("F11", "pipes, devices and folders named like notes", ""),
    ("F12", "mode, owner and attributes of a note", ""),
    ("V1", "a human edits between our reading and our writing", ""),
    ("V2", "an edit that size and time do not show", ""),
    ("V3", "a human's keys, comments and order in the frontmatter", ""),
    ("V4", "a note is renamed or moved", ""),
    ("V5", "a note is deleted", ""),
    ("V6", "a note is duplicated", ""),
    ("V7", "a note without frontmatter", ""),
    ("V8", "a note with broken frontmatter", ""),
    ("V9", "a note that is empty, or only half there", ""),
    ("V10", "conflict copies of sync programs, conflict marks of git", ""),
    ("V11", "bytes that are no UTF-8, other line ends", ""),
    ("V12", "a huge note, many notes", ""),
    ("V13", "another program rewrites what memem writes", ""),
    ("V14", "git is in the middle of a merge", ""),
    ("V15", "the vault is put back to an older state", ""),
    ("C1", "the clock jumps back an hour, or ten years ahead", ""),
    ("C2", "summer time ends, the zone changes", ""),
    ("C3", "the clock is set during a backoff", ""),
    ("L1", "the model's service asks to wait", ""),
    ("L2", "the service is overloaded", ""),
    ("L3", "the service cannot be reached", ""),
    ("L4", "the answer drips or never ends", ""),
    ("L5", "a key or login is refused", ""),
    ("L6", "a limit is told in prose", ""),
    ("L7", "the answer does not fit", ""),
    ("L8", "the answer is cut off", ""),
    ("L9", "the model refuses", ""),
    ("L10", "the answer is huge", ""),
    ("L11", "the answer is empty", ""),
    ("L12", "the program ignores its end", ""),
    ("L13", "the program leaves children", ""),
    ("L14", "the program floods its error output", ""),
    ("L15", "the program is missing, or asks a question", ""),
    ("L16", "the program runs our own hooks", ""),
    ("L17", "the model names an id that is none", ""),
    ("L18", "the model wants everything replaced", ""),
    ("T1", "the last line of a transcript is half written", ""),
    ("T2", "a line in the middle cannot be read", ""),
    ("T3", "a transcript shrinks or is replaced", ""),
    ("T4", "a huge transcript, a huge line", ""),
    ("T5", "a transcript is gone before it is mined", ""),
    ("T6", "a transcript of a newer format", ""),
    ("T7", "a session goes on after it was mined", ""),
    ("T8", "what memem told stands in the transcript", ""),
    ("D1", "the index is damaged", ""),
    ("D2", "the state is damaged", ""),
    ("D3", "a database is locked", ""),
    ("D4", "a database is deleted while it is open", ""),
    ("D5", "a database of an older memem", ""),
    ("D6", "a database of a newer memem", ""),
    ("D7", "the state folder is on a network or synced disk", ""),
    ("D8", "the disk is full at a checkpoint", ""),
    ("D9", "hostile questions", ""),
    ("H1", "a hook's input is empty, huge, or none", ""),
    ("H2", "a hook without home, path or working folder", ""),
    ("H3", "the host kills a hook", ""),
    ("H4", "what a hook prints is unprintable or too long", ""),
    ("H5", "the plugin is upgraded while sessions run", ""),
    ("H6", "session ids and paths that are none", ""),
    ("M1", "the client goes away in the middle of a call", ""),
    ("M2", "arguments that are huge, deep or of the wrong type", ""),
    ("M3", "lines that are no request", ""),
    ("M4", "two hundred calls at once", ""),
    ("M5", "a library prints", ""),
    ("M6", "ids that are paths, SQL or patterns", ""),
    *((f"W{number}", what, _NO_HTTP) for number, what in enumerate((
        "a Host that is not this machine", "a foreign Origin, no token", "a GET that changes something",
        "script in a note", "many or slow clients", "paths that lead out", "the port is taken",
        "every address asked for",
    ), 1)),
    ("S1", "a secret anywhere in what is captured", ""),
    ("S2", "secrets that overlap", "`test_overlapping_finds_become_one`"),
    ("S3", "the key of sealed secrets is lost", "no secret is kept, so there is no key to lose"),
    ("S4", "notes that give orders", ""),
    ("S5", "bombs in notes and imports", ""),
    ("S6", "paths and links that lead out", ""),
    ("S7", "stored data is executed", "`test_nothing_stored_is_ever_executed` walks the source"),
    ("S8", "an installation months later", "`.ci/run` installs the wheel with the newest allowed dependencies"),
)  # fmt: skip


def tests(root: Path) -> dict[str, list[str]]:
    """The tests of each row, by name; a test may be named after several rows."""
    found: dict[str, set[str]] = {}
    for path in (root / "tests").rglob("test_*.py"):
        for name in _TEST.findall(path.read_text(encoding="utf-8")):
            rest = name.removeprefix("test_")
            while match := _ROW.match(rest):
                found.setdefault(match[1].upper(), set()).add(name)
                rest = rest[match.end() :]
    return {row: sorted(names) for row, names in found.items()}


def table(root: Path) -> str:
    """Every row with its tests, or why there is none, as a markdown table."""
    found = tests(root)
    lines = ["| Row | Fault | Tests |", "|---|---|---|"]
    for row, what, why in ROWS:
        said = [f"`{name}`" for name in found.get(row, ())] or [why or "**open**"]
        lines.append(f"| {row} | {what} | {'<br>'.join(said)} |")
    return "\n".join(lines)
