"""The table of models by name, and the one that the configuration chooses; only that one is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from memem.config import Config
from memem.errors import ModelUnusable
from memem.llm.keys import Keys
from memem.llm.protocol import LLM, Answer
from memem.llm.slots import slot

Factory = Callable[[Config, Keys, Mapping[str, str]], LLM]


class NoModel:
    """No model at all: the reason why."""

    name = "none"

    def __init__(self, reason: str = "no model is chosen: set MEMEM_LLM to let one read sessions") -> None:
        self._reason = reason

    def ready(self) -> str:
        """Why it cannot be used, with the next step."""
        return self._reason

    def ask(self, prompt: str, schema: Mapping[str, Any], *, stop: Any) -> Answer:
        """Always an error."""
        raise ModelUnusable(self._reason)


class Slotted:
    """A model whose calls wait for a free slot on this machine."""

    def __init__(self, model: LLM, folder: str, count: int, seconds: float) -> None:
        self.name = model.name
        self._model, self._folder, self._count, self._seconds = model, folder, count, seconds

    def ready(self) -> str:
        """Why it cannot be used, with the next step, or ""."""
        return self._model.ready()

    def ask(self, prompt: str, schema: Mapping[str, Any], *, stop: Any) -> Answer:
        """The document that answers the prompt."""
        with slot(self._folder, self._count, stop=stop, deadline_seconds=self._seconds):
            return self._model.ask(prompt, schema, stop=stop)


def _claude(config: Config, keys: Keys, environ: Mapping[str, str]) -> LLM:
    from memem.llm.claude import Claude

    return Claude(environ, config.state_path("llm/empty"), config.llm_model, max(1, config.llm_timeout))


def _anthropic(config: Config, keys: Keys, environ: Mapping[str, str]) -> LLM:
    from memem.llm.anthropic import Anthropic

    return Anthropic(keys.anthropic, config.llm_url or keys.anthropic_url, config.llm_model, max(1, config.llm_timeout))


def _openai(config: Config, keys: Keys, environ: Mapping[str, str]) -> LLM:
    from memem.llm.openai import OpenAI

    return OpenAI(keys.openai, config.llm_url or keys.openai_url, config.llm_model, max(1, config.llm_timeout))


def _ollama(config: Config, keys: Keys, environ: Mapping[str, str]) -> LLM:
    from memem.llm.ollama import Ollama

    return Ollama(config.llm_url, config.llm_model, max(1, config.llm_timeout))


BACKENDS: dict[str, Factory] = {"claude": _claude, "anthropic": _anthropic, "openai": _openai, "ollama": _ollama}


def build(config: Config, keys: Keys, environ: Mapping[str, str]) -> LLM:
    """The model that the configuration chooses; `environ` is for a client program, which needs its user's.

    `auto` takes the first that is ready, in the order of the table; with MEMEM_LLM_URL only those of the table can be
    meant that have no program and no address of their own.
    """
    if config.llm == "none":
        return NoModel()
    names = [config.llm] if config.llm in BACKENDS else ["openai", "ollama"] if config.llm_url else list(BACKENDS)
    reasons = []
    for name in names:
        model = BACKENDS[name](config, keys, environ)
        if config.llm in BACKENDS or not (reason := model.ready()):
            return Slotted(model, config.state_path("llm/slots"), config.llm_concurrency, config.llm_timeout)
        reasons.append(f"{name}: {reason}")
    return NoModel("no model is ready. " + ". ".join(reasons))
