"""The engine with a model: one question for each piece of a session, behind the budget and the breaker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from memem.errors import (
    Busy,
    Malformed,
    MememError,
    ModelUnusable,
    Paused,
    Refused,
    StateUnavailable,
    Stopped,
    TransientError,
    Truncated,
)  # fmt: skip
from memem.llm import prices
from memem.llm.protocol import LLM, MAX_OUTPUT_TOKENS, Answer
from memem.mining import extraction
from memem.mining.chunks import CHUNK_CHARACTERS, Chunk, chunks, halves, joined
from memem.mining.lessons import Lesson
from memem.mining.patterns import mine
from memem.mining.session import Part, Session
from memem.models import Memory, Scope
from memem.state.ledger import Budget, Ledger

ANSWER_TOKENS = 1500
SMALL_CHARACTERS = CHUNK_CHARACTERS // 8
_MOST_HINTS = 12
_TRANSIENT_SECONDS = 60.0
_CALLS = 2  # an answer that does not fit is asked for once more
_FRAME_TOKENS = 2000  # what a backend adds to a question: instructions, the schema
LIKELY_MODEL = "claude-haiku"


class Model:
    """A backend that is asked only within the budget of the day, and left alone while it is not well."""

    def __init__(
        self,
        llm: LLM,
        ledger: Ledger,
        budget: Budget,
        *,
        free: bool = False,
        priced_as: str = LIKELY_MODEL,
        call_seconds: float = 180.0,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.llm, self.ledger, self.budget = llm, ledger, budget
        self._free, self._priced_as, self._call_seconds, self._stop = free, priced_as, call_seconds, stop

    def ask(self, prompt: str, schema: Mapping[str, Any], purpose: str) -> Mapping[str, Any]:
        """One answer that fits the schema, on the ledger.

        Raises:
            Paused: no budget, the backend rests, or it failed through no fault of the question.
            Refused, Truncated, Malformed: it answered, but not with what was asked for.
        """
        name = self.llm.name
        self.ledger.admit(name, self._call_seconds)
        read = prices.tokens(prompt)
        # The most that it can come to, or the budget would not hold; what it really cost is settled.
        most = (_CALLS * (read + _FRAME_TOKENS), _CALLS * MAX_OUTPUT_TOKENS)
        number = self.ledger.reserve(name, purpose, self.budget, tokens=most, usd=self._price(most))
        try:
            answer = self.llm.ask(prompt, schema, stop=self._stop)
        except MememError as error:
            if error.asked and not isinstance(error.spent, Answer):
                likely = (read, ANSWER_TOKENS)
                self.ledger.settle(number, self._priced_as, likely, self._price(likely))
            else:
                self._settle(number, error.spent)
            self._judge(name, error)
            raise
        self.ledger.succeeded(name)
        self._settle(number, answer)
        return answer.data

    def _price(self, tokens: tuple[int, int]) -> float:
        return 0.0 if self._free else prices.estimate(self._priced_as, *tokens)

    def _settle(self, number: int, spent: object) -> None:
        if isinstance(spent, Answer):
            tokens = (spent.input_tokens, spent.output_tokens)
            self.ledger.settle(number, spent.model, tokens, spent.cost_usd)
        else:
            self.ledger.release(number)  # never answered

    def _judge(self, name: str, error: MememError) -> None:
        """What a failed call says about the backend.

        Raises:
            Paused: it is to be left alone for a while; the question is not to blame.
        """
        if isinstance(error, (Refused, Truncated, Malformed)):
            self.ledger.succeeded(name)
        elif isinstance(error, Stopped):
            raise Paused(str(error), self.ledger.now()) from error
        elif isinstance(error, Busy):
            raise Paused(str(error), self.ledger.now() + _TRANSIENT_SECONDS) from error
        elif isinstance(error, ModelUnusable):
            raise Paused(str(error), self.ledger.faltered(name, str(error), open_now=True)) from error
        elif isinstance(error, TransientError):
            until = self.ledger.faltered(name, str(error), rest_seconds=error.retry_after or 0.0)
            if not error.counted:
                raise Paused(str(error), max(until, self.ledger.now() + _TRANSIENT_SECONDS)) from error
        elif not isinstance(error, StateUnavailable):  # which is our fault
            self.ledger.faltered(name, str(error))


class ModelEngine:
    """Asks a model about each chunk. `nearest` finds the notes that a text may repeat or correct.

    `learn` is told what the model takes for a secret: `redact` does not let it through from then on.
    """

    def __init__(
        self,
        model: Model,
        redact: Callable[[str], str],
        nearest: Callable[[str, Scope], Sequence[Memory]],
        *,
        last: bool = False,
        learn: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        # On the last attempt a piece without a usable answer is given up alone, not with all that follows it.
        self._given_up = (Refused, Malformed) if last else (Refused,)
        self._model, self._redact, self._nearest, self._learn = model, redact, nearest, learn

    def __call__(self, read: Session, scope: Scope) -> Iterator[Part]:
        """A part for each chunk, in order; one that the model declines is lost, and the others go on."""
        hints = _hints(read)
        reached = read.start
        for chunk in chunks(read, self._redact):
            for part in self._parts(chunk, read, scope, hints):
                yield part
                reached = part.end
        if reached < read.offset:  # lines without anything to tell
            yield Part(start=reached, end=read.offset)

    def small(self, read: Session) -> Chunk | None:
        """All that is new in a session, if it is little enough to be asked about together with others."""
        found = list(islice(chunks(read, self._redact), 2))
        length = sum(len(turn.text) for chunk in found for turn in chunk.turns)
        return found[0] if len(found) == 1 and length <= SMALL_CHARACTERS and not read.more else None

    def together(self, reads: Sequence[Session], pieces: Sequence[Chunk], scope: Scope) -> list[Part]:
        """One question about several small sessions of a project; a part for each.

        Raises:
            Paused, Refused, Truncated, Malformed: see `Model.ask`; nothing was learned of any of them.
        """
        numbered = joined(pieces)
        whole = Chunk(turns=tuple(turn for piece in numbered for turn in piece.turns), start=0, end=0)
        hints = [lesson for read in reads for lesson in _hints(read)]
        data, known = self._asked(whole, scope, hints)
        return [
            _part(data, known, piece.replace(end=read.offset), read)
            for piece, read in zip(numbered, reads, strict=True)
        ]

    def _asked(self, chunk: Chunk, scope: Scope, hints: Sequence[Lesson]) -> tuple[Mapping[str, Any], Sequence[Memory]]:
        here = set(chunk.uuids.values())
        told = [self._redact(lesson.content) for lesson in hints if here & set(lesson.evidence)][:_MOST_HINTS]
        said = " ".join(turn.text for turn in chunk.turns if turn.event.kind in ("prompt", "feedback", "answer"))
        known = self._nearest(" ".join([*told, said[:4000]]), scope)
        data = self._model.ask(extraction.prompt(chunk, scope.id, told, known), extraction.SCHEMA, "mine")
        self._learn(extraction.secrets(data, chunk))  # before anything of the answer is kept
        return data, known

    def _parts(self, chunk: Chunk, read: Session, scope: Scope, hints: Sequence[Lesson]) -> Iterator[Part]:
        try:
            data, known = self._asked(chunk, scope, hints)
        except Truncated as error:
            smaller = halves(chunk)
            for half in smaller:
                yield from self._parts(half, read, scope, hints)
            if not smaller:
                yield Part(start=chunk.start, end=chunk.end, lost=str(error))
        except self._given_up as error:
            yield Part(start=chunk.start, end=chunk.end, lost=str(error))
        else:
            yield _part(data, known, chunk, read)


def _part(data: Mapping[str, Any], known: Sequence[Memory], chunk: Chunk, read: Session) -> Part:
    drafts = tuple(
        finding.draft.replace(supersedes=(finding.target,)) if finding.target else finding.draft
        for finding in extraction.findings(data, chunk, known, read.session)
    )
    told = extraction.summary(data, chunk, read.echoes.holds)
    return Part(start=chunk.start, end=chunk.end, drafts=drafts, summary=told)


def _hints(read: Session) -> list[Lesson]:
    known, echoes = read.known, read.echoes
    new = (lesson for lesson in mine(read.events) if not set(lesson.evidence) <= known)
    return [lesson for lesson in new if not echoes.holds(lesson.content, lesson.evidence)]
