"""The Anthropic API through its SDK; the schema is that of a tool which the model has to call."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from memem.errors import ModelUnusable, Refused, Truncated
from memem.llm import calls, prices
from memem.llm.faults import failure
from memem.llm.protocol import MAX_OUTPUT_TOKENS, SYSTEM, Answer, Reply, paid, settled

if TYPE_CHECKING:
    from anthropic.types import Message

_URL = "https://api.anthropic.com"
_MODEL = "claude-haiku-4-5"
_TOOL = "answer"


class Anthropic:
    """Claude models by API key."""

    name = "anthropic"

    def __init__(self, key: str, url: str = "", model: str = "", seconds: float = 120) -> None:
        self._key = key
        self._url = (url or _URL).rstrip("/").removesuffix("/v1")  # the SDK adds it
        self._model = model or _MODEL
        self._seconds = seconds

    def ready(self) -> str:
        """Why it cannot be used, with the next step, or ""."""
        if not self._key:
            return "no key: put ANTHROPIC_API_KEY=… into keys.env in the state folder (chmod 600)"
        if importlib.util.find_spec("anthropic") is None:
            return "its SDK is not installed: run bootstrap.sh setup"
        return ""

    def ask(self, prompt: str, schema: Mapping[str, Any], *, stop: Any) -> Answer:
        """The document that answers the prompt."""
        import anthropic  # noqa: F401 - a second or more the first time, which is not the model's

        def once(question: str) -> Reply:
            return _reply(calls.within(lambda: self._call(question, schema), self.name, self._seconds, stop))

        return settled(once, prompt, schema)

    async def _call(self, prompt: str, schema: Mapping[str, Any]) -> Message:
        import anthropic

        async with calls.client(self._seconds) as http:
            # Key and address are given, so that the SDK takes none from the environment; the worker retries.
            sdk = anthropic.AsyncAnthropic(
                api_key=self._key, base_url=self._url, max_retries=0, timeout=self._seconds, http_client=http
            )
            try:
                return await sdk.messages.create(
                    model=self._model,
                    max_tokens=MAX_OUTPUT_TOKENS,
                    system=SYSTEM,
                    messages=[{"role": "user", "content": prompt}],
                    tools=[{"name": _TOOL, "description": "Give the answer.", "input_schema": dict(schema)}],
                    tool_choice={"type": "tool", "name": _TOOL},
                )
            except anthropic.APIStatusError as error:
                code = error.type or ""
                raise failure(self.name, error.status_code, error.response.headers, code, error.message) from None
            except anthropic.APIConnectionError as error:
                cause = error.__cause__
                raise cause if isinstance(cause, Exception) else calls.unreachable(self.name, error) from None
            except anthropic.APIError:  # a status of success around something else
                raise failure(self.name, 404, {}) from None


def _reply(message: Message) -> Reply:
    try:
        return _read(message)
    except (AttributeError, TypeError):  # the SDK passes on whatever came with a status of success
        raise ModelUnusable("the server does not speak the Anthropic protocol: check MEMEM_LLM_URL.") from None


def _read(message: Message) -> Reply:
    usage = message.usage
    read = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    spent = Answer(
        data={},
        input_tokens=read,
        output_tokens=usage.output_tokens,
        cost_usd=prices.estimate(message.model, read, usage.output_tokens),
        model=message.model,
    )
    if message.stop_reason == "refusal":
        raise paid(Refused("the model declined to answer"), spent)
    if message.stop_reason in ("max_tokens", "model_context_window_exceeded"):
        raise paid(Truncated("the model's answer was cut off"), spent)
    for block in message.content:
        if block.type == "tool_use":
            return Reply(document=block.input, spent=spent)
    return Reply(text="".join(block.text for block in message.content if block.type == "text"), spent=spent)
