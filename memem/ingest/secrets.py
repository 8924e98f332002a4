"""The choke point before anything is written: every secret in a text becomes `[REDACTED:<rule>]`.

Finders propose spans, in the order of trust: what two of them found is merged and keeps the first one's name.
detect-secrets knows some services' tokens; the finders add the rest. Every pattern is linear in the text:
bounded, or an open end with nothing behind it, and literal at the front so that a miss costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from memem.ingest.assigned import find_assigned
from memem.ingest.learned import RULE, Learned
from memem.ingest.logins import find_logins
from memem.ingest.page import Finder, Page, Span, places
from memem.ingest.personal import find_personal
from memem.ingest.sealed import SealedStore
from memem.ingest.shapes import find_detected, find_long, find_pem, find_shapes
from memem.ingest.told import find_told
from memem.ingest.wrapped import find_encoded, find_wrapped
from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from memem.config import Config
    from memem.models import Memory

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


# While detect-secrets is not there: whatever may be a token goes, and what has other forms is found without it.
UNREADY: tuple[Finder, ...] = (find_pem, find_long, find_logins, find_assigned, find_told)
_TEXTS = ("body", "title", "project", "source_session")
_LISTS = ("tags", "keys", "paths", "entities", "evidence")


class Redaction(Value):
    """A text without its secrets, the rule that found each, in the order of the text, and why none was sealed.

    What was `taken` is for looking for the same elsewhere, and never kept.
    """

    text: str
    found: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    unsealed: str = ""


class Redactor:
    """Redacts as the user's settings say: personal data or not, what was allowed left in, what was found sealed."""

    def __init__(self, config: Config) -> None:
        self.store = SealedStore(config)
        self.finders = (*FINDERS, *((find_personal,) if config.redact_personal else ()), self._find_learned)
        self.learned = Learned(self.store)

    def _find_learned(self, page: Page) -> Iterator[Span]:
        return ((at, at + len(value), RULE) for value in self.learned.values() for at in places(value, page.text))

    def __call__(self, text: str, place: str = "") -> Redaction:
        """The text without secrets; what was found is sealed as of that place, if it names one."""
        found = self._spans(text, self.finders)
        if not (found and place):
            return _without(text, found)
        self.store.keep([(rule, text[start:end]) for start, end, rule in found], redact(place).text)
        return _without(text, found).replace(unsealed=self.store.problem)

    def memory(self, memory: Memory, finders: Sequence[Finder] = ()) -> Memory:
        """A memory as the index may know it: without the secrets that a human wrote into its note.

        Raises:
            NotReady: detect-secrets is not installed yet; with the finders `UNREADY` it is not needed.
        """
        finders = tuple(finders) or self.finders
        texts = {field: getattr(memory, field) for field in _TEXTS}
        lists = {field: getattr(memory, field) for field in _LISTS}
        # All at once, because most hold none. No name reaches over a NUL to a value.
        if not spans("\n\0\n".join((*texts.values(), *chain(*lists.values()))), finders):
            return memory
        return memory.replace(
            **{field: self._cleared(text, finders) for field, text in texts.items()},
            **{field: tuple(self._cleared(item, finders) for item in items) for field, items in lists.items()},
        )

    def _cleared(self, text: str, finders: tuple[Finder, ...]) -> str:
        return _without(text, self._spans(text, finders)).text

    def _spans(self, text: str, finders: tuple[Finder, ...]) -> list[Span]:
        found = spans(text, finders)
        if found and self.store.allows_some():
            return [span for span in found if not self.store.allows(text[span[0] : span[1]])]
        return found


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
    taken = tuple(text[start:end] for start, end, _ in found)
    return Redaction(text="".join(parts) + text[at:], found=tuple(rules), taken=taken)


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
