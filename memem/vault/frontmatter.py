"""Frontmatter as lines: reads values, changes only the lines asked for, keeps every other byte.

Text is decoded with surrogate escapes, so bytes that are no UTF-8 survive a change of another line. Simple values
(everything memem writes) are read here; the rest goes to PyYAML behind a guard against aliases and depth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_FENCE = re.compile(r"---[ \t]*(\r\n|\n|\r|$)")
_END = re.compile(r"^(---|\.\.\.)[ \t]*$")
# Possessive (`*+`) wherever two neighbours could share the same characters: a line of blanks must not cost its square.
_KEY = re.compile(r"""^(?P<key>[^\W\d][\w .-]*+|"[^"\n]+"|'[^'\n]+')[ \t]*+:(?=[ \t\r\n]|$)""")
_CONTINUES = re.compile(r"^([ \t]|-([ \t]|\r?\n?$))")
_SINGLE = re.compile(r"^'((?:[^']|'')*)'[ \t]*(#.*)?$")
_DOUBLE = re.compile(r'^"((?:[^"\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*)"[ \t]*(#.*)?$')
_REMARK = re.compile(
    r"""^(?:[ \t]*+(?:"(?:[^"\\]|\\.)*+"|'(?:[^']|'')*+'|[^"'\s#]\S*+(?:[ \t]++(?!#)\S++)*+))?([ \t]++#.*)$"""
)
_FLOW_ITEM = re.compile(r"""\s*+("(?:[^"\\]|\\.)*+"|'(?:[^']|'')*+'|[^\s,\[\]{}"'#&*!|>%@`][^,\[\]{}]*+)\s*+(?:,|$)""")
_REMARKED = re.compile(r"[ \t]#")
_JSON = json.JSONDecoder(strict=False)
_PLAIN_SAFE = re.compile(r"^[^\W\d_][\w ./()+-]*$")  # starts with a letter, holds nothing YAML could read otherwise
_YAML_WORDS = frozenset("y n yes no true false on off null none nan inf".split())
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_MAX_BYTES = 64_000
_MAX_DEPTH = 12


class Frontmatter:
    """The head of one note as lines, and the rest of it as text. `problem` tells what could not be read."""

    def __init__(self, text: str) -> None:
        self.mark = "\ufeff" if text.startswith("\ufeff") else ""
        text = text[len(self.mark) :]
        self.present = bool(_FENCE.match(text))
        self.problem = ""
        self.opening, self.closing = "", ""
        self.lines: list[str] = []
        self.body = text
        if self.present and not self._split_plainly(text):
            self._split(_split_lines(text))

    def _split_plainly(self, text: str) -> bool:
        """Split a note of Unix lines whose head ends with `---`, as most do, without looking at every line of it."""
        end = text.find("\n---\n", 3)
        if end < 0 or "\r" in text:
            return False
        first, *lines = text[:end].split("\n")
        if any(line[:3] in ("---", "...") for line in lines):
            return False
        self.opening, self.lines, self.closing = f"{first}\n", [f"{line}\n" for line in lines], "---\n"
        self.body = text[end + len("\n---\n") :]
        return True

    def _split(self, lines: list[str]) -> None:
        self.opening = lines[0]
        for at, line in enumerate(lines[1:], 1):
            if line[:3] in ("---", "...") and _END.match(line.rstrip("\r\n")):
                self.lines, self.closing = lines[1:at], line
                self.body = "".join(lines[at + 1 :])
                return
        # No closing fence: what looks like frontmatter ends at the first line that does not.
        at = 1
        while at < len(lines) and (_KEY.match(lines[at]) or _CONTINUES.match(lines[at])):
            at += 1
        self.lines, self.body = lines[1:at], "".join(lines[at:])
        self.problem = "frontmatter has no closing `---` line"

    @property
    def newline(self) -> str:
        """The line ending of this note."""
        return "\r\n" if self.opening.endswith("\r\n") else "\n"

    def text(self) -> str:
        """The whole note again."""
        return self.mark + self.opening + "".join(self.lines) + self.closing + self.body

    def values(self) -> dict[str, Any]:
        """Top-level keys to strings, numbers and lists; sets `problem` when some of it cannot be read."""
        plain = _plain_values(self.lines)
        if plain is not None:
            return plain
        blocks = self._blocks()
        simple = {key: _simple_value(self.lines[start:end]) for key, (start, end) in blocks.items()}
        covered = {at for start, end in blocks.values() for at in range(start, end)}
        stray = (line.strip() for at, line in enumerate(self.lines) if at not in covered)
        if None not in simple.values() and all(not line or line.startswith("#") for line in stray):
            return simple
        try:
            return _yaml_values("".join(self.lines))
        except ValueError as error:
            self.problem = self.problem or str(error)
            return {key: value for key, value in simple.items() if value is not None}

    def set(self, key: str, value: str | int | Sequence[str]) -> None:
        """Replace the lines of one key, or add it at the end; all other lines stay as they are."""
        new = [line + self.newline for line in format_value(key, value)]
        place = self._blocks().get(key)
        if place:
            remark, comments = _comments(self.lines[place[0] : place[1]])
            new[0] = new[0].removesuffix(self.newline) + remark + self.newline
            self.lines[place[0] : place[1]] = [*new, *comments]
            return
        at = len(self.lines)
        while at and not self.lines[at - 1].strip():
            at -= 1
        if at and not self.lines[at - 1].endswith(("\n", "\r")):
            self.lines[at - 1] += self.newline
        self.lines[at:at] = new

    def _blocks(self) -> dict[str, tuple[int, int]]:
        """Key to its range of lines: the key's line and the indented or dashed lines below it."""
        blocks: dict[str, tuple[int, int]] = {}
        at = 0
        keys = [_KEY.match(line) for line in self.lines]
        while at < len(self.lines):
            match = keys[at]
            end = at + 1
            if match:
                reach = end
                while reach < len(self.lines) and not keys[reach]:
                    if _CONTINUES.match(self.lines[reach]):
                        end = reach + 1
                    elif self.lines[reach].strip() and not self.lines[reach].startswith("#"):
                        break
                    reach += 1
                blocks.setdefault(match["key"].strip(" \"'"), (at, end))
            at = end
        return blocks


