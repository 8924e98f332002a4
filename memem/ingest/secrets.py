"""The choke point before anything is written: every secret in a text becomes `[REDACTED:<rule>]`.

Finders propose spans, in the order of trust: what two of them found is merged and keeps the first one's name.
detect-secrets knows some services' tokens; the finders add the rest. Every pattern is linear in the text:
bounded, or an open end with nothing behind it, and literal at the front so that a miss costs next to nothing.
"""

from __future__ import annotations

from memem.ingest.assigned import find_assigned
from memem.ingest.logins import find_logins
from memem.ingest.page import Finder, Page, Span
from memem.ingest.personal import find_personal
from memem.ingest.sealed import SealedStore
from memem.ingest.shapes import find_detected, find_pem, find_shapes
from memem.ingest.told import find_told
from memem.ingest.wrapped import find_encoded, find_wrapped
from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from memem.config import Config

FINDERS: tuple[Finder, ...] = (
    find_pem,
    find_shapes,
    find_detected,
    find_logins,
    find_assigned,
    find_told,
    find_wrapped,
    find_encoded,
)


class Redaction(Value):
    """A text without its secrets, and the rule that found each of them, in the order of the text."""

    text: str
    found: tuple[str, ...] = ()


class Redactor:
    """Redacts as the user's settings say: personal data or not, what was allowed left in, what was found sealed."""

    def __init__(self, config: Config) -> None:
        self.store = SealedStore(config)
        self.finders = (*FINDERS, find_personal) if config.redact_personal else FINDERS

    def __call__(self, text: str, place: str = "") -> Redaction:
        """The text without secrets; what was found is sealed as of that place, if it names one."""
        found = [span for span in spans(text, self.finders) if not self.store.allows(text[span[0] : span[1]])]
        if found and place:
            self.store.keep([(rule, text[start:end]) for start, end, rule in found], redact(place).text)
        return _without(text, found)


def redact(text: str, finders: tuple[Finder, ...] = FINDERS) -> Redaction:
    """Replace every secret value by `[REDACTED:<rule>]`; all other characters stay as they are.

    Raises NotReady while detect-secrets is not installed yet. Uses no network; detect-secrets verifies nothing here.
    """
    return _without(text, spans(text, finders))


def _without(text: str, found: list[Span]) -> Redaction:
    parts, at, rules = [], 0, []
    for start, end, rule in found:
        parts += [text[at:start], f"[REDACTED:{rule}]"]
        rules.append(rule)
        at = end
    return Redaction(text="".join(parts) + text[at:], found=tuple(rules))


def spans(text: str, finders: tuple[Finder, ...] = FINDERS) -> list[Span]:
    """Where the secrets of a text are: in its order, none overlapping another."""
    page = Page(text)
    found = sorted(
        (start, end, order, rule) for order, find in enumerate(finders) for start, end, rule in page.found(find)
    )
    merged: list[tuple[int, int, int, str]] = []
    for span in found:
        if merged and span[0] < merged[-1][1]:
            start, end, *_ = last = merged.pop()
            merged.append((start, max(end, span[1]), *min(last[2:], span[2:])))
        else:
            merged.append(span)
    return [(start, end, rule) for start, end, _, rule in merged]
