"""The hot path: one hook event in, its JSON out, always exit 0. Imports nothing that is not needed on every prompt.

It reads the index and the files it is about to show, and remembers which bodies a session has seen. It starts no
process, waits for no lock longer than a blink, and keeps no word of the prompt.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` imports enum, which costs more than the hook
import os
import time

from memem.config import load_snapshot
from memem.errors import TooNew
from memem.hook.call import Call, decoded
from memem.off import is_off, turn_off
from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_MAX_INPUT = 16_000_000


class Event(Value):
    """How an event is answered: by what, in which injection modes, and in how many seconds at most."""

    answer: Callable[[Call], str]
    modes: tuple[str, ...] = ("auto",)
    seconds: int = 4  # below the timeout in hooks.json
    measured: bool = False  # runs in a session that is held out as well, and injects nothing there


def _session_start(call: Call) -> str:
    from memem.hook.prompts import session_start

    return session_start(call)


def _prompt(call: Call) -> str:
    from memem.hook.prompts import prompt

    return prompt(call)


def _before_read(call: Call) -> str:
    from memem.hook.tools import before_read

    return before_read(call)


def _agent_called(call: Call) -> str:
    from memem.hook.tools import agent_called

    return agent_called(call)


def _agent_started(call: Call) -> str:
    from memem.hook.tools import agent_started

    return agent_started(call)


# Argument of the shim → answer. Each function imports what only its event needs.
EVENTS: Mapping[str, Event] = {
    "SessionStart": Event(answer=_session_start, modes=("auto", "tool"), seconds=8, measured=True),
    "UserPromptSubmit": Event(answer=_prompt, measured=True),
    "PreToolUse": Event(answer=_before_read),
    "AgentCall": Event(answer=_agent_called),  # PreToolUse as well, of the tool that starts a sub-agent
    "SubagentStart": Event(answer=_agent_started),
}


def main(event: str) -> None:
    """Answer one event on stdout. Never raises, never returns: the process ends with exit code 0."""
    try:
        # A hook that hangs on a dead disk must not outlive its host's patience.
        _signal.alarm(EVENTS[event].seconds if event in EVENTS else 1)
        answer = respond(event, _read_input(), os.environ)
        if answer:
            _write(answer)
    except BaseException as error:  # noqa: BLE001 - the first of the four doors: a hook may not fail
        _log_failure(event, error)
    os._exit(0)


def respond(event: str, payload: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """The hook's output for an event: JSON, or nothing to stay silent."""
    config, known = load_snapshot(environ), EVENTS.get(event)
    if known is None or config.injection_mode not in known.modes:
        return ""
    call = Call(config=config, payload=payload, environ=environ)
    if config.session_off or is_off(config.dir, call.session):
        if config.session_off and event == "SessionStart":
            turn_off(config.dir, call.session)  # so that its transcript is left alone later
        return ""
    try:
        return "" if call.held and not known.measured else known.answer(call)
    except TooNew:
        return ""  # the tools say what is needed


def _log_failure(event: str, error: BaseException) -> None:
    """Where a failure went, by type and place only: no text of the prompt may reach a log."""
    try:
        trace = error.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else ""
        config = load_snapshot(os.environ)
        handle = os.open(config.state_path("hook-failures.log"), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        if os.fstat(handle).st_size < 100_000:
            os.write(handle, f"{int(time.time())} {event[:40]!r} {type(error).__name__} {place}\n".encode())
        os.close(handle)
    except BaseException:  # noqa: BLE001 - nothing left to do
        return


def _read_input() -> Mapping[str, Any]:
    chunks: list[bytes] = []
    left = _MAX_INPUT
    while left > 0 and (chunk := os.read(0, min(left, 1_000_000))):
        chunks.append(chunk)
        left -= len(chunk)
    return decoded(b"".join(chunks).decode("utf-8", "replace").strip())


def _write(text: str) -> None:
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(1, data) :]
