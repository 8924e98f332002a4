"""Secrets that people and files tell in other ways than `name = value`: in prose, tables, lists, below a heading."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memem.ingest.judging import HASH, is_code, is_mixed, is_password, is_placeholder, is_random, is_secret
from memem.ingest.page import USES, Page, Span, Ways, places
from memem.ingest.spoken import find_spoken

# Password in the languages that memem folds words of; the English names alone are `assigned`.
FOREIGN_NAMES = (
    "kennwort|passwort|mot de passe|contraseña|contrasena|senha|wachtwoord|hasło|haslo|parola|lösenord|losenord"
    "|пароль|密码|密碼|口令|パスワード|비밀번호"
)
FOREIGN = tuple(FOREIGN_NAMES.split("|"))
IS = "is|ist|war|lautet|est|était|es|era|jest|to|brzmi|luidt|är|é|è"
OF = "for|of|to|on|in|at|from|für|von|vom|zum|zur|de|del|du|do|da|della|dla|van|voor|för|от|для"
TOLD = re.compile(
    rf"""(?i)(?<![a-z])(?:(?P<foreign>{FOREIGN_NAMES.replace(" ", "[ ]")})
    |(?P<password>password|passwd|passphrase|passcode)
    |(?P<secret>(?:api|access|private|secret|signing|auth)[ _-]?key|token|secret|credential))s?["'`*_\])]{{0,3}}
    (?:[ ](?:{OF})[ ](?:[\w.'-]{{1,20}}[ ]){{1,5}}?(?:is|was|are|{IS})[ ]?:?[ ]
    |[ \t]{{0,40}}\|[ \t]{{0,40}}                       # a cell of a table
    |[ ]{{0,4}}→[ ]{{0,4}} |[*_]{{0,2}}:[*_]{{1,2}}[ ]{{1,4}}
    |(?P<below>(?:[ ](?:{IS}))?:[ \t*_]{{0,4}}\r?\n\s{{0,20}}) |[ ](?:{IS}):[*_]{{2}}[ ]{{1,4}}
    |(?P<plain>[ ]{{0,4}}[:=：][ ]{{0,4}} |[ ](?:{IS})(?:[ ]{{0,2}}[:=：][ ]{{0,4}} |[ ]:?[ ]?)))
    ["'`*]{{0,2}}(?P<value>[^\s"'`<>|]{{5,200}})""",
    re.VERBOSE,
)
NAMED = ("password", "passwd", "passphrase", "passcode", "passwort", "token", "secret", "credential", *USES)
FOREIGN_IN_ASCII = tuple(word for word in FOREIGN if word.isascii())
LIST = re.compile(
    r"""(?i)(?:(?P<password>passwords|passphrases)|(?P<secret>tokens|secrets|api[_-]?keys|access[_-]?keys))["']?
    [ \t]{0,4}[:=][ \t]{0,4}(?:(?P<flow>\[)|(?=\r?\n[ \t]{0,40}-[ ]))""",
    re.VERBOSE,
)
LISTED = ("passwords", "passphrases", "tokens", "secrets", "api", "access")
FLOW_ITEM = re.compile(r"""[\s,]{0,80}["']([^"'\n]{1,2000})["']""")
BLOCK_ITEM = re.compile(r"""\r?\n[ \t]{0,40}-[ ]{1,4}["']?([^\s"'\n]{1,2000})["']?[ \t]{0,20}(?=\r?\n|\Z)""")
MOST_ITEMS = 500

# Services whose keys have no form of their own: their name says what the value is.
SERVICES = """
    adafruit adobe airtable algolia alibaba asana atlassian beamer bitbucket bitly bittrex braintree circleci
    cloudflare codecov coinbase confluent contentful datadog deepl discord disqus droneci dropbox easypost
    etsy fastly finicity finnhub flickr freshbooks gitter gocardless grafana hubspot infura intercom jfrog
    kraken kucoin launchdarkly linkedin lob looker lokalise mailchimp mailgun mapbox mattermost messagebird
    mixpanel netlify newrelic nytimes okta opsgenie pagerduty plaid postmark pubnub pusher rapidapi rollbar
    sendbird sentry shodan snyk sonarqube sonar sourcegraph splunk spotify squarespace sumologic telegram
    tiingo travisci trello twilio twitch twitter typeform vercel wakatime yandex zendesk zoho
    """.split()
OF_SERVICE = re.compile(
    r"""(?P<of>[\w.-]{0,30})["']?[ \t]{0,4}(?::=|=>|[:=])[ \t]{0,4}["'`]?(?P<value>[\w=+/-]{14,200})(?![\w=+/.(\[-])"""
)
# What stands before the value of one, and how far behind the beginning of the name that may be.
GIVEN = re.compile(r"""[:=](?=[=>]?[ \t]{0,4}["'`]?[\w=+/-]{14})""")
SERVICE_LONGEST = 48
PUBLIC = re.compile(
    r"(?i)url|uri|host|org|project|sha|hash|digest|version|commit|ref|team|channel|account_?id|zone|event"
)
PHRASE = re.compile(
    r"""(?i)(?:seed|recovery|mnemonic)[ _-]?(?:phrase|words)?["']?[ \t]{0,3}(?:[:=]|is)[ \t]{0,3}["'`]?
    ((?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8})(?![a-z])""",
    re.VERBOSE,
)

MANIFEST = re.compile(r"(?m)^kind:[ \t]{0,4}Secret[ \t\r]{0,4}$")
DOCUMENT = re.compile(r"(?m)^---[ \t\r]{0,4}$")
DATA = re.compile(r"(?m)^(?:data|stringData):[ \t\r]{0,4}\n((?:(?:[ \t][^\n]{0,8000})?\n?){1,400})")
ENTRY = re.compile(r"(?m)^[ \t]{1,40}[\w.-]{1,200}:[ \t]{1,40}[\"']?([^\s\"'|>][^\n\"']{2,8000}?)[\"']?[ \t\r]{0,4}$")


def find_told(page: Page) -> Iterator[Span]:
    """Passwords and tokens in prose, tables, lists, manifests of Kubernetes, and beside the name of a service."""
    yield from _sentences(page)
    yield from find_spoken(page)
    yield from page.ask(WAYS)


def _sentences(page: Page) -> Iterator[Span]:
    foreign = page.places(*(FOREIGN_IN_ASCII if page.text.isascii() else FOREIGN))
    for match in page.matches(TOLD, sorted([*page.named(*NAMED), *foreign])):
        kind = "secret" if match["secret"] else "password"
        value = match["value"].rstrip(".,;:)]}*")
        if match["foreign"]:
            told = is_secret(kind, match[kind] or "", value, quoted=False, sure=False)
        elif match["plain"]:
            continue  # that is how `assigned` finds it
        elif match["below"] and is_code(value):
            continue  # for token in tokens:
        else:
            told = not is_placeholder(value) and _is_strong(kind, value)
        if told:
            yield match.start("value"), match.start("value") + len(value), kind


def _lists(page: Page) -> Iterator[Span]:
    text, at = page.text, 0
    for head in page.matches(LIST, page.named(*LISTED)):
        kind = head.lastgroup if head.lastgroup != "flow" else ("password" if head["password"] else "secret")
        if head.start() < at:
            continue
        form, at = (FLOW_ITEM if head["flow"] else BLOCK_ITEM), head.end()
        for _ in range(MOST_ITEMS):
            item = form.match(text, at)
            if not item:
                break
            at = item.end()
            if len(item[1]) > 3 and is_secret(kind or "secret", "", item[1], quoted=bool(head["flow"]), sure=False):
                yield *item.span(1), kind or "secret"


def _services(page: Page) -> Iterator[Span]:
    text, folded = page.text, page.folded
    given = [match.start() for match in GIVEN.finditer(text)] if page.dense else []
    few = len(given) * SERVICE_LONGEST < len(text)
    before = "\n".join(folded[max(0, at - SERVICE_LONGEST) : at] for at in given) if few else folded
    names = [name for name in SERVICES if name in before] if given else []
    for match in filter(None, (OF_SERVICE.match(text, at) for name in names for at in _ends(name, folded))):
        value = match["value"]
        if PUBLIC.search(match["of"]) or not is_random(value, 14):
            continue
        # A hash of git or a digest stands beside a name as well; a key of 32 characters is none of both.
        if is_mixed(value) or (HASH.match(value) and len(value) == 32):
            yield *match.span("value"), "service-key"


def _ends(name: str, text: str) -> Iterator[int]:
    """Where a name ends that stands alone before."""
    return (at + len(name) for at in places(name, text) if not text[at - 1 : at].isalpha())


def _phrases(page: Page) -> Iterator[Span]:
    for match in page.matches(PHRASE, page.places("seed", "recovery", "mnemonic")):
        yield *match.span(1), "seed-phrase"


def _manifests(page: Page) -> Iterator[Span]:
    text = page.text
    if "\nkind:" not in text and not text.startswith("kind:"):
        return
    at = 0
    for end in [*(match.start() for match in DOCUMENT.finditer(text)), len(text)]:
        if MANIFEST.search(text, at, end):
            for data in DATA.finditer(text, at, end):
                for entry in ENTRY.finditer(text, *data.span(1)):
                    if not is_placeholder(entry[1]):
                        yield *entry.span(1), "kubernetes"
        at = end


def _is_strong(kind: str, value: str) -> bool:
    return is_random(value, 16) or (
        kind == "password" and (is_password(value) or (is_mixed(value) and not is_placeholder(value)))
    )


WAYS: Ways = (
    (_lists, ("passwords", "passphrases", "tokens", "secrets", "keys")),
    (_services, (":", "=")),
    (_phrases, ("seed", "recovery", "mnemonic")),
    (_manifests, ("kind:",)),
)
