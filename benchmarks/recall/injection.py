"""How often the prompt hook shows the right note, and how often it speaks when the store has nothing to say.

    python benchmarks/recall/injection.py DATA [--json]

DATA is a folder with LoCoMo (locomo*.json), BEAM (a folder beam*) and coding sessions (coding*.json), the folder above,
or one of the files: what is there is measured. Every utterance, message or prompt is a note, every conversation a store
of its own. Related prompts are the questions that the store answers, unrelated ones those of other conversations
without the names that give them away: the same genre, so the hardest kind. `five` puts five conversations into one
store and asks what belongs to none of them. Precision is the share of served related prompts with a right note among
those shown.
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
import locomo
from measure import NotThere, as_note, find, injected, interval, mean, notes, run

_CHUNK, _PROMPT = 600, 300  # characters
_MOST_UNRELATED = 60  # prompts of each other conversation
_FIVE = 5


class Store(NamedTuple):
    """Texts by id, and the prompts with what answers them."""

    texts: dict[str, str]
    prompts: list[tuple[str, frozenset[str]]]


class Rates(NamedTuple):
    """For each related prompt whether it was served, and rightly; for each unrelated one whether it was."""

    served: list[float]
    right: list[float]
    false: list[float]


def stores(path: Path) -> Iterator[tuple[str, list[Store]]]:
    """The stores of every set in a folder."""
    folder = path.parent if path.is_file() else path
    if find(folder, locomo.NAMES[0]):
        yield "LoCoMo", [_talk(talk) for talk in locomo.conversations(folder)]
    if find(folder, beam.NAMES[0]):
        yield "BEAM", [_chat(number, *chat) for number, chat in enumerate(beam.chats(folder))]
    if files := find(folder, *coding.NAMES):
        yield "coding", [_sessions(file) for file in files]


def _talk(talk: locomo.Conversation) -> Store:
    names = {text.partition(":")[0] for said in talk.sessions.values() for text in said.values()}
    nameless = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})(?:'s)?\b")
    label = "/".join(sorted(names))
    texts = {f"{label} {turn}": nameless.sub("", text).lstrip(": ") for said in talk.sessions.values()
             for turn, text in said.items()}  # fmt: skip
    asked = [
        (nameless.sub("", question), frozenset(f"{label} {turn}" for turn in right))
        for question, right, group in talk.questions
        if group != "adversarial"
    ]
    return Store(texts, asked)


def _chat(number: int, batches: list[list[beam.Message]], asked: list[tuple[str, frozenset[str], str]]) -> Store:
    texts = {f"{number} {message.id}": message.text for batch in batches for message in batch}
    return Store(texts, [(text, frozenset(f"{number} {name}" for name in right)) for text, right, _ in asked])


def _sessions(file: Path) -> Store:
    found = coding.sessions(file)
    texts = {
        f"{session.id} {number}": prompt[:_CHUNK] for session in found for number, prompt in enumerate(session.prompts)
    }
    prompts = []
    for case in coding.cases(found):
        sessions = case.branch | case.files
        right = frozenset(name for name in texts if name.split(" ")[0] in sessions)
        prompts.append((case.question[:_PROMPT], right))
    return Store(texts, prompts)


def asked(own: Store, prompts: Sequence[str]) -> Rates:
    """Ask a store its own prompts and some that it knows nothing of."""
    index = notes(as_note(name, text) for name, text in own.texts.items())
    rates = Rates([], [], [])
    for prompt, right in own.prompts:
        # What is asked must not find itself.
        found = [name for name in injected(index, prompt) if not own.texts[name].startswith(prompt[:150])]
        rates.served.append(float(bool(found)))
        if found:
            rates.right.append(float(bool(right & set(found))))
    rates.false.extend(float(bool(injected(index, prompt))) for prompt in prompts)
    return rates


def _rates(found: list[Store], others: Sequence[str]) -> Rates:
    total = Rates([], [], [])
    for at, own in enumerate(found):
        unrelated = [
            prompt for number, other in enumerate(found) if number != at
            for prompt, _ in other.prompts[:_MOST_UNRELATED]
        ]  # fmt: skip
        for into, some in zip(total, asked(own, unrelated or others), strict=True):
            into.extend(some)
    return total


def _grown(found: list[Store], others: Sequence[str]) -> Rates:
    grown = found[: max(len(found) - 1, 1)][:_FIVE]
    texts = {name: text for own in grown for name, text in own.texts.items()}
    prompts = [prompt for own in grown for prompt in own.prompts]
    unrelated = [prompt for own in found[len(grown) :] for prompt, _ in own.prompts]
    return asked(Store(texts, prompts), unrelated or others)


def measure(path: Path) -> Mapping[str, float]:
    """Print the table; answers the figures: the means over the sets, and each set's own."""
    print(f"{'':<16} {'prompts':>8} {'served':>7} {'precision':>10} {'unrelated':>10} {'false':>6}   95 % of false")
    sets = dict(stores(path))
    if not sets:
        raise NotThere(f"{path} holds neither {locomo.NAMES[0]} nor {beam.NAMES[0]} nor {coding.NAMES[0]}.")
    figures: dict[str, float] = {}
    every: list[tuple[float, float, float]] = []
    for name, found in sets.items():
        others = [prompt for other, some in sets.items() if other != name for own in some for prompt, _ in own.prompts]
        rows = [(name, _rates(found, others))]
        if len(found) > 1:
            rows.append((f"{name}, five", _grown(found, others)))
        for label, rates in rows:
            served, right, false = mean(rates.served), mean(rates.right), mean(rates.false)
            low, high = interval(rates.false)
            print(
                f"{label:<16} {len(rates.served):>8} {served:>7.1%} {right:>10.1%} {len(rates.false):>10} {false:>6.1%}"
                f"   {low:.1%} – {high:.1%}"
            )
            if label == name:
                every.append((right, served, false))
                short = name.lower()
                figures |= {f"served_{short}": served, f"precision_{short}": right, f"false_{short}": false}
            else:
                figures[f"false_{name.lower()}_five"] = false
    precision, served, false = (mean(list(values)) for values in zip(*every, strict=True))
    return {"precision": precision, "served": served, "false_injection": false} | figures


if __name__ == "__main__":
    run(__doc__, measure, sys.argv[1:])
