"""The choke point before anything is written: every secret in a text becomes `[REDACTED:<rule>]`.

Finders propose spans, in the order of trust: what two of them found is merged and keeps the first one's name.
detect-secrets knows some services' tokens; the finders here add the rest. Every pattern is linear in the text:
bounded, or an open end with nothing behind it, and literal at the front so that a miss costs next to nothing.
"""

from __future__ import annotations

import base64
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator

from memem.ingest.shapes import detectors, shapes
from memem.value import Value

PEM_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
PEM_BODY = re.compile(r"""[\s\\nrt"'`+,>#*|]{0,80}(?:[A-Z][\w-]{2,20}: |[A-Za-z0-9+/=]{16})""")
PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,60}-----")
URL_LOGIN = re.compile(r"""://([^\s/?#"'`<>@:]{0,128}):([^\s/?"'`<>]{1,256})@(?=[\w\[{$])""")
CLIENT = re.compile(
    r"""\b(?:sshpass[ ]-p |(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n|;]{0,80}?[ ]-p(?!ort|ass)
    |redis-cli\b[^\n|;]{0,80}?[ ]-a[ ])[ ]?["']?([^\s"'<-][^\s"']{2,100})""",
    re.VERBOSE,
)
AUTHORIZATION = re.compile(
    r"""(?i)authorization\\?["']?[ \t]{0,4}[:=,][ \t]{0,4}\\?["'`]?(?:([\w-]{3,12})[ \t]{1,4})?
    ([^\s"'`,\\<>]{6,8192})""",
    re.VERBOSE,
)
BEARER = re.compile(r"(?i)\bbearer[ \t]{1,4}([\w.~+/=-]{16,8192})")
CURL_USER = re.compile(r"""(?<=\s)(?:-u|--user)[ =]{0,4}["']?([^\s"':<>]{0,128})["']?:["']?([^\s"'<>]{0,256})""")
BUNDLER = re.compile(r"BUNDLE_[A-Z0-9_]{3,60}:[ ]{1,4}[\"']?([^\s\"']{4,100}:[^\s\"']{4,100})")
BASE64_RUN = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{24,}+={0,2}")
BREAK = re.compile(
    r"""(?<=[\w.+/=-])(["']?[ \t]{0,2}[\\+]?)\r?\n[ \t]{0,40}[+>\#*|]?[ \t]{0,4}["']?
    ([\w.+/=-]{4,200})(?=["'`,;)\]}\\]{0,3}(?:\s|\Z))""",
    re.VERBOSE,
)

