"""Mining with a model that knows the labels: what is lost on the way from its answers to the notes.

A small server on the loopback speaks OpenAI's protocol. From each question it takes the numbered lines of the session,
knows the records behind them by their words, and answers by a script with the labelled lessons that stand on them. So
the figures tell nothing about a model, and everything about the path: records that no question shows, chunks, batches,
the schema, the guard of evidence, the echo filter, the write gate and the queue.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from memem import consent
from memem.app import Memem
from memem.background import ledger, model, queue
from memem.config import resolve
from memem.consent import Consent
from memem.daemon import worker
from memem.daemon.settle import settle
from memem.ingest.secrets import redact
from memem.miner import Miner
from memem.mining.chunks import chunks, render
from memem.mining.extraction import HEADINGS
from memem.mining.lessons import SOURCE
from memem.mining.session import read_session
from memem.models import Memory
from memem.sources.claude_code import ClaudeCode
from memem.state.jobs import DEAD, SESSION

_PIECE = "The piece of the session:\n"
_PLAIN = {
    "action": "add", "target": "", "title": "", "kind": "fact", "layer": 2, "importance": 3, "keys": [], "paths": [],
    "key_points": [], "synopsis": "",
}  # fmt: skip
_KINDS = {"bug_fix": "fix", "failure_pattern": "failure"}  # of the labels; the others are memem's
_EVERY = 3  # so many questions the script goes wrong at one
Answer = dict[str, Any]
Reply = tuple[str, str]  # text, and why it ended


class Asked(NamedTuple):
    """One question: the labelled lessons and must-nots that its lines hold evidence for, with the numbers of these."""

    number: int
    repeated: bool  # the answer before did not fit
    lessons: list[tuple[Mapping[str, Any], list[int]]]
    forbidden: list[tuple[Mapping[str, Any], list[int]]]
    last: int  # number of the last line


class Run(NamedTuple):
    """What came of one script."""

    notes: list[Memory]
    figures: dict[str, Any]


def perfect(asked: Asked) -> Reply:
    """Every lesson whose evidence is shown, on that evidence."""
    return _document(_told(asked)), "stop"


def noisy(asked: Asked) -> Reply:
    """The same among must-nots, lessons without evidence, and a claim that a note is wrong which nobody was shown."""
    wrong = [_lesson(entry["what"], "fact", numbers) for entry, numbers in asked.forbidden]
    wrong.append(_lesson("Everything that was said before line nine hundred thousand is settled.", "fact", [900_000]))
    wrong.append(
        _lesson(f"Guess {asked.number}: whatever was noted about this project does not hold.", "fact", [asked.last])
        | {"action": "supersede", "target": "0123abcd"}
    )
    return _document([*wrong, *_told(asked)]), "stop"


def malformed(asked: Asked) -> Reply:
    """At first something that does not fit: prose, half a document, another shape; in a fence once in a while."""
    text = _document(_told(asked))
    if asked.repeated:
        return text, "stop"
    ways = ("I would rather tell you about it.", text[: len(text) // 2], '{"memories": []}', f"```json\n{text}\n```")
    return ways[asked.number % len(ways)], "stop"


def cut_off(asked: Asked) -> Reply:
    """Every third answer ends at the limit of tokens, as long as there is more than one lesson in it."""
    text = _document(_told(asked))
    return (text[:100], "length") if asked.number % _EVERY == 0 and len(asked.lessons) > 1 else (text, "stop")


def refusing(asked: Asked) -> Reply:
    """Every third question is declined."""
    if asked.number % _EVERY == 0:
        return "", "content_filter"
    return _document(_told(asked)), "stop"


SCRIPTS: dict[str, Callable[[Asked], Reply]] = {
    "perfect": perfect, "noisy": noisy, "malformed": malformed, "cut_off": cut_off, "refusing": refusing,
}  # fmt: skip


def mined(script: str, transcripts: Path, labels: list[Mapping[str, Any]]) -> Run:
    """Mine the labelled sessions with the miner's own worker and a model that follows a script."""
    with tempfile.TemporaryDirectory() as folder, _home(Path(folder), transcripts, labels) as opened:
        config, paths = opened
        knows = _Knows(paths, labels)
        with _served(SCRIPTS[script], knows) as url:
            environ = {"HOME": folder}
            config = config.replace(llm="openai", llm_url=url, llm_model="scripted", daily_tokens=10**9)
            memem = Memem(config, folder, environ=environ)
            jobs = queue(memem)
            settle(config, jobs, ended=True)
            code = worker.work(Miner(memem), model=model(memem), log=_Silent(), stop=lambda: False)
            counts, dead = jobs.counts(SESSION), jobs.counts()[DEAD]
            notes = [item.memory for item in memem.index.notes(order="id") if item.memory.source_type == SOURCE]
            spent = ledger(memem).spent()
            memem.close()
    figures = {
        "sessions": len(paths),
        "questions": knows.asked,
        "tokens on the ledger": spent.tokens,
        "sessions not done": sum(counts.values()) - counts["done"],
        "pieces in the dead letters": dead,
        "lessons never shown": sum(not knows.shown[lesson["id"]] for label in labels for lesson in label["lessons"]),
        "lessons never told": sum(not knows.told[lesson["id"]] for label in labels for lesson in label["lessons"]),
        "notes superseded": sum(not note.live for note in notes),
        "exit code": code,
    }
    return Run([note for note in notes if note.live], figures)


