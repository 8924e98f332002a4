"""Secrets that stand where a login stands: in URLs, headers, cookies, and arguments of programs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memem.ingest.judging import is_code, is_mixed, is_password, is_placeholder, is_random, is_secret
from memem.ingest.page import Page, Span, Ways

URL_LOGIN = re.compile(r"""://(?!\[REDACTED:)([^\s/?#"'`<>@:]{0,128}):([^\s/?"'`<>]{1,256})@(?=[\w\[{$])""")
URL_TOKEN = re.compile(r"""://([\w.~+=%-]{16,256})@(?=[\w\[])""")
# Where Sentry takes reports of errors: by its own word such a key may be public, because it can only write.
CLIENT_KEY = re.compile(r"://[0-9a-f]{32}@[\w.-]{0,80}sentry[\w.-]{0,80}(?::\d{1,5})?/\d")
URL_ESCAPED = re.compile(r"""%3A%2F%2F[^\s%"'<>]{0,64}%3A((?:[^\s%"'<>]|%(?!40|2F)[0-9A-Fa-f]{2}){3,200})%40""")
PGPASS = re.compile(r"(?m)^[\w.*-]{1,100}:(?:\d{2,5}|\*):[\w*-]{1,64}:[\w*.-]{1,64}:([^\s:]{4,100})$")
PORT = re.compile(r":(?:\d{2,5}|\*):")
COOKIE = re.compile(r"""(?i)\bcookie\\?["'`]?[ \t]{0,4}[:=,][ \t]{0,4}\\?["'`]?([^\n"'`<>]{8,8192})""")
CRUMB = re.compile(r"[\w.-]{1,64}=([^\s;,=]{16,4096})")
HASHED = re.compile(
    r"""\$(?:apr1|[156y])\$[\w./=,$]{1,40}\$[A-Za-z0-9./]{20,128} | \$2[abxy]?\$\d\d\$[A-Za-z0-9./]{53}
    |\$argon2i?d?\$v=\d{1,3}\$[mtp=,\d]{1,40}\$[\w+/]{8,64}\$[\w+/]{20,128}""",
    re.VERBOSE,
)
AWS_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")
AWS_SECRET = re.compile(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
CLIENT = re.compile(
    r"""\b(?:sshpass[ ]-p[ ]?|(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n|;]{0,80}?[ ]-p(?!ort|ass)
    |redis-cli\b[^\n|;]{0,80}?[ ]-a[ ] |(?:requirepass|masterauth)[ ]
    |htpasswd[ ]-[a-zA-Z]{0,4}b\w?[ ]\S{1,80}[ ]\S{1,60}[ ]
    |openssl\b[^\n|;]{0,80}?[ ]-[kK][ ] |gh[ ]secret[ ]set\b[^\n|;]{0,80}?[ ](?:--body|-b)[ =]
    |(?:un)?rar[ ]\w[ ](?:[^\n|;]{0,80}?[ ])?-h?p(?=\S) |7z\w?[ ]\w[ ](?:[^\n|;]{0,80}?[ ])?-p(?=\S)
    |(?:(?:un)?zip\b[^\n|;]{0,80}?[ ]-P[ ] |ldap[a-z]{3,8}\b[^\n|;]{0,120}?[ ]-w[ ] |(?:bind|root)pw[ \t]{1,8})
        (?=["']|[a-z]{0,60}[^\sa-z])
    |net[ ]use\b[^\n|;]{0,80}?[ ]/user:\S{1,60}[ ]
    |(?:docker|podman|helm|az|oc|cf)[ ](?:registry[ ])?login\b[^\n|;]{0,80}?[ ]-p[ ])
    [ ]?(?:'(?P<single>[^'\n]{3,100})'|"(?P<double>[^"\n]{3,100})"|(?P<bare>[^\s"'<-][^\s"']{2,100}))""",
    re.VERBOSE,
)
CLIENTS = (
    *("sshpass -p", "mysql", "mariadb", "redis-cli", "docker ", "podman ", "helm ", "az ", "oc ", "cf "),
    *("requirepass", "masterauth", "htpasswd -", "openssl", "gh secret", "net use"),
    *("zip", "unzip", "rar", "unrar", "7z", "ldap", "bindpw", "rootpw"),
)
NETRC = re.compile(  # its words stand in one line or in several
    r"""(?:\bmachine[ \t]{1,8}(?P<host>[\w.:-]{1,120})|(?<![^\n])default)\s{1,20}
    (?:(?:login|account)\s{1,20}\S{1,80}\s{1,20}){1,2}passw(?:or)?d\s{1,20}["']?(?P<value>[^\s"']{4,200})""",
    re.VERBOSE,
)
SQL = re.compile(  # CREATE USER … IDENTIFIED BY '…', ALTER ROLE … PASSWORD '…'
    r"""(?i)(?:(?P<user>\buser[ ][\w"'`@.%$-]{1,80}[ ])?\bidentified[ ]
        (?:with[ ]["'`\w]{1,40}[ ])?(?:by|as)[ ](?:password[ ])?
    |\b(?:user|role|login|group)[ ](?:if[ ](?:not[ ])?exists[ ])?[\w"'`@.%$-]{1,80}[ ][\w ]{0,60}?password[ ]
    |\bset[ ]password(?:[ ]for[ ][\w"'`@.%$-]{1,80})?[ ]=[ ](?:password\()?)
    (?:'(?P<single>(?:''|[^'\n]){4,200})'|"(?P<double>[^"\n]{4,200})"|(?(user)(?P<bare>[^\s"';]{4,200})))""",
    re.VERBOSE,
)
SQL_WORDS = ("identified ", "user ", "role ", "login ", "group ", "set password")
PIPED = re.compile(  # echo … | sudo -S
    r"""\b(?:echo|printf)[ ](?:-[ne]{1,2}[ ])?(?:'([^'\n]{3,100})'|"([^"\n]{3,100})"|([^\s"'|$-][^\s"'|]{2,100}))
    [ ]{0,2}\|[ ]{0,2}(?:sudo[ ](?:-\w{1,10}[ ]){0,3}-S\b|(?:sudo[ ])?(?:passwd|chpasswd|kinit|cryptsetup)\b
    |(?:docker|podman|helm|gh|az|crane|cosign)[ ][^\n|;]{0,60}(?:--password-stdin|--with-token))""",
    re.VERBOSE,
)
ORACLE = re.compile(
    r"""(?:\bsqlplus[ ](?:-\w{1,8}[ ]){0,3}|oracle:\w{1,5}:)["']?[\w.$\#-]{1,64}/([^\s"'@/]{3,128})@""", re.VERBOSE
)
CALL = re.compile(  # login("admin", "…")
    r"""(?i)\b(?:log_?in|sign_?in|authenticate|auth|connect)\(\s{0,4}["'][^"'\n]{1,80}["'],\s{0,4}["']([^"'\n]{6,100})["']"""
)
SPOKEN = re.compile(  # log in with admin / …
    r"""(?i)\b(?:(?:log|sign)(?:ged)?[ -]?in[ ](?:as|with|using)|(?:cred(?:ential)?s?(?:[ ]are)?:?)
    |(?P<login>login|zugangsdaten|anmeldedaten|identifiants|credenciales|credenziali|credenciais)
        (?:[ ](?:is|are|ist|sind|sont|son|sono|são))?[ ]?:?)[ ]
    [\w.@-]{2,40}(?:(?P<with>[ ](?:and|with|und|mit|et|avec|y|con|e|com)[ ])|:|[ ]?/[ ]?)
    (?P<value>[^\s/]{7,100})(?=\s|\Z)""",
    re.VERBOSE,
)
CALLS = ("login(", "log_in(", "signin(", "sign_in(", "authenticate(", "auth(", "connect(")
SPEAKING = ("log", "sign", "cred", "zugangsdaten", "anmeldedaten", "identifiants")
AUTHORIZATION = re.compile(
    r"""(?i)authorization\\?["']?[ \t]{0,4}[:=,][ \t]{0,4}\\?["'`]?(?:([\w-]{3,12})[ \t]{1,4})?
    ([^\s"'`,\\<>]{6,8192})""",
    re.VERBOSE,
)
TEMPLATE = re.compile(r"\A[{<$%]|[(\[]")
BEARER = re.compile(r"(?i)\bbearer[ \t]{1,4}([\w.~+/=-]{16,8192})")
CURL_USER = re.compile(r"""(?<=\s)(?:-u|--user)[ =]{0,4}["']?([^\s"':<>]{0,128})["']?:["']?([^\s"'<>]{0,256})""")
BUNDLER = re.compile(r"BUNDLE_[A-Z0-9_]{3,60}:[ ]{1,4}[\"']?([^\s\"']{4,100}:[^\s\"']{4,100})")


def find_logins(page: Page) -> Iterator[Span]:
    """Passwords in URLs, headers and cookies, in arguments of programs and calls, and as hashes of systems."""
    yield from page.ask(PLACES)


def _urls(page: Page) -> Iterator[Span]:
    text = page.text
    if "://" in text and "@" in text:
        for match in URL_LOGIN.finditer(text):
            if match[1] != match[2] and not is_placeholder(match[2]):
                yield *match.span(2), "url-password"
        for match in URL_TOKEN.finditer(text):
            if is_random(match[1], 16) and not CLIENT_KEY.match(text, match.start()):
                yield *match.span(1), "url-password"
    for match in URL_ESCAPED.finditer(text) if "%3A%2F%2F" in text else ():
        if not is_placeholder(match[1]):
            yield *match.span(1), "url-password"


def _headers(page: Page) -> Iterator[Span]:
    for match in page.matches(AUTHORIZATION, page.named("authorization")):
        template = is_placeholder(match[2]) or TEMPLATE.search(match[2])
        if not template and (is_random(match[2], 8) or _is_basic(*match.groups())):
            yield *match.span(2), "authorization"
    for match in page.matches(BEARER, page.places("bearer")):
        if is_random(match[1], 16):
            yield *match.span(1), "authorization"
    for match in page.matches(COOKIE, page.places("cookie")):
        for crumb in CRUMB.finditer(page.text, *match.span(1)):
            if is_random(crumb[1], 16):
                yield *crumb.span(1), "cookie"


def _curl(page: Page) -> Iterator[Span]:
    text = page.text
    for match in page.matches(CURL_USER, page.places("-u", "--user")):
        if "curl" in text[max(0, match.start() - 600) : match.start()]:
            secret = 2 if match[2] else 1
            known = match[1] == match[2] or is_placeholder(match[secret])
            if not known and (secret == 2 or is_random(match[1], 8)):
                yield *match.span(secret), "curl-user"


def _programs(page: Page) -> Iterator[Span]:
    for match in page.matches(CLIENT, page.places(*CLIENTS)):
        value = match.lastgroup or "bare"
        if not is_placeholder(match[value]):
            yield *match.span(value), "password"


def _netrc(page: Page) -> Iterator[Span]:
    for match in page.matches(NETRC, page.places("machine", "default")):
        sure = "\n" in match[0] or "." in (match["host"] or "")
        if is_secret("password", "", match["value"], quoted=True, sure=sure):
            yield *match.span("value"), "password"


def _sql(page: Page) -> Iterator[Span]:
    for match in page.matches(SQL, page.places(*SQL_WORDS)):
        value = match.lastgroup or ""
        sure = value != "bare" and not {"IDENTIFIED", "PASSWORD"}.isdisjoint(match[0].split())
        if value and is_secret("password", "", match[value], quoted=True, sure=sure):
            yield *match.span(value), "password"


def _piped(page: Page) -> Iterator[Span]:
    for match in page.matches(PIPED, page.places("echo ", "printf ")):
        if match.lastindex and not is_placeholder(match[match.lastindex]):
            yield *match.span(match.lastindex), "password"


def _oracle(page: Page) -> Iterator[Span]:
    for match in page.matches(ORACLE, page.places("sqlplus", "oracle:")):
        if not is_placeholder(match[1]):
            yield *match.span(1), "password"


def _calls(page: Page) -> Iterator[Span]:
    for match in page.matches(CALL, page.places(*CALLS)):
        if not is_placeholder(match[1]) and is_mixed(match[1]):
            yield *match.span(1), "password"


def _spoken(page: Page) -> Iterator[Span]:
    for match in page.matches(SPOKEN, page.places(*SPEAKING)):
        value = match["value"].rstrip(".,;:)")
        mixed = is_mixed(value) and not (match["with"] or match["login"] or is_placeholder(value) or is_code(value))
        if mixed or is_password(value):
            yield match.start("value"), match.start("value") + len(value), "password"


def _bundler(page: Page) -> Iterator[Span]:
    for match in BUNDLER.finditer(page.text):
        if not is_placeholder(match[1]):
            yield *match.span(1), "bundler"


def _password_files(page: Page) -> Iterator[Span]:
    """Lines of PostgreSQL's file of passwords: only where a port stands between two colons one is looked at."""
    text, at = page.text, 0
    while port := PORT.search(text, at):
        match = PGPASS.match(text, text.rfind("\n", at, port.start()) + 1 or at)
        if match and not is_placeholder(match[1]):
            yield *match.span(1), "password"
        at = text.find("\n", port.end()) + 1 or len(text)


def _hashes(page: Page) -> Iterator[Span]:
    for match in HASHED.finditer(page.text):
        yield *match.span(), "password-hash"


def _aws(page: Page) -> Iterator[Span]:
    """The second half of a pair of keys has no form of its own: it is known by the first one beside it."""
    text = page.text
    for key in page.matches(AWS_ID, page.places("akia", "asia")):
        for match in AWS_SECRET.finditer(text, key.end(), key.end() + 200):
            if is_random(match[0], 40) and is_mixed(match[0]):
                yield *match.span(), "aws"


PLACES: Ways = (
    (_urls, ("://", "%3a%2f%2f")),
    (_headers, ("authorization", "bearer", "cookie")),
    (_curl, ("curl",)),
    (
        _programs,
        (
            " -p",
            " -hp",
            " -w ",
            " -a ",
            "bindpw",
            "rootpw",
            "requirepass",
            "masterauth",
            "htpasswd",
            "openssl",
            "gh secret",
            "net use",
        ),
    ),
    (_netrc, ("passw",)),
    (_sql, ("identified ", "password '", 'password "', "set password")),
    (_piped, ("echo ", "printf ")),
    (_oracle, ("sqlplus", "oracle:")),
    (_calls, ("in(", "ate(", "auth(", "connect(")),
    (_spoken, ("in as ", "in with ", "in using ", "cred", "login", "sdaten", "identifiants")),
    (_bundler, ("bundle_",)),
    (_password_files, (":",)),
    (_hashes, ("$",)),
    (_aws, ("akia", "asia")),
)


def _is_basic(scheme: str | None, value: str) -> bool:
    return (scheme or "").lower() == "basic" and value.rstrip("=").isalnum() and not value.islower()
