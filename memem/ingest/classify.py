"""Kind, layer and importance of a memory from its wording, where the author gave none."""

from __future__ import annotations

import re

from memem.models import Draft

MOST_AUTOMATIC_IDENTITY = 5  # layer 0 is pinned in every session: unbounded, it once grew to 462 notes
_ARCHIVAL_LENGTH = 2500
_BEGINNING = 1000  # characters, in which a text says what it is


# All are searched for in lower case, which is faster than to ignore case.
# The first kind whose cue matches wins, so the telling ones stand before the general ones.
_KIND_CUES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("todo", re.compile(r"^\W*(todo|fixme)\b|\bstill (has|have|needs?) to be\b")),
    ("blocker", re.compile(r"\bblocked (by|on|until)\b|\bblocker\b")),
    ("preference", re.compile(r"\b(i|we|user|they|team) (strongly )?(prefers?|likes?|dislikes?|hates?)\b|^prefer\b")),
    ("failure", re.compile(r"\b(post-?mortem|incident|outage|broke (the )?prod\w*|hid a|rolled back|rollback)\b")),
    ("fix", re.compile(r"\b(root cause|fixed by|the fix|bug (was|is)|was caused by|regression|fixes?:)\b")),
    ("quirk", re.compile(r"\b(workaround|work around|known issue|quirk|hangs?|flaky|silently|undocumented|retries)\b")),
    (
        "decision",
        re.compile(
            r"\b(decided|we (chose|picked|use|went with|switched|moved)|chosen|instead of|rather than|adr)\b"
            r"|\b(use|uses|keep|store)\b.*\bbecause\b"
        ),
    ),
    ("environment", re.compile(r"\bport \d{2,5}\b|\b(listens?|runs?) on :?\d{2,5}\b")),
    (
        "convention",
        re.compile(r"\b(always|never|must( not)?|should|convention|do not|don['’]t|only ever|imperative mood)\b"),
    ),
    (
        "procedure",
        re.compile(r"\b(steps?:|how to|to (deploy|release|build|run|test|migrate)\b.{0,40}\b(run|use|call))\b"),
    ),
    (
        "environment",
        re.compile(r"(\bport\b|:\d{4}\b|\b(docker|compose|node|python|version|env(ironment)?|ci|installed)\b)"),
    ),
)
_IDENTITY = re.compile(
    r"^\W*(this|the) (project|repo(sitory)?|codebase|product|app(lication)?|service) (is|uses|consists|contains)\b"
    r"|\b(tech stack|monorepo (with|of|for)|repo(sitory)? (layout|structure)|project structure)\b"
)
_GENERIC_KINDS = ("convention", "preference", "directive", "procedure")
_WEIGHTY = re.compile(r"\b(never|must|critical|security|data loss|production|always|important)\b")
_REASON = re.compile(r"\b(because|since|so that|otherwise|reason)\b")


def classify(draft: Draft, identity_notes: int) -> Draft:
    """The draft with kind, layer and importance filled in; what its author chose stays.

    `identity_notes` is how many layer 0 notes the project has: above a cap, no more are made unasked.
    """
    beginning = draft.content[:_BEGINNING].lower()
    kind = draft.kind or _kind(beginning)
    identity = bool(_IDENTITY.search(beginning, 0, 400))
    layer = draft.layer
    if layer < 0:
        if identity and identity_notes < MOST_AUTOMATIC_IDENTITY:
            layer = 0
        elif kind in _GENERIC_KINDS:
            layer = 1
        else:
            layer = 3 if len(draft.content) > _ARCHIVAL_LENGTH else 2
    importance = draft.importance or 3 + bool(_WEIGHTY.search(beginning)) - (layer == 3)
    if not draft.importance and kind == "decision" and _REASON.search(beginning):
        importance = max(importance, 4)
    return draft.replace(kind=kind, layer=layer, importance=importance)


def _kind(beginning: str) -> str:
    return next((kind for kind, cue in _KIND_CUES if cue.search(beginning)), "fact")
