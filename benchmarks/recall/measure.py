"""What the recall benchmarks share: the floors, the archive they search, scores with their intervals, the table."""

from __future__ import annotations

import argparse
import json
import random
import re
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from memem import sqlite as store  # noqa: E402 - the checkout's own code
from memem.index.writer import Entry, IndexWriter, memory_index  # noqa: E402
from memem.models import Memory, Query, Scope  # noqa: E402
from memem.recall import slices  # noqa: E402
from memem.sources.claude_code import ClaudeCode  # noqa: E402
from memem.sources.events import Event  # noqa: E402
from memem.text import STOP_WORDS  # noqa: E402
from memem.transcripts import members  # noqa: E402
from memem.transcripts.archive import Archive, source_key  # noqa: E402
from memem.transcripts.search import search  # noqa: E402
from memem.transcripts.turns import Cursor, Order  # noqa: E402

WORD = re.compile(r"\w+")
SAMPLES = 1000
_SHOWN = 3  # notes for a prompt, as the hook shows
SCOPE = Scope(id="local:bench", names=("local:bench", "general"))


class Answer(NamedTuple):
    """What one way of searching found for one question, and what it should have found."""

    found: Sequence[str]
    right: frozenset[str]
    group: str = ""

    def recall(self, depth: int) -> float:
        """The share of what is right among the first so many."""
        return len(self.right & set(self.found[:depth])) / len(self.right)


class Floor:
    """FTS5 with the Porter stemmer and BM25 over whole documents: what a few lines of SQL reach."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        self._ids = list(documents)
        self._texts = [text.lower() for text in documents.values()]
        self._database = sqlite3.connect(":memory:")
        self._database.execute("CREATE VIRTUAL TABLE d USING fts5(body, tokenize='porter unicode61')")
        rows = enumerate(documents.values(), 1)
        self._database.executemany("INSERT INTO d (rowid, body) VALUES (?, ?)", rows)

    def search(self, question: str, limit: int) -> list[str]:
        """The best by BM25 for any of the words that are no stop words."""
        match = " OR ".join(f'"{word}"' for word in _words(question))
        query = "SELECT rowid FROM d WHERE d MATCH ? ORDER BY bm25(d) LIMIT ?"
        return [self._ids[row - 1] for (row,) in self._database.execute(query, (match, limit))] if match else []

    def grep(self, question: str, limit: int) -> list[str]:
        """Those with most of the words somewhere in them, of equal ones the last."""
        words = _words(question)
        counts = [(sum(word in text for word in words), number) for number, text in enumerate(self._texts)]
        return [self._ids[number] for count, number in sorted(counts, reverse=True)[:limit] if count]


def _words(question: str) -> list[str]:
    words = list(dict.fromkeys(WORD.findall(question.lower())))
    return [word for word in words if word not in STOP_WORDS] or words


class Sessions:
    """Sessions in an archive of the product, searched as `transcript_search` does."""

    def __init__(self, folder: str) -> None:
        self._archive = Archive(folder, clock=lambda: self.now)
        self._source = ClaudeCode(folder)
        self.now = 0.0

    def add(self, session: str, events: Sequence[Event]) -> None:
        """Archive a session; the uuids of its events are what is found."""
        name = members.file_name(session, "")
        key = source_key(session)
        header = members.Header(source=key, identity="1", offset=1, session=session, folder="/bench")
        packed = [members.pack(header, events)]
        self._archive.append(name, header, Cursor(), packed)

    def close(self) -> None:
        """Release the index."""
        self._archive.close()

    def turns(self, question: str, limit: int) -> list[str]:
        """The uuids of what is found, best first."""
        return [passage.uuid for passage in self._search(question, limit, Order())]

    def sessions(self, question: str, limit: int, *, newest: bool = False) -> list[str]:
        """The sessions that the question is about, best first."""
        order = Order(by_session=True, newest=newest)
        return [passage.session for passage in self._search(question, limit, order)]

    def _search(self, question: str, limit: int, order: Order):  # type: ignore[no-untyped-def]
        return search(
            self._archive, self._source, (), question, limit=limit, order=order,
            belongs=lambda _: True, remembered=lambda _: True, redact=str,
        ).passages  # fmt: skip


@contextmanager
def archived(sessions: Mapping[str, Sequence[Event]]) -> Iterator[Sessions]:
    """Sessions in an archive of their own, which is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        made = Sessions(folder)
        try:
            for session, events in sessions.items():
                made.add(session, events)
            yield made
        finally:
            made.close()


