"""What work in the background stands on: the queue, the ledger, and the model that the user allowed to spend on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from memem import consent
from memem.process import never
from memem.state.jobs import Jobs
from memem.state.ledger import Budget, Ledger
from memem.stores import Stores

if TYPE_CHECKING:  # a look at the queue needs none of these
    from memem.llm.protocol import LLM
    from memem.mining.model import Model


def queue(stores: Stores, owner: str = "", alive: Callable[[str], bool] = lambda _: True) -> Jobs:
    """The queue; `owner` and `alive` as in `Jobs`.

    Raises:
        StateUnavailable: there is no state database to keep it in.
    """
    return Jobs(stores.durable().connection, owner=owner, alive=alive)


def ledger(stores: Stores) -> Ledger:
    """What model calls cost, and which backend rests.

    Raises:
        StateUnavailable: there is no state database to keep it in.
    """
    return Ledger(stores.durable().connection)


def backend(stores: Stores) -> LLM:
    """The configured model, whether it may be asked or not.

    Raises:
        ModelUnusable: its keys cannot be read safely.
    """
    from memem.llm.backends import build
    from memem.llm.keys import gather

    return build(stores.config, gather(stores.config, stores.environ), stores.environ)


def model(stores: Stores, stop: Callable[[], bool] = never, paid: Ledger | None = None) -> Model | None:
    """The model that the user allowed to spend on, within the budget, or None; `paid` if not in the stores' own ledger.

    Raises:
        ModelUnusable, StateUnavailable: its keys cannot be read safely; there is no ledger.
    """
    from memem.llm.backends import NoModel
    from memem.llm.protocol import LOCAL
    from memem.mining.model import LIKELY_MODEL, Model

    config, allowed = stores.config, consent.read(stores.config.dir).spend
    if not allowed or config.llm == "none":
        return None
    llm = backend(stores)
    if llm.name not in (allowed, "none"):
        llm = NoModel(f"spending was allowed for {allowed}, not for {llm.name}: memem miner spend --allow")
    return Model(
        llm,
        paid or ledger(stores),
        Budget(tokens=config.daily_tokens, usd=config.daily_usd),
        free=llm.name == "ollama" or urlsplit(config.llm_url).hostname in LOCAL,
        priced_as=config.llm_model or LIKELY_MODEL,
        call_seconds=config.llm_timeout * 2.0,  # the call, and its one retry
        stop=stop,
    )
