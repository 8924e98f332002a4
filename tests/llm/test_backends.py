"""Which model the configuration chooses, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memem.config import Config
from memem.errors import ModelUnusable, TransientError
from memem.llm.backends import BACKENDS, build
from memem.llm.keys import Keys
from memem.llm.prices import estimate, tokens
from memem.process import never

from .servers import GOOD, KEY, PROTOCOLS, SCHEMA, Server, reply, silence

OPENAI = PROTOCOLS[1]
OLLAMA = PROTOCOLS[2]


def environ(tmp_path: Path, version: str = "") -> dict[str, str]:
    """An environment whose PATH has a claude of a version, or none."""
    folder = tmp_path / "programs"
    folder.mkdir()
    if version:
        (folder / "claude").write_text(f"#!/bin/sh\necho {version}\n")
        (folder / "claude").chmod(0o755)
    return {"HOME": str(tmp_path), "PATH": str(folder)}


def test_none_is_the_default_and_answers_nothing(home: Config) -> None:
    model = build(home, Keys(anthropic=KEY), {})
    assert (model.name, "MEMEM_LLM" in model.ready()) == ("none", True)
    with pytest.raises(ModelUnusable, match="MEMEM_LLM"):
        model.ask("x", SCHEMA, stop=never)


@pytest.mark.parametrize("name", BACKENDS)
def test_every_backend_is_found_by_its_name_and_tells_what_it_lacks(home: Config, tmp_path: Path, name: str) -> None:
    model = build(home.replace(llm=name), Keys(), environ(tmp_path))
    assert model.name == name
    needs = {"claude": "install Claude Code", "anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
    assert needs.get(name, "MEMEM_LLM_MODEL") in model.ready()


def test_every_backend_is_a_choice_of_the_option() -> None:
    from memem.config import options

    assert set(dict(options())["llm"].choices) == {"none", "auto", *BACKENDS}


def test_auto_takes_the_first_that_is_ready(home: Config, tmp_path: Path) -> None:
    auto = home.replace(llm="auto")
    place = environ(tmp_path, "2.1.329")
    assert build(auto, Keys(anthropic=KEY), place).name == "claude"
    (tmp_path / "programs" / "claude").unlink()
    assert build(auto, Keys(anthropic=KEY), place).name == "anthropic"
    assert build(auto.replace(llm_model="m-1"), Keys(openai=KEY), place).name == "openai"


def test_auto_without_any_says_what_each_lacks(home: Config, tmp_path: Path) -> None:
    model = build(home.replace(llm="auto"), Keys(), environ(tmp_path))
    assert model.name == "none"
    assert all(f"{name}: " in model.ready() for name in BACKENDS)


def test_auto_with_an_address_sends_no_key_of_anthropic_there(home: Config, tmp_path: Path) -> None:
    with Server(OPENAI.says(GOOD)) as server:
        auto = home.replace(llm="auto", llm_url=f"{server.url}/v1", llm_model="m-1")
        model = build(auto, Keys(anthropic=KEY), environ(tmp_path, "2.1.329"))
        assert model.ask("x", SCHEMA, stop=never).data == GOOD
    assert server.paths == ["/v1/chat/completions"]
    assert KEY not in str(server.headers)


def test_chosen_model_waits_for_a_slot(home: Config) -> None:
    with Server(OPENAI.says(GOOD)) as server:
        model = build(home.replace(llm="openai", llm_url=server.url, llm_model="m"), Keys(), {})
        model.ask("x", SCHEMA, stop=never)
    assert (Path(home.dir) / "llm" / "slots" / "0.lock").exists()


def test_key_with_its_own_address_goes_there(home: Config) -> None:
    with Server(OPENAI.says(GOOD)) as server:
        model = build(home.replace(llm="openai", llm_model="m"), Keys(openai=KEY, openai_url=f"{server.url}/v1"), {})
        assert model.ready() == ""
        model.ask("x", SCHEMA, stop=never)
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_openai_server_that_knows_no_schemas_is_asked_more_simply_from_then_on() -> None:
    def only_plain(handler: Any) -> None:
        asked = handler.owner.requests[-1]
        knows = "response_format" not in asked
        (OPENAI.says(GOOD) if knows else OPENAI.fails(400, "invalid_request", "unknown field response_format"))(handler)

    with Server(only_plain) as server:
        model = OPENAI.make(server.url)
        assert model.ask("x", SCHEMA, stop=never).data == GOOD
        assert model.ask("x", SCHEMA, stop=never).data == GOOD
    kinds = [request.get("response_format", {}).get("type") for request in server.requests]
    assert kinds == ["json_schema", "json_object", None, None]


def test_openai_error_inside_a_success_is_read_as_its_code() -> None:
    turn = reply(200, {"error": {"message": "slow down", "code": 429}})
    with Server(turn) as server, pytest.raises(TransientError):
        OPENAI.make(server.url).ask("x", SCHEMA, stop=never)


def test_openai_used_up_quota_pauses_though_its_status_is_that_of_a_rate_limit() -> None:
    turn = OPENAI.fails(429, "insufficient_quota", "You exceeded your current quota")
    with Server(turn) as server, pytest.raises(ModelUnusable):
        OPENAI.make(server.url).ask("x", SCHEMA, stop=never)


def test_openai_cost_that_the_server_tells_is_taken() -> None:
    message = {"message": {"content": '{"lessons": []}'}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 5, "cost": 0.25}
    with Server(reply(200, {"choices": [message], "usage": usage})) as server:
        assert OPENAI.make(server.url).ask("x", SCHEMA, stop=never).cost_usd == 0.25


def test_openai_tokens_are_estimated_when_nobody_counts_them() -> None:
    with Server(reply(200, {"choices": [{"message": {"content": '{"lessons": []}'}}]})) as server:
        answer = OPENAI.make(server.url).ask("word " * 300, SCHEMA, stop=never)
    assert 300 <= answer.input_tokens <= 600
    assert answer.output_tokens > 0


def test_ollama_is_asked_for_a_window_that_holds_the_question() -> None:
    with Server(OLLAMA.says(GOOD)) as server:
        model = OLLAMA.make(server.url)
        model.ask("x", SCHEMA, stop=never)
        model.ask("word " * 20_000, SCHEMA, stop=never)
    windows = [request["options"]["num_ctx"] for request in server.requests]
    assert windows[0] < 20_000
    assert windows[1] >= 28_000


def test_ollama_readiness_names_what_is_missing(home: Config) -> None:
    with Server(reply(200, {"models": [{"name": "qwen3:8b"}, {"name": "m-1:latest"}]})) as server:
        ready = home.replace(llm="ollama", llm_url=server.url, llm_model="m-1")
        assert build(ready, Keys(), {}).ready() == ""
        assert "ollama pull other" in build(ready.replace(llm_model="other"), Keys(), {}).ready()
    assert "ollama serve" in build(ready, Keys(), {}).ready()
    with Server(silence) as server:
        assert "ollama serve" in build(ready.replace(llm_url=server.url), Keys(), {}).ready()


def test_unknown_model_is_estimated_as_a_dear_one() -> None:
    assert estimate("claude-haiku-5-5", 1_000_000, 0) == pytest.approx(0.1)
    assert estimate("anthropic/claude-sonnet-5", 0, 1_000_000) == pytest.approx(15)
    assert estimate("who-knows", 1_000_000, 1_000_000) == pytest.approx(30)
    assert tokens("") == 1
