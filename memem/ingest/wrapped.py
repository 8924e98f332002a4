"""Secrets in disguise: broken over lines, interrupted by what nobody sees, or inside base64 and hexadecimal."""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator

from memem.ingest.assigned import find_assigned
from memem.ingest.judging import HASH, is_slug
from memem.ingest.logins import find_logins
from memem.ingest.shapes import Span, find_detected, find_pem, find_shapes

BREAK = re.compile(
    r"""(?<=[\w.+/=-])(["']?[ \t]{0,2}[\\+]?)\r?\n[ \t]{0,40}[+>\#*|]?[ \t]{0,4}["']?
    ([\w.+/=-]{4,200})(?=["'`,;)\]}\\]{0,3}(?:\s|\Z))""",
    re.VERBOSE,
)
# Escapes of a terminal, characters of no width, soft breaks of mails, literals that are added up.
GAP = re.compile(
    r"""(?<=[\w.+/=-])(?:\x1b\[[\d;]{0,16}m|[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]|=\r?\n|["'][ ]?\+[ ]?["'])+
    (?=[\w.+/=-])""",
    re.VERBOSE,
)
BASE64_RUN = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{24,}+={0,2}")
BASE64_URL = re.compile(r"(?<![\w-])(?=[\w]{0,4000}-|[A-Za-z0-9-]{0,4000}_)[\w-]{24,}+={0,2}")
BASE64_LINES = re.compile(r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{40,}+\s{1,3}[ \t>]{0,40}+)++[A-Za-z0-9+/]*+={0,2}")
HEX_RUN = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{2}){16,}+(?![0-9A-Za-z])")
URL_SAFE = str.maketrans("-_", "+/")
BLANKS = re.compile(r"[\s>]+")
DEEPEST = 2

Finder = Callable[[str], Iterator[Span]]
TOKENS: tuple[Finder, ...] = (find_shapes, find_detected)
PLAIN: tuple[Finder, ...] = (find_pem, *TOKENS, find_logins, find_assigned)


def find_wrapped(text: str) -> Iterator[Span]:
    """Tokens broken over two or more lines, or by something invisible: found where the breaks are taken out."""
    gaps = [gap.span() for gap in GAP.finditer(text)]
    if gaps:
        yield from _across(text, gaps)
    breaks = [b for b in BREAK.finditer(text) if b[1].strip() or not is_slug(b[2])]
    whole = [span for find in TOKENS for span in find(text)] if breaks else []
    starts, ends = {start for start, _, _ in whole}, {end for _, end, _ in whole}
    # The next line is its own token, or a hash behind a token that is complete without it.
    taken = [
        (b.start(), b.start(2))
        for b in breaks
        if b.start(2) not in starts and (b[1].strip() or b.start() not in ends or not HASH.match(b[2]))
    ]
    if taken:
        yield from _across(text, taken)


def _across(text: str, gaps: list[tuple[int, int]]) -> Iterator[Span]:
    """Tokens of the text without those gaps that reach over one of them."""
    parts, joints, offsets, at = [], [0], [0], 0
    for start, end in gaps:
        parts.append(text[at:start])
        at = end
        joints.append(joints[-1] + len(parts[-1]))
        offsets.append(at)
    joined = "".join(parts) + text[at:]
    for find in TOKENS:
        for start, end, rule in find(joined):
            first, last = bisect_right(joints, start) - 1, bisect_right(joints, end - 1) - 1
            if first != last:
                yield offsets[first] + start - joints[first], offsets[last] + end - joints[last], rule


def find_encoded(text: str) -> Iterator[Span]:
    """Base64 and hexadecimal of a text in which one of the other finders sees a secret."""
    yield from _encoded(text, DEEPEST)


def _encoded(text: str, deep: int) -> Iterator[Span]:
    for form, read in FORMS:
        for run in form.finditer(text):
            inner = read(run[0])
            found = next(_within(inner, deep), None) if inner else None
            if found:
                yield *run.span(), found[2]


def _within(inner: str, deep: int) -> Iterator[Span]:
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
    (BASE64_LINES, _base64_lines),
    (HEX_RUN, _hexadecimal),
)
