"""What of a note makes edges: its cues (words, references, session), what its wording says, and what it links to.

Pure functions of one memory, so that the edges of a vault never depend on the order in which its notes were read.
"""

from __future__ import annotations

import re
from itertools import islice

from memem.models import SHORTEST_ID, UNCONFIRMED, Memory
from memem.text import COMMON_WORDS, Memo, query_terms
from memem.value import Value

SESSION, REFERENCE = "session:", "ref:"  # no word holds a colon
WIKI = "[["  # how the target of a wiki-link begins: a file's stem, not an id
ASSERTED = ("related", "supersedes", "contradicts")  # fields of a note that hold relations
_MOST_WORDS, _MOST_COMPOUNDS, _MOST_REFERENCES, _MOST_LINKS = 36, 6, 8, 100
_OWN_TAGS = ("mined", "imported", UNCONFIRMED)  # say where a note is from, not what it is about
_READ = 6000  # characters of a body
_WIKI = re.compile(r"(?<!!)\[\[([^\]|#\n]{1,200})")
_REFERENCE = re.compile(r"(?<![\w#&@!/.-])(?:[!#&]\d{1,7}|@[A-Za-z][\w-]{1,38})(?![\w.@/-])")
_SENTENCE = re.compile(r"[.!?](?=\s)|[\n。！？]")
_NEEDS = re.compile(
    r"\b(?:depends? on|relies on|requires?|needs?|prerequisite|blocked by|waits? for|braucht|benötigt)\b", re.IGNORECASE
)
_CAUSES = re.compile(
    r"\b(?:because(?: of)?|caused by|causes|due to|root cause|leads? to|as a result|therefore|that is why|weil|deshalb)"
    r"\b",
    re.IGNORECASE,
)


# Of each wording there is one of these in every text that holds it; to look for them costs a tenth.
_NEEDS_STEMS = ("depend", "relies", "requir", "need", "prereq", "blocked", "wait", "brauch", "benötigt")
_SIGNS = ("!", "#", "&", "@")
_CAUSES_STEMS = ("caus", "due to", "lead", "result", "therefore", "is why", "weil", "deshalb")


class Cues(Value):
    """What a note offers to be connected by; nothing when it is history."""

    words: tuple[str, ...] = ()  # sorted; sessions and references are among them
    needs: tuple[str, ...] = ()  # those that it says it depends on
    causes: tuple[str, ...] = ()  # those in sentences that give a reason


def cues_of(memory: Memory) -> Cues:
    """The cues of a memory."""
    if not memory.live or not memory.id:
        return Cues()
    body = memory.body[:_READ]
    tags = " ".join(tag for tag in memory.tags if tag not in _OWN_TAGS and ":" not in tag)
    words = set(_words(f"{memory.title} {' '.join(memory.keys)} {tags} {body}"))
    folded = body.lower()
    found = words | {f"{REFERENCE}{memory.project}:{name}" for name in references(memory)}
    if memory.source_session:
        found.add(SESSION + memory.source_session[:80])
    return Cues(
        # A blank separates them in the index; a session or a project may hold one.
        words=tuple(sorted(cue.replace(" ", "_") for cue in found)),
        needs=tuple(sorted(words & _said_after(_NEEDS, body))) if _any_in(folded, _NEEDS_STEMS) else (),
        causes=tuple(sorted(words & _said_with(_CAUSES, body))) if _any_in(folded, _CAUSES_STEMS) else (),
    )


def references(memory: Memory) -> tuple[str, ...]:
    """What a memory refers to in a forge: `!12`, `#3`, `&4`, `@x`."""
    text = f"{memory.title}\n{memory.body[:_READ]}"
    matches = _REFERENCE.finditer(text) if _any_in(text, _SIGNS) else ()
    named = [*memory.entities, *(match[0] for match in matches)]
    return tuple(dict.fromkeys(name.lower()[:80] for name in named))[:_MOST_REFERENCES]


def links_of(memory: Memory) -> list[tuple[str, str]]:
    """Relation and target of everything a note asserts or links to; a target is an id or `[[` and a file's stem."""
    found = [(field, name) for field in ASSERTED for name in getattr(memory, field)]
    if memory.replaced_by:
        found.append(("replaced_by", memory.replaced_by))
    if WIKI in memory.body:
        found += [("links_to", WIKI + match[1]) for match in islice(_WIKI.finditer(memory.body), _MOST_LINKS)]
    targets = [(relation, target_of(name)) for relation, name in found]
    return list(dict.fromkeys(pair for pair in targets if pair[1]))[:_MOST_LINKS]


def target_of(name: str) -> str:
    """What a written link leads to: `[[folder/Stem|shown]]` → `[[stem`, an id as it is, nothing for what is neither."""
    name = name.strip()
    if name.startswith(WIKI):
        stem = re.split(r"[|#\]]", name.removeprefix(WIKI).lower(), maxsplit=1)[0].strip()
        stem = stem.rpartition("/")[2].removesuffix(".md").strip()
        return WIKI + stem if stem else ""
    return name[:80] if len(name) >= SHORTEST_ID else ""


def stem_of(path: str) -> str:
    """The name by which wiki-links know a file."""
    return path.rpartition("/")[2].removesuffix(".md").lower()


def _words(text: str) -> list[str]:
    known = query_terms(text, _MOST_WORDS * 2)
    words = [cue for word in known.words if (cue := _cue_of[word])]
    return [*words[:_MOST_WORDS], *known.compounds[:_MOST_COMPOUNDS]]


def _cue(word: str) -> str:
    """The cue that a word is, or nothing."""
    return "" if word in COMMON_WORDS or _too_short(word) else _singular(word)


_cue_of = Memo(_cue)


def _too_short(word: str) -> bool:
    """One letter, or a number of two digits: days and counts are no topic, ports and years may be one."""
    return word.isascii() and len(word) < (3 if word.isdigit() else 2)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 4 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _any_in(text: str, stems: tuple[str, ...]) -> bool:
    return any(stem in text for stem in stems)


def _said_after(wording: re.Pattern[str], text: str) -> set[str]:
    """The words between a wording and the end of its sentence."""
    found: set[str] = set()
    for match in islice(wording.finditer(text), 5):
        end = _SENTENCE.search(text, match.end())
        found.update(_words(text[match.end() : end.start() if end else len(text)]))
    return found


def _said_with(wording: re.Pattern[str], text: str) -> set[str]:
    """The words of the sentences that hold a wording."""
    return {word for part in _SENTENCE.split(text) if wording.search(part) for word in _words(part)}
