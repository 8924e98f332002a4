"""A memory as a note and a note as a memory: the file format, version 1, and what older versions wrote.

A note is never rejected: what cannot be read is left in place, searchable as text, with `problem` telling why.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import uuid
from typing import Any

from memem.models import GENERAL, KINDS, STATUSES, TRUSTS, Memory
from memem.text import one_line
from memem.value import Value
from memem.vault.conflicts import has_git_markers
from memem.vault.frontmatter import Frontmatter, format_value

SCHEMA_VERSION = 1
RELATED_HEADING = "## Related"
_ORDER = (
    "title project kind layer importance status tags keys paths entities related supersedes replaced_by contradicts "
    "trust source_type source_session evidence created updated valid_at invalid_at"
).split()
_ALWAYS = ("title", "project", "kind", "layer", "importance", "status", "tags", "trust", "source_type", "created")
_LISTS = ("tags", "keys", "paths", "entities", "related", "supersedes", "contradicts", "evidence")
_GENERATED = re.compile(r"\n## Related[ \t]*\n+(?:- \[\[[^\]\n]*\]\][ \t]*\n*)+$")
_EMPTY_HEADING = re.compile(r"\n## Related[ \t]*\s*\Z")
_TIES = ("related", "supersedes", "contradicts")
_LEGACY_TRUST = {"user": "user", "mined": "agent", "import": "import"}
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)
_SLUG_CHARACTERS = 60
_SLUG_BYTES = 160
_SHORTEST_ID = 8


class Note(Value):
    """A note that was read."""

    memory: Memory
    problem: str = ""


def decode(data: bytes) -> str:
    """The bytes of a note as text from which `encode` makes the same bytes again."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The bytes of a text; undoes `decode`."""
    return text.encode("utf-8", "surrogateescape")


def content_hash(data: bytes) -> str:
    """Hash of a note's bytes."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def parse(data: bytes, path: str) -> Note:
    """Read a note; `path` (relative to the memem folder) stands in for what it does not say of itself."""
    head = Frontmatter(decode(data))
    values = head.values() if head.present else {}
    body = _GENERATED.sub("", _plain(head.body)).strip()
    problem = head.problem
    if "\ufffd" in body and "\ufffd".encode() not in data:
        problem = problem or "holds bytes that are no UTF-8"
    if has_git_markers(body):
        problem = problem or "holds both versions of a git conflict"
    stem = path.rpartition("/")[2].removesuffix(".md")
    title = _text(values.get("title")) or _first_heading(body) or stem
    source = _text(values.get("source_type")) or "user"
    trust = _text(values.get("trust"))
    created = _text(values.get("created"))
    memory = Memory(
        id=_text(values.get("id")) or str(uuid.uuid5(uuid.NAMESPACE_URL, f"memem:{path}")),
        title=one_line(title).removeprefix("[x] "),
        body=body,
        project=_text(values.get("project")) or GENERAL,
        kind=_one_of(values.get("kind"), KINDS, "note"),
        layer=_number(values.get("layer"), 0, 3, 2),
        importance=_number(values.get("importance"), 1, 5, 3),
        status=_one_of(values.get("status"), STATUSES, "active"),
        trust=trust if trust in TRUSTS else _LEGACY_TRUST.get(source, "user"),
        source_type=source,
        source_session=_text(values.get("source_session")),
        replaced_by=_text(values.get("replaced_by")),
        created=created,
        updated=_text(values.get("updated")) or created,
        valid_at=_text(values.get("valid_at")),
        invalid_at=_text(values.get("invalid_at")) or _text(values.get("valid_to")),
        **{field: _texts(values[field]) for field in _LISTS if field in values},
    )
    return Note(memory=memory, problem=problem)


def render(memory: Memory, links: tuple[str, ...] = ()) -> bytes:
    """The bytes of a new note; `links` are the file stems of related notes, for Obsidian's graph."""
    lines = ["---", *format_value("id", memory.id), f"schema_version: {SCHEMA_VERSION}"]
    for field in _ORDER:
        value = getattr(memory, field)
        if value or field in _ALWAYS:
            lines += format_value(field, value)
    text = "\n".join([*lines, "---", "", memory.body.strip(), ""])
    if links:
        text += "\n".join(["", RELATED_HEADING, *(f"- [[{link}]]" for link in links), ""])
    return encode(text)


