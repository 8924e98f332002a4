"""Whether a value can be a secret: random, or merely a word, a placeholder, a hash or a piece of code."""

from __future__ import annotations

import re

WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
HARMLESS_VALUES = frozenset(
    """password passwd passphrase pass pwd secret mysecret mypassword token key user username admin test testing string
    str bytes none null nil true false foo bar baz foobar default required optional hidden value undefined empty bearer
    basic include omit same-origin changeit changethis letmein pass123 password123 text bool boolean int number object
    any unknown unset missing invalid disabled enabled inherit 1password""".split()
)
EXAMPLE = re.compile(
    r"""(?i)change[-_ ]?me|example|placeholder|redacted|dummy|here$|put[-_]?your|(?:insert|replace|fill)[-_ ]
    |\byour?[-_ ]|your[-_ ]?(?:api|secret|token|pass|key|own|db|client)
    |\.\.\.|…|\*\*\*|\#\#\#\#|xxxxx|abcdefgh|12345678901234|(?-i:([^A])\1{5})|^\d{4}-\d\d-\d\d
    |<[^<>]{0,60}>|\{\{|\$\{|\$\(|%\(|%s|^\{[A-Za-z_]*\}$|\{(?::[^{}\s]{0,12})?\}|^%\w+%$|(?-i:\$[A-Z_]{2})|^\$\w+$|^\#\{|^!\w+$|^\[
    |^(?:my|the|test|new|old|wrong|valid|invalid|hashed|plain|user|some)?[-_]?(?:secret)?[-_]?pass(?:word|wd)?$
    |^(?:sha-?\d+|md5|argon2\w{0,2}|pbkdf2\w*|scrypt|bcrypt|base64|utf-?\d+|[hre]s256|aes[-_]?\d+|oauth2?)(?:[-_/](?:[a-z]{1,12}|\d{3}))?$
    |^\d+(?:\.\d+)?(?:[kmgt]?b|[mnu]?s|%|x)$|^(?:required|nullable|sometimes|string|bail)\|[a-z]
    |^(?:os|process|env|secrets?|vault|config|settings|self|this|args|req|op|data|file)(?:\.|:|\[)""",
    re.VERBOSE,
)
CODE = re.compile(
    r"""[A-Za-z_$][\w$]*(?:\.|->|::|\?\.)[A-Za-z_$][\w$.]{0,80}(?:\Z|\|\||\?\?)   # config.token
    |[A-Za-z_$][\w$.]{0,80}[(\[{] |[(\[{] |--\w |[/~.]+[\w-]*/ |\w+:// |:\w+:""",
    re.VERBOSE,
)
# How a form or a message calls a password, in the languages that `told` knows.
LABEL = re.compile(
    r"""(?i)(?<![a-zà-ž])(?:passwor[dt]s?|passphrase|kennwort|mot[ ]de[ ]passe|contrase(?:ñ|n|&ntilde;)as?|senhas?
    |wachtwoord|has[łl][oa]|parolan?[ıi]?z?|l[öo]senord(?:et)?|adgangskode|passord|salasana|jelszó|heslo|sandi|şifre)(?![a-zà-ž])
    |парол|密码|密碼|口令|パスワード|暗証番号|비밀번호|암호|كلمة|סיסמ|รหัสผ่าน""",
    re.VERBOSE,
)
PROSE = frozenset(
    "a an and are at be by enter for forgot from in invalid is must new not of or please the to your".split()
)
# Digits that were counted, not drawn: no token, although some take such a one for their password.
COUNTED = re.compile(r"[a-z]{0,8}[-_](?:1234567890\Z|(?:1234[-_]){2})")
# Signs that passwords have in them, and names, versions and paths have not.
SIGNED = re.compile(r"(?!^)(?:[!#$%^*~]|\?(?!\Z)|&(?!\w{2,8};)|[@+](?![\w.]*[.@]))")
SPELLED = re.compile(r"[A-Za-z]+(?:[-_./|][A-Za-z]+)*[?!:]?")
HASH = re.compile(r"(?:[a-f0-9]{7,64}|[a-f0-9-]{36})\Z")
UUID = re.compile(r"[a-f0-9]{8}-(?:[a-f0-9]{4}-){3}[a-f0-9]{12}\Z", re.I)

PARTED = re.compile(r"[-_./:\\\s@=+,${}()<>]+")
INNER_NUMBER = re.compile(r"(?<=[A-Za-z]{3})\d{1,3}(?=[A-Z][a-z]{2,}$|[a-z]{3,}$)")  # Uint8Array, base64url
VOWEL = re.compile("(?i)[aeiouy]")


