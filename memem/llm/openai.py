"""Any server that speaks OpenAI's chat completions: OpenAI, OpenRouter, vLLM, llama.cpp, LM Studio, LiteLLM …"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from memem.errors import MememError, ModelUnusable, PermanentError, Refused, Truncated
from memem.llm import calls, prices
from memem.llm.faults import failure
from memem.llm.protocol import LOCAL, MAX_OUTPUT_TOKENS, SYSTEM, Answer, Reply, paid, settled

_URL = "https://api.openai.com/v1"
_SCHEMA, _OBJECT, _PLAIN = range(3)  # ways to ask for a document, from the strictest to one that every server knows


class OpenAI:
    """A model behind an OpenAI-compatible address."""

    name = "openai"

    def __init__(self, key: str = "", url: str = "", model: str = "", seconds: float = 120) -> None:
        self._key = key
        self._url = (url or _URL).rstrip("/").removesuffix("/chat/completions")
        self._model = model
        self._seconds = seconds
        self._way = _SCHEMA  # the strictest that the server has not refused

    def ready(self) -> str:
        """Why it cannot be used, with the next step, or ""."""
        if not self._key and self._url == _URL:
            return "no key: put OPENAI_API_KEY=… into keys.env in the state folder (chmod 600), or set MEMEM_LLM_URL"
        if not self._model:
            return "no model: set MEMEM_LLM_MODEL"
        return ""

    def ask(self, prompt: str, schema: Mapping[str, Any], *, stop: Any) -> Answer:
        """The document that answers the prompt."""

        def once(question: str) -> Reply:
            return calls.within(lambda: self._call(question, schema), self.name, self._seconds, stop)

        return settled(once, prompt, schema)

    async def _call(self, prompt: str, schema: Mapping[str, Any]) -> Reply:
        headers = {"authorization": f"Bearer {self._key}"} if self._key else {}
        async with calls.client(self._seconds) as http:
            way = self._way
            while True:
                body = self._body(prompt, schema, way)
                status, head, document = await calls.post(http, f"{self._url}/chat/completions", body, headers)
                error = self._error(status, head, document)
                if error is None:
                    self._way = way
                    return self._reply(document, prompt)
                if type(error) is not PermanentError or way == _PLAIN:
                    raise error
                way += 1  # perhaps it only does not know this way of asking

    def _body(self, prompt: str, schema: Mapping[str, Any], way: int) -> dict[str, Any]:
        system = f"{SYSTEM}\nThe document fits this JSON schema; write nothing beside it:\n{json.dumps(schema)}"
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": prompt}],
        }
        # Only OpenAI itself refuses the old name of this limit, only others do not know the new one.
        body["max_completion_tokens" if self._url == _URL else "max_tokens"] = MAX_OUTPUT_TOKENS
        if way == _SCHEMA:
            shape = {"name": "answer", "strict": True, "schema": {**schema, "required": list(schema["properties"])}}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        elif way == _OBJECT:
            body["response_format"] = {"type": "json_object"}
        return body

    def _error(self, status: int, headers: Mapping[str, str], document: Any) -> MememError | None:
        """What is wrong with a reply, or None; some servers answer 200 and put the status into the error."""
        told = document.get("error") if isinstance(document, dict) else None
        if status == 200 and not told:
            return None
        details = told if isinstance(told, dict) else {"message": told}
        code, words = details.get("code") or details.get("type") or "", str(details.get("message"))
        if status == 200:
            status = code if isinstance(code, int) else 500
        return failure(self.name, status, headers, str(code), words)

    def _reply(self, document: Any, prompt: str) -> Reply:
        try:
            choice = document["choices"][0]
            message = choice["message"]
            text, refusal = message.get("content") or "", message.get("refusal")
            ending = choice.get("finish_reason")
        except (TypeError, KeyError, IndexError, AttributeError):
            raise ModelUnusable(f"{self._url} does not speak the OpenAI protocol: check MEMEM_LLM_URL.") from None
        spent = self._spent(document, prompt, str(text))
        if refusal or ending == "content_filter":
            raise paid(Refused("the model declined to answer"), spent)
        if ending == "length":
            raise paid(Truncated("the model's answer was cut off"), spent)
        return Reply(text=str(text), spent=spent)

    def _spent(self, document: Any, prompt: str, text: str) -> Answer:
        usage = document.get("usage") if isinstance(document.get("usage"), dict) else {}
        model = str(document.get("model") or self._model)
        read = prices.number(usage.get("prompt_tokens"), prices.tokens(prompt))
        written = prices.number(usage.get("completion_tokens"), prices.tokens(text))
        cost = 0.0 if urlsplit(self._url).hostname in LOCAL else prices.estimate(model, int(read), int(written))
        return Answer(
            data={},
            input_tokens=int(read),
            output_tokens=int(written),
            cost_usd=prices.number(usage.get("cost"), cost),  # OpenRouter tells it
            model=model,
        )
