"""The three backends over HTTP against a loopback server that speaks their protocols: the rows L of the faults."""

from __future__ import annotations

import gzip
import json
import threading
import time
import tracemalloc
from typing import Any

import pytest

from memem.errors import (
    Malformed,
    ModelUnusable,
    PermanentError,
    Refused,
    Stopped,
    TransientError,
    Truncated,
)
from memem.llm.protocol import Answer
from memem.process import never

from .servers import GOOD, KEY, PROTOCOLS, SCHEMA, Protocol, Server, Turn, drip, flood, reply, reset, silence

pytestmark = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)


def asked(protocol: Protocol, *script: Turn, seconds: float = 10, stop: Any = never) -> tuple[Answer, Server]:
    with Server(*script) as server:
        return protocol.make(server.url, seconds).ask("Read this: höre ☕", SCHEMA, stop=stop), server


def fault(protocol: Protocol, *script: Turn, **more: Any) -> Any:
    with pytest.raises(Exception) as caught:
        asked(protocol, *script, **more)
    return caught.value


def test_answer_fits_the_schema_and_tells_what_it_cost(protocol: Protocol) -> None:
    answer, server = asked(protocol, protocol.says(GOOD))
    assert answer.data == GOOD
    assert (answer.input_tokens, answer.output_tokens, answer.session) == (100, 10, "")
    assert len(server.requests) == 1
    assert "höre ☕" in json.dumps(server.requests[0], ensure_ascii=False)
    assert SCHEMA["properties"]["lessons"] == find(server.requests[0], "lessons")  # type: ignore[index]
    if protocol.name == "anthropic":
        assert answer.cost_usd == pytest.approx(100 * 1e-6 + 10 * 5e-6)
    else:
        assert answer.cost_usd == 0  # the server is on this machine


def find(node: Any, name: str) -> Any:
    """The value of a key, wherever it is in a document."""
    if isinstance(node, dict) and name in node:
        return node[name]
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return next((found for one in inner if (found := find(one, name)) is not None), None)


def test_l1_rate_limit_waits_as_long_as_asked(protocol: Protocol) -> None:
    error = fault(protocol, protocol.fails(429, "rate_limit_error", "slow down", retry_after="7"))
    assert (type(error), error.retry_after, error.counted) == (TransientError, 7.0, False)
    assert fault(protocol, protocol.fails(429, "rate_limit_error", retry_after="86400")).retry_after == 3600
    assert fault(protocol, protocol.fails(429, "rate_limit_error")).retry_after is None


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529, 408])
def test_l2_overload_is_transient_and_asked_once_only(protocol: Protocol, status: int) -> None:
    with Server(protocol.fails(status, "overloaded_error", "Overloaded")) as server:
        with pytest.raises(TransientError):
            protocol.make(server.url).ask("x", SCHEMA, stop=never)
        assert len(server.requests) == 1  # the worker retries, nobody else


def test_l2_html_of_a_proxy_is_judged_by_its_status(protocol: Protocol) -> None:
    page = "<html>bad gateway</html>"
    assert type(fault(protocol, reply(502, page, content_type="text/html"))) is TransientError
    assert type(fault(protocol, reply(200, page, content_type="text/html"))) is ModelUnusable


def test_l3_server_that_is_not_there_is_transient(protocol: Protocol) -> None:
    with Server(silence) as server:
        url = server.url
    with pytest.raises(TransientError, match="cannot be reached"):
        protocol.make(url).ask("x", SCHEMA, stop=never)


def test_l3_name_that_does_not_resolve_is_transient(protocol: Protocol) -> None:
    with pytest.raises(TransientError, match="cannot be reached"):
        protocol.make("http://no-such-host.invalid").ask("x", SCHEMA, stop=never)


def test_l3_reset_in_the_middle_of_the_body_is_transient(protocol: Protocol) -> None:
    assert type(fault(protocol, reset)) is TransientError


def test_l3_server_without_tls_is_transient(protocol: Protocol) -> None:
    with Server(silence) as server, pytest.raises(TransientError, match="cannot be reached"):
        protocol.make(server.url.replace("http:", "https:")).ask("x", SCHEMA, stop=never)


@pytest.mark.parametrize("turn", [silence, drip])
def test_l4_slow_answer_ends_at_the_deadline_of_the_whole_call(protocol: Protocol, turn: Turn) -> None:
    begin = time.monotonic()
    error = fault(protocol, turn, seconds=0.7)
    assert type(error) is TransientError
    assert "MEMEM_LLM_TIMEOUT" in str(error) or "cannot be reached" in str(error)
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize("turn", [silence, drip])
def test_p3_stop_flag_ends_a_call_within_a_second(protocol: Protocol, turn: Turn) -> None:
    stop = threading.Event()
    with Server(turn) as server:
        thread = threading.Thread(target=lambda: server.begun.wait(10) and stop.set())
        thread.start()
        with pytest.raises(Stopped):
            protocol.make(server.url, 60).ask("x", SCHEMA, stop=stop)
        thread.join()


@pytest.mark.parametrize(
    ("status", "code"), [(401, "authentication_error"), (403, "permission_error"), (404, "not_found_error"), (402, "x")]
)
def test_l5_refused_key_or_model_pauses_and_blames_no_work(protocol: Protocol, status: int, code: str) -> None:
    error = fault(protocol, protocol.fails(status, code, f"key {KEY} is not valid"))
    assert type(error) is ModelUnusable
    assert not isinstance(error, PermanentError)
    assert KEY not in str(error)


