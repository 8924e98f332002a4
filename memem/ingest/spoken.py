"""Credentials that a person tells in a sentence, before or behind what they are called, in several languages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memem.ingest.judging import is_code, is_password, is_random, is_secret
from memem.ingest.page import Page, Span, places

PASSWORD = (
    "password|passphrase|passcode|passwd|pwd|pw|passwort|kennwort|mot de passe|mdp|contraseña|contrasena|clave|senha"
    "|wachtwoord|hasło|haslo|hasła|parola|lösenord|losenord|şifre|пароль|密码|密碼|口令|パスワード|비밀번호"
).split("|")
SECRET = (
    "token|api key|api-key|apikey|api_key|access key|secret|api-schlüssel|clé api|clé d'api|jeton|clave api"
    "|clave de api|chave api|chave de api|chiave api|klucz api|токен|ключ api|api-ключ|密钥|令牌|トークン"
).split("|")
NAMES = (*PASSWORD, *SECRET)
IN_ASCII = tuple(name for name in NAMES if name.isascii())
# The last word before the value; whatever stands between it and the name, the value must read like one itself.
IS = (
    "is|it's|are|was|be|to|equals|now|still|really|just|ist|war|lautet|jetzt|nun|auf|heißt|est|était|c'est|maintenant"
    "|es|era|ahora|é|agora|è|adesso|jest|brzmi|na|luidt|är|это|теперь|на"
)
VALUE = r"""["'`*«„“(]{0,3}(?P<value>(?=[^\s"'`]{0,60}?[0-9!#$%^*~&@+?])[^\s"'`<>|,;«»“”)]{8,200})"""
BEHIND = re.compile(
    rf"""(?i)(?:s|et)?["'`*_)]{{0,3}}(?:'s)?
    (?:(?:[ ][\w'’./-]{{1,20}}){{0,6}}?
        (?:[ ]\(?(?:{IS})(?:[ ]?[:=])?[ ]|[ ]?[:：=,][ ]{{1,2}}|[ ][-–—→=][ ]|[ ](?=\())|[ ])
    {VALUE}""",
    re.VERBOSE,
)
BEFORE = frozenset("as is was als ist war como es comme est come è é jako jest как это".split())
FARTHEST, MOST_WORDS = 160, 7
# In languages that need no blanks, the value is what is ASCII behind the particle.
GLUED = re.compile(r"""[ ]?(?P<is>是|为|為|は|が|는|은|가)?[ ]?[:：]?[ ]?[「『“"'`]?(?P<value>[!-&(-~]{6,200})""")
GLUING = ("密码", "密碼", "口令", "パスワード", "비밀번호", "密钥", "令牌", "トークン")
# Names that others are put together with: Datenbankpasswort.
COMPOUND = ("passwort", "kennwort", "wachtwoord", "lösenord", "losenord", "password", *GLUING)
TOKEN = re.compile(r"[\w.~+=:-]+", re.ASCII)
# What is no password, but said of one: PBKDF2WithHmacSHA256 is the password hash.
ABOUT = re.compile(
    r"(?i)s?[ _-](?:hash|algorithm|method|manager|policy|encod|encrypt|field|format|scheme|type|generator)"
)


def find_spoken(page: Page) -> Iterator[Span]:
    """What reads like a password, or like a token, in a sentence that calls it one."""
    text, folded = page.text, page.folded
    names = IN_ASCII if text.isascii() else NAMES
    for name in [name for name in names if name in folded]:
        kind = "password" if name in PASSWORD else "secret"
        form = GLUED if name in GLUING else BEHIND
        for at in places(name, folded):
            if name not in COMPOUND and folded[at - 1 : at].isalpha():
                continue
            end = at + len(name)
            before = _before(text, at) if form is BEHIND and not ABOUT.match(text, end) else ""
            if before and _is_strong(kind, before):
                start = text.rindex(before, 0, at)
                yield start, start + len(before), kind
            match = form.match(text, end)
            if match:
                value = match["value"].rstrip(".,;:)]}*")
                told = form is GLUED and match["is"] and is_secret(kind, "", value, quoted=False, sure=False)
                if told or _is_strong(kind, value):
                    yield match.start("value"), match.start("value") + len(value), kind


def _before(text: str, at: int) -> str:
    """What is said to be what the name behind it calls it (use … as the password), or nothing."""
    begin = max(0, at - FARTHEST)
    words = text[max(begin, text.rfind("\n", begin, at) + 1) : at].split(" ")
    for back in range(2, min(len(words), MOST_WORDS)):
        if words[-back].lower() in BEFORE:
            return words[-back - 1].strip("\"'`*(),;„“”«»")
    return ""


def _is_strong(kind: str, value: str) -> bool:
    if "/" in value or is_code(value):
        return False
    if kind == "password":
        return is_password(value) or is_random(value, 16)
    return is_random(value, 16) and TOKEN.fullmatch(value) is not None