def is_token(text: str, start: int, end: int) -> bool:
    """Whether what a pattern found stands alone, is not masked, and is random enough to be a token."""
    before = text[max(0, start - 2) : start]
    alone = not text[end : end + 1].isalnum() and (not before[-1:].isalnum() or before in {r"\n", r"\t", r"\r"})
    masked = text.startswith(("***", "###", "-###", "-***"), end)
    return alone and not masked and is_random(text[start:end], 12)


def is_placeholder(value: str) -> bool:
    """Whether a value stands for one, as in documentation and templates."""
    return value.lower() in HARMLESS_VALUES or EXAMPLE.search(value) is not None or len(set(value)) < 3


def is_code(value: str) -> bool:
    """Whether a value that no quotes are around begins like a piece of code, a path or an option."""
    return CODE.match(value) is not None


def is_slug(value: str) -> bool:
    """Whether a value is made of words."""
    return all(_is_word(part) for part in PARTED.split(value))


def _is_word(part: str) -> bool:
    """Whether letters, and digits behind them, read like a word of prose or code, CamelCase included."""
    if part.isalpha() and len(part) < 12:
        return True
    if len(part) < 16:
        part = INNER_NUMBER.sub("", part)
    letters = part.rstrip("0123456789")
    if len(part) - len(letters) > 4 or not (letters == "" or letters.isalpha()):
        return False
    words = WORDS.findall(letters)
    spoken = all(len(word) < 25 and (len(word) < 5 or VOWEL.search(word)) for word in words)
    return len(letters) < 12 or (spoken and not letters.isupper() and len(words) <= len(letters) / 4)


def is_random(value: str, least: int) -> bool:
    """Whether a value of at least that length looks drawn by lot."""
    return (
        len(value) >= least
        and (len(value) >= 20 or any(c.isdigit() for c in value))
        and len(set(value)) > 5
        and len(set(value[-16:])) > 4
        and not is_placeholder(value)
        and not COUNTED.match(value)
        and not is_slug(value)
    )


def is_mixed(value: str) -> bool:
    """Whether a value mixes kinds of characters as passwords do, and names and words do not."""
    kinds = (any(c.isdigit() for c in value), any(c.islower() for c in value), any(c.isupper() for c in value),
             not value.isalnum())  # fmt: skip
    return sum(kinds) > 2 and any(c.isdigit() for c in value)


def is_password(value: str) -> bool:
    """Whether a value reads like a password where its place does not tell that it is one."""
    if value.isalnum():
        return is_mixed(value) and is_random(value, 8)
    plain = value.replace("-", "")
    signed = SIGNED.search(plain) is not None
    cased = not (value.islower() or value.isupper())
    mixed = is_mixed(plain) if signed or plain.isalnum() else False
    return len(value) > 7 and (mixed or (signed and cased)) and not is_placeholder(value)


def is_secret(kind: str, name: str, value: str, quoted: bool, sure: bool) -> bool:
    """Whether a value that is assigned to a name of that kind is a secret; `sure` where only values can stand."""
    # In this order, because most values are short words, and to look for a placeholder takes the longest.
    return (
        KINDS[kind](name, value, sure)
        and not (is_placeholder(value) or _squashed(name).endswith(_squashed(value)))
        and (quoted or not is_code(value))
    )


def _squashed(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _as_password(_: str, value: str, sure: bool) -> bool:
    if not any(char.isdigit() for char in value) and LABEL.search(value):
        return False
    if " " in value:
        if any(is_mixed(word) and is_random(word, 8) for word in value.split()):
            return True
        words = value.lower().split()
        return len(words) > 2 and PROSE.isdisjoint(words) and HARMLESS_VALUES.isdisjoint(words)
    return len(value) >= 5 and (sure or not (value.isalpha() or SPELLED.fullmatch(value)))


def _as_secret(_: str, value: str, sure: bool) -> bool:
    plain = sure and len(value) >= 8 and value.isalnum() and not (value.isalpha() or value.isdigit())
    return " " not in value and (plain or UUID.match(value) is not None or is_random(value, 8))


def _as_key(name: str, value: str, _: bool) -> bool:
    return " " not in value and (UUID.match(value) is not None or is_random(value, 16 if len(name) > 4 else 32))


LEAST = {"password": 5, "secret": 8, "key": 16}  # characters of a value
KINDS = {"password": _as_password, "secret": _as_secret, "key": _as_key}
