"""Personal data goes when asked for; versions, dates, hashes and who wrote a commit stay."""

import pytest

from memem.ingest.personal import find_personal, is_card, is_iban
from memem.ingest.secrets import redact

FINDERS = (find_personal,)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("write to |jane.doe@acme.io|, she knows", "email"),
        ("<|jane+x@mail.acme.co.uk|>", "email"),
        ("call |+49 30 1234567| or", "phone"),
        ("call |(415) 555-0132|.", "phone"),
        ("Tel.: |030 / 123 45 67|", "phone"),
        ("card |4111 1111 1111 1111|, valid", "card"),
        ("card |378282246310005|", "card"),
        ("to |DE89 3704 0044 0532 0130 00| please", "iban"),
        ("to |GB29NWBK60161331926819|", "iban"),
        ("SSN |536-22-8726|", "id-number"),
        ("passport number |C01X00T47|", "id-number"),
    ],
)
def test_personal_data_is_found(text: str, rule: str) -> None:
    before, value, after = text.split("|")
    assert redact(before + value + after, FINDERS).text == f"{before}[REDACTED:{rule}]{after}"
    assert redact(before + value + after).text == before + value + after


@pytest.mark.parametrize(
    "text",
    [
        "Author: Jane Doe <jane@acme.io>\nDate:   Mon Nov 3 10:00:00 2025 +0100",
        "Co-authored-by: Jane <jane@acme.io>",
        "git config user.email jane@acme.io",
        "git@github.com:owner/repo.git and noreply@anthropic.com and me@example.com",
        "npm i react@18.2.0 @scope/name@1.0.0, actions/checkout@v4",
        "2025-11-21 13:15:02.123456 +0000, 1732194902123, 10.0.0.1:8080",
        "4111 1111 1111 1112 is no card, 1234567890123456 neither",
        "a1b2c3d4e5f60718293a4b5c6d7e8f90 0c9e2a0f-4915-4d0e-9929-c841008ea844",
        "lines 100-200-3000, port 5432, 99.5 %, 1,234,567,890 rows, version 1.2.3-4567",
    ],
)
def test_what_belongs_to_code_stays(text: str) -> None:
    assert redact(text, FINDERS).text == text


def test_check_digits_decide() -> None:
    assert is_card("5555555555554444") and not is_card("5555555555554445") and not is_card("0000000000000000")
    assert is_iban("FR1420041010050500013M02606") and not is_iban("FR1420041010050500013M02607")