NAME = re.compile(
    r"""(?i)(?P<password>password|passwd|passphrase|passcode|passwort|pwd
        |(?<![a-z])pass(?![a-z]) |(?-i:(?<=[a-z])Pass(?![a-z])))
    |(?P<secret>secret|token|credential|(?<![a-z])auth(?![a-z])
        |(?:api|app|access|private|signing|encryption|auth|account|shared|master|service|client|admin|hmac)[_ -]?key)
    |(?P<key>(?-i:(?<=[a-z0-9])Key|(?<![A-Za-z])(?:key|Key|KEY))(?![a-z]))""",
    re.VERBOSE,
)
ASSIGNED = re.compile(
    r"""((?:s(?![a-z]))?(?![a-z])[A-Za-z0-9_-]{0,30})[\\"'`\])]{0,4}(?:
        :?[ ]{1,2}[A-Za-z_&][\w<>\[\]|?.]{0,30}[ ]=[ ](?=["'`])                     # token: str = "…"
        |,?\s{1,40}["']?value["']?\s{0,4}[:=]\s{0,4}                               # name: TOKEN, value: …
        |[ \t]{0,8}(?:[:.?|+]{0,2}={1,3}>?|::?|<-)[ \t]{0,8}(?:[|>][-+]?\s{1,40}|\s{1,40}(?=["']))?
        |[ ]{0,2}(?:\(|(?P<listed>,))\s{0,4}(?=["'])                                               # set("TOKEN", "…")
        |(?P<said>[ ](?:is|was)[ ]:?)
        |(?P<tag>>\s{0,40})
        |(?P<spaced>[ ]{1,4}))""",
    re.VERBOSE,
)
QUOTED = {quote: re.compile(rf"(?:\\.|(?!{quote})[^\n\\]){{1,2000}}(?={quote})") for quote in ('"', "'", "`")} | {
    '\\"': re.compile(r'[^\n"\\]{1,2000}(?=\\")')
}
BARE = re.compile(r"""(?:[^\s"'`,;&<>\\]|[,;&](?!\s|[&,;"'`]|[\w-]{1,40}["']?[=:]|\Z))+""")
START = re.compile(r"""[^\s"'`,;&<>\\=]{1,64}""")  # enough to judge a bare value by, and short enough to do it often
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# A name with one of these words is about a secret, or about something else called token or key.
HARMLESS_NAMES = frozenset(
    """public publishable name names id ids count counts type types file path paths dir url uri endpoint length len size
    limit max min budget usage used input output prompt completion ttl expiry expires expire expiration lifetime header
    field regex pattern policy prefix suffix version hash sha digest checksum fingerprint hint label placeholder title
    page next cursor cancel cancellation continuation cache idempotency primary foreign partition sort row binding index
    arn ref manager provider store enabled required error message status format mode total""".split()
)
HARMLESS_VALUES = frozenset(
    """password passwd passphrase pass pwd secret mysecret mypassword token key user username admin test testing string
    str bytes none null nil true false foo bar baz foobar default required optional hidden value undefined empty bearer
    basic include omit same-origin changeit changethis letmein pass123 password123 text bool boolean int number object
    any unknown unset missing invalid disabled enabled inherit""".split()
)
EXAMPLE = re.compile(
    r"""(?i)change[-_ ]?me|example|placeholder|redacted|dummy|here$|put[-_]?your|(?:insert|replace|fill)[-_ ]
    |\byour?[-_ ]|your[-_ ]?(?:api|secret|token|pass|key|own|db|client)
    |\.\.\.|…|\*\*\*|\#\#\#\#|xxxxx|abcdefgh|12345678901234|(?-i:([^A])\1{5})|^\d{4}-\d\d-\d\d
    |<[^<>]{0,60}>|\{\{|\$\{|\$\(|%\(|%s|^\{[A-Za-z_]*\}$|^%\w+%$|(?-i:\$[A-Z_]{2})|^\$\w+$|^\#\{|^!\w+$|^\[
    |^(?:my|the|test|new|old|wrong|valid|invalid|hashed|plain|user|some)?[-_]?(?:secret)?[-_]?pass(?:word|wd)?$
    |^(?:os|process|env|secrets?|vault|config|settings|self|this|args|req|op|data|file)(?:\.|:|\[)""",
    re.VERBOSE,
)
CODE = re.compile(
    r"""[A-Za-z_$][\w$]*(?:\.|->|::|\?\.)[A-Za-z_$][\w$.]{0,80}\Z   # config.token
    |[A-Za-z_$][\w$.]{0,80}[(\[{] |[(\[{] |--\w |[/~.]+[\w-]*/ |\w+://""",
    re.VERBOSE,
)
PROSE = frozenset(
    "a an and are at be by enter for forgot from in invalid is must new not of or please the to your".split()
)
HASH = re.compile(r"(?:[a-f0-9]{7,64}|[a-f0-9-]{36})\Z")
UUID = re.compile(r"[a-f0-9]{8}-(?:[a-f0-9]{4}-){3}[a-f0-9]{12}\Z", re.I)

STEMS = ("pass", "pwd", "secret", "token", "cred", "auth", "key")  # one of them is in whatever NAME finds
NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
CLOSING = ".,;:)]}"
DENSE = re.compile(r"[\w.~+/=@!#$%^&*-]+\Z")
VOWEL = re.compile("(?i)[aeiouy]")
TAG_END = re.compile(r"\s{0,40}</")
WORD = re.compile(r"[\w-]*")
OPENING = re.compile(r"""(?:[bfru]{1,2}(?=["']))?(\\"|["'`])""")

Span = tuple[int, int, str]
Finder = Callable[[str], Iterator[Span]]


class Redaction(Value):
    """A text without its secrets, and the rule that found each of them, in the order of the text."""

    text: str
    found: tuple[str, ...] = ()


def redact(text: str) -> Redaction:
    """Replace every secret value by `[REDACTED:<rule>]`; all other characters stay as they are.

    Raises NotReady while detect-secrets is not installed yet. Uses no network; detect-secrets verifies nothing here.
    """
    spans = sorted((start, end, order, rule) for order, find in enumerate(FINDERS) for start, end, rule in find(text))
    merged: list[tuple[int, int, int, str]] = []
    for span in spans:
        if merged and span[0] < merged[-1][1]:
            start, end, *_ = last = merged.pop()
            merged.append((start, max(end, span[1]), *min(last[2:], span[2:])))
        else:
            merged.append(span)
    parts, at = [], 0
    for start, end, _, rule in merged:
        parts += [text[at:start], f"[REDACTED:{rule}]"]
        at = end
    return Redaction(text="".join(parts) + text[at:], found=tuple(rule for *_, rule in merged))


