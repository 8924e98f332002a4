"""Models on this machine or network through Ollama's own protocol, which takes the schema as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memem.errors import MememError, ModelUnusable, Truncated
from memem.llm import calls, prices
from memem.llm.faults import failure
from memem.llm.protocol import MAX_OUTPUT_TOKENS, SYSTEM, Answer, Reply, paid, settled
from memem.process import never

_URL = "http://127.0.0.1:11434"
_READY_SECONDS = 2
_SMALLEST_WINDOW = 8192


class Ollama:
    """A model served by Ollama."""

    name = "ollama"

    def __init__(self, url: str = "", model: str = "", seconds: float = 120) -> None:
        self._url = (url or _URL).rstrip("/").removesuffix("/v1")
        self._model = model
        self._seconds = seconds

    def ready(self) -> str:
        """Why it cannot be used, with the next step, or ""."""
        if not self._model:
            return "no model: set MEMEM_LLM_MODEL to one that `ollama list` shows"
        try:
            known = calls.within(self._models, self.name, _READY_SECONDS, never)
        except MememError:
            return f"no Ollama answers at {self._url}: start it with `ollama serve`, or set MEMEM_LLM_URL"
        if not {self._model, f"{self._model}:latest"} & known:
            return f"Ollama has no {self._model}: fetch it with `ollama pull {self._model}`"
        return ""

    def ask(self, prompt: str, schema: Mapping[str, Any], *, stop: Any) -> Answer:
        """The document that answers the prompt."""

        def once(question: str) -> Reply:
            return calls.within(lambda: self._call(question, schema), self.name, self._seconds, stop)

        return settled(once, prompt, schema)

    async def _models(self) -> set[str]:
        async with calls.client(_READY_SECONDS) as http:
            response = await http.get(f"{self._url}/api/tags")
        try:
            return {str(model["name"]) for model in response.json()["models"]}
        except (ValueError, TypeError, KeyError):
            raise ModelUnusable(f"{self._url} is no Ollama: check MEMEM_LLM_URL.") from None

    async def _call(self, prompt: str, schema: Mapping[str, Any]) -> Reply:
        body = {
            "model": self._model,
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}],
            "format": dict(schema),
            "stream": False,
            "options": {"num_predict": MAX_OUTPUT_TOKENS, "num_ctx": _window(prompt)},
        }
        async with calls.client(self._seconds) as http:
            status, headers, document = await calls.post(http, f"{self._url}/api/chat", body, {})
        if status != 200:
            words = document.get("error") if isinstance(document, dict) else ""
            raise failure(self.name, status, headers, words=str(words))
        try:
            text = str(document["message"]["content"])
            read = int(document.get("prompt_eval_count") or prices.tokens(prompt))
            written = int(document.get("eval_count") or prices.tokens(text))
        except (TypeError, KeyError, ValueError, AttributeError):
            raise ModelUnusable(f"{self._url} does not speak Ollama's protocol: check MEMEM_LLM_URL.") from None
        spent = Answer(data={}, input_tokens=read, output_tokens=written, cost_usd=0.0, model=self._model)
        if document.get("done_reason") == "length":
            raise paid(Truncated("the model's answer was cut off"), spent)
        return Reply(text=text, spent=spent)


def _window(prompt: str) -> int:
    """The context to ask for: without it Ollama takes its default and silently cuts off the start of the prompt."""
    needed, size = prices.tokens(prompt) + MAX_OUTPUT_TOKENS, _SMALLEST_WINDOW
    while size < needed:
        size *= 2
    return size
