"""Secrets in disguise: broken over lines, interrupted by what nobody sees, or inside base64 and hexadecimal."""

from __future__ import annotations

import base64
import binascii
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from memem.ingest.assigned import find_assigned
from memem.ingest.judging import HASH, is_slug
from memem.ingest.logins import find_logins
from memem.ingest.page import Finder, Page, Span
from memem.ingest.shapes import find_detected, find_pem, find_shapes
from memem.ingest.told import find_told

# A line whose first word is all of what may go on a token. Most lines of prose begin with a short word of letters,
# which is none, unless a quote, a plus or a backslash ends the line before.
NEXT = re.compile(
    r"""\n(?:(?![ \t]{0,40}[+>\#*|]?[ \t]{0,4}["']?[A-Za-z]{4,11}(?![\w.+/=-]))
    |(?<=["'\\+ \t\r]\n)(?:(?<=["'\\+]\n)|(?<=["'\\+]\r\n)
    |(?<=["'][ \t]\n)|(?<=["'][ \t]\r\n)|(?<=["'][ \t]{2}\n)|(?<=["'][ \t]{2}\r\n)))
    [ \t]{0,40}[+>\#*|]?[ \t]{0,4}["']?([\w.+/=-]{4,200})(?=["'`,;)\]}\\]{0,3}(?:\s|\Z))""",
    re.VERBOSE,
)
LAST = re.compile(r"""(?<=[\w.+/=-])(["']?[ \t]{0,2}[\\+]?)\r?\Z""")
LAST_LONGEST = 5
# Soft breaks of mails, literals that are added up; whether a word goes on behind them is a group, because each would be
# tried anew where none goes on.
GAP = re.compile(
    r"""(?<=[\w.+/=-])(?:=\r?\n|["'][ ]?\+[ ]?["'])++(?P<goes_on>(?=[\w.+/=-]))?""",
    re.VERBOSE,
)
GAPS = ("=\n", "=\r\n", '"+', '" +', "'+", "' +")
# What `text.clean` takes out before anyone reads a text, where it stands behind a character that may be of a secret:
# escapes of a terminal, control characters, marks of direction, characters of no width, fillers, tags.
UNSEEN = (
    "\0-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
HIDDEN = re.compile(f"(?s)[\x1b{UNSEEN}](?:(?<=\x1b)[^A-Za-z\n]{{0,64}}+[A-Za-z]?|(?<=[!-~][{UNSEEN}])[{UNSEEN}]*)")
BLANK = re.compile(r"\s")
BASE64_RUN = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{24,}+={0,2}")
BASE64_URL = re.compile(r"(?<![\w-])(?=[\w]{0,4000}-|[A-Za-z0-9-]{0,4000}_)[\w-]{24,}+={0,2}")
BASE64_LINES = re.compile(r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{40,}+\s{1,3}[ \t>]{0,40}+)++[A-Za-z0-9+/]*+={0,2}")
HEX_RUN = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{2}){16,}+(?![0-9A-Za-z])")
# Characters of a URL or of a string of code that are written as their numbers, and those between them.
ESCAPED = re.compile(
    r"(?<![\w.~+/=@:%\\-])[\w.~+/=@:-]{0,400}+(?:(?:%|\\x|\\u00)[0-9A-Fa-f]{2}[\w.~+/=@:-]{0,400}+)+", re.ASCII
)
CHARACTER = re.compile(r"(?:%|\\x|\\u00)([0-9A-Fa-f]{2})|(?s:.)")
# Words that can be of such a form.
LONG, LONGER = re.compile("[A-Za-z0-9+/_-]{24}"), re.compile("[A-Za-z0-9+/]{40}")
NUMBERS = re.compile(r"[%\\](?:x|u00)?[0-9A-Fa-f]{2}")
URL_SAFE = str.maketrans("-_", "+/")
BLANKS = re.compile(r"[\s>]+")
DEEPEST = 2

TOKENS: tuple[Finder, ...] = (find_shapes, find_detected)
PLAIN: tuple[Finder, ...] = (find_pem, *TOKENS, find_logins, find_assigned)


def find_wrapped(page: Page) -> Iterator[Span]:
    """Secrets interrupted by what nobody sees, and tokens broken over two or more lines: found without the breaks."""
    text = page.text
    if HIDDEN.search(text):
        yield from _seen(text)
    if gaps := page.places(*GAPS):
        yield from _across(text, (gap.span() for gap in page.matches(GAP, gaps) if gap["goes_on"] is not None))
    breaks = list(_breaks(text))
    whole = [span for find in TOKENS for span in page.found(find)] if breaks else []
    starts, ends = {start for start, _, _ in whole}, {end for _, end, _ in whole}
    # The next line is its own token, or a hash behind a token that is complete without it.
    taken = [
        (start, end)
        for start, end, joint, word in breaks
        if end not in starts and (joint or start not in ends or not HASH.match(word))
    ]
    yield from _across(text, taken)