def find_pem(text: str) -> Iterator[Span]:
    """Private key blocks as a whole; one without its end reaches to the end of the text, a mere mention is left."""
    at = 0
    while begin := PEM_BEGIN.search(text, at):
        at = begin.end()
        if PEM_BODY.match(text, at):
            end = PEM_END.search(text, at)
            at = end.end() if end else len(text)
            yield begin.start(), at, "private-key"


def find_shapes(text: str) -> Iterator[Span]:
    """Tokens that show by their own form what they are."""
    for rule, needle, pattern in shapes():
        if needle not in text:
            continue
        for match in pattern.finditer(text):
            if _is_token(text, *match.span()):
                yield *match.span(), rule


def find_detected(text: str) -> Iterator[Span]:
    """What detect-secrets finds, each grown to the end of its word: several of its patterns stop early."""
    for needle, pattern in detectors():
        if needle not in text:
            continue
        end = 0
        for match in pattern.finditer(text):
            word = WORD.match(text, match.end()) if match.start() >= end else None
            if word and _is_token(text, match.start(), end := word.end()):
                yield match.start(), end, "token"


def find_wrapped(text: str) -> Iterator[Span]:
    """Tokens broken over two or more lines: found where the breaks are taken out."""
    breaks = [b for b in BREAK.finditer(text) if b[1].strip() or not _is_slug(b[2])]
    whole = [span for find in (find_shapes, find_detected) for span in find(text)] if breaks else []
    starts, ends = {start for start, _, _ in whole}, {end for _, end, _ in whole}
    # The next line is its own token, or a hash behind a token that is complete without it.
    breaks = [
        b
        for b in breaks
        if b.start(2) not in starts and (b[1].strip() or b.start() not in ends or not HASH.match(b[2]))
    ]
    if not breaks:
        return
    parts, joints, offsets, at = [], [0], [0], 0
    for found in breaks:
        parts.append(text[at : found.start()])
        at = found.start(2)
        joints.append(joints[-1] + len(parts[-1]))
        offsets.append(at)
    joined = "".join(parts) + text[at:]
    for find in (find_shapes, find_detected):
        for start, end, rule in find(joined):
            first, last = bisect_right(joints, start) - 1, bisect_right(joints, end - 1) - 1
            if first != last:
                yield offsets[first] + start - joints[first], offsets[last] + end - joints[last], rule


def find_logins(text: str) -> Iterator[Span]:
    """Passwords in URLs, credentials in HTTP headers, in `curl -u` and in Bundler's settings."""
    for match in URL_LOGIN.finditer(text):
        if match[1] != match[2] and not _is_placeholder(match[2]):
            yield *match.span(2), "url-password"
    folded = text.casefold()
    for match in AUTHORIZATION.finditer(text) if "author" in folded else ():
        if not _is_placeholder(match[2]) and (_is_random(match[2], 8) or _is_basic(*match.groups())):
            yield *match.span(2), "authorization"
    for match in BEARER.finditer(text) if "bearer" in folded else ():
        if _is_random(match[1], 16):
            yield *match.span(1), "authorization"
    for match in CURL_USER.finditer(text) if "curl" in text else ():
        if "curl" in text[max(0, match.start() - 600) : match.start()]:
            secret = 2 if match[2] else 1
            known = match[1] == match[2] or _is_placeholder(match[secret])
            if not known and (secret == 2 or _is_random(match[1], 8)):
                yield *match.span(secret), "curl-user"
    for rule, pattern in (("bundler", BUNDLER), ("password", CLIENT)):
        for match in pattern.finditer(text):
            if not _is_placeholder(match[1]):
                yield *match.span(1), rule


def find_assigned(text: str) -> Iterator[Span]:
    """Values that are assigned to a name like password, secret, token or api_key, in code, settings or prose."""
    done = 0
    for name in _names(text):
        assigned = ASSIGNED.match(text, name.end()) if name.start() >= done else None
        if not assigned:
            continue
        before = text[max(0, name.start() - 40) : name.start()]
        before = before[len(before.rstrip(NAME_CHARACTERS)) :]
        kind, whole, at = name.lastgroup or "", before + name[0] + assigned[1], assigned.end()
        if HARMLESS_NAMES.intersection(word.lower() for word in WORDS.findall(whole)):
            continue
        loose = assigned["listed"] or (assigned["spaced"] and not before.startswith("-"))
        if kind == "key" and (loose or assigned[1]):
            continue
        opening = OPENING.match(text, at)
        quoted = opening and QUOTED[opening[1]].match(text, opening.end())
        value = quoted or START.match(text, opening.end() if opening else at)
        sure = quoted is not None or (whole.isupper() and text[at - 1] == "=")
        if not value:
            continue
        shown = value[0] if quoted else value[0].rstrip(CLOSING)
        if loose and not (DENSE.match(shown) and _is_random(shown, 16)):
            continue
        if not _is_secret(kind, whole, shown, bool(quoted), sure):
            continue
        start, end = value.span()
        if not quoted and (bare := BARE.match(text, start)):
            if _is_placeholder(bare[0][-64:]):
                continue
            end = start + len(bare[0].rstrip(CLOSING))
        if not assigned["tag"] or TAG_END.match(text, end):
            done = end
            yield start, end, kind


