"""The write gate: the only way a memory comes into the vault.

clean → redact → bound → compare with what is known → classify → write the note → mark what it replaces → index. A
dry run is the same call without the writing.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain
from sys import maxsize

from memem import sqlite
from memem.errors import BadInput, NotFound, VaultUnavailable
from memem.index.writer import IndexWriter
from memem.ingest import likeness
from memem.ingest.classify import classify
from memem.ingest.nearest import nearest
from memem.ingest.secrets import Redaction, redact
from memem.ingest.spool import Spool
from memem.models import GENERAL, KINDS, UNCONFIRMED, UNTRUSTED, Candidate, Draft, Memory, Outcome, Scope
from memem.state.store import State
from memem.sync import sync_path
from memem.text import clean, cut, one_line, public, terms
from memem.vault import note
from memem.vault.note import content_hash
from memem.vault.store import Vault

SHORTEST, LONGEST, LONGEST_TITLE = 10, 5000, 120
_MOST_TAGS, _LONGEST_TAG = 30, 80
_DAY = 86_400
_MOST_RELATED = 3
_LISTS = ("tags", "keys", "paths")
_LEAST_TITLE = 20  # characters
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s|\n")


class Gate:
    """Takes drafts in. `spool` keeps what the vault cannot take now; `state` knows what a human edited or deleted."""

    def __init__(
        self,
        vault: Vault,
        index: IndexWriter,
        spool: Spool,
        state: State | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        forgotten: Callable[[str, str], bool] = lambda _kind, _name: False,
        redact: Callable[[str, str], Redaction] = lambda text, _place: redact(text),
    ) -> None:
        self.forgotten, self.redact = forgotten, redact
        self.vault, self.index, self.spool, self.state, self.now = vault, index, spool, state, now

    def ingest(self, draft: Draft, scope: Scope, *, dry_run: bool = False, most: int = maxsize) -> Outcome:
        """Save a draft in a scope, or say why not. If it would replace more than `most`, it only names them all.

        Raises:
            BadInput: the draft is too short, too long, names an unknown kind, or an id that two memories begin with.
            NotFound: it supersedes a memory that does not exist.
            VaultUnavailable: neither the vault nor the spool can be written; nothing was saved.
        """
        redacted_draft, found, unsealed = self._redacted(_cleaned(draft.replace(project=scope.id)), seal=not dry_run)
        clean_draft = _bounded(redacted_draft)
        unwanted = self._unwanted(clean_draft)
        if unwanted:
            memory = self._memory(classify(clean_draft, 0), (), ())
            return Outcome(action="skipped", memory=memory, reason=unwanted, redacted=found)
        earlier = self._mined_before(clean_draft)
        if earlier:
            return Outcome(action="skipped", memory=earlier.memory, reason="known", redacted=found, path=earlier.path)
        similar = self._similar(clean_draft, scope)
        clean_draft = _confirmed(clean_draft, similar)
        relations = [(_relation(clean_draft, item.memory), item) for item in similar]
        for relation, item in relations:
            if relation == likeness.SAME and not draft.supersedes:
                return Outcome(action="skipped", memory=item.memory, reason="known", redacted=found, path=item.path)
        outdated = (likeness.SAME, likeness.CORRECTION, likeness.EXTENSION)
        replaced = self._named(draft.supersedes) + [item for relation, item in relations if relation in outdated]
        replaced = list({item.path: item for item in replaced}.values())
        contradicted, replaced = (replaced, []) if len(replaced) > most else ([], replaced)
        related = [item for relation, item in relations if relation == likeness.RELATED][:_MOST_RELATED]
        memory = self._memory(classify(clean_draft, self._identity_notes(scope)), replaced, related)
        memory = memory.replace(contradicts=tuple(item.memory.id for item in contradicted))
        action = "superseded" if replaced else "added"
        outcome = Outcome(
            action=action,
            memory=memory,
            replaced=tuple(item.memory for item in replaced),
            related=tuple(item.memory for item in related),
            redacted=found,
            unsealed=unsealed,
        )
        return outcome if dry_run else self._write(outcome, replaced, [*replaced, *related])

    def relate(self, item: Candidate, field: str, other: Candidate, cause: str = "") -> bool:
        """Write into a note that it is `related` to, `contradicts` or `supersedes` another, which then is history.

        Answers whether that is new. Of a human's words in the notes nothing is changed.

        Raises:
            BadInput: a note has no frontmatter that can say it.
            VaultUnavailable: a note cannot be written.
        """
        name, cause = other.memory.id, cause or str(uuid.uuid4())
        self._check_can_say(item, field, name)
        superseding = field == "supersedes" and other.memory.live
        if superseding:
            self._check_can_say(other, "related", item.memory.id)
            # The old note first: after a crash here it names the new one, which says as much as both do.
            by = item.memory.replace(created=self.now().isoformat(timespec="seconds"))
            if not self._mark_replaced(other, by, cause):
                raise BadInput(f"{other.path} still is in force: set its status to superseded by hand.")
        seen, left = self.vault.edit(item.path, lambda data: note.with_item(data, field, name), cause)
        self._remember_written(item.memory.id, left, instead_of=seen)
        sync_path(self.vault, self.index, item.path)
        return superseding or seen != left

    def link(self, one: str, other: str) -> None:
        """Let two memories name each other as related; what is so already stays as it is.

        Raises:
            NotFound: one of them is gone, or in several notes.
            BadInput: a note has no frontmatter to write into.
            VaultUnavailable: a note cannot be written now; the other may name it already, which the next try completes.
        """
        notes = {name: self.index.notes("id = ?", (name,)) for name in (one, other)}
        for name, found in notes.items():
            if len(found) != 1:
                raise NotFound(f"{name[:8]} is in {len(found)} notes: memem conflicts shows them.")
        cause = str(uuid.uuid4())  # one change, taken back as one
        self.relate(notes[one][0], "related", notes[other][0], cause)
        self.relate(notes[other][0], "related", notes[one][0], cause)

    def _check_can_say(self, item: Candidate, field: str, name: str) -> None:
        """Raises BadInput when a note's frontmatter cannot take one id more without losing something."""
        try:
            note.with_item(self.vault.read(item.path), field, name)
        except (ValueError, OSError) as error:
            raise BadInput(f"{item.path} cannot be changed: {error}. Do it by hand: `{field}: [{name}]`.") from error

    def live_in(self, scope: Scope) -> int:
        """How many memories of a scope's own are in force."""
        own = scope if scope.id == GENERAL else scope.replace(names=scope.names[:-1])
        return sum(item.memory.live for item in self.index.in_scope(own))

    def replay(self) -> int:
        """Move spooled saves into the vault; answers how many. What still cannot be written stays in the spool."""
        done = 0
        deleted = set(self.state.buried_ids()) if self.state else set()
        for_good = set(self.state.buried_ids(self.now().timestamp() - _DAY)) if self.state else set()
        for memory in self.spool.waiting():
            if memory.id in deleted:  # a human removed the note before its correction was finished
                if memory.id in for_good:  # and did not put it back, nor was half of the vault away for a while
                    self.spool.remove(memory)
                continue
            replaced = [item for old in memory.supersedes for item in self.index.by_prefix(old) if item.memory.live]
            # A crash after the note was written must not write it twice, and what it replaces is marked now.
            if self.index.by_prefix(memory.id):
                if self._mark(replaced, memory)[1]:
                    continue
                self.spool.remove(memory)
            elif self._write(Outcome(action="added", memory=memory), replaced, replaced).action == "spooled":
                break
            elif not replaced:
                self.spool.remove(memory)
            done += 1
        return done

    def _write(self, outcome: Outcome, replaced: Sequence[Candidate], linked: Sequence[Candidate]) -> Outcome:
        memory = outcome.memory
        try:
            if replaced:
                # A crash between this note and the marks on the old ones would leave both in force.
                self.spool.intend(memory)
            links = tuple(_stem(item.path) for item in linked)
            path = self.vault.create(memory, links)
            # The bytes that were written, not those there now: a linter may have been at them already.
            self._remember_written(memory.id, content_hash(note.render(memory, links)), text=text_key(memory.body))
        except VaultUnavailable as error:
            # Told that it waits, an agent may try again: the same text waits once.
            same = (item for item in self.spool.waiting() if (item.project, item.body) == (memory.project, memory.body))
            waiting = next(same, None)
            if waiting is None:
                self.spool.keep(memory, error)
            return outcome.replace(action="spooled", memory=waiting or memory, reason=str(error))
        # The new note is durable and names what it supersedes; what fails from here on loses nothing and is told.
        try:
            by_hand, later = self._mark(replaced, memory)
            if replaced and not later:
                self.spool.remove(memory)
            sync_path(self.vault, self.index, path)
        except sqlite.Error as error:
            return outcome.replace(path=path, reason=f"The index follows with the next sync ({error}).")
        reasons = [f"Could not be marked as superseded, do it by hand: {', '.join(by_hand)}."] if by_hand else []
        reasons += [f"Cannot be written now, is marked as superseded later: {', '.join(later)}."] if later else []
        return outcome.replace(path=path, reason=" ".join(reasons))

    def _mark(self, replaced: Sequence[Candidate], by: Memory) -> tuple[list[str], list[str]]:
        """Mark notes as history; answers the paths that only a human can mark, and those to be marked later."""
        by_hand: list[str] = []
        later: list[str] = []
        for item in replaced:
            try:
                if not self._mark_replaced(item, by, by.id):
                    by_hand.append(item.path)
            except VaultUnavailable:
                later.append(item.path)
        return by_hand, later

    def _mark_replaced(self, item: Candidate, by: Memory, cause: str) -> bool:
        """Whether the old note says now that it is history; one without frontmatter is never touched.

        Raises:
            VaultUnavailable: the note cannot be written, or another program keeps rewriting it.
        """
        fields = {"status": "superseded", "replaced_by": by.id, "invalid_at": by.created, "updated": by.created}
        seen, left = self.vault.edit(item.path, lambda data: note.with_fields(data, fields), cause)
        self._remember_written(item.memory.id, left, instead_of=seen)
        sync_path(self.vault, self.index, item.path)
        return not any(found.memory.live for found in self.index.notes("path = ?", (item.path,)))

    def _unwanted(self, draft: Draft) -> str:
        """Why automation must not bring this back; what a user or agent says on purpose is welcome."""
        if draft.source_type in ("user", "agent"):
            return ""
        text = text_key(draft.content)
        records = draft.evidence and all(self.forgotten("record", name) for name in draft.evidence)
        if records or self.forgotten("text", text) or self.forgotten("session", draft.source_session):
            return "forgotten by the user"
        deleted = self.state is not None and self.state.buried(text, self.now().timestamp())
        return "deleted by a human" if deleted else ""

    def _redacted(self, draft: Draft, *, seal: bool) -> tuple[Draft, tuple[str, ...], str]:
        """The draft without secrets in any of its texts, the rules that found them, and why none was sealed."""
        found: list[str] = []
        unsealed = ""
        place = f"saved in {draft.project}" if seal else ""

        def safe(text: str) -> str:
            nonlocal unsealed
            redaction = self.redact(text, place)
            found.extend(redaction.found)
            unsealed = redaction.unsealed or unsealed
            return redaction.text

        texts = {field: getattr(draft, field) for field in ("title", "content", "details", "project", "source_session")}
        lists = {field: getattr(draft, field) for field in (*_LISTS, "evidence")}
        # All at once, because most hold none. No name reaches over a NUL to a value.
        if not self.redact("\n\0\n".join((*texts.values(), *chain(*lists.values()))), "").found:
            return draft, (), ""
        texts = {field: safe(text) for field, text in texts.items()}
        lists = {field: tuple(safe(item) for item in items) for field, items in lists.items()}
        return draft.replace(**texts, **lists), tuple(dict.fromkeys(found)), unsealed

    def _mined_before(self, draft: Draft) -> Candidate | None:
        """The note that was made of this very text in this session, even if a later one has replaced it since."""
        if draft.source_type != "mined" or not draft.source_session or not draft.evidence:
            return None
        key, evidence = text_key(draft.content), set(draft.evidence)
        made = self.index.notes("source_session = ? AND source_type = 'mined'", (draft.source_session,))
        same = (item for item in made if evidence & set(item.memory.evidence) and text_key(item.memory.body) == key)
        return next(same, None)

    def _remember_written(self, memory: str, content: str, instead_of: str = "", text: str = "") -> None:
        """Note what memem wrote; with `instead_of` only when that was memem's: what a human edited stays a human's."""
        if self.state is not None:
            with contextlib.suppress(sqlite.Error):  # then the note counts as a human's, which is the safe side
                if not instead_of or self.state.written(memory) == instead_of:
                    self.state.remember_written(memory, content, text)

    def _similar(self, draft: Draft, scope: Scope) -> list[Candidate]:
        """The live notes of the same project that share the most words; general ones only for a general draft."""
        own = scope if scope.id == GENERAL else scope.replace(names=scope.names[:-1])
        return nearest(self.index, draft.title, draft.content, own)

    def _named(self, prefixes: Sequence[str]) -> list[Candidate]:
        found: list[Candidate] = []
        for prefix in prefixes:
            matches = self.index.named(prefix)
            if not matches:
                raise NotFound(f"no memory {prefix!r} to supersede; a search shows ids.")
            if len({item.memory.id for item in matches}) > 1:
                raise BadInput(f"{prefix!r} begins several ids; give more of the one to supersede.")
            found += matches
        return found

    def _identity_notes(self, scope: Scope) -> int:
        return len(self.index.in_scope(scope, deepest=0))

    def _memory(self, draft: Draft, replaced: Sequence[Candidate], related: Sequence[Candidate]) -> Memory:
        now = self.now().isoformat(timespec="seconds")
        taken = ("title", "project", "kind", "layer", "importance", "tags", "keys", "paths")
        origin = ("trust", "source_type", "source_session", "evidence")
        return Memory(
            id=str(uuid.uuid4()),
            body=f"{draft.content}\n\n{draft.details}".strip(),
            related=tuple(item.memory.id for item in related),
            supersedes=tuple(item.memory.id for item in replaced),
            created=now,
            updated=now,
            valid_at=now,
            **{field: getattr(draft, field) for field in (*taken, *origin)},
        )


