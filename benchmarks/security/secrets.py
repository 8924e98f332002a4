"""How many secrets are found, how much else is taken for one, and whether all other bytes are kept.

DATA is a folder with `security/*.jsonl` (one `{"text", "label": "secret"|…, "rule"}` a line) and, if there are any,
`claude_code/**/*.jsonl` (transcripts) and `imports/` (notes and instructions): text in which next to nothing is one.

"How precise" has several readings, and all are printed. Of everything that was redacted in fixtures, how much was a
secret (`precision`); how many harmless fixtures, and how many harmless texts of all, were left as they are. A fixture
that is nothing but a value in the very form of a service's keys is counted apart (`bare values`): somebody published
that one, and neither its form nor anything around it says so. Google's keys are such: those of Firebase are public by
Google's own word, those for Gemini are paid for, and both look the same, so that they go. The spans in ordinary text
are not judged, a human has to look at them: `--show` prints them.

    python benchmarks/security/secrets.py DATA [--json] [--show]
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[0] = str(ROOT)  # not this folder: its secrets.py is not the standard library's

from memem.ingest.secrets import redact, spans  # noqa: E402 - runs from a checkout

HAS_VALUE = re.compile(r"[A-Z0-9]")  # one of lower-case words only names a kind of file
MARK = re.compile(r"\[REDACTED:[\w-]+\]")


def main(arguments: list[str]) -> None:
    """Print the table, or with `--json` one object."""
    data = Path(next(word for word in arguments if not word.startswith("-")))
    shown = print if "--show" in arguments else (lambda *_: None)
    folder = data / "security" if (data / "security").is_dir() else data
    if not list(folder.glob("*.jsonl")):
        sys.exit(f"{folder} holds no fixtures (*.jsonl); give the folder that does, or the one above.")
    figures = {**_fixtures(folder, shown), **_ordinary(data if folder != data else data.parent, shown)}
    harmless, touched = (
        figures["fixtures without"] + figures["ordinary texts"],
        figures["redacted"] + figures["touched"],
    )
    figures["all texts left alone"] = 1 - touched / max(harmless, 1)
    if "--json" in arguments:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:28} {value:.3f}" if isinstance(value, float) else f"{name:28} {value}")


def _fixtures(folder: Path, shown: Any) -> dict[str, Any]:
    found = held = wrong = bare = free = kept = total = 0
    for path in sorted(folder.glob("*.jsonl")):
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            done = redact(row["text"])
            total += 1
            kept += _is_kept(row["text"], done.text)
            if row["label"] == "secret":
                held += bool(HAS_VALUE.search(row["text"]))
                found += bool(done.found) and bool(HAS_VALUE.search(row["text"]))
                if not done.found:
                    shown("missed", row["rule"], row["text"][:200])
            else:
                free += 1
                wrong += bool(done.found)
                bare += MARK.fullmatch(done.text) is not None
                if done.found:
                    shown("taken", row["rule"], row["text"][:200])
    return {
        "fixtures with a value": held,
        "found": found,
        "recall": found / max(held, 1),
        "fixtures without": free,
        "redacted": wrong,
        "bare values of them": bare,
        "precision": found / max(found + wrong, 1),
        "precision but bare values": found / max(found + wrong - bare, 1),
        "left alone": 1 - wrong / max(free, 1),
        "other bytes kept": kept / max(total, 1),
    }


def _ordinary(data: Path, shown: Any) -> dict[str, Any]:
    texts = characters = taken = touched = 0
    began = time.process_time()
    for text in _texts(data):
        texts += 1
        characters += len(text)
        found = spans(text)
        taken, touched = taken + len(found), touched + bool(found)
        for start, end, rule in found:
            shown("ordinary", rule, repr(text[max(start - 60, 0) : end][:200]))
    seconds = time.process_time() - began
    return {"ordinary texts": texts, "characters": characters, "spans in them": taken, "touched": touched,
            "seconds per MB": seconds / max(characters / 1e6, 1e-9)}  # fmt: skip


def _texts(data: Path) -> Iterator[str]:
    for path in sorted((data / "claude_code").rglob("*.jsonl")):
        for line in path.open(encoding="utf-8"):
            try:
                yield from _strings(json.loads(line).get("message"))
            except ValueError:
                continue
    for path in sorted((data / "imports").rglob("*")):
        if path.is_file():
            yield path.read_text(encoding="utf-8", errors="replace")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(item)


def _is_kept(before: str, after: str) -> bool:
    """Whether the redacted text is the old one with something else only where the marks are."""
    return re.fullmatch("(?s:.+?)".join(re.escape(part) for part in MARK.split(after)), before) is not None


if __name__ == "__main__":
    main(sys.argv[1:])