def test_l5_redirect_is_not_followed_with_the_key(protocol: Protocol) -> None:
    with Server(protocol.says(GOOD)) as thief:
        error = fault(protocol, lambda handler: handler.send(307, b"{}", location=f"{thief.url}{handler.path}"))
        assert type(error) is ModelUnusable
        assert thief.paths == []


def test_l6_used_up_credit_pauses(protocol: Protocol) -> None:
    words = "Your credit balance is too low to access the API."
    assert type(fault(protocol, protocol.fails(400, "invalid_request_error", words))) is ModelUnusable


def test_l6_prose_with_status_200_is_no_answer(protocol: Protocol) -> None:
    prose = protocol.says("You've hit your spend limit.")
    error = fault(protocol, prose)
    assert type(error) is Malformed
    assert "spend limit" not in str(error)


def test_l7_malformed_answer_is_asked_for_once_more(protocol: Protocol) -> None:
    for bad in (
        '{"lessons": [',
        'Here you are: {"lessons": []}',
        '{"lessons": []} Anything else?',
        '{"notes": []}',
        "",
    ):
        answer, server = asked(protocol, protocol.says(bad), protocol.says(GOOD))
        assert (answer.data, answer.input_tokens, answer.output_tokens) == (GOOD, 200, 20)
        assert "was not usable" in json.dumps(server.requests[1])
        assert len(server.requests) == 2


def test_l7_malformed_twice_is_an_error_that_tells_what_both_cost(protocol: Protocol) -> None:
    with Server(protocol.says('{"lessons": [7]}')) as server:
        with pytest.raises(Malformed) as caught:
            protocol.make(server.url).ask("x", SCHEMA, stop=never)
        assert len(server.requests) == 2
    spent = caught.value.spent
    assert isinstance(spent, Answer)
    assert (spent.data, spent.input_tokens, spent.output_tokens) == ({}, 200, 20)
    assert "$.lessons[0]: type" in str(caught.value)


def test_l7_fault_of_the_second_call_tells_what_the_first_has_cost(protocol: Protocol) -> None:
    error = fault(protocol, protocol.says("no"), protocol.fails(529, "overloaded_error"))
    assert type(error) is TransientError
    assert (error.spent.input_tokens, error.spent.output_tokens) == (100, 10)


def test_l7_fence_around_a_document_is_taken_away(protocol: Protocol) -> None:
    answer, server = asked(protocol, protocol.says(f"```json\n{json.dumps(GOOD)}\n```"))
    assert (answer.data, len(server.requests)) == (GOOD, 1)


def test_l8_answer_cut_off_is_told_apart(protocol: Protocol) -> None:
    error = fault(protocol, protocol.says('{"lessons": ["a', cut=True))
    assert (type(error), error.spent.output_tokens) == (Truncated, 10)


def test_l8_question_too_long_is_told_apart(protocol: Protocol) -> None:
    words = "prompt is too long: 300000 tokens > 200000 maximum context length"
    assert type(fault(protocol, protocol.fails(400, "invalid_request_error", words))) is Truncated


def test_l9_refusal_is_told_apart(protocol: Protocol) -> None:
    if protocol.name == "ollama":
        pytest.skip("its protocol has no refusals")
    error = fault(protocol, protocol.says("", refused=True))
    assert (type(error), error.spent.input_tokens) == (Refused, 100)


def test_l10_endless_answer_is_cut_off_in_bounded_memory(protocol: Protocol) -> None:
    tracemalloc.start()
    try:
        assert type(fault(protocol, flood)) is Malformed
        assert tracemalloc.get_traced_memory()[1] < 25_000_000
    finally:
        tracemalloc.stop()


def test_l10_packed_answer_is_not_unpacked(protocol: Protocol) -> None:
    bomb = gzip.compress(b"[" * 30_000_000)
    error = fault(protocol, lambda handler: handler.send(200, bomb, content_encoding="gzip"))
    assert type(error) is ModelUnusable


def test_l10_more_items_than_allowed_are_no_answer(protocol: Protocol) -> None:
    assert type(fault(protocol, protocol.says({"lessons": ["x"] * 10_000}))) is Malformed


@pytest.mark.parametrize("bad", ["[" * 100_000, '{"lessons": ["\\ud800"]}', '{"lessons": [NaN]}', "9" * 5000])
def test_l10_hostile_document_is_no_answer(protocol: Protocol, bad: str) -> None:
    assert type(fault(protocol, protocol.says(bad))) is Malformed


def test_l11_nothing_to_tell_is_an_answer(protocol: Protocol) -> None:
    answer, server = asked(protocol, protocol.says({"lessons": []}))
    assert (answer.data, len(server.requests)) == ({"lessons": []}, 1)


def test_refused_request_is_permanent(protocol: Protocol) -> None:
    assert type(fault(protocol, protocol.fails(400, "invalid_request_error", "what is this"))) is PermanentError


def test_address_that_is_none_pauses(protocol: Protocol) -> None:
    for url in ("ftp://127.0.0.1/", "nonsense", "http://[::1"):
        with pytest.raises(ModelUnusable, match="MEMEM_LLM_URL"):
            protocol.make(url).ask("x", SCHEMA, stop=never)


def test_key_reaches_its_server_and_no_message(protocol: Protocol) -> None:
    with Server(protocol.fails(401, KEY, f"{KEY} is wrong")) as server:
        with pytest.raises(ModelUnusable) as caught:
            protocol.make(server.url).ask("x", SCHEMA, stop=never)
        sent = " ".join(server.headers[0].values())
    assert (KEY in sent) == (protocol.name != "ollama")
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert server.headers[0]["accept-encoding"] == "identity"