def text_key(content: str) -> str:
    """A hash that texts share when they differ in case, spacing or punctuation only."""
    return content_hash(" ".join(terms(content)).encode())


def _relation(draft: Draft, known: Memory) -> str:
    """What the draft is to a known memory. A guess, a page or a tool stands beside a person's words, not instead."""
    relation = likeness.compare(draft.content, known.lesson)
    if _asked_for_only(draft) and not _asked_for_only(known):
        return likeness.RELATED if relation in (likeness.CORRECTION, likeness.EXTENSION) else relation
    if relation == likeness.SAME and _asked_for_only(known) and not _asked_for_only(draft):
        return likeness.EXTENSION  # said by someone who may say it, at last
    return relation


def _asked_for_only(said: Draft | Memory) -> bool:
    return said.trust in UNTRUSTED or UNCONFIRMED in said.tags


def _confirmed(draft: Draft, known: Sequence[Candidate]) -> Draft:
    """The draft, no longer a guess when another session found the same. A fork repeats records and confirms nothing."""
    if UNCONFIRMED not in draft.tags or not draft.source_session:
        return draft
    twins = (item.memory for item in known if likeness.compare(draft.content, item.memory.lesson) == likeness.SAME)
    if any(
        UNCONFIRMED in twin.tags and twin.source_session and twin.source_session != draft.source_session
        and not set(twin.evidence) & set(draft.evidence)
        for twin in twins
    ):  # fmt: skip
        return draft.replace(tags=tuple(tag for tag in draft.tags if tag != UNCONFIRMED))
    return draft


