"""The values that travel through the house: a memory, a question, a candidate, a slice, an outcome."""

from __future__ import annotations

from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from typing import Protocol

    class Fits(Protocol):
        """A time, as far as somebody named it."""

        def fits(self, at: str) -> float:
            """How well an ISO 8601 time fits, from 0 to 1."""


KINDS = (
    "decision", "convention", "preference", "fact", "environment", "quirk", "fix", "failure", "procedure",
    "insight", "directive", "blocker", "todo", "plan", "idea", "event", "playbook", "narrative", "summary", "note",
)  # fmt: skip
STATUSES = ("active", "superseded", "deprecated", "archived", "open", "resolved")
LIVE = ("active", "open")  # what recall may show unasked; the rest is history
TRUSTS = ("user", "agent", "tool", "web", "import")
UNTRUSTED = ("tool", "web")  # may be asked for; never volunteered, and never in the place of another's words
UNCONFIRMED = "unconfirmed"  # tag of a mined guess: asked for only, until someone says it too or removes the tag
DETAILS = ("## Key points", "## Synopsis")
NOTE_BYTES = 1_000_000  # a larger note is read up to here
SHORTEST_ID = 8  # characters of an id that stand for it; an id that is shorter stands for itself
GENERAL = "general"  # the project of memories that belong to none


class Memory(Value):
    """One lesson: the frontmatter and the text of one note. Times are ISO 8601 in UTC; ids are full UUIDs."""

    id: str
    title: str
    body: str
    project: str = GENERAL
    kind: str = "note"
    layer: int = 2
    importance: int = 3
    status: str = "active"
    tags: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()
    replaced_by: str = ""
    contradicts: tuple[str, ...] = ()
    trust: str = "user"
    source_type: str = "user"
    source_session: str = ""
    evidence: tuple[str, ...] = ()
    created: str = ""
    updated: str = ""
    valid_at: str = ""
    invalid_at: str = ""

    @property
    def id8(self) -> str:
        """The short form of the id that people and agents see."""
        return self.id[:8]

    @property
    def lesson(self) -> str:
        """The body without the details that memem writes below a lesson."""
        cuts = [at for heading in DETAILS if (at := self.body.find(f"\n{heading}\n")) >= 0]
        return self.body[: min(cuts)].rstrip() if cuts else self.body

    @property
    def live(self) -> bool:
        """Whether the memory still holds, as opposed to being history."""
        return self.status in LIVE and not self.replaced_by


class Scope(Value):
    """A project and the other names its memories may carry: legacy folder names, the root commit, sub-scopes."""

    id: str = GENERAL
    names: tuple[str, ...] = (GENERAL,)

    def holds(self, project: str) -> bool:
        """Whether a memory of that project belongs here."""
        return project in self.names


class Query(Value):
    """What is asked of recall: the words, where they are asked, and how much may come back."""

    text: str
    scope: Scope = Scope()
    paths: tuple[str, ...] = ()
    session: str = ""
    limit: int = 10
    budget: int = 9500  # UTF-16 units of the block; 0 leaves room for nothing
    strict: bool = False  # only the scope's own memories
    when: Fits | None = None  # a time that the words name
    at: str = ""  # a time (ISO 8601) to ask what was valid then; "" asks what is valid now
    today: str = ""  # the day (2026-01-31, UTC) by which notes are current that are volunteered; "" for any


class Candidate(Value):
    """A memory proposed for a slice, with its score (higher is better) and the evidence for it."""

    memory: Memory
    path: str = ""  # relative to the vault's memem folder
    etag: str = ""  # times, size and inode of the note when it was indexed
    hash: str = ""  # of its content then
    row: int = 0  # its row in the index
    problem: str = ""  # why the note may not say what its author meant
    score: float = 0.0
    reasons: tuple[str, ...] = ()
    signals: tuple[tuple[str, float, float], ...] = ()  # name, value and weight of what the score is made of


class Slice(Value):
    """What recall answers: the pinned identity, then what matters now, best first."""

    query: Query
    pinned: tuple[Candidate, ...] = ()
    found: tuple[Candidate, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ids(self) -> list[str]:
        """Full ids of everything in the slice, pinned first."""
        return [candidate.memory.id for candidate in (*self.pinned, *self.found)]


class Draft(Value):
    """A memory offered to the write gate. Empty fields are filled by the gate: title, kind, layer, importance."""

    content: str
    title: str = ""
    project: str = GENERAL
    kind: str = ""
    layer: int = -1
    importance: int = 0
    tags: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()  # ids that this one replaces, said by the author
    trust: str = "user"
    source_type: str = "user"
    source_session: str = ""
    evidence: tuple[str, ...] = ()
    details: str = ""  # more about the lesson, below it: headings and their text


class Outcome(Value):
    """What the write gate did with a draft."""

    action: str  # added, updated, superseded, skipped, spooled
    memory: Memory
    replaced: tuple[Memory, ...] = ()
    related: tuple[Memory, ...] = ()  # near it, and perhaps outdated by it: the author knows
    reason: str = ""
    redacted: tuple[str, ...] = ()  # names of the rules that found a secret
    unsealed: str = ""  # why what they found could not be kept encrypted: then it is nowhere
    path: str = ""


class Imported(Value):
    """What became of one text of an imported file: what the gate did with it, or why it was not offered."""

    file: str
    outcome: Outcome | None = None
    reason: str = ""
