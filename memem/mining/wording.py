"""How found sentences become the text of a lesson, what it stands on and which files it concerns."""

from __future__ import annotations

import re
from collections.abc import Iterable

from memem.mining.exchanges import Exchange

_FILLER = re.compile(
    r"^(?:(?:ok(?:ay)?|hmm+|yes|yeah|no|so|also|and|well|ah|oh|great|perfect|good|nice|cool|right|now|but|then|"
    r"actually|please|found it|just|wait|the fix is straightforward)\b\s*[,.:;!…—-]+\s*|(?:and|so|but|also|"
    r"ok) (?=\w)|(?:that['’]s (?:wrong|incorrect|not (?:right|true))|any ideas?|change (?:in|of) plans?|"
    r"(?:quick |one more )?question|looking at this|"
    r"one (?:more )?thing|also|fyi|btw|"
    r"by the way|"
    r"note|answer|(?:so )?(?:short |the )?answer(?: is)?|in short|bottom line|root cause|summary|tl;?dr|"
    r"correction|recap|"
    r"(?:please |pls )?(?:remember|note)(?: that)?)\s*[:,]\s*(?:because )?|\d{1,2}[.)]\s+)+",
    re.IGNORECASE,
)


def joined(text: str, said: Iterable[str], glue: str = " ") -> str:
    """A statement and the sentences that go with it."""
    return glue.join(part for part in (text, " ".join(ended(sentence) for sentence in said)) if part)


def evidence(exchange: Exchange, *uuids: str) -> tuple[str, ...]:
    """The human's record first, then the others."""
    human = (exchange.human.uuid,) if exchange.human else ()
    return tuple(dict.fromkeys((*human, *uuids)))


def paths(exchange: Exchange, text: str) -> tuple[str, ...]:
    """Files edited in the exchange that the lesson names."""
    found: list[str] = []
    for event in exchange.events:
        name = event.path.replace("\\", "/").rpartition("/")[2]
        if event.kind == "edit" and len(name) > 3 and name in text:
            root = event.folder.replace("\\", "/").rstrip("/") + "/"
            found.append(event.path.replace("\\", "/").removeprefix(root))
    return tuple(path for path in dict.fromkeys(found) if not path.startswith("/"))[:5]


def without_filler(text: str) -> str:
    """Without "ok, so" at the start, and with a capital letter if it begins with a plain word."""
    text = _FILLER.sub("", text).strip() or text
    return text[:1].upper() + text[1:] if text[:1].isalpha() and text.split(" ")[0].isalpha() else text


def ended(text: str) -> str:
    """With a full stop."""
    return text if not text or text.rstrip("\"”’')")[-1:] in tuple(".!?。！？…:") else f"{text.rstrip(',;')}."
