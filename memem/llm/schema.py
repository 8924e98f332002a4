"""From a model's text to a document that fits a schema; nothing else counts as an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class Unfit(ValueError):
    """The text is no fitting document. `str()` tells where and why without quoting it, `detail` may quote it."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail or message


def fitted(document: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The document itself, if it fits the schema.

    Raises:
        Unfit: it does not.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    fault = best_match(Draft202012Validator(dict(schema)).iter_errors(document))
    if fault:
        where = f"{fault.json_path}: {fault.validator}"
        raise Unfit(where, f"{where}, {fault.message[:300]}")
    if not isinstance(document, dict):
        raise Unfit("$: an object is asked for")
    return document


def parsed(text: str) -> Any:
    """The one JSON document that a text is, a code fence around it taken away.

    Raises:
        Unfit: it is not JSON, or there is something beside it.
    """
    bare = text.strip()
    if bare.startswith("```") and bare.endswith("```"):
        bare = bare[3:-3].partition("\n")[2]
    try:
        return storable(json.loads(bare, parse_constant=_no_constant))
    except Unfit:
        raise
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg} at {error.pos}" if isinstance(error, json.JSONDecodeError) else "bad value"
        raise Unfit(f"not one JSON document: {reason}") from None


def storable(document: Any) -> Any:
    """The document itself, if all its text can be written to a file.

    Raises:
        Unfit: half a surrogate pair, or depth beyond reason.
    """
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (UnicodeEncodeError, RecursionError):
        raise Unfit("holds text that cannot be stored") from None
    return document


def _no_constant(name: str) -> None:
    raise ValueError(name)
