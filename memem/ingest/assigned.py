"""Secrets that are assigned to a name like password, secret, token or api_key, in code, settings or prose."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memem.ingest.judging import LEAST, WORDS, is_password, is_placeholder, is_random, is_secret, is_slug
from memem.ingest.page import Page, Span

NAME = re.compile(
    r"""(?i)(?P<password>password|passwd|passphrase|passcode|passwort|pwd |(?<![a-z])(?:pw(?![a-z])|psk(?![a-z_]))
        |(?:(?<![a-z])(?<!---[ ])|(?<=db)|(?<=key)|(?<=user|root|smtp|mail)|(?<=admin|store|login|mysql))pass(?![a-z])
        |(?-i:(?<=[a-z])Pass(?![a-z])))
    |(?P<secret>secret|token|credential|(?<![a-z])auth(?![a-z])
        |(?:api|app|access|private|signing|encryption|auth|account|shared|master|service|client|admin|hmac)[_ -]?key)
    |(?P<key>(?-i:(?<=[a-z0-9])Key|(?<![A-Za-z])(?:key|Key|KEY))(?![a-z]))""",
    re.VERBOSE,
)
ASSIGNED = re.compile(
    r"""((?:s(?![a-z]))?(?![a-z])[A-Za-z0-9_-]{0,30})[\\"'`*\])]{0,8}(?:
        :?[ ]{1,2}[A-Za-z_&][\w<>\[\]|?.]{0,30}[ ]=[ ](?=["'`])                     # token: str = "…"
        |,?\s{1,40}["']?value["']?\s{0,4}[:=]\s{0,4}                               # name: TOKEN, value: …
        |[ \t]{0,8}(?:[:.?|+]{0,2}={1,3}>?|::?|<-)[ \t]{0,8}
            (?:[|>][-+]?\s{1,40} |\s{1,40}(?=["']) |!{1,2}[a-z]{1,12}[ ]{1,4} |[*]{2}(?=\w))?
        |[ ]{0,2}(?:\(|(?P<listed>,))\s{0,4}(?=["'])                                               # set("TOKEN", "…")
        |[ ](?:is|was)(?:[ ](?:now|still|just))?(?:[ ]{0,2}[:=][ ]{0,4}|[ ]:?)(?:[*]{2}(?=\w))?   # the token is: …
        |(?P<tag>>\s{0,40})
        |(?P<spaced>[ ]{1,4}))""",
    re.VERBOSE,
)
QUOTED = {
    quote: re.compile(rf"(?:\\.|{twice}(?!{quote})[^\n\\]){{1,2000}}(?={quote})")
    for quote, twice in (('"', ""), ("'", "''|"), ("`", ""), ('"""', ""), ("'''", ""))
} | {"\\": re.compile(r"""[^\n"'\\]{1,2000}(?=\\{1,7}["'])""")}  # in a text that is a value of JSON itself
BARE = re.compile(r"""(?:[^\s"'`,;&<>\\]|[,;&](?!\s|[&,;"'`]|[\w-]{1,40}["']?[=:]|\Z))+""")
START = re.compile(r"""[^\s"'`,;&<>\\=]{1,64}""")  # enough to judge a bare value by, and short enough to do it often
# A name with one of these words is about a secret, or about something else called token or key.
HARMLESS_NAMES = frozenset(
    """public publishable name names id ids count counts type types file path paths dir url uri endpoint length len size
    limit max min budget usage used input output prompt completion ttl expiry expires expire expiration lifetime header
    field regex pattern policy prefix suffix version hash sha digest checksum fingerprint hint label placeholder title
    page next cursor cancel cancellation continuation cache idempotency primary foreign partition sort row binding index
    csrf xsrf authenticity arn ref manager provider store enabled required error message status format mode
    total""".split()
)
STORE = re.compile("(?i)(?:key|trust)[-_.]?store")  # has a password of its own
NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
CONTINUED = re.compile(
    r"""(?:\\\r?\n[ \t]{0,40}
    |["'][ \t]{0,4}(?:[+.\\][ \t]{0,4}(?:\r?\n[ \t]{0,40})?|\r?\n[ \t]{0,40}[+.]?[ \t]{0,4})["'])
    ([\w.+/=!@\#$%^&*-]{4,400})(?=["'](?![ \t]{0,4}[:=])|[`;,)\s]|\Z)""",
    re.VERBOSE,
)
LONGER = re.compile(r"[\w-]")
# What a line or a call begins with that gives the next word the value behind it: ENV DB_PASSWORD …, define("…", "…")
SETTING = re.compile(
    r"""(?:^[ \t]{0,20}(?:ENV|ARG|setenv|SetEnv|set[ ]-\w{1,3}|fastcgi_param)[ \t]{1,8}
    |(?:define|putenv|\bset(?i:env|property|parameter|variable|environmentvariable)?)\([ ]{0,4}["'])\Z""",
    re.VERBOSE | re.MULTILINE,
)
MOST = 10_000  # a text with more is no human's, and what follows goes as a whole
CLOSING = ".,;:)]}"
DENSE = re.compile(r"[\w.~+/=@!#$%^&*-]+\Z")
TAG_END = re.compile(r"\s{0,40}</")
OPENING = re.compile(r"""(?:[bfru]{1,2}(?=["']))?(?:(\\){1,7}["']|("{3}|'{3}|["'`]))""")


def find_assigned(page: Page) -> Iterator[Span]:
    """Values that are assigned to a name like password, secret, token or api_key, in code, settings or prose."""
    text, done, found = page.text, 0, 0
    for name in page.matches(NAME, page.names):
        kind = name.lastgroup or ""
        longer = kind == "key" and LONGER.match(text, name.end())  # than a name that ends in key
        assigned = ASSIGNED.match(text, name.end()) if name.start() >= done and not longer else None
        if not assigned:
            continue
        at = assigned.end()
        opening = OPENING.match(text, at)
        quoted = opening and QUOTED[opening[1] or opening[2]].match(text, opening.end())
        value = quoted or START.match(text, opening.end() if opening else at)
        if not value or len(value[0]) < LEAST[kind]:
            continue
        bold = "*" if text[at - 2 : at] == "**" else ""
        shown = value[0] if quoted else value[0].rstrip(CLOSING + bold)
        before = text[max(0, name.start() - 40) : name.start()]
        before = before[len(before.rstrip(NAME_CHARACTERS)) :]
        whole = before + name[0] + assigned[1]
        if HARMLESS_NAMES.intersection(word.lower() for word in WORDS.findall(STORE.sub("", whole))):
            continue
        loose = assigned["listed"] or (assigned["spaced"] and not before.startswith("-"))
        setting = loose and SETTING.search(text, max(0, name.start() - 80), name.start() - len(before))
        if kind == "key" and loose:
            continue
        sure = (quoted is not None and not loose) or (whole.isupper() and (text[at - 1] == "=" or bool(setting)))
        if loose and not setting and not (DENSE.match(shown) and _is_strong(kind, name[0], shown)):
            continue
        if not is_secret(kind, whole, shown, bool(quoted), sure):
            continue
        start, end = value.span()
        if not quoted and (bare := BARE.match(text, start)):
            if is_placeholder(bare[0][-64:]):
                continue
            end = start + len(bare[0].rstrip(CLOSING + bold))
        if not assigned["tag"] or TAG_END.match(text, end):
            found += 1
            if found > MOST:
                yield start, len(text), kind
                return
            done = end
            yield start, end, kind
            for piece in _continued(text, end):
                done = piece[1]
                yield *piece, kind


def _is_strong(kind: str, name: str, value: str) -> bool:
    """Whether a value is a secret though only a blank or a comma is between it and its name; one passes much else."""
    return is_random(value, 16) or (kind == "password" and name.lower() != "pass" and is_password(value))


def _continued(text: str, end: int) -> Iterator[tuple[int, int]]:
    """The other lines of a value that a backslash or a row of literals goes on with."""
    while more := CONTINUED.match(text, end):
        if is_slug(more[1]) and not more[1].isdigit():
            return
        end = more.end(1)
        yield more.span(1)
