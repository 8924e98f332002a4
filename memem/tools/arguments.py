"""Checks a tool's arguments against its schema, and mends what models commonly get slightly wrong.

The part of JSON schema that the table of tools uses: flat properties with `type` (one or a list of them), `enum`,
`minLength`, `maxLength`, `minimum`, `maximum`, `items`, `minItems`, `maxItems`, `default`, and `required`.
"""

from __future__ import annotations

from memem.errors import BadInput
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Schema = Mapping[str, Any]

_WORDS = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}
_SHOWN = 60  # characters of a foreign name that a message repeats
_LONGEST_INTEGER = 18  # digits; what a 64-bit column holds


def validate(schema: Schema, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The clean arguments, with defaults filled in, and the names that the schema does not know.

    An optional argument that is null counts as not given. Whole floats and digits in a string become integers,
    half a surrogate pair becomes U+FFFD. Raises `BadInput` naming the argument, what is wrong and what is accepted.
    """
    properties: Mapping[str, Schema] = schema.get("properties", {})
    ignored = tuple(name for name in arguments if name not in properties)
    clean: dict[str, Any] = {}
    for name, rule in properties.items():
        if arguments.get(name) is not None:
            clean[name] = _fit(name, rule, arguments[name])
        elif "default" in rule:
            clean[name] = rule["default"]
        elif name in schema.get("required", ()):
            unknown = f" (unknown here: {names(ignored)})" if ignored else ""
            raise BadInput(f"{name} is missing{unknown}; give {_accepted(rule)}")
    return clean, ignored


def names(found: tuple[str, ...], limit: int = 10) -> str:
    """Foreign names on one line, short enough and printable, however many and long they are."""
    shown = ["".join(c if c.isprintable() else "\ufffd" for c in name[:_SHOWN]) for name in found[:limit]]
    return ", ".join(shown) + (f" and {len(found) - limit} more" if len(found) > limit else "")


def whole(text: str) -> str:
    """The text with U+FFFD in place of half surrogate pairs, which JSON can write and UTF-8 cannot."""
    return text if str.isascii(text) else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _fit(name: str, rule: Schema, value: Any) -> Any:
    kinds = _kinds(rule)
    value = whole(value) if isinstance(value, str) else value
    if not any(_is(value, kind) for kind in kinds):
        value = _as_integer(value) if "integer" in kinds else None
        if value is None:
            raise BadInput(f"{name} has the wrong type; give {_accepted(rule)}")
    if "enum" in rule and value not in rule["enum"]:
        raise BadInput(f"{name} has a value that is not known here; give {_accepted(rule)}")
    if isinstance(value, str):
        _check_size(name, rule, len(value), "Length", "characters")
    elif isinstance(value, list):
        _check_size(name, rule, len(value), "Items", "items")
        return [_fit(f"{name}[{i}]", rule.get("items", {"type": "string"}), item) for i, item in enumerate(value)]
    elif not _within(rule, value, "minimum", "maximum"):
        raise BadInput(f"{name} is out of bounds; give {_accepted(rule)}")
    return value


def _kinds(rule: Schema) -> tuple[str, ...]:
    kinds = rule["type"]
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


def _is(value: Any, kind: str) -> bool:
    if kind == "string":
        return isinstance(value, str)
    if kind == "array":
        return isinstance(value, list)
    if kind == "boolean" or isinstance(value, bool):
        return kind == "boolean" and isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int)
    finite = isinstance(value, int) or (isinstance(value, float) and value - value == 0)
    return kind == "number" and finite


def _as_integer(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str) or len(value) > _LONGEST_INTEGER:
        return None
    digits = value.strip().removeprefix("-")
    return int(value) if digits.isascii() and digits.isdigit() else None


def _check_size(name: str, rule: Schema, size: int, bound: str, unit: str) -> None:
    if not _within(rule, size, f"min{bound}", f"max{bound}"):
        raise BadInput(f"{name} has {size} {unit}; give {_accepted(rule)}")


def _within(rule: Schema, size: float, lowest: str, highest: str) -> bool:
    return bool(rule.get(lowest, size) <= size <= rule.get(highest, size))


def _accepted(rule: Schema) -> str:
    if "enum" in rule:
        return "one of: " + ", ".join(str(choice) for choice in rule["enum"])
    return " or ".join(_accepted_kind(rule, kind) for kind in _kinds(rule))


def _accepted_kind(rule: Schema, kind: str) -> str:
    if kind == "string":
        return "text" + _span(rule, "minLength", "maxLength", " characters")
    if kind == "array":
        inner = _accepted(rule.get("items", {"type": "string"}))
        return f"a list{_span(rule, 'minItems', 'maxItems', ' items')}, each {inner}"
    return _WORDS[kind] + _span(rule, "minimum", "maximum", "")


def _span(rule: Schema, lowest: str, highest: str, unit: str) -> str:
    low, high = rule.get(lowest), rule.get(highest)
    if low is not None and high is not None:
        return f" from {low} to {high}{unit}"
    if low is not None:
        return f" of at least {low}{unit}"
    return "" if high is None else f" of at most {high}{unit}"