def with_fields(data: bytes, fields: dict[str, Any]) -> bytes:
    """The note with some frontmatter fields set and every other byte as it was.

    One without frontmatter, or with half of it (a sync may be under way), stays as it is.
    """
    head = Frontmatter(decode(data))
    if not head.closing:
        return data
    for key, value in fields.items():
        head.set(key, value)
    return encode(head.text())


def with_item(data: bytes, field: str, item: str) -> bytes:
    """The note with an id more in a list of its frontmatter, and every byte outside of that list as it was.

    Raises:
        ValueError: it has no frontmatter, or none that can take it without losing something; says what it is.
    """
    head = Frontmatter(decode(data))
    known = head.values().get(field) if head.closing else None
    if not head.closing or head.problem:
        raise ValueError(head.problem or "it has no frontmatter")
    items = known if isinstance(known, list) else [part.strip() for part in str(known or "").split(",") if part.strip()]
    if isinstance(known, dict) or not all(isinstance(one, str) and one for one in items):
        raise ValueError(f"its `{field}` is no list of ids")
    if any(item.startswith(one) and len(one) >= _SHORTEST_ID for one in items):
        return data
    head.set(field, [*items, item])
    return encode(head.text())


def without(data: bytes, name: str, stem: str) -> bytes:
    """The note without what memem wrote into it about another: its id in the frontmatter, its line among the links."""
    head = Frontmatter(decode(data))
    values = head.values() if head.closing and not head.problem else {}
    for field in _TIES:
        known = values.get(field)
        if isinstance(known, list) and name in known and all(isinstance(one, str) for one in known):
            head.set(field, [one for one in known if one != name])
    if values.get("replaced_by") == name:
        head.set("replaced_by", "")
    text = re.sub(rf"^- \[\[{re.escape(stem)}\]\][ \t]*(?:\r?\n|\Z)", "", head.text(), flags=re.MULTILINE)
    return data if text == decode(data) else encode(_EMPTY_HEADING.sub("", text))


def stem_for(memory: Memory, *, full_id: bool = False) -> str:
    """The file name without `.md`: `<slug>-<id8>`, safe on every file system."""
    words = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", memory.title).lower()).strip("-")
    slug = words[:_SLUG_CHARACTERS]
    while len(slug.encode("utf-8", "ignore")) > _SLUG_BYTES:
        slug = slug[:-1]
    slug = slug.encode("utf-8", "ignore").decode().strip("-")
    if not slug or _RESERVED.match(slug):
        slug = f"memory-{slug}".rstrip("-")
    return f"{slug}-{memory.id if full_id else memory.id8}"


def _plain(body: str) -> str:
    text = body.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    # UTF-16 takes lone surrogates of both origins: bytes that are no UTF-8, and escapes such as "\ud800" in YAML.
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _first_heading(body: str) -> str:
    for line in body.split("\n", 20)[:20]:
        if line.strip():
            return one_line(line.lstrip("# "))[:120]
    return ""


def _text(value: Any) -> str:
    if value.__class__ is not str:
        if value is None or isinstance(value, (dict, list)):
            return ""
        value = str(value)
    if value.isascii() and value.isprintable() and "  " not in value:
        return str(value.strip()[:2000])
    return one_line(_plain(value))[:2000]


def _texts(value: Any) -> tuple[str, ...]:
    if not value:
        return ()
    items = value if isinstance(value, list) else str(value).split(",")
    found = (_text(item).strip() for item in items[:200])
    return tuple(item for item in found if item)


def _one_of(value: Any, allowed: tuple[str, ...], default: str) -> str:
    if value in allowed:
        return str(value)
    text = _text(value).lower()
    return text if text in allowed else default


def _number(value: Any, low: int, high: int, default: int) -> int:
    if value is None:
        return default
    try:
        return min(max(int(float(str(value))), low), high)
    except (ValueError, OverflowError):
        return default
