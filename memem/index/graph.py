"""Reading the graph: the edges of memories, what they assert first, and what is wrong with the links of a vault."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from memem.index.cues import WIKI, stem_of
from memem.index.reader import Index
from memem.models import SHORTEST_ID
from memem.value import Value

# Relation of a link → that of the edge, whether it leads the other way, and its score. Derived ones stay below.
_ASSERTED: dict[str, tuple[str, bool, float]] = {
    "supersedes": ("supersedes", False, 1.0),
    "replaced_by": ("supersedes", True, 1.0),
    "contradicts": ("contradicts", False, 1.0),
    "related": ("related", False, 0.97),
    "links_to": ("links_to", False, 0.96),
}
_DERIVED_MOST = 0.95
_TEMPORAL = 0.05
_FULL_ID = 32  # characters; a shorter target may be the beginning of an id
_CHUNK = 500  # values bound in one statement
HUB = 30  # links to one memory


class Edge(Value):
    """A connection of two memories by id. A derived one leads both ways unless its relation says a direction."""

    source: str
    relation: str
    target: str
    score: float  # 0 to 1; what notes assert is above all that is derived
    why: str = ""  # the words that the two share; nothing for what a note asserts

    @property
    def asserted(self) -> bool:
        """Whether a note says so."""
        return self.score > _DERIVED_MOST

    def other(self, memory: str) -> str:
        """The end that is not this one."""
        return self.target if self.source == memory else self.source


class Flaw(Value):
    """Something that a human or agent may want to mend in the graph."""

    what: str  # name of the kind of flaw
    ids: tuple[str, ...]
    text: str


def neighbors(index: Index, ids: Sequence[str], limit: int = 20) -> list[Edge]:
    """The edges of memories, best first, at most `limit` for each; those to notes that are not there are left out.

    Derived ones are as of the last `settle`.
    """
    rows = _rows_of(index, ids)
    found: list[Edge] = []
    for id_, own in rows.items():
        edges: dict[tuple[str, str], Edge] = {}
        for edge in [*_asserted(index, id_, own), *_derived(index, id_, own), *_temporal(index, id_, own)]:
            other = edge.other(id_)
            if other not in ("", id_):
                # A pair may assert several things of itself; what is derived of it then adds nothing.
                edges.setdefault((other, edge.relation if edge.asserted else ""), edge)
        told = {other for other, relation in edges if relation}
        kept = [edge for (other, relation), edge in edges.items() if relation or other not in told]
        found += sorted(kept, key=lambda edge: (-edge.score, edge.other(id_), edge.relation))[:limit]
    return list(dict.fromkeys(found))


def stats(index: Index) -> dict[str, int]:
    """How many edges of each relation there are; a link counts for its note, a derived pair once."""
    counts: dict[str, int] = {}
    query = "SELECT relation, count(*) FROM links GROUP BY relation"
    for relation, count in index.connection.execute(query):
        name = _ASSERTED[relation][0]
        counts[name] = counts.get(name, 0) + count
    # The pair once, under the name that its first note gives it.
    query = """SELECT relation, count(*) FROM edges AS one WHERE note < other OR NOT EXISTS
        (SELECT 1 FROM edges AS back WHERE back.note = one.other AND back.other = one.note) GROUP BY relation"""
    for relation, count in index.connection.execute(query):
        counts[relation] = counts.get(relation, 0) + count
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def audit(index: Index) -> list[Flaw]:
    """What is wrong or worth a look: links to nothing, half-marked or circular corrections, contradictions, orphans."""
    notes = index.notes("id != ''")
    by_id = {item.memory.id: item.memory for item in notes}
    resolve = _Resolver(index)
    flaws: list[Flaw] = []
    older: dict[str, list[str]] = {}
    linked: dict[str, set[str]] = {}
    query = """SELECT notes.id, relation, target FROM links JOIN notes ON notes.rowid = links.note
        ORDER BY notes.id, relation, target"""
    for id_, relation, target in index.connection.execute(query).fetchall():
        targets = resolve(target)
        if not targets and not target.startswith(WIKI):  # a wiki-link may lead to any other note of the vault
            flaws.append(Flaw(what="dangling", ids=(id_,), text=f"{relation} names {target}, which is in no note"))
        for other in targets:
            linked.setdefault(id_, set()).add(other)
            linked.setdefault(other, set()).add(id_)
            old = {"supersedes": (other, id_), "replaced_by": (id_, other)}.get(relation)
            if old and by_id[old[0]].live:
                text = f"is in force, although {old[1][:8]} supersedes it"
                flaws.append(Flaw(what="asymmetric", ids=old, text=text))
            if old:
                older.setdefault(old[1], []).append(old[0])
            if relation == "contradicts" and by_id[id_].live and by_id[other].live:
                flaws.append(Flaw(what="contradiction", ids=(id_, other), text="both are in force"))
    flaws += [Flaw(what="cycle", ids=cycle, text="they supersede each other") for cycle in _cycles(older)]
    for id_, others in sorted(linked.items()):
        if len(others) > HUB:
            flaws.append(Flaw(what="hub", ids=(id_,), text=f"is linked with {len(others)} memories"))
    unsettled = {row[0] for row in index.connection.execute("SELECT note FROM nodes WHERE state != 0")}
    for item in notes:
        alone = item.memory.live and item.memory.id not in linked and not _has_derived(index, item.row)
        if alone and item.row not in unsettled:
            flaws.append(Flaw(what="orphan", ids=(item.memory.id,), text="nothing is connected with it"))
    return list(dict.fromkeys(flaws))


class _Resolver:
    """Finds the ids that a written target means; remembers them."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known: dict[str, list[str]] = {}

    def __call__(self, target: str) -> list[str]:
        if target not in self._known:
            self._known[target] = sorted(set(self._find(target)))
        return self._known[target]

    def _find(self, target: str) -> list[str]:
        if target.startswith(WIKI):
            query = "SELECT id FROM nodes JOIN notes ON notes.rowid = nodes.note WHERE stem = ?"
            return [row[0] for row in self._index.connection.execute(query, (target.removeprefix(WIKI),))]
        exact = [row[0] for row in self._index.connection.execute("SELECT id FROM notes WHERE id = ?", (target,))]
        if exact:
            return exact
        if len(target) >= _FULL_ID:
            return []
        query = "SELECT DISTINCT id FROM notes WHERE id >= ? AND id < ? LIMIT 2"
        begun = self._index.connection.execute(query, (target, f"{target}\U0010ffff")).fetchall()
        return [row[0] for row in begun] if len(begun) == 1 else []  # what several begin with is no name