def format_value(key: str, value: str | int | Sequence[str]) -> list[str]:
    """The lines of one key as memem writes it, without line endings: lists one item a line."""
    if isinstance(value, int):
        return [f"{key}: {value}"]
    if isinstance(value, str):
        return [f"{key}: {format_scalar(value)}"]
    return [f"{key}:", *(f"- {format_scalar(item)}" for item in value)] if value else [f"{key}: []"]


def format_scalar(text: str) -> str:
    """A string as a YAML scalar: plain where no reader can take it for anything else, quoted otherwise."""
    if _PLAIN_SAFE.match(text) and text == text.strip() and text.lower() not in _YAML_WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    # JSON leaves these bare; YAML takes some for line breaks and forbids the others.
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda m: f"\\u{ord(m[0]):04x}", quoted)


def _split_lines(text: str) -> list[str]:
    # str.splitlines also cuts at form feeds and U+2028, which editors and YAML take for text.
    return re.findall(r"[^\n\r]*(?:\r\n|\n|\r)|[^\n\r]+", text)


def _comments(lines: list[str]) -> tuple[str, list[str]]:
    """What a human remarked in a block: behind the value of its first line, and as lines of their own."""
    value = lines[0].rstrip("\r\n").split(":", 1)[1]
    if value.strip()[:1] in ("|", ">"):
        return "", []  # the text of a block scalar may look like comments
    remark = _REMARK.match(value)
    return remark[1] if remark else "", [line for line in lines[1:] if line.lstrip().startswith("#")]


def _plain_values(lines: Sequence[str]) -> dict[str, Any] | None:
    """The values of a head in the few forms that memem itself writes, or None if there is any other in it."""
    values: dict[str, Any] = {}
    key = ""
    items: list[str] | None = None  # of the list that may begin after a key without a value
    for line in lines:
        if line.startswith("- "):
            item = _plain_scalar(line[2:].strip())
            if items is None or not item or ": " in item:
                return None
            items.append(item)
            values[key] = items
            continue
        key, colon, rest = line.partition(":")
        value = rest.strip(" \t\r\n")
        if not colon or key in values or not (key.isascii() and key.isidentifier()) or rest[:1] not in " \r\n":
            return None
        items = None if value else []
        values[key] = [] if value == "[]" else _plain_scalar(value)
        if values[key] is None:
            return None
    return values