def notes(memories: Iterable[Memory]) -> IndexWriter:
    """An index of notes in memory."""
    index = memory_index()
    with store.transaction(index.connection):
        for memory in memories:
            index.put(Entry(path=memory.id, etag=memory.id, hash="", read_ns=0), memory)
    return index


def as_note(name: str, text: str) -> Memory:
    """A text as a note of the benchmark's project, named by its first sentence."""
    return Memory(id=name, title=text.partition(". ")[0][:120], body=text, project=SCOPE.id)


def injected(index: IndexWriter, prompt: str, scope: Scope = SCOPE) -> list[str]:
    """The notes that the prompt hook would show for a prompt, in a new session."""
    query = Query(text=prompt, scope=scope, limit=_SHOWN, budget=9500)
    return slices.for_prompt(index, query, "", lambda _: {}).ids


def find(path: Path, *patterns: str) -> list[Path]:
    """The files and folders of a set: the file that is named itself, or what has such a name in a folder, or below it.

    The first pattern counts that anything fits, and of what fits what lies highest; two folders down is deep enough.
    """
    if path.is_file():
        return [path]
    for pattern in patterns:
        for depth in ("", "*/", "*/*/"):
            if found := sorted(path.glob(depth + pattern)):
                return found
    return []


def located(path: Path, *patterns: str) -> list[Path]:
    """What `find` finds.

    Raises:
        NotThere: nothing has such a name.
    """
    if not path.exists():
        raise NotThere(f"{path} does not exist; give a file, the folder that holds it, or the folder above.")
    if found := find(path, *patterns):
        return found
    raise NotThere(f"{path} holds no {' or '.join(patterns)}; give that file, or a folder at most two above it.")


class NotThere(Exception):
    """The data that a benchmark needs is not where it was told to look."""


def mean(values: Sequence[float]) -> float:
    """The mean, 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def interval(values: Sequence[float], floor: Sequence[float] | None = None) -> tuple[float, float]:
    """Where 95 % of the means of resampled questions lie; with `floor`, of the differences question by question."""
    rng = random.Random(7)
    pairs = [value - (floor[at] if floor else 0.0) for at, value in enumerate(values)]
    means = sorted(mean(rng.choices(pairs, k=len(pairs))) for _ in range(SAMPLES)) if pairs else [0.0]
    return means[int(0.025 * len(means))], means[int(0.975 * len(means))]


def table(title: str, ways: Mapping[str, Sequence[Answer]], depths: Sequence[int], *, floor: str = "FTS5") -> None:
    """Print the recall of several ways of searching, and by how much the questions gain over the floor."""
    count = len(next(iter(ways.values())))
    print(f"\n{title} ({count} questions)")
    print(f"{'':<24}" + "".join(f"{f'R@{depth}':>8}" for depth in depths) + f"   95 % of R@{depths[-1]}   over {floor}")
    base = [answer.recall(depths[-1]) for answer in ways[floor]]
    for name, answers in ways.items():
        deepest = [answer.recall(depths[-1]) for answer in answers]
        cells = "".join(f"{100 * mean([answer.recall(depth) for answer in answers]):>8.1f}" for depth in depths)
        low, high = interval(deepest)
        gain = interval(deepest, base)
        print(
            f"{name:<24}{cells}   {100 * low:>5.1f} – {100 * high:<5.1f}"
            + ("" if name == floor else f"   {100 * gain[0]:+.1f} … {100 * gain[1]:+.1f}")
        )


def by_group(answers: Sequence[Answer], depth: int) -> None:
    """Print the recall of each group of questions."""
    groups: dict[str, list[float]] = {}
    for answer in answers:
        groups.setdefault(answer.group, []).append(answer.recall(depth))
    for name in sorted(groups):
        print(f"  {name:<30} {100 * mean(groups[name]):>5.1f}  ({len(groups[name])})")


def run(description: str, measure: Callable[[Path], Mapping[str, float]], arguments: Iterable[str]) -> None:
    """Measure what a folder or file holds, print the tables, and with --json one line of figures at the end."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path())
    parser.add_argument("--json", action="store_true", help="end with one line of figures")
    given = parser.parse_args(list(arguments))
    try:
        figures = measure(given.data)
    except NotThere as error:
        sys.exit(str(error))
    if given.json:
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