def _rows_of(index: Index, ids: Iterable[str]) -> dict[str, list[tuple[int, str]]]:
    """Row and stem of the notes of each id, in the order of the ids; a memory may be in several notes."""
    wanted = list(dict.fromkeys(id_ for id_ in ids if id_))
    rows: dict[str, list[tuple[int, str]]] = {id_: [] for id_ in wanted}
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        query = f"SELECT rowid, id, path FROM notes WHERE id IN ({','.join('?' * len(part))})"  # noqa: S608
        for row in index.connection.execute(query, part):
            rows[row["id"]].append((row["rowid"], stem_of(row["path"])))
    return {id_: own for id_, own in rows.items() if own}


def _asserted(index: Index, id_: str, own: list[tuple[int, str]]) -> list[Edge]:
    resolve = _Resolver(index)
    found = []
    rows = [row for row, _ in own]
    marks = ",".join("?" * len(rows))
    query = f"SELECT relation, target FROM links WHERE note IN ({marks})"  # noqa: S608 - marks only
    for relation, target in index.connection.execute(query, rows).fetchall():
        found += [_edge(id_, relation, other) for other in resolve(target)]
    names = [id_[:end] for end in range(SHORTEST_ID, len(id_) + 1)] + [WIKI + stem for _, stem in own]
    query = f"""SELECT DISTINCT notes.id, relation, target FROM links JOIN notes ON notes.rowid = links.note
        WHERE target IN ({",".join("?" * len(names))})"""  # noqa: S608
    for other, relation, target in index.connection.execute(query, names).fetchall():
        if id_ in resolve(target):
            found.append(_edge(other, relation, id_))
    return found


def _edge(source: str, relation: str, target: str) -> Edge:
    name, backwards, score = _ASSERTED[relation]
    ends = (target, source) if backwards else (source, target)
    return Edge(source=ends[0], relation=name, target=ends[1], score=score)


def _derived(index: Index, id_: str, own: list[tuple[int, str]]) -> list[Edge]:
    found = []
    for row, _ in own:
        for ends, query in (
            (1, "SELECT id, relation, score, why FROM edges JOIN notes ON notes.rowid = other WHERE note = ?"),
            (-1, "SELECT id, relation, score, why FROM edges JOIN notes ON notes.rowid = note WHERE other = ?"),
        ):
            for other, relation, score, why in index.connection.execute(query, (row,)):
                source, target = (id_, other)[::ends]
                best = min(score, _DERIVED_MOST)
                found.append(Edge(source=source, relation=relation, target=target, score=best, why=why))
    return sorted(found, key=lambda edge: -edge.score)


def _temporal(index: Index, id_: str, own: list[tuple[int, str]]) -> list[Edge]:
    """What was learned right before and after in the same project."""
    found = []
    (memory,) = index.notes("rowid = ?", (own[0][0],))
    values = (memory.memory.project, memory.memory.created, id_)
    for sign, order in (("<", "DESC"), (">", "ASC")):
        query = f"""SELECT id FROM notes
            WHERE project = ? AND (created, id) {sign} (?, ?) AND id != '' AND created != ''
            AND status IN ('active', 'open') AND replaced_by = '' ORDER BY created {order}, id {order} LIMIT 1"""  # noqa: S608
        for row in index.connection.execute(query, values):
            source, target = (row[0], id_) if sign == "<" else (id_, row[0])
            found.append(Edge(source=source, relation="temporal", target=target, score=_TEMPORAL, why="next in time"))
    return found


def _has_derived(index: Index, row: int) -> bool:
    query = "SELECT 1 FROM edges WHERE note = ?1 OR other = ?1 LIMIT 1"
    return index.connection.execute(query, (row,)).fetchone() is not None


def _cycles(older: dict[str, list[str]]) -> list[tuple[str, ...]]:
    """The chains that lead back to their beginning, each once, from its smallest id."""
    # What is older than nothing that is left is in no circle: histories are long, circles are rare.
    left = {newer: set(ids) for newer, ids in older.items()}
    while ends := {id_ for ids in left.values() for id_ in ids} - left.keys():
        left = {newer: rest for newer, ids in left.items() if (rest := ids - ends)}
    found: set[tuple[str, ...]] = set()
    for start in left:
        chain = [start]
        while (after := min(left[chain[-1]])) not in chain:
            chain.append(after)
        circle = tuple(chain[chain.index(after) :])
        turn = circle.index(min(circle))
        found.add(circle[turn:] + circle[:turn])
    return sorted(found)
