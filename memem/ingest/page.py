"""A text as the finders of secrets look at it: what many of them ask of the whole of it is found out once.

Ordinary text holds no secret, so what counts is how little is done before that is known. Patterns of tokens look at
the long words only; what begins with a word is tried where that word stands. Both find what a search of it all would.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

Span = tuple[int, int, str]  # start, end, rule

# Every character that a token can hold. All beyond ASCII count, blanks as well, so that no category is asked.
RUN = re.compile(r"[A-Za-z0-9_\-.+/=~:%$&?@\\\x80-\U0010ffff]{12,}+")
LIKELY = re.compile(r"[0-9\x80-\U0010ffff]|.{20}")  # what `judging.is_random` asks of a token
# Whatever names a secret in English begins with one of these, or with what a key is for.
STEMS = ("pass", "pwd", "pw", "psk", "secret", "token", "cred", "auth", "key")
USES = (
    *("api", "app", "access", "private", "signing", "encryption", "auth", "account", "shared", "master", "service"),
    *("client", "admin", "hmac", "secret"),
)
# Ignoring case, a pattern takes these for i, s, o and с as well.
IRREGULAR = (("İ", "i"), ("ı", "i"), ("ſ", "s"), ("ᲂ", "о"), ("ᲃ", "с"))


class Page:
    """One text; `folded` to lower case; `names`, where the name of a secret can begin in it, in order; `dense`, its
    words that are long enough to hold a token, one a line.

    What a pattern that ignores case finds begins at the same place in the folded text.
    """

    __slots__ = ("_begins", "_found", "_lines", "dense", "folded", "names", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = fold(text)
        self.names = sorted([*self.places(*STEMS), *_uses(self.folded)])
        words: list[str] = []
        self._lines = [0]  # where each of them begins in the dense text
        self._begins: list[int] = []  # and in the text
        for run in RUN.finditer(text):
            word = run[0]
            if LIKELY.search(word):
                words.append(word)
                self._begins.append(run.start())
                self._lines.append(self._lines[-1] + len(word) + 1)
        self.dense = "\n".join(words)
        self._found: dict[Finder, list[Span]] = {}

    def found(self, find: Finder) -> list[Span]:
        """What a finder finds in the text, which it is asked once."""
        if find not in self._found:
            self._found[find] = list(find(self))
        return self._found[find]

    def long_words(self) -> Iterator[tuple[int, int]]:
        """Where the words stand that are long enough to hold a token."""
        for begin, word in zip(self._begins, self.dense.split("\n"), strict=False):
            yield begin, begin + len(word)

    def tokens(self, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        """Where a pattern finds something in the text that is long enough for a token and holds no blank."""
        for match in pattern.finditer(self.dense):
            line = bisect_right(self._lines, match.start()) - 1
            moved = self._begins[line] - self._lines[line]
            yield match.start() + moved, match.end() + moved

    def places(self, *words: str) -> list[int]:
        """Where each of these words, in lower case, begins in the text, whatever its case: in order."""
        text = self.folded
        return sorted([at for word in words if word in text for at in places(word, text)])

    def matches(self, pattern: re.Pattern[str], begins: Iterable[int]) -> Iterator[re.Match[str]]:
        """What a pattern finds in the text, every match of which begins at one of these places, in order."""
        end = 0
        for at in begins:
            match = pattern.match(self.text, at) if at >= end else None
            if match:
                end = match.end()
                yield match

    def named(self, *words: str) -> Iterator[int]:
        """Where each of these words, which names of secrets begin with, stands."""
        return (at for at in self.names if self.folded.startswith(words, at))

    def ask(self, ways: Ways) -> Iterator[Span]:
        """What these find that one of their words stands in the text for."""
        text = self.folded
        for find, words in ways:
            for word in words:
                if word in text:
                    yield from find(self)
                    break


Finder = Callable[[Page], Iterator[Span]]
Ways = tuple[tuple[Finder, tuple[str, ...]], ...]  # each with words, in lower case, without which it finds nothing


def fold(text: str) -> str:
    """The text in lower case, with the same places in it."""
    if not text.isascii():
        for irregular, plain in IRREGULAR:
            text = text.replace(irregular, plain)
    return text.lower()


def _uses(folded: str) -> Iterator[int]:
    """Where in a text the names begin that end in `key`, by what the key is for."""
    for at in places("key", folded):
        end = at - 1 if folded[at - 1 : at] in ("_", " ", "-") else at
        if folded.endswith(USES, 0, end):
            yield from (end - len(use) for use in USES if folded.endswith(use, 0, end))


def places(word: str, text: str) -> Iterator[int]:
    """Where a word begins in a text."""
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))
