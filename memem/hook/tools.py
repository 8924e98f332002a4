"""What an agent is told when it reads a file, and a sub-agent when it starts on its task."""

from __future__ import annotations

import os

from memem.hook import trail
from memem.hook.call import answer, text_in
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from memem.hook.call import Call
    from memem.models import Candidate
    from memem.state.store import State

_AGENT_TOOLS = ("Agent", "Task")
_GENERAL_AGENT = "general-purpose"  # what runs when the call names none


def before_read(call: Call) -> str:
    """Notes about the file that is about to be read, each once in a context."""
    config = call.config
    if not config.pretool_gating or call.word("tool_name") != "Read" or call.held:
        return ""
    paths = _below_project(call, text_in(_given(call), "file_path"))
    if not paths:
        return ""
    from memem.recall.render import file_block
    from memem.recall.slices import for_file

    index = call.index()
    if index is None:
        return ""
    opened: list[State] = []

    def shown(_: Sequence[Candidate]) -> Mapping[str, str]:
        state = call.state() if call.context else None
        opened.extend([state] if state else [])
        return state.shown(call.context) if state else {}

    query = call.query(index, limit=config.prompt_limit, budget=config.prompt_budget, paths=paths)
    found = for_file(index, query, config.memory_root, shown)
    if opened:
        found = found.replace(found=call.claimed(opened[0], found.found))
    told = answer("PreToolUse", file_block(found, os.path.basename(paths[0])))  # noqa: PTH119
    call.record("file", len(found.found))
    return told


def agent_called(call: Call) -> str:
    """Find what fits the task of a sub-agent; its start, which is told everything but the task, reads the ids."""
    given = _given(call)
    text = f"{text_in(given, 'description')}\n{text_in(given, 'prompt')}".strip()
    if not text or not call.session or call.word("tool_name") not in _AGENT_TOOLS:
        return ""
    from memem.recall.slices import for_prompt

    config = call.config
    index = call.index()
    if index is None:
        return ""
    query = call.query(index, text, limit=config.prompt_limit, budget=config.prompt_budget)
    found = for_prompt(index, query, config.memory_root, lambda _: {})
    agent = text_in(given, "subagent_type") or _GENERAL_AGENT
    call.record("task", len(found.found), found.ids, agent)
    return ""


def agent_started(call: Call) -> str:
    """The project's identity and what fits its task, for a sub-agent, whose context is its own."""
    from memem.recall.render import agent_block
    from memem.recall.slices import for_agent

    config, agent = call.config, call.word("agent_type")
    index = call.index() if agent and not call.held else None
    if index is None:
        return ""
    query = call.query(index, limit=config.prompt_limit, budget=config.session_start_budget)
    fitting = trail.task(config, call.session, agent) if call.session else []
    found = for_agent(index, query, config.memory_root, fitting)
    told = answer("SubagentStart", agent_block(found))
    if told and call.context:
        call.mark_shown(call.state(), [*found.pinned, *found.found])
    call.record("agent", len(found.ids), found.ids, agent)
    return told


def _given(call: Call) -> Mapping[str, Any]:
    given = call.payload.get("tool_input")
    return given if isinstance(given, dict) else {}


def _below_project(call: Call, path: str) -> tuple[str, ...]:
    """A file's path below the checkout, and below the session's folder; nothing for a file elsewhere, or a note."""
    from memem.project import find_checkout

    if not path or not call.folder:
        return ()
    folder = os.path.realpath(call.folder)
    real = os.path.realpath(os.path.join(folder, path))  # noqa: PTH118
    if real.startswith(f"{os.path.realpath(call.config.memory_root)}/"):
        return ()
    checkout = find_checkout(folder)
    tops = dict.fromkeys((checkout.top if checkout else folder, folder))
    return tuple(real[len(top) + 1 :] for top in tops if real.startswith(f"{top}/"))