@contextmanager
def _home(root: Path, transcripts: Path, labels: list[Mapping[str, Any]]) -> Iterator[tuple[Any, dict[str, Path]]]:
    config = resolve({"HOME": str(root)}, {})[0]
    Path(config.dir).mkdir(mode=0o700)
    consent.write(config.dir, Consent(capture=True, mining=True, history=True, spend="openai"))
    paths = {}
    for label in labels:
        target = Path(config.session_dirs[0], label["transcript"])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(transcripts / label["transcript"], target)
        target.chmod(0o600)
        paths[label["transcript"]] = target
    yield config, paths


class _Knows:
    """The records behind the lines of a question, and what was labelled of them."""

    def __init__(self, paths: Mapping[str, Path], labels: list[Mapping[str, Any]]) -> None:
        self.asked = 0
        self.shown: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self._labels = labels
        self._records: dict[str, set[str]] = {}
        for path in paths.values():
            for chunk in chunks(read_session(ClaudeCode(), path, None), lambda text: redact(text).text):
                for turn, line in zip(chunk.turns, render(chunk).splitlines(), strict=True):
                    self._records.setdefault(_words(json.loads(line)), set()).add(turn.event.uuid)

    def question(self, prompt: str) -> Asked:
        """What a prompt asks about."""
        piece, _, repeated = prompt.partition(_PIECE)[2].partition("\n\nThe answer to this was not usable")
        lines = [json.loads(line) for line in piece.splitlines() if line.startswith('{"n"')]
        numbers: dict[str, list[int]] = {}
        for line in lines:
            for uuid in self._records.get(_words(line), ()):
                numbers.setdefault(uuid, []).append(line["n"])
        self.asked += not repeated
        lessons = self._held("lessons", numbers)
        for lesson, _ in lessons:
            self.shown[lesson["id"]] += 1
        forbidden = self._held("must_not_store", numbers)
        return Asked(self.asked, bool(repeated), lessons, forbidden, lines[-1]["n"] if lines else 0)

    def heard(self, asked: Asked, text: str) -> None:
        """Remember which lessons an answer told."""
        for lesson, _ in asked.lessons:
            self.told[lesson["id"]] += json.dumps(lesson["lesson"]) in text

    def _held(self, name: str, numbers: Mapping[str, list[int]]) -> list[tuple[Mapping[str, Any], list[int]]]:
        found = []
        for label in self._labels:
            for entry in label[name]:
                lines = sorted({number for uuid in entry["evidence"] for number in numbers.get(uuid, ())})
                if lines:
                    found.append((entry, lines))
        return found


def _words(line: Mapping[str, Any]) -> str:
    return f"{line['what']} {line['text']}"


def _told(asked: Asked) -> list[Answer]:
    return [
        _lesson(entry["lesson"], _KINDS.get(entry["kind"], entry["kind"]), numbers) for entry, numbers in asked.lessons
    ]


def _lesson(text: str, kind: str, evidence: list[int]) -> Answer:
    return {**_PLAIN, "lesson": text, "kind": kind, "evidence": evidence}


def _document(lessons: list[Answer]) -> str:
    return json.dumps({"lessons": lessons, "summary": {heading: [] for heading in HEADINGS}})


@contextmanager
def _served(script: Callable[[Asked], Reply], knows: _Knows) -> Iterator[str]:
    """The server's address, as long as it runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Stay silent."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked = knows.question(body["messages"][-1]["content"])
            text, ending = script(asked)
            if ending == "stop":
                knows.heard(asked, text)
            message = {"role": "assistant", "content": text}
            usage = {"prompt_tokens": 1000, "completion_tokens": 100}
            choice = {"index": 0, "message": message, "finish_reason": ending}
            data = json.dumps({"model": "scripted", "choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


class _Silent:
    def bind(self, **_: Any) -> _Silent:
        return self

    def __getattr__(self, _level: str) -> Callable[..., None]:
        return lambda *_, **__: None
