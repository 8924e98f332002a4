"""Calls over HTTP: one deadline for all of it, a stop flag, and a cap on the reply."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx2

from memem.errors import Malformed, ModelUnusable, Stopped, TransientError
from memem.llm.protocol import REPLY_LIMIT, asked
from memem.process import asking, elapsed

R = TypeVar("R")
_CONNECT_SECONDS = 10
_TICK = 0.2


def within(
    work: Callable[[], Awaitable[R]], name: str, seconds: float, stop: Any, clock: Callable[[], float] = elapsed
) -> R:
    """Run network work to its end, its deadline or the stop flag, whichever comes first.

    Raises:
        Stopped, TransientError: it was cut off, or the other side could not be reached.
        ModelUnusable: there can be no such address.
    """
    # Not asyncio.run, which waits for a name lookup that hangs long after everybody gave up.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(_watched(work, name, seconds, asking(stop), clock))
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        raise ModelUnusable(f"the address of {name} is none: set MEMEM_LLM_URL to one such as http://…/v1.") from None
    except (httpx2.HTTPError, OSError) as error:
        raise unreachable(name, error) from None
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _watched(
    work: Callable[[], Awaitable[R]], name: str, seconds: float, stopped: Callable[[], bool], clock: Callable[[], float]
) -> R:
    task = asyncio.ensure_future(work())
    deadline = clock() + seconds
    fault: TransientError | None = None
    while not task.done():
        if stopped():
            fault = Stopped(f"stopped while {name} was thinking")
        elif clock() >= deadline:
            fault = TransientError(f"{name} did not answer within {seconds:g} s (MEMEM_LLM_TIMEOUT): tried again later")
        if fault:
            task.cancel()
            await asyncio.wait({task}, timeout=1)
            raise asked(fault)
        await asyncio.wait({task}, timeout=_TICK)
    return task.result()


def unreachable(name: str, error: BaseException) -> TransientError:
    """A fault of the network between here and a model."""
    return TransientError(f"{name} cannot be reached ({type(error).__name__}): it is tried again later")


def client(seconds: float) -> httpx2.AsyncClient:
    """An HTTP client whose replies are capped, and that follows nobody to another address with a key in hand."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds)),
        headers={"accept-encoding": "identity"},  # a small reply could unpack to gigabytes
        event_hooks={"response": [_capped]},
        follow_redirects=False,
    )


async def post(
    http: httpx2.AsyncClient, url: str, body: Mapping[str, Any], headers: Mapping[str, str]
) -> tuple[int, Mapping[str, str], Any]:
    """Status, headers and document (None if it is no JSON) of one request."""
    response = await http.post(url, json=body, headers=headers)
    try:
        return response.status_code, response.headers, json.loads(response.content)
    except (ValueError, RecursionError):
        return response.status_code, response.headers, None


async def _capped(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity") not in ("", "identity"):
        raise ModelUnusable("the model's server packs its replies though asked not to: check the proxy before it.")
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Capped(response.stream)


class _Capped(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._stream:
            size += len(part)
            if size > REPLY_LIMIT:
                raise asked(Malformed(f"the model's answer is longer than {REPLY_LIMIT} bytes"))
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