def _cleaned(draft: Draft) -> Draft:
    """The draft without invisible characters, which would also hide a secret; refused when it is out of bounds."""
    draft = draft.replace(**{field: public(getattr(draft, field)) for field in ("title", "content", "details")})
    content = clean(draft.content).strip()
    if len(content) < SHORTEST:
        raise BadInput(f"a memory needs at least {SHORTEST} characters: one self-contained lesson.")
    if len(content) > LONGEST:
        raise BadInput(
            f"{len(content)} characters are too many for one memory: save at most {LONGEST}, one lesson each."
        )
    if len(draft.details) > LONGEST:
        raise BadInput(f"{len(draft.details)} characters of details are too many: at most {LONGEST}.")
    if draft.kind and draft.kind not in KINDS:
        raise BadInput(f"{draft.kind!r} is no kind of memory. Kinds: {', '.join(KINDS)}.")
    if draft.layer > 3:
        raise BadInput("layer is 0 (identity), 1 (conventions), 2 (domain) or 3 (archival).")
    if draft.importance > 5:
        raise BadInput("importance goes from 1 to 5.")
    if any(len(getattr(draft, field)) > _MOST_TAGS for field in _LISTS):
        raise BadInput(f"at most {_MOST_TAGS} tags, keys or paths.")
    texts = {field: one_line(clean(getattr(draft, field))) for field in ("title", "project", "source_session")}
    lists = {field: tuple(one_line(clean(item)) for item in getattr(draft, field)) for field in (*_LISTS, "evidence")}
    return draft.replace(content=content, details=clean(draft.details).strip(), **texts, **lists)


def _bounded(draft: Draft) -> Draft:
    """The draft with a title and short lists. Cutting comes last: half a secret is one that no rule knows."""
    title = draft.title or _first_sentence(draft.content)
    lists = {
        field: tuple(dict.fromkeys(item[:_LONGEST_TAG].strip() for item in getattr(draft, field) if item))
        for field in _LISTS
    }
    return draft.replace(title=cut(title, LONGEST_TITLE), **lists)


def _first_sentence(content: str) -> str:
    """What names a text that nobody named; "Not local time!" alone says nothing in a list."""
    content = content.lstrip("#*->• ")
    for end in _SENTENCE_END.finditer(content):
        if end.start() >= _LEAST_TITLE or end[0] == "\n":
            return one_line(content[: end.start()])
    return one_line(content)


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".md")