def _names(text: str) -> Iterator[re.Match[str]]:
    """What NAME finds, which takes its time: only lines with a stem of such a name are searched."""
    at = 0
    for line in text.split("\n"):
        folded = line.casefold()
        if any(stem in folded for stem in STEMS):
            yield from NAME.finditer(text, at, at + len(line))
        at += len(line) + 1


def find_encoded(text: str) -> Iterator[Span]:
    """Base64 of a text in which one of the other finders sees a secret."""
    for run in BASE64_RUN.finditer(text):
        body = run[0].rstrip("=")
        try:
            inner = base64.b64decode(body[: len(body) - (len(body) % 4 == 1)] + "=" * (-len(body) % 4)).decode("ascii")
        except ValueError:
            continue
        found = next((span for find in PLAIN for span in find(inner)), None)
        if found:
            yield *run.span(), found[2]


PLAIN: tuple[Finder, ...] = (find_pem, find_shapes, find_detected, find_logins, find_assigned)
FINDERS: tuple[Finder, ...] = (*PLAIN, find_wrapped, find_encoded)


def _is_token(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - 2) : start]
    alone = not text[end : end + 1].isalnum() and (not before[-1:].isalnum() or before in {r"\n", r"\t", r"\r"})
    masked = text.startswith(("***", "###", "-###", "-***"), end)
    return alone and not masked and _is_random(text[start:end], 12)


def _is_placeholder(value: str) -> bool:
    return value.lower() in HARMLESS_VALUES or EXAMPLE.search(value) is not None or len(set(value)) < 3


def _is_basic(scheme: str | None, value: str) -> bool:
    return (scheme or "").lower() == "basic" and value.rstrip("=").isalnum() and not value.islower()


def _is_slug(value: str) -> bool:
    return all(_is_word(part) for part in re.split(r"[-_./:\\\s@=+,${}()<>]+", value))


def _is_word(part: str) -> bool:
    """Whether letters, and digits behind them, read like a word of prose or code, CamelCase included."""
    if len(part) < 16:
        part = re.sub(r"(?<=[A-Za-z]{3})\d{1,3}(?=[A-Z][a-z]{2,}$|[a-z]{3,}$)", "", part)  # Uint8Array, base64url
    letters = part.rstrip("0123456789")
    if len(part) - len(letters) > 4 or not (letters == "" or letters.isalpha()):
        return False
    words = WORDS.findall(letters)
    spoken = all(len(word) < 25 and (len(word) < 5 or VOWEL.search(word)) for word in words)
    return len(letters) < 12 or (spoken and not letters.isupper() and len(words) <= len(letters) / 4)


def _is_random(value: str, least: int) -> bool:
    if len(value) < least or len(set(value)) < 6 or _is_placeholder(value) or _is_slug(value):
        return False
    return any(c.isdigit() for c in value) or len(value) >= 20


def _is_secret(kind: str, name: str, value: str, quoted: bool, sure: bool) -> bool:
    if _is_placeholder(value) or value.lower() == name.lower() or (not quoted and CODE.match(value)):
        return False
    if kind == "password":
        if " " in value:
            words = value.lower().split()
            return len(words) > 2 and PROSE.isdisjoint(words) and HARMLESS_VALUES.isdisjoint(words)
        mixed = not value.isalpha() and re.fullmatch(r"[A-Za-z]+(?:[-_./|][A-Za-z]+)*[?!:]?", value) is None
        return len(value) >= 5 and (mixed or sure)
    if " " in value:
        return False
    if kind == "secret":
        plain = sure and len(value) >= 8 and value.isalnum() and not (value.isalpha() or value.isdigit())
        return UUID.match(value) is not None or _is_random(value, 8) or plain
    return UUID.match(value) is not None or _is_random(value, 16 if len(name) > 4 else 32)
