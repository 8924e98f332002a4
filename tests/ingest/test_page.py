"""What finders of secrets do not look at holds nothing of theirs: what is found is what a search of it all finds."""

import re
import string
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memem.ingest import assigned, logins, shapes, told, wrapped
from memem.ingest.judging import is_slug, is_token
from memem.ingest.page import STEMS, Page, fold
from tests.ingest.test_secrets import ASSIGNMENTS, PEM, PLAIN, TOKENS, VALUE

WORDS = (
    *(
        "password Passwords passwd pass pwd SECRET toKens cred credentials Auth authorization: Key api_keys apiKey"
    ).split(),
    *(
        "access private signing_key ſecret pıwd secretoken keypass encryption_key hmac-key xauth authx tokens: ["
    ).split(),
    *("Passwort contraseña CONTRASEÑA hasło пароль 密码 bearer Cookie: a=b datadog sentry: lob Zoho AKIA ASIA").split(),
    *("login( sign_in( connect( BUNDLE_X: :// ://a: @b.io %3A%2F%2F :5432: db:* $2b$12$ eyJ ß ı İ 漢字 🙂").split(),
    *("mot de passe", "sshpass -p", "mysql -uroot -p", "docker login -u x -p ", "redis-cli -a ", "log in as me / "),
    *("log_in('me', 'abc1DEF')", "logged in using ", "seed phrase is ", "curl -u a:b1", " --user ", "kind: Secret"),
    *("the api key for staging is ", "| token | ", "token →", "\x1b[0m", "\u200b", "\u00ad", "=\n", '" + "', "'+'"),
    *("machine a.io login b password ", "identified by '", "create user bob with password '", "set password = '"),
    *("unrar x -p", "7z a -p", "ldapsearch -w ", "bindpw ", "zip -P ", "login is bob / ", "credenciales: bob:"),
    *("1234567-abcdefg", "a/b.c+d=e", string.ascii_letters, "0123456789abcdef" * 2),
)
GLUE = (
    " ",
    "\n",
    "\r\n",
    "\t",
    "=",
    ": ",
    "='",
    '"',
    "'",
    "`",
    ",",
    "|",
    "\\",
    '"\n',
    "' \n",
    "+\n",
    "\\\n",
    "\n  ",
    "\n- ",
)
FRAGMENTS = st.sampled_from(
    [*TOKENS.values(), *ASSIGNMENTS, *(form.format(VALUE) for form in ASSIGNMENTS), *PLAIN, PEM, *WORDS, *GLUE, *GLUE]
)
TEXTS = st.lists(FRAGMENTS | st.text(max_size=6), max_size=14).map("".join)
# Lines of which the second may go on with the word that the first ends with, and what marks that.
BREAK = re.compile(
    r"""(?<=[\w.+/=-])(["']?[ \t]{0,2}[\\+]?)\r?\n[ \t]{0,40}[+>\#*|]?[ \t]{0,4}["']?
    ([\w.+/=-]{4,200})(?=["'`,;)\]}\\]{0,3}(?:\s|\Z))""",
    re.VERBOSE,
)


def searched(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    return [match.span() for match in pattern.finditer(text)]


def likely(text: str, found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [place for place in found if is_token(text, *place)]


def met(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    """What a finder's own way to a pattern passes on to it, seen by a stand-in that finds whatever it is asked for."""
    spans: list[tuple[int, int]] = []

    class Spy(Page):
        __slots__ = ()

        def matches(self, asked: re.Pattern[str], begins):  # type: ignore[no-untyped-def]
            for match in super().matches(asked, begins):
                if asked is pattern:
                    spans.append(match.span())
                yield match

    page = Spy(text)
    for find in (logins.find_logins, told.find_told, wrapped.find_wrapped):
        list(find(page))
    return spans


@settings(deadline=None, max_examples=60)
@given(TEXTS)
def test_tokens_are_found_in_the_long_words_only(text: str) -> None:
    page = Page(text)
    for pattern in (*(row[2] for row in shapes.shapes()), *(row[1] for row in shapes.detectors())):
        assert likely(text, list(page.tokens(pattern))) == likely(text, searched(pattern, text))
    for form, _ in wrapped.FORMS:
        assert list(page.tokens(form)) == searched(form, text)
    written = [(start, end) for start, end in searched(wrapped.ESCAPED, text) if end - start >= 20]
    assert set(written) <= set(page.tokens(wrapped.ESCAPED))


@settings(deadline=None)
@given(TEXTS)
def test_names_are_found_where_they_can_begin_only(text: str) -> None:
    page = Page(text)
    assert [name.span() for name in page.matches(assigned.NAME, page.names)] == searched(assigned.NAME, text)


@pytest.mark.parametrize(
    "pattern",
    [
        *(logins.AUTHORIZATION, logins.BEARER, logins.COOKIE, logins.CURL_USER, logins.CLIENT, logins.CALL),
        *(logins.NETRC, logins.SQL, logins.SPOKEN, logins.AWS_ID, told.TOLD, told.LIST, told.PHRASE, wrapped.GAP),
    ],
    ids=lambda pattern: pattern.pattern[:30],
)
def test_pattern_is_tried_where_its_words_stand_only(pattern: re.Pattern[str]) -> None:
    @settings(deadline=None, max_examples=60)
    @given(TEXTS)
    def is_whole(text: str) -> None:
        assert met(pattern, text) == searched(pattern, text)

    is_whole()


@settings(deadline=None)
@given(TEXTS)
def test_breaks_are_looked_for_at_few_lines_only(text: str) -> None:
    whole = [b for b in BREAK.finditer(text) if b[1].strip() or not is_slug(b[2])]
    assert list(wrapped._breaks(text)) == [(b.start(), b.start(2), b[1].strip(), b[2]) for b in whole]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["a", "db.io", ":", ":5432:", ":*:", ":12", "\n", " ", "s3cret", "x:1:2:"]), max_size=16)
)
def test_lines_with_a_port_are_looked_at_only(parts: list[str]) -> None:
    page = Page("".join(parts))
    found = [(start, end) for start, end, _ in logins._password_files(page)]
    whole = logins.PGPASS.finditer(page.text)
    assert found == [match.span(1) for match in whole if not logins.is_placeholder(match[1])]


def test_services_are_looked_for_beside_values_only() -> None:
    @settings(deadline=None, max_examples=60)
    @given(TEXTS)
    def is_whole(text: str) -> None:
        page = Page(text)
        found = list(told._services(page))
        with pytest.MonkeyPatch.context() as everywhere:
            everywhere.setattr(told, "GIVEN", re.compile(""))
            assert set(found) == set(told._services(page))

    is_whole()


def test_folding_keeps_every_place_and_finds_what_a_pattern_that_ignores_case_finds() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    folded = fold(every)
    assert len(folded) == len(every)
    for letter in sorted(set("".join((*STEMS, *told.FOREIGN, *told.SERVICES))) - {" "}):
        found = re.finditer(letter, every, re.IGNORECASE)
        assert {folded[match.start()] for match in found} == {letter}
