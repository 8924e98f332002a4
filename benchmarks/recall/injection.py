"""How often the prompt hook shows the right note, and how often it speaks when the store has nothing to say.

    python benchmarks/recall/injection.py DATA [--json]

DATA is a folder with LoCoMo (locomo*.json), BEAM (a folder beam*) and coding sessions (coding*.json), the folder above,
or one of the files: what is there is measured. Every utterance, message or prompt is a note, every conversation a store
of its own. Related prompts are the questions that the store answers, unrelated ones those of other conversations
without the names that give them away: the same genre, so the hardest kind. `five` puts five conversations into one
store and asks what belongs to none of them; `projects` puts them into one index as projects and asks each in its own;
`notes` are the statements that LoCoMo itself gives for its conversations. Precision is the share of served related
prompts with a right note among those shown, `of notes` the share of all notes shown that are right.

Where `gold` and `claude_code` lie below DATA or beside it, the lessons of lessons.py are a set as well: a store for
each project, asked what was typed in it and in others; `later` are only the prompts typed after the lesson was said,
`one store` holds the lessons of all and is asked prompts of projects that have none.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

import beam
import coding
import lessons
import locomo
from measure import SCOPE, NotThere, as_note, find, injected, interval, mean, notes, run

from memem.index.writer import IndexWriter
from memem.models import Scope

_CHUNK, _PROMPT = 600, 300  # characters
_MOST_UNRELATED = 60  # prompts of each other conversation
_FIVE = 5
GROWN = ("LoCoMo", "BEAM")
OTHERS = ("LoCoMo", "BEAM", "coding")
MEANS = ("LoCoMo", "BEAM", "coding", "lessons")
FIGURES = ("precision", "served", "false")


class Store(NamedTuple):
    """Texts by id, the prompts with what answers them, and others: those of the other stores where none are given."""

    texts: dict[str, str]
    prompts: list[tuple[str, frozenset[str]]]
    unrelated: Sequence[str] | None = None


class Rates(NamedTuple):
    """For each related prompt whether it was served, if so whether rightly, and for each note shown whether it was
    right; for each unrelated prompt whether it was served."""

    served: list[float]
    right: list[float]
    notes: list[float]
    false: list[float]

    def add(self, other: Rates) -> None:
        """Take in those of another store."""
        for into, some in zip(self, other, strict=True):
            into.extend(some)


def stores(path: Path) -> Iterator[tuple[str, list[Store]]]:
    """The stores of every set in a folder."""
    folder = path.parent if path.is_file() else path
    if find(folder, locomo.NAMES[0]):
        talks = list(locomo.conversations(folder))
        yield "LoCoMo", [_talk(talk) for talk in talks]
        yield "LoCoMo, notes", [_noted(talk) for talk in talks if talk.statements]
    if find(folder, beam.NAMES[0]):
        yield "BEAM", [_chat(number, *chat) for number, chat in enumerate(beam.chats(folder))]
    if files := find(folder, *coding.NAMES):
        yield "coding", [store for file in files for store in _sessions(file)]
    if projects := lessons.projects(folder):
        yield "lessons", [_lessons(project, projects, later=False) for project in projects if project.lessons]
        yield "lessons, later", [_lessons(project, projects, later=True) for project in projects if project.lessons]
        yield "lessons, one", [_every_lesson(projects)]


def _talk(talk: locomo.Conversation) -> Store:
    label, nameless = _without_names(talk)
    texts = {f"{label} {turn}": nameless.sub("", text).lstrip(": ") for said in talk.sessions.values()
             for turn, text in said.items()}  # fmt: skip
    asked = [
        (nameless.sub("", question), frozenset(f"{label} {turn}" for turn in right))
        for question, right, group in talk.questions
        if group != "adversarial"
    ]
    return Store(texts, asked)


def _noted(talk: locomo.Conversation) -> Store:
    label, nameless = _without_names(talk)
    texts = {f"{label} {at}": nameless.sub("", text) for at, (text, _) in enumerate(talk.statements)}
    asked = []
    for question, turns, group in talk.questions:
        right = frozenset(f"{label} {at}" for at, (_, about) in enumerate(talk.statements) if about & turns)
        if right and group != "adversarial":
            asked.append((nameless.sub("", question), right))
    return Store(texts, asked)


def _without_names(talk: locomo.Conversation) -> tuple[str, re.Pattern[str]]:
    names = {text.partition(":")[0] for said in talk.sessions.values() for text in said.values()}
    return "/".join(sorted(names)), re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})(?:'s)?\b")


def _chat(number: int, batches: list[list[beam.Message]], asked: list[tuple[str, frozenset[str], str]]) -> Store:
    texts = {f"{number} {message.id}": message.text for batch in batches for message in batch}
    return Store(texts, [(text, frozenset(f"{number} {name}" for name in right)) for text, right, _ in asked])


def _sessions(file: Path) -> Iterator[Store]:
    """What was there before each session, asked its first prompt; and all, asked what belongs to other sets."""
    found = coding.sessions(file)
    for case in coding.cases(found):
        right = case.branch | case.files
        texts = _prompts(case.before)
        names = frozenset(name for name in texts if name.split(" ")[0] in right)
        yield Store(texts, [(case.question[:_PROMPT], names)], ())
    yield Store(_prompts(found), [])


def _prompts(found: Sequence[coding.Session]) -> dict[str, str]:
    return {f"{session.id} {at}": prompt[:_CHUNK] for session in found for at, prompt in enumerate(session.prompts)}


def _lessons(project: lessons.Project, projects: Sequence[lessons.Project], *, later: bool) -> Store:
    unrelated = [prompt for other in projects if other != project for prompt in other.prompts[:_MOST_UNRELATED]]
    related = [(prompt.text, prompt.right) for prompt in project.related if prompt.later or not later]
    return Store(project.lessons, related, unrelated)


def _every_lesson(projects: Sequence[lessons.Project]) -> Store:
    texts = {name: text for project in projects for name, text in project.lessons.items()}
    related = [(prompt.text, prompt.right) for project in projects for prompt in project.related]
    return Store(texts, related, [prompt for project in projects if not project.lessons for prompt in project.prompts])


def asked(own: Store, prompts: Sequence[str], index: IndexWriter | None = None, scope: Scope = SCOPE) -> Rates:
    """Ask a store its own prompts and some that it knows nothing of; `index` holds its texts in a scope."""
    index = index or notes(as_note(name, text) for name, text in own.texts.items())
    rates = Rates([], [], [], [])
    for prompt, right in own.prompts:
        # What is asked must not find itself.
        found = [name for name in injected(index, prompt, scope) if not own.texts[name].startswith(prompt[:150])]
        rates.served.append(float(bool(found)))
        rates.notes.extend(float(name in right) for name in found)
        if found:
            rates.right.append(float(bool(right & set(found))))
    rates.false.extend(float(bool(injected(index, prompt, scope))) for prompt in prompts)
    return rates


def _rates(found: Sequence[Store], others: Sequence[str]) -> Rates:
    total = Rates([], [], [], [])
    for own in found:
        total.add(asked(own, _unrelated(own, found, others)))
    return total


def _unrelated(own: Store, found: Sequence[Store], others: Sequence[str]) -> Sequence[str]:
    if own.unrelated is not None:
        return own.unrelated
    rest = [other for other in found if other is not own and other.unrelated is None]
    return [prompt for other in rest for prompt, _ in other.prompts[:_MOST_UNRELATED]] or others


def _grown(found: Sequence[Store], others: Sequence[str]) -> Rates:
    grown = found[: max(len(found) - 1, 1)][:_FIVE]
    texts = {name: text for own in grown for name, text in own.texts.items()}
    prompts = [prompt for own in grown for prompt in own.prompts]
    unrelated = [prompt for own in found[len(grown) :] for prompt, _ in own.prompts]
    return asked(Store(texts, prompts), unrelated or others)


def _as_projects(found: Sequence[Store], others: Sequence[str]) -> Rates:
    own = found[:_FIVE]
    scopes = [Scope(id=f"local:{at}", names=(f"local:{at}",)) for at in range(len(own))]
    index = notes(
        as_note(name, text).replace(project=scope.id)
        for scope, store in zip(scopes, own, strict=True)
        for name, text in store.texts.items()
    )
    total = Rates([], [], [], [])
    for scope, store in zip(scopes, own, strict=True):
        total.add(asked(store, _unrelated(store, own, others), index, scope))
    return total


ROWS = (("", _rates), (", five", _grown), (", projects", _as_projects))


def measure(path: Path) -> Mapping[str, float]:
    """Print the table; answers the figures: the means over the sets, and each set's own."""
    print(
        f"{'':<16} {'prompts':>8} {'served':>7} {'precision':>10} {'of notes':>9} {'unrelated':>10} {'false':>6}"
        "   95 % of false"
    )
    sets = dict(stores(path))
    if not sets:
        raise NotThere(f"{path} holds neither {locomo.NAMES[0]} nor {beam.NAMES[0]} nor {coding.NAMES[0]}.")
    figures: dict[str, float] = {}
    for name, found in sets.items():
        # Not those of the lessons, whose projects are among the coding sessions.
        rest = [some for other, some in sets.items() if other != name and other in OTHERS]
        others = [prompt for some in rest for own in some for prompt, _ in own.prompts]
        for label, rate in ROWS if name in GROWN and len(found) > 1 else ROWS[:1]:
            figures |= _row(name + label, rate(found, others))
    if "lessons" not in sets:
        print(f"lessons: no {lessons.GOLD} with {lessons.TRANSCRIPTS} below {path} or beside it")
    means = [[figures[f"{figure}_{name.lower()}"] for name in MEANS if name in sets] for figure in FIGURES]
    precision, served, false = map(mean, means)
    return {"precision": precision, "served": served, "false_injection": false} | figures


def _row(label: str, rates: Rates) -> dict[str, float]:
    values = (mean(rates.served), mean(rates.right), mean(rates.notes), mean(rates.false))
    served, right, shown, false = values
    low, high = interval(rates.false)
    print(
        f"{label:<16} {len(rates.served):>8} {served:>7.1%} {right:>10.1%} {shown:>9.1%} {len(rates.false):>10}"
        f" {false:>6.1%}   {low:.1%} – {high:.1%}"
    )
    key = label.lower().replace(", ", "_").replace(" ", "_")
    names = ("served", "precision", "note_precision", "false")
    return {f"{name}_{key}": value for name, value in zip(names, values, strict=True)}


if __name__ == "__main__":
    run(__doc__, measure, sys.argv[1:])
