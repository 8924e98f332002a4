"""What a session is told when it starts, and with each prompt of the user."""

from __future__ import annotations

import os
import time

from memem.hook.call import answer
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memem.config import Config
    from memem.hook.call import Call
    from memem.models import Candidate
    from memem.state.store import State

_SYNC_SECONDS = 1.5
_PROMPT_FIELDS = ("prompt", "user_prompt", "message", "query")
_CONTEXT_LOST = ("startup", "clear", "compact")
_SILENT_PREFIXES = ("<task-notification", "<command-", "<local-command", "<bash-", "<system-reminder")
_TOPIC_PROMPTS = 4  # the topic of a session is what its last so many prompts were about
_TOPIC_WORDS = 3  # a prompt of fewer ("yes, go on") has no topic of its own
WELCOME_MARK = ".welcome-shown"
WELCOME = (
    "memem is ready: it keeps what you tell me to remember as markdown notes in your own vault, and brings them back "
    "when they matter. Nothing is captured or mined without your consent. Try “remember that …”, or /memem:memem."
)
_INTRODUCTION = (
    "The memem plugin (a local memory of markdown notes) is new here. When the user states something durable, save it "
    "with memory_save. Nothing is captured or mined without the user's consent. If asked about it, point to "
    "/memem:memem."
)


def session_start(call: Call) -> str:
    """Identity and standing notes in full, the others by title; a welcome the first time."""
    from memem.recall.render import session_block
    from memem.recall.slices import for_session, is_behind, leading

    config = call.config
    state = call.state()
    welcome, introduction = (WELCOME, _INTRODUCTION) if _first_run(config) else ("", "")
    if state and call.session and call.word("source") in _CONTEXT_LOST:
        state.forget_shown(call.session, time.time())
    index = call.index()
    if index is None or config.injection_mode == "tool" or call.held:
        return answer("SessionStart", introduction, welcome)
    query = call.query(index, limit=config.session_start_limit, budget=config.session_start_budget)
    # The sync that starts beside this hook reads what was edited while no session ran; it is worth a moment's wait.
    until = time.monotonic() + _SYNC_SECONDS
    while True:
        standing, hosts = _prepared(state, query.scope.id)
        led = leading(index, query, standing)
        if time.monotonic() >= until or not is_behind(led, config.memory_root):
            break
        time.sleep(0.03)
    found = for_session(index, query, config.memory_root, standing, hosts, led)
    banner = f"[memem] {index.size()} memories" if config.show_banner else ""
    block = "\n\n".join(part for part in (introduction, session_block(found, banner)) if part)
    told = answer("SessionStart", block, welcome)
    call.mark_shown(state, found.pinned)
    call.record("session", len(found.pinned) + len(found.found))
    return told


def prompt(call: Call) -> str:
    """The few memories that fit a prompt and are not in the context yet; usually none."""
    from memem.recall.render import prompt_block
    from memem.recall.slices import for_prompt, is_told
    from memem.text import public, query_terms

    config = call.config
    text = public(next((word for field in _PROMPT_FIELDS if (word := call.word(field).strip())), ""))
    if not text or _is_command(text):
        return ""
    index = call.index()
    if index is None:
        return ""
    opened: list[State] = []
    topic: list[str] = []

    def shown(relevant: Sequence[Candidate]) -> Mapping[str, str]:
        topic.extend(candidate.memory.id for candidate in relevant)
        if not opened and call.context and (state := call.state()):
            opened.append(state)
        if not opened:
            return {}
        state = opened[0]
        _, told = _prepared(state, query.scope.id)
        seen = _still_shown(call, state.shown(call.context), topic)
        return {**seen, **{item.memory.id: item.etag for item in relevant if is_told(item, told)}}

    query = call.query(index, text, limit=config.prompt_limit, budget=config.prompt_budget)

    def helpful(ids: Sequence[str]) -> Mapping[str, int]:
        if len(ids) < 2:  # use breaks ties, and there are none
            return {}
        from memem.state.helped import uses

        opened.extend([state] if not opened and call.context and (state := call.state()) else [])
        return uses(opened[0].connection, ids) if opened else {}

    found = for_prompt(index, query, config.memory_root, shown, helpful)
    held = call.held
    told = "" if held else answer("UserPromptSubmit", prompt_block(found))
    if opened:
        call.mark_shown(opened[0], found.found)
    counts = topic or len(query_terms(text[:1000], _TOPIC_WORDS).words) >= _TOPIC_WORDS
    given = [item.memory.id for item in found.found]
    call.record("prompt", 0 if held else len(given), topic if counts else None, shown=given)
    return told


def _prepared(state: State | None, project: str) -> tuple[Sequence[str], Mapping[str, str]]:
    """What was chosen beforehand to stand for a project, and what the host tells of it by itself."""
    if state is None:
        return (), {}
    from memem import sqlite

    try:
        return state.stood(project)[1], state.told(project)
    except sqlite.Error:
        return (), {}  # busy: they are index lines once


def _still_shown(call: Call, seen: Mapping[str, str], topic: Sequence[str]) -> Mapping[str, str]:
    """What need not be shown again. After a shift of topic that is only what the last prompts were about.

    Topics are compared by the memories that they concern, because words of prompts are not kept.
    """
    if seen.keys().isdisjoint(topic):
        return seen
    from memem.hook import trail

    recent = trail.topics(call.config, call.session, _TOPIC_PROMPTS)
    if recent is None or len(recent.intersection(topic)) / len(topic) >= call.config.topic_shift_threshold:
        return seen
    return {memory: seen[memory] for memory in seen if memory in recent}


def _is_command(text: str) -> bool:
    """Slash commands and the host's own messages, which are no words of the user. `/etc/hosts …` is none."""
    return text.startswith(_SILENT_PREFIXES) or (text[0] == "/" and "/" not in text.split(None, 1)[0][1:])


def _first_run(config: Config) -> bool:
    """Whether nobody was welcomed yet; remembers that somebody is now."""
    mark = config.state_path(WELCOME_MARK)
    try:
        os.makedirs(config.dir, mode=0o700, exist_ok=True)  # noqa: PTH103
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError:
        return False
    return True