def _plain_scalar(text: str) -> str | None:
    """A scalar that is plain or in double quotes and holds nothing special, or None."""
    if text[:1].isalnum():
        return None if "#" in text else "" if text in _NULLS else text
    if len(text) > 1 and text[0] == text[-1] == '"' and text.count('"') == 2 and "\\" not in text:
        return text[1:-1]
    return None if text else ""


def _simple_value(lines: list[str]) -> Any:
    """The value of one block if it is of a simple form, else None."""
    first = lines[0].rstrip("\r\n").split(":", 1)[1].strip(" \t")
    rest = [line.strip() for line in lines[1:] if line.strip() and not line.lstrip().startswith("#")]
    if first.startswith("#"):
        first = ""
    if rest:
        if first or not all(line == "-" or line.startswith("- ") for line in rest):
            return None
        items = [_scalar(line[1:].strip()) for line in rest]
        # `- key: value` is a mapping to YAML, which no list of ours holds.
        return None if None in items or any(": " in line for line in rest if line[2:3] not in "\"'") else items
    if first.startswith("["):
        return _flow_list(first)
    return _scalar(first)


def _scalar(text: str) -> str | None:
    if text in _NULLS:
        return ""
    if text[0] == "'":
        single = _SINGLE.match(text)
        return single[1].replace("''", "'") if single else None
    if text[0] == '"':
        double = _DOUBLE.match(text)
        if double is None or "\\" not in double[1]:
            return double[1] if double else None
        return str(_JSON.decode(f'"{double[1]}"'))
    if text[0] in "[]{}|>&*!%@`,?" or text.startswith("- "):
        return None
    return _REMARKED.split(text, maxsplit=1)[0].rstrip() if "#" in text else text.rstrip()


def _flow_list(text: str) -> list[str] | None:
    inner = re.match(r"^\[(.*)\][ \t]*(#.*)?$", text)
    if not inner:
        return None
    items: list[str] = []
    text, at = inner[1].strip().removesuffix(",").rstrip(), 0
    while at < len(text):
        match = _FLOW_ITEM.match(text, at)
        item = _scalar(match[1].strip()) if match else None
        if match is None or item is None or ": " in match[1]:
            return None
        items.append(item)
        at = match.end()
    return items


def _yaml_values(text: str) -> dict[str, Any]:
    """Everything else, through PyYAML. Raises ValueError with a message for the user."""
    if len(text) > _MAX_BYTES:
        raise ValueError(f"frontmatter is larger than {_MAX_BYTES // 1000} kB")
    try:
        import yaml
    except ImportError:
        raise ValueError("frontmatter needs the YAML reader, which is still being installed") from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            # Aliases let 700 bytes expand to gigabytes; no note needs them.
            if isinstance(event, yaml.AliasEvent) or depth > _MAX_DEPTH:
                raise ValueError("frontmatter uses YAML aliases or deep nesting, which memem does not read")
        # Nodes, not objects: a date stays as it was written, and no tag or number can make a constructor fail.
        values = _node_value(yaml.compose(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        # What was left open is noticed further down; what does not fit into a block, where it stands.
        context = error.context or "block"
        left_open = error.context_mark and not any(word in context for word in ("block", "plain"))
        mark = error.context_mark if left_open else error.problem_mark
        raise ValueError(f"line {mark.line + 2 if mark else 1}: {error.problem or 'broken YAML'}") from None
    except (yaml.YAMLError, RecursionError, OverflowError) as error:
        raise ValueError(f"broken YAML ({type(error).__name__})") from None
    if not isinstance(values, dict):
        raise ValueError("frontmatter is not a list of `key: value` lines")
    return values


def _node_value(node: Any) -> Any:
    """Strings, lists and dictionaries of a YAML node."""
    if node is None or node.tag == "tag:yaml.org,2002:null":
        return ""
    if node.id == "sequence":
        return [_node_value(item) for item in node.value]
    if node.id == "mapping":
        return {str(key.value): _node_value(value) for key, value in node.value}
    return node.value
