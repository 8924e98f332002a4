"""Edges between notes: which notes have to do with each other, of what kind, how much, and by what.

Derived from cues alone, and each pair from its two notes and how many notes share their cues: so the edges after any
series of changes are those of a new index. A note keeps the best few. What changed is marked when its row is written;
its cues and links are read and its edges made when the graph is looked at next: a save pays for a mark only, and
recall for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from math import ceil, sqrt

from memem import sqlite
from memem.index.cues import REFERENCE, SESSION, Cues, cues_of, links_of, stem_of
from memem.index.reader import Index
from memem.value import Value

MOST = 8  # derived edges that one note keeps
COMMONEST = 48  # a cue of more notes connects nothing
_WEIGHTS = ((3, 4), (12, 2), (COMMONEST, 1))  # a cue of at most so many notes weighs so much
_BATCH = 200
_TAKEN = 500  # new notes whose cues are written in one go
SHORT_STEP = 50  # of them, for whoever looks at the clock
_MOST_KNOWN = 20_000  # profiles kept in memory, of some 6 kB each
_MANY = 300  # notes; from here on it is cheaper to read all cues at once
_LIKE, _VERY_LIKE, _WORDED, _RAREST = 0.08, 0.45, 0.1, 4
_FULL = 3.0  # what a shared cue weighs on average when two notes have all of them in common
_FAULTS = ("fix", "failure", "quirk", "insight", "blocker")
_GROUNDS = ("fix", "failure", "quirk", "insight", "fact", "event", "environment")
_RULES = ("decision", "convention", "directive", "procedure", "preference", "plan", "playbook")

_SETTLED, _UNSETTLED, _NEW = 0, 1, 2  # states of a node; nothing of a new one was read yet
_INSERT_NODE = f"INSERT INTO nodes (note, stem, cues, needs, causes, state) VALUES (?, '', '', '', '', {_NEW})"  # noqa: S608 - constants only, here and below
_TAKE_IN = f"UPDATE nodes SET stem = ?, cues = ?, needs = ?, causes = ?, state = {_UNSETTLED} WHERE note = ?"  # noqa: S608
_IS_NEW = f"""SELECT notes.rowid, path, hash FROM nodes JOIN notes ON notes.rowid = nodes.note
    WHERE state = {_NEW} AND nodes.note BETWEEN ? AND ?"""  # noqa: S608
_INSERT_CUE = "INSERT OR IGNORE INTO cues (cue, note) VALUES (?, ?)"
_INSERT_LINK = "INSERT INTO links (note, relation, target) VALUES (?, ?, ?)"
_INSERT_EDGE = "INSERT INTO edges (note, other, relation, score, why) VALUES (?, ?, ?, ?, ?)"
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM cues WHERE cue = ? LIMIT ?)"
_UNSETTLE = f"UPDATE nodes SET state = {_UNSETTLED} WHERE state = {_SETTLED} AND note"  # noqa: S608
_UNSETTLE_FRIENDS = f"{_UNSETTLE} IN (SELECT note FROM edges WHERE other = ?)"  # noqa: S608
_UNSETTLE_HOLDERS = f"{_UNSETTLE} IN (SELECT note FROM cues WHERE cue = ?)"  # noqa: S608
_WAITING = f"SELECT note FROM nodes WHERE state = {_UNSETTLED} ORDER BY note LIMIT ?"  # noqa: S608
_PROFILE = """SELECT nodes.note, cues, needs, causes, path, project, kind
    FROM nodes JOIN notes ON notes.rowid = nodes.note"""

_Row = tuple[int, str, float, str]  # the other note, relation, score, reasons


class _Offer(Value):
    """What was read of a new note, and of which text."""

    note: int
    path: str
    hash: str
    cues: Cues
    links: tuple[tuple[str, str], ...]


class Profile(Value):
    """What is known of a note when its edges are made."""

    note: int
    path: str
    project: str
    kind: str
    cues: frozenset[str]
    needs: frozenset[str]
    causes: frozenset[str]


class Pair(Value):
    """What connects one note to another."""

    source: Profile
    target: Profile
    words: tuple[str, ...]  # cues they share, without the next two
    references: tuple[str, ...]
    session: bool
    weight: int  # of the words
    likeness: float  # 0 to 1

    @property
    def same_project(self) -> bool:
        """Whether both are of one project."""
        return self.source.project == self.target.project


def _depends(pair: Pair) -> bool:
    return pair.likeness >= _WORDED and not pair.source.needs.isdisjoint(pair.words)


def _explains(pair: Pair) -> bool:
    faults = pair.source.kind in _FAULTS or pair.target.kind in _FAULTS
    return faults and pair.likeness >= _WORDED and not pair.source.causes.isdisjoint(pair.words)


def _supports(pair: Pair) -> bool:
    return pair.likeness >= _WORDED and pair.source.kind in _GROUNDS and pair.target.kind in _RULES


# What a pair is called: the first that holds, the most telling before the weakest. One that is nothing is no edge.
RELATIONS: tuple[tuple[str, Callable[[Pair], bool]], ...] = (
    ("depends_on", _depends),
    ("causal", _explains),
    ("supports", _supports),
    ("entity", lambda pair: bool(pair.references)),
    ("semantic", lambda pair: len(pair.words) > 1 and pair.likeness >= _VERY_LIKE),
    ("same_topic", lambda pair: len(pair.words) > 1 and pair.likeness >= _LIKE),
    ("same_session", lambda pair: pair.session),
    ("same_project", lambda pair: pair.same_project and pair.weight >= _RAREST),
)


def put(connection: sqlite.Connection, notes: Iterable[int]) -> None:
    """Mark rows of `notes` as new; their cues, links and edges wait to be settled."""
    connection.executemany(_INSERT_NODE, ((note,) for note in notes))


def remove(connection: sqlite.Connection, note: int) -> None:
    """Forget a row of `notes`; those that had an edge to it look for another."""
    row = connection.execute("SELECT cues, state FROM nodes WHERE note = ?", (note,)).fetchone()
    if row is None:
        return
    for cue in row[0].split() if row[1] != _NEW else ():
        before = connection.execute(_COUNT, (cue, COMMONEST + 2)).fetchone()[0]  # of many, one less is too many still
        connection.execute("DELETE FROM cues WHERE cue = ? AND note = ?", (cue, note))
        if _weight(before) != _weight(before - 1):
            connection.execute(_UNSETTLE_HOLDERS, (cue,))
    connection.execute(_UNSETTLE_FRIENDS, (note,))
    for statement in (
        "DELETE FROM edges WHERE note = ?", "DELETE FROM edges WHERE other = ?", "DELETE FROM links WHERE note = ?",
        "DELETE FROM nodes WHERE note = ?",
    ):  # fmt: skip
        connection.execute(statement, (note,))


def settle(
    connection: sqlite.Connection,
    enough: Callable[[], bool] = lambda: False,
    first: Sequence[int] = (),
    step: int = _TAKEN,
) -> int:
    """Make the edges of all notes that changed, and of those that this concerns; answers how many notes.

    Others get their turn between two batches, where it ends when there was `enough`; the rest waits for the next look.
    A small `step`, in notes, makes them short, and all of it take longer. The rows in `first` have theirs in any case,
    among what was read. Raises `sqlite.Error` when the index cannot be written.
    """
    if first:
        with sqlite.transaction(connection):
            _take_in(connection, _read_new(connection, len(first), first))
    while not enough() and (offers := _read_new(connection, step)):
        with sqlite.transaction(connection):
            _take_in(connection, offers)
    waiting = step >= _MANY and len(_waiting(connection, _MANY)) == _MANY
    known = _Known(connection, many=waiting and Index(connection).size() <= _MOST_KNOWN)
    done = 0
    # Another process may have written meanwhile.
    while not enough() and ((offers := _read_new(connection, step)) or _waiting(connection, 1)):
        with sqlite.transaction(connection):
            taken = _take_in(connection, offers)
            known.refresh(anew=bool(taken))
            batch = _waiting(connection, min(_BATCH, step))
            for note in batch:
                _settle_note(connection, known, note)
        done += len(batch)
    return done + _settle_alone(connection, first)


def _settle_alone(connection: sqlite.Connection, notes: Sequence[int]) -> int:
    """Make the edges of those of some notes that still wait, among all that was read so far; answers how many."""
    query = f"SELECT note FROM nodes WHERE state = {_UNSETTLED} AND note IN ({','.join('?' * len(notes))})"  # noqa: S608
    waiting = [row[0] for row in connection.execute(query, tuple(notes))]
    if waiting:
        with sqlite.transaction(connection):
            known = _Known(connection, many=False)
            known.refresh(anew=True)
            for note in waiting:
                _settle_note(connection, known, note)
    return len(waiting)


def unsettle(connection: sqlite.Connection, notes: Iterable[int]) -> None:
    """Have the edges of some rows, or of those there are, made anew by the next `settle`."""
    with sqlite.transaction(connection):
        connection.executemany(f"{_UNSETTLE} = ?", ((note,) for note in notes))


def _waiting(connection: sqlite.Connection, limit: int) -> list[int]:
    return [row[0] for row in connection.execute(_WAITING, (limit,))]


def unsettled(connection: sqlite.Connection) -> int:
    """Of how many notes the edges are missing, or as they were before something changed."""
    return int(connection.execute("SELECT count(*) FROM nodes WHERE state != 0").fetchone()[0])


def _read_new(connection: sqlite.Connection, most: int, among: Sequence[int] = ()) -> list[_Offer]:
    """Cues and links of some new notes: most of the work, and done without holding up who writes."""
    rows = f" AND note IN ({','.join('?' * len(among))})" if among else ""
    where = f"rowid IN (SELECT note FROM nodes WHERE state = {_NEW}{rows} LIMIT {most})"  # noqa: S608
    found = Index(connection).notes(where, among, order="rowid")
    return [
        _Offer(
            note=item.row, path=item.path, hash=item.hash, cues=cues_of(item.memory), links=tuple(links_of(item.memory))
        )
        for item in found
    ]


def _take_in(connection: sqlite.Connection, offers: Sequence[_Offer]) -> int:
    """Put what was read of new notes into the tables, if it is still of them; answers of how many.

    Many cues at once and in order is ten times as fast. Who holds a cue that weighs less from now on has its edges
    made anew.
    """
    if not offers:
        return 0
    bounds = offers[0].note, offers[-1].note
    new = {row[0]: (row[1], row[2]) for row in connection.execute(_IS_NEW, bounds)}
    offers = [offer for offer in offers if new.get(offer.note) == (offer.path, offer.hash)]
    pairs = sorted((cue, offer.note) for offer in offers for cue in offer.cues.words)
    if connection.execute("SELECT 1 FROM nodes WHERE state = ? LIMIT 1", (_SETTLED,)).fetchone():
        for cue, more in Counter(cue for cue, _ in pairs).items():
            before = connection.execute(_COUNT, (cue, COMMONEST + 1)).fetchone()[0]
            if _weight(before) != _weight(before + more):
                connection.execute(_UNSETTLE_HOLDERS, (cue,))
    connection.executemany(_INSERT_CUE, pairs)
    connection.executemany(_INSERT_LINK, ((offer.note, *link) for offer in offers for link in offer.links))
    for offer in offers:
        texts = (" ".join(names) for names in (offer.cues.words, offer.cues.needs, offer.cues.causes))
        connection.execute(_TAKE_IN, (stem_of(offer.path), *texts, offer.note))
    return len(offers)


def _weight(notes: int) -> int:
    return next((weight for most, weight in _WEIGHTS if notes <= most), 0)


_WEIGHT_OF = tuple(map(_weight, range(COMMONEST + 2)))  # by number of notes


class _Profiles(dict[int, Profile]):
    """Profiles of rows, each read when it is asked for."""

    def __init__(self, connection: sqlite.Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, note: int) -> Profile:
        row = self._connection.execute(f"{_PROFILE} WHERE nodes.note = ?", (note,)).fetchone()
        self[note] = profile = _profile(row)
        return profile


class _Holders(dict[str, list[int]]):
    """The rows with a cue, read when it is asked for; one more than the commonest stands for all that are too many."""

    def __init__(self, connection: sqlite.Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, cue: str) -> list[int]:
        query = "SELECT note FROM cues WHERE cue = ? LIMIT ?"
        self[cue] = found = [row[0] for row in self._connection.execute(query, (cue, COMMONEST + 1))]
        return found


class _Known:
    """Profiles of notes and holders of cues, read when they are asked for, or all at once if many will be."""

    def __init__(self, connection: sqlite.Connection, *, many: bool) -> None:
        self._connection, self._many = connection, many
        self._version = -1
        self.waiting: set[int] = set()  # these notes find each other by themselves
        self.profiles = _Profiles(connection)
        self.holders = _Holders(connection)

    def refresh(self, *, anew: bool) -> None:
        """Forget what was read if another process has written since, or if it has to be read `anew`."""
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version and not anew and len(self.profiles) <= _MOST_KNOWN:
            return
        self._version = version
        self.waiting = set(_waiting(self._connection, -1))
        self.profiles, self.holders = _Profiles(self._connection), _Holders(self._connection)
        if self._many:
            for row in self._connection.execute(_PROFILE):
                profile = _profile(row)
                self.profiles[profile.note] = profile
                for cue in profile.cues:
                    self.holders.setdefault(cue, []).append(profile.note)

    def weight(self, cue: str) -> int:
        """What a cue weighs."""
        return _WEIGHT_OF[min(len(self.holders[cue]), COMMONEST + 1)]


def _profile(row: sqlite.Row) -> Profile:
    return Profile(
        note=row["note"],
        path=row["path"],
        project=row["project"],
        kind=row["kind"],
        cues=frozenset(row["cues"].split()),
        needs=frozenset(row["needs"].split()),
        causes=frozenset(row["causes"].split()),
    )


def _settle_note(connection: sqlite.Connection, known: _Known, note: int) -> None:
    source = known.profiles[note]
    weights = {cue: weight for cue in source.cues if (weight := known.weight(cue))}
    weighty = frozenset(weights)
    found = []
    for target in _candidates(known, source, weights):
        cues = sorted(weighty & target.cues)
        edge = _edge(source, target, cues, weights)
        if edge:
            found.append((-edge[2], target.path, edge))
        back = None if target.note in known.waiting else _edge(target, source, cues, weights)
        if back:  # the other was settled before this note was as it is now
            _offer(connection, known, target.note, back)
    connection.execute("DELETE FROM edges WHERE note = ?", (note,))
    connection.executemany(_INSERT_EDGE, ((note, *edge) for _, _, edge in sorted(found)[:MOST]))
    connection.execute("UPDATE nodes SET state = ? WHERE note = ?", (_SETTLED, note))


def _candidates(known: _Known, source: Profile, weights: dict[str, int]) -> Iterator[Profile]:
    """The notes that any of the relations could hold for. Most that share a cue share too little, and are many."""
    certain = {other for cue in weights if ":" in cue for other in known.holders[cue]}
    words = ((known.holders[cue], weight) for cue, weight in weights.items() if ":" not in cue)
    # As often as it weighs, each is counted: a loop of Python's over all of them would be most of the work.
    totals = Counter(chain.from_iterable(holders for holders, weight in words for _ in range(weight)))
    size = len(source.cues) * (_LIKE * _FULL) ** 2
    least = min(_RAREST, ceil(sqrt(size)))  # for a target of one cue
    for other in {other for other, total in totals.items() if total >= least} | certain:
        target, total = known.profiles[other], totals[other]
        like = total * total >= size * len(target.cues)
        if other != source.note and (
            like or other in certain or (total >= _RAREST and target.project == source.project)
        ):
            yield target


def _offer(connection: sqlite.Connection, known: _Known, note: int, edge: _Row) -> None:
    """Give a settled note an edge if it is among its best."""
    query = "SELECT other, relation, score, why FROM edges WHERE note = ?"
    rows = [(row[0], row[1], row[2], row[3]) for row in connection.execute(query, (note,))]
    all_ = [edge, *(row for row in rows if row[0] != edge[0])]
    wanted = sorted(all_, key=lambda one: (-one[2], known.profiles[one[0]].path))[:MOST]
    if set(wanted) != set(rows):
        connection.execute("DELETE FROM edges WHERE note = ?", (note,))
        connection.executemany(_INSERT_EDGE, ((note, *one) for one in wanted))


def _edge(source: Profile, target: Profile, cues: list[str], weights: dict[str, int]) -> _Row | None:
    """Row of the other note, relation, score and reasons of what connects two notes; None for nothing."""
    named = [cue for cue in cues if ":" in cue]
    references = tuple(cue for cue in named if cue.startswith(REFERENCE))
    session = any(cue.startswith(SESSION) for cue in named)
    words = tuple(cue for cue in cues if ":" not in cue) if named else tuple(cues)
    weight = sum(map(weights.__getitem__, words))
    likeness = min(weight / (_FULL * sqrt(len(source.cues) * len(target.cues))), 1.0)
    pair = Pair.in_order((source, target, words, references, session, weight, likeness))
    relation = next((name for name, holds in RELATIONS if holds(pair)), "")
    if not relation:
        return None
    score = pair.likeness * 0.65 + 0.2 * bool(references) + 0.1 * pair.session + 0.05 * pair.same_project
    shown = sorted(words, key=weights.__getitem__, reverse=True)[:4]  # of equal weight as they were: by the alphabet
    names = [cue.rpartition(":")[2] for cue in references]
    return target.note, relation, round(score, 4), ", ".join([*names, *shown, *(["same session"] if session else [])])
