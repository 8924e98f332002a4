"""Text of other programs as drafts: markdown, plain text, instruction files, JSON records and chat exports.

What is read is data: it says what a draft is about, never whom to trust, where to write or what is pinned. Everything
is bounded before it is parsed, and only regular files below an allowed folder are opened. What is private or secret is
taken out before a text is cut: half of it would tell nobody what it is.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from memem.errors import BadInput, NotFound
from memem.ingest.classify import MOST_AUTOMATIC_IDENTITY, classify
from memem.ingest.gate import LONGEST, LONGEST_TITLE, SHORTEST
from memem.ingest.secrets import Redaction
from memem.ingest.secrets import redact as plainly
from memem.models import KINDS, UNCONFIRMED, Draft
from memem.text import clean, cut, one_line, public
from memem.value import Value
from memem.vault.frontmatter import Frontmatter

SOURCE = "import"
MOST_FOLDERS, MOST_FILES, MOST_PIECES = 20_000, 2000, 2000
LARGEST = 4_000_000  # bytes of a file; JSON takes twenty times as much once it is parsed
_DEEPEST = 12  # folders
_SKIPPED = ("node_modules", "__pycache__", "venv", "dist", "build", "target")
_HIDDEN = (".github", ".cursor", ".claude", ".cursorrules", ".rules", ".windsurfrules", ".clinerules")
_MARK = re.compile(r"(?m)^(?:(?P<depth>#{1,6})[ \t]+(?P<title>.+)| {0,3}(?P<fence>```|~~~))")
# Longer than a note: an image, a key store or something minified, which nobody reads and which no cut leaves whole.
_UNBROKEN = re.compile(rf"(?<![!-~])[!-~]{{{LONGEST + 1},}}+")
_KINDS_OF_OTHERS = {
    "bugfix": "fix", "bug fix": "fix", "discovery": "insight", "research": "insight", "feature": "event",
    "change": "event", "session_log": "summary", "conversation": "summary", "lesson": "insight", "style": "preference",
}  # fmt: skip
_PINNED = ("directive", "blocker")  # are shown in every session: only the user makes something that
_TEXTS = ("content", "body", "text", "memory", "what")
_LISTS = ("memories", "records", "notes", "entities", "conversations", "data", "items", "results")


class Piece(Value):
    """One draft, the file that it is from, and the rules that found secrets in the text that it was cut from."""

    file: str
    draft: Draft
    redacted: tuple[str, ...] = ()


class Skipped(Value):
    """A file that was not taken, and why."""

    file: str
    reason: str


def allowed(path: str, roots: Sequence[str]) -> Path:
    """The real path of a file or folder, if that lies below one of the folders, wherever links lead.

    Raises:
        NotFound: nothing is there.
        BadInput: it lies elsewhere.
    """
    shown = one_line(clean(path))[:200]
    if not path.strip() or "\0" in path:
        raise BadInput("say which file or folder to import.")
    try:
        real = Path(os.path.realpath(Path(path).expanduser()))
    except (RuntimeError, ValueError) as error:  # a home that nobody has, a name that no file can have
        raise NotFound(f"nothing to import: {shown} does not exist.") from error
    if not any(real.is_relative_to(root) for root in map(os.path.realpath, roots)):
        raise BadInput(f"{shown} is outside of what may be imported: {', '.join(roots)}. Copy it there first.")
    if not real.exists():
        raise NotFound(f"nothing to import: {shown} does not exist.")
    return real


def read(
    start: Path, without: Sequence[str] = (), redact: Callable[[str], Redaction] = plainly
) -> Iterator[Piece | Skipped]:
    """The pieces of a file, or of all files below a folder that are not below one of the folders `without`.

    Texts that are too long for one note go through `redact` as a whole.

    Raises:
        BadInput: there are more than MOST_FILES files or MOST_PIECES pieces; nothing is cut off in silence.
    """
    pieces = 0
    for number, path in enumerate(_files(start, tuple(os.path.realpath(folder) for folder in without))):
        if number >= MOST_FILES:
            raise BadInput(f"{start} holds more than {MOST_FILES} files: import its folders one by one.")
        name = str(path.relative_to(start)) if path != start else path.name
        for found in _read_file(path, one_line(clean(name))[:200], redact):
            pieces += isinstance(found, Piece)
            if pieces > MOST_PIECES:
                raise BadInput(f"{start} holds more than {MOST_PIECES} notes: import its folders one by one.")
            yield found


def _files(start: Path, without: tuple[str, ...]) -> Iterator[Path]:
    """Files that could be read, in order of their names. Links, hidden and foreign folders are not followed."""
    if not start.is_dir():
        yield start
        return
    for number, (folder, folders, files) in enumerate(os.walk(start, followlinks=False)):
        if number >= MOST_FOLDERS:
            raise BadInput(f"{start} holds more than {MOST_FOLDERS} folders: import some of them.")
        depth = len(Path(folder).relative_to(start).parts)
        folders[:] = sorted(
            name
            for name in folders
            if depth < _DEEPEST
            and not _is_hidden(name)
            and name not in _SKIPPED
            and not Path(folder, name).is_symlink()
            and f"{os.path.realpath(folder)}/{name}" not in without
        )
        yield from (Path(folder) / name for name in sorted(files) if not _is_hidden(name) and _reader(name))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name not in _HIDDEN


def _reader(name: str) -> Callable[[str], Iterator[Draft]] | None:
    suffix = Path(name).suffix.lower() or name.lower()
    return next((read for suffixes, read in READERS if suffix in suffixes), None)


def _read_file(path: Path, name: str, redact: Callable[[str], Redaction]) -> Iterator[Piece | Skipped]:
    reader = _reader(path.name)
    if reader is None:
        known = " ".join(suffix for suffixes, _ in READERS for suffix in suffixes)
        yield Skipped(file=name, reason=f"not a kind of file that can be read ({known})")
        return
    try:
        data = _bytes(path)
        if b"\0" in data[:4096]:
            raise ValueError("no text")
        unbroken = 0
        for draft in reader(data.decode("utf-8-sig", "replace")):
            text = clean(public(draft.content)).strip()
            unbroken += len(_UNBROKEN.findall(text))
            for part, found in _pieces(draft.replace(content=text), redact):
                yield Piece(file=name, draft=part, redacted=found)
        if unbroken:
            reason = (
                f"left out of it: {unbroken} pieces of more than {LONGEST} characters without a blank, as images are"
            )
            yield Skipped(file=name, reason=reason)
    except OSError as error:
        yield Skipped(file=name, reason=f"cannot be read ({error.strerror})")
    except RecursionError:
        yield Skipped(file=name, reason="nested too deeply")
    except ValueError as error:
        yield Skipped(file=name, reason=str(error)[:200])


def _bytes(path: Path) -> bytes:
    """A regular file as a whole; never a link put in its place, a pipe or a device."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"larger than {LARGEST // 1_000_000} MB: split it")
    return data


def _markdown(text: str) -> Iterator[Draft]:
    """A short note with frontmatter as a whole; other texts by their headings."""
    text = public(text)  # as a whole: a private block may hold headings
    head = Frontmatter(text)
    fields = head.values() if head.present and head.closing else {}
    body = head.body if fields else text
    about = _about(fields)
    title = one_line(str(fields.get("title") or fields.get("name") or ""))
    if fields and len(body.strip()) <= LONGEST:
        yield _draft(title, body, about)
        return
    for heading, part in _sections(body):
        if len(part.strip()) >= SHORTEST:
            yield _draft(heading or title, part, about)


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Title (the headings above it, outermost first) and text of each part between two headings."""
    above: list[tuple[int, str]] = []
    text = text.replace("\r\n", "\n")
    fenced, at = "", 0
    for mark in _MARK.finditer(text):
        if mark["fence"]:
            if fenced in ("", mark["fence"]):
                fenced = "" if fenced else mark["fence"]
        elif not fenced:
            yield " › ".join(title for _, title in above[-2:]), text[at : mark.start()]
            title, at = mark["title"].rstrip(" \t#") or mark["title"], mark.end()
            above = [*(one for one in above if one[0] < len(mark["depth"])), (len(mark["depth"]), one_line(title))]
    yield " › ".join(title for _, title in above[-2:]), text[at:]


def _draft(title: str, text: str, about: dict[str, Any]) -> Draft:
    return Draft(content=text, title=title, trust=SOURCE, source_type=SOURCE, **about)


def _pieces(draft: Draft, redact: Callable[[str], Redaction]) -> Iterator[tuple[Draft, tuple[str, ...]]]:
    """A draft, or several when it is too long for one: cut between paragraphs, else between lines."""
    text = draft.content
    found: tuple[str, ...] = ()
    if len(text) > LONGEST:
        if len(_UNBROKEN.sub("", text).strip()) < SHORTEST:
            return
        done = redact(_UNBROKEN.sub(lambda word: f"[{len(word[0])} characters without a blank]", text))
        text, found = done.text, done.found
    if len(text) < SHORTEST:
        return
    parts = list(_parts(text))
    for number, part in enumerate(parts, 1):
        if len(part.strip()) >= SHORTEST:
            shown = f"{draft.title} ({number}/{len(parts)})" if draft.title and len(parts) > 1 else draft.title
            part_ = draft.replace(content=part.strip(), title=cut(clean(shown), LONGEST_TITLE))
            # Nothing is pinned unasked, whatever the text says of itself.
            classified = classify(part_, MOST_AUTOMATIC_IDENTITY)
            yield classified.replace(kind="note" if classified.kind in _PINNED else classified.kind), found


def _parts(text: str) -> Iterator[str]:
    while len(text) > LONGEST:
        window = text[:LONGEST]
        at = next((found for mark in ("\n\n", "\n", " ") if (found := window.rfind(mark)) > LONGEST // 2), LONGEST)
        yield text[:at]
        text = text[at:].lstrip("\n")
    yield text


def _about(fields: dict[str, Any]) -> dict[str, Any]:
    """What a draft takes over from another program's fields: what it is about, but neither trust nor rank."""
    kind = one_line(str(fields.get("kind") or fields.get("category") or fields.get("type") or "")).lower()
    kind = _KINDS_OF_OTHERS.get(kind, kind)
    tags = [tag for tag in _list(fields.get("tags")) if tag != UNCONFIRMED and ":" not in tag]
    about: dict[str, Any] = {"tags": tuple(dict.fromkeys(["imported", *tags]))[:20]}
    if kind in KINDS and kind not in _PINNED:
        about["kind"] = kind
    return about | {name: _list(fields.get(name))[:20] for name in ("keys", "paths") if fields.get(name)}


def _list(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else str(value or "").split(",")
    return tuple(text for item in items[:50] if (text := one_line(str(item)).lstrip("#")[:80]))


def _plain(text: str) -> Iterator[Draft]:
    """A plain text, cut only when it is too long for one draft."""
    yield _draft("", text, _about({}))


def _json(text: str) -> Iterator[Draft]:
    """One JSON document: records with a text, or conversations."""
    yield from _records(json.loads(text), 0)


def _json_lines(text: str) -> Iterator[Draft]:
    """A JSON document on each line; lines that are none are left out."""
    broken = 0
    lines = [line for line in text.split("\n") if line.strip()]
    for line in lines:
        try:
            document = json.loads(line)
        except ValueError:
            broken += 1
        else:
            yield from _records(document, 0)
    if broken:
        raise ValueError(f"{broken} of {len(lines)} lines are no JSON")


def _records(document: Any, depth: int) -> Iterator[Draft]:
    if isinstance(document, list):
        turns = [_turn(item) for item in document]
        if turns and all(role for role, _ in turns):
            yield from _chat("", turns)
            return
        for item in document:
            yield from _records(item, depth + 1) if depth < 4 else ()
        return
    if not isinstance(document, dict):
        return
    turns = _turns(document)
    name = one_line(str(document.get("title") or document.get("name") or ""))
    if turns:
        yield from _chat(name, turns)
        return
    body = next((document[key] for key in _TEXTS if isinstance(document.get(key), str)), "")
    if body:
        yield _draft(name, body, _about(document))
        return
    for key in _LISTS:
        if isinstance(document.get(key), list) and depth < 4:
            yield from _records(document[key], depth + 1)


def _turns(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Who said what in a conversation, in the shapes that the exports of chats have."""
    mapping = document.get("mapping")
    if isinstance(mapping, dict):  # a tree; the leaf that was shown last, and what led to it
        chain: list[Any] = []
        at = document.get("current_node")
        while isinstance(node := mapping.get(at) if isinstance(at, str) else None, dict) and len(chain) < len(mapping):
            chain.append(node.get("message"))
            at = node.get("parent")
        return [turn for item in reversed(chain) if (turn := _turn(item))[0]]
    for key in ("messages", "chat_messages", "conversation"):
        if isinstance(document.get(key), list):
            return [turn for item in document[key] if (turn := _turn(item))[0]]
    return []


def _turn(item: Any) -> tuple[str, str]:
    """Role and text of one message; two empty texts for what is none."""
    if not isinstance(item, dict):
        return "", ""
    author = item.get("author")
    role = item.get("role") or item.get("sender") or (author.get("role") if isinstance(author, dict) else "")
    if role not in ("user", "human", "assistant"):
        return "", ""
    text = _said(item.get("content")) or _said(item.get("text"))
    return ("assistant" if role == "assistant" else "user", text) if text.strip() else ("", "")


def _said(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return _said(content.get("parts") or content.get("text"))
    if isinstance(content, list):
        return "\n".join(filter(None, (_said(part) for part in content[:200])))
    return ""


def _chat(name: str, turns: Sequence[tuple[str, str]]) -> Iterator[Draft]:
    """Each exchange as one draft for the archive: found by search, never shown unasked."""
    about = {"tags": ("imported", "chat"), "kind": "note", "layer": 3}
    asked = ""
    for role, text in turns:
        if role == "user":
            if asked:
                yield _draft(name, asked, about)
            asked = f"User: {text.strip()}"
        else:
            yield _draft(name, f"{asked}\n\nAssistant: {text.strip()}".strip(), about)
            asked = ""
    yield _draft(name, asked, about)


# Ending of a file → how its text becomes drafts. ValueError says why it cannot.
READERS: tuple[tuple[tuple[str, ...], Callable[[str], Iterator[Draft]]], ...] = (
    ((".md", ".markdown", ".mdx", ".cursorrules", ".windsurfrules", ".clinerules", ".rules"), _markdown),
    ((".txt",), _plain),
    ((".json",), _json),
    ((".jsonl", ".ndjson"), _json_lines),
)
