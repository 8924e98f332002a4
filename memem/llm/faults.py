"""Faults that models report, by the code and the status of a reply; its words decide only what those leave open."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from memem.errors import MememError, ModelUnusable, PermanentError, TransientError, Truncated

RETRY_AFTER_LIMIT = 3600.0
# Types and codes in the error of a reply, which say more than its status.
_BY_CODE: dict[str, type[MememError]] = {
    "insufficient_quota": ModelUnusable,
    "billing_error": ModelUnusable,
    "billing_hard_limit_reached": ModelUnusable,
    "invalid_api_key": ModelUnusable,
    "model_not_found": ModelUnusable,
    "context_length_exceeded": Truncated,
    "request_too_large": Truncated,
    "overloaded_error": TransientError,
    "rate_limit_exceeded": TransientError,
}
_BY_STATUS: dict[int, type[MememError]] = {
    401: ModelUnusable, 402: ModelUnusable, 403: ModelUnusable, 404: ModelUnusable, 405: ModelUnusable,
    408: TransientError, 409: TransientError, 413: Truncated, 425: TransientError, 429: TransientError,
}  # fmt: skip
# A request that is refused as bad, by what its text says: only for status 400 and 422, which say nothing themselves.
_BY_WORDS: tuple[tuple[str, type[MememError]], ...] = (
    (r"credit balance|billing|spend(ing)? limit|quota", ModelUnusable),
    (r"too long|too many (input )?tokens|context (length|window|size)|maximum context", Truncated),
)
_NEXT = {
    ModelUnusable: "check its key, account, address (MEMEM_LLM_URL) and model (MEMEM_LLM_MODEL).",
    Truncated: "the text is too long for it.",
    TransientError: "it is tried again later.",
    PermanentError: "the request was not understood; check MEMEM_LLM_URL and MEMEM_LLM_MODEL.",
}


def failure(name: str, status: int, headers: Mapping[str, str], code: str = "", words: str = "") -> MememError:
    """The error for a reply that reports one: by its code, then by its status.

    `words` is its text, which decides only where the status leaves it open, and which no message repeats: it may
    echo the key or the prompt.
    """
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if kind is None and status in (400, 422):
        said = words[:300].lower()  # beyond it there may be the prompt
        kind = next((kind for pattern, kind in _BY_WORDS if re.search(pattern, said)), PermanentError)
    if kind is None:
        kind = TransientError if status >= 500 else ModelUnusable
    said = f"{status}, {code}" if re.fullmatch(r"[a-z0-9_.-]{1,40}", code) else str(status)
    message = f"{name} answers {said}: {_NEXT[kind]}"
    return TransientError(message, retry_after=retry_after(headers)) if kind is TransientError else kind(message)


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait, from Retry-After as seconds or as a date; at most an hour, None if it says nothing."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d*)?", value):
        seconds = float(value)
    else:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - (time.time() if now is None else now)
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT)
