"""What a call costs, for backends that do not tell: an estimate from list prices, on the dear side."""

from __future__ import annotations

from typing import Any

# US dollars per million tokens, read and written; the first prefix that fits. The client program's own figures of
# late 2026 gave these; a model that is not here is taken for a dear one, so that a budget errs on the safe side.
_PRICES = (
    ("claude-haiku-5-5", 0.1, 0.5),
    ("claude-haiku", 1.0, 5.0),
    ("claude-sonnet", 3.0, 15.0),
    ("", 5.0, 25.0),
)


def estimate(model: str, input_tokens: int, output_tokens: int) -> float:
    """US dollars for one call of a hosted model."""
    name = model.rpartition("/")[2]  # a gateway puts the maker's name before it
    read, written = next((read, written) for prefix, read, written in _PRICES if name.startswith(prefix))
    return (input_tokens * read + output_tokens * written) / 1_000_000


def tokens(text: str) -> int:
    """Roughly how many tokens a text is, for servers that do not count: at most a few percent too low for prose."""
    return len(text.encode("utf-8", "replace")) // 3 + 1


def number(told: Any, otherwise: float) -> float:
    """What a server tells of a count or a cost, if it can be one."""
    usable = isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told < 1e12
    return float(told) if usable else otherwise
