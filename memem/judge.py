"""The judge of a slice that was asked for: one question to the model that may be paid, or the slice as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from memem import background, sqlite
from memem.active import ActiveSlice
from memem.errors import MememError
from memem.off import is_off
from memem.process import elapsed
from memem.recall import verdicts
from memem.state.ledger import Ledger
from memem.state.store import open_state
from memem.stores import Stores
from memem.text import cut, one_line

SECONDS = 8.0  # for the question, and for its one retry
_LONGEST_REASON = 200
_NOBODY = "none may be asked: choose one (MEMEM_LLM), then memem miner spend --allow"


def judge(
    stores: Stores, found: ActiveSlice, seconds: float = SECONDS, clock: Callable[[], float] = elapsed
) -> ActiveSlice:
    """The slice without what a model finds beside the point, or with a warning that none judged it, and why.

    No verb: a model takes seconds, which other calls need not wait for; so the ledger is opened beside the stores.
    """
    question = verdicts.prompt(found)
    if not question:
        return found
    if stores.config.session_off or is_off(stores.config.dir, found.query.session):
        return _without(found, "memem is off for this session")
    until = clock() + seconds
    try:
        # Closed with the call: the connection of the stores may be in use by another thread.
        with contextlib.closing(open_state(stores.config.dir, shared=bool(stores.shared_by))) as state:
            model = background.model(stores, lambda: clock() >= until, Ledger(state.connection))
            reason = model.llm.ready() if model else _NOBODY
            if not model or reason:
                return _without(found, reason)
            answer = model.ask(stores.redactor(question).text, verdicts.SCHEMA, "slice")
    except (MememError, sqlite.Error, ModuleNotFoundError) as error:  # the latter while dependencies are installed
        late = clock() >= until
        return _without(found, f"it did not answer within {seconds:g} s" if late else str(error))
    return verdicts.judged(found, answer, model.llm.name)


def _without(found: ActiveSlice, reason: str) -> ActiveSlice:
    told = cut(one_line(reason), _LONGEST_REASON)
    return found.replace(warnings=(*found.warnings, f"no model judged this slice: {told}"))