def _breaks(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Where a line ends and the next may go on with its last word, what marks that, and the word that it goes on with.

    A word of prose goes on with nothing, if no mark says so.
    """
    end = 0
    for following in NEXT.finditer(text):
        at = following.start()
        last = LAST.search(text, max(end, at - LAST_LONGEST), at)
        if last:
            end = following.end()
            joint = last[1].strip()
            if joint or not is_slug(following[1]):
                yield last.start(), following.start(1), joint, following[1]


class Joined:
    """Parts of a text put together, and where each of them stood."""

    __slots__ = ("_begins", "_joints", "_parts", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._parts: list[str] = []
        self._begins, self._joints = array("q"), array("q", [0])  # where each stood, and where it ends now

    def keep(self, start: int, end: int) -> None:
        """Put the next part behind those before."""
        self._parts.append(self._text[start:end])
        self._begins.append(start)
        self._joints.append(self._joints[-1] + end - start)

    def found(self, finders: Iterable[Finder], parts: int = 1) -> Iterator[Span]:
        """What reaches over that many parts at least, as it stands in the whole text."""
        joined = Page("".join(self._parts))
        begins, joints = self._begins, self._joints
        for find in finders:
            for start, end, rule in joined.found(find):
                first, last = bisect_right(joints, start) - 1, bisect_right(joints, end - 1) - 1
                if last - first + 1 >= parts:
                    yield begins[first] + start - joints[first], begins[last] + end - joints[last], rule


def _seen(text: str) -> Iterator[Span]:
    """Secrets of the text as a reader sees it: a name, its value and a token may all be coloured, or worse."""
    joined, at = Joined(text), 0
    for hidden in HIDDEN.finditer(text):
        joined.keep(at, hidden.start())
        at = hidden.end()
    joined.keep(at, len(text))
    yield from joined.found((*PLAIN, find_told, find_wrapped, find_encoded))


def _across(text: str, gaps: Iterable[tuple[int, int]]) -> Iterator[Span]:
    """Tokens of the text without those gaps that reach over one of them."""
    joined = Joined(text)

    def keep(start: int, end: int) -> None:
        """Keep what a token over a gap can hold of the text between two: no blank, so its first and its last word."""
        blank = BLANK.search(text, start, end)
        rest = text[blank.start() : end] if blank else ""
        last = 0 if rest[-1:].isspace() else len(rest.rsplit(None, 1)[-1]) if blank else 0
        for begin, stop in ((start, blank.end()), (end - last - 1, end)) if blank else ((start, end),):
            joined.keep(begin, stop)

    at = 0
    for start, end in gaps:
        keep(at, start)
        at = end
    if at:
        keep(at, len(text))
        yield from joined.found(TOKENS, parts=2)


def find_encoded(page: Page) -> Iterator[Span]:
    """Base64 and hexadecimal of a text in which one of the other finders sees a secret."""
    yield from _encoded(page, DEEPEST)
    if NUMBERS.search(page.dense):
        yield from _escaped(page)


def _escaped(page: Page) -> Iterator[Span]:
    """What the finders see where the numbers of characters are those characters, as it is written."""
    for start, end in page.tokens(ESCAPED):
        characters = list(CHARACTER.finditer(page.text, start, end))
        inner = Page("".join(chr(int(one[1], 16)) if one[1] else one[0] for one in characters))
        for find in PLAIN:
            for first, last, rule in find(inner):
                yield characters[first].start(), characters[last - 1].end(), rule


def _encoded(page: Page, deep: int) -> Iterator[Span]:
    if not LONG.search(page.dense):
        return
    runs = [(*place, read) for form, read in FORMS for place in page.tokens(form)]
    if LONGER.search(page.dense):
        runs += [(*lines.span(), _base64_lines) for lines in BASE64_LINES.finditer(page.text)]
    for start, end, read in runs:
        inner = read(page.text[start:end])
        found = next(_within(Page(inner), deep), None) if inner else None
        if found:
            yield start, end, found[2]


def _within(inner: Page, deep: int) -> Iterator[Span]:
    for find in PLAIN:
        yield from find(inner)
    if deep > 1:
        yield from _encoded(inner, deep - 1)


def _base64(run: str) -> str:
    body = run.rstrip("=")
    try:
        return _text(base64.b64decode(body[: len(body) - (len(body) % 4 == 1)] + "=" * (-len(body) % 4)))
    except ValueError:
        return ""


def _base64_url(run: str) -> str:
    return _base64(run.translate(URL_SAFE))


def _base64_lines(run: str) -> str:
    return _base64(BLANKS.sub("", run))


def _hexadecimal(run: str) -> str:
    return _text(binascii.unhexlify(run))


def _text(data: bytes) -> str:
    """The bytes as text if they are one. Raises nothing."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return text if "\0" not in text else ""


FORMS: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (BASE64_RUN, _base64),
    (BASE64_URL, _base64_url),
    (HEX_RUN, _hexadecimal),
)
