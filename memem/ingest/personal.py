"""Personal data, redacted where the user asks for it: mail addresses, phones, cards, accounts and id numbers.

Who wrote a commit stays: that is a part of the history of code, and public where the code is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from memem.ingest.page import Page, Span

EMAIL = re.compile(r"(?<![\w.+%/-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,5}[A-Za-z]{2,24}(?![\w@-])(?!:[\w~/])")
AUTHOR = re.compile(
    r"(?i)(?:author|committer|tagger|by|maintainer|user\.email)\b[^\n@]{0,80}[<=: \"']\Z|\bgit@?\Z|[|] [^\n@|]{0,60}<\Z"
)
NOBODY = re.compile(r"(?i)(?:no-?reply|do-?not-?reply|git)@|@(?:[\w-]{1,63}\.){0,3}(?:example\.\w{2,4}|test|invalid)\Z")
PHONE = re.compile(
    r"""(?<![\w.+/#-])(?:\+[1-9]\d{0,2}[ ./-]?(?:\(0?\d{0,4}\)[ ]?)?\d(?:[ ./-]?\d){5,12}
    |\(\d{3}\)[ ]?\d{3}[ .-]\d{4} | [2-9]\d{2}[.-][2-9]\d{2}[.-]\d{4})(?![\w.-]\d|\d)""",
    re.VERBOSE,
)
NAMED_PHONE = re.compile(
    r"(?i)\b(?:tel|phone|telefon|mobile|cell|fax)\b[\w .]{0,12}[:#=]?[ ]{1,3}(\(?0?\d(?:[ ()./-]{0,3}\d){6,13})(?!\d)"
)
CARD = re.compile(r"(?<![\w.-])[3-6]\d{3}(?:[ -]?\d){8,15}(?![\w-]|\.\d)")
IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
SOCIAL = re.compile(r"(?<![\w.-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
NAMED_ID = re.compile(
    r"""(?i)\b(?:passport|social[ ]security|ssn|tax[ ]?id|tin|steuer-?id|personalausweis|national[ ]id|id[ ]card|nino
    |driver'?s?[ ]licen[cs]e|dni|nif)(?:[ ](?:number|no\.?|nr\.?))?[ ]{0,2}(?:[:#=]|is|ist)?[ ]{1,3}
    ([A-Z0-9](?:[ -]?[A-Z0-9]){5,15})(?![\w-])""",
    re.VERBOSE,
)


def find_personal(page: Page) -> Iterator[Span]:
    """Personal data by its form, and by its check digits where it has some."""
    text = page.text
    for match in EMAIL.finditer(text) if "@" in text else ():
        before = text[max(text.rfind("\n", 0, match.start()) + 1, match.start() - 160) : match.start()]
        if not AUTHOR.search(before) and not NOBODY.search(match[0]):
            yield *match.span(), "email"
    for match in CARD.finditer(text):
        if is_card(match[0]):
            yield *match.span(), "card"
    for match in IBAN.finditer(text):
        if is_iban(match[0]):
            yield *match.span(), "iban"
    yield from ((*match.span(), "id-number") for match in SOCIAL.finditer(text))
    for match in NAMED_ID.finditer(text):
        if sum(char.isdigit() for char in match[1]) > 3:
            yield *match.span(1), "id-number"
    yield from ((*match.span(), "phone") for match in PHONE.finditer(text))
    yield from ((*match.span(1), "phone") for match in NAMED_PHONE.finditer(text))


def is_card(written: str) -> bool:
    """Whether digits are those of a payment card: 13 to 19 of them that pass Luhn's check."""
    digits = [int(char) for char in written if char.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(written: str) -> bool:
    """Whether characters are those of an international bank account: their remainder by 97 is 1."""
    plain = written.replace(" ", "")
    turned = "".join(str(int(char, 36)) for char in plain[4:] + plain[:4])
    return 15 <= len(plain) <= 34 and int(turned) % 97 == 1
