"""The hot path: one hook event in, its JSON out, always exit 0. Imports nothing that is not needed on every prompt.

It reads the index and the files it is about to show, and remembers which bodies a session has seen. It starts no
process, waits for no lock longer than a blink, and keeps no word of the prompt.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` imports enum, which costs more than the hook
import os
import sys
import time

from memem.config import Config, load_snapshot
from memem.errors import MememError, TooNew
from memem.models import Query, Scope
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from memem.index.reader import Index
    from memem.models import Candidate
    from memem.state.store import State

_MAX_INPUT = 16_000_000
_DEADLINES = {"SessionStart": 8}  # seconds, below the timeouts in hooks.json
_DEADLINE = 4
_SYNC_SECONDS = 1.5
_PROMPT_FIELDS = ("prompt", "user_prompt", "message", "query")
_CONTEXT_LOST = ("startup", "clear", "compact")
_SILENT_PREFIXES = ("<task-notification", "<command-", "<local-command", "<bash-", "<system-reminder")
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


def main(event: str) -> None:
    """Answer one event on stdout. Never raises, never returns: the process ends with exit code 0."""
    try:
        # A hook that hangs on a dead disk must not outlive its host's patience.
        _signal.alarm(_DEADLINES.get(event, _DEADLINE))
        answer = respond(event, _read_input(), os.environ)
        if answer:
            _write(answer)
    except BaseException as error:  # noqa: BLE001 - the first of the four doors: a hook may not fail
        _log_failure(event, error)
    os._exit(0)


def respond(event: str, payload: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """The hook's output for an event: JSON, or nothing to stay silent."""
    config = load_snapshot(environ)
    if config.injection_mode == "off":
        return ""
    try:
        if event == "SessionStart":
            return _session_start(config, payload, environ)
        if event == "UserPromptSubmit" and config.injection_mode == "auto":
            return _prompt(config, payload, environ)
    except TooNew:
        return ""  # what was shown cannot be known, so nothing is; the tools say what is needed
    return ""


def _session_start(config: Config, payload: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    from memem.index.reader import index_folder, open_reader
    from memem.recall.render import session_block
    from memem.recall.slices import for_session, is_behind

    session = _session(payload)
    state = _state(config)
    welcome, introduction = (WELCOME, _INTRODUCTION) if _first_run(config) else ("", "")
    if state and session and _word(payload, "source") in _CONTEXT_LOST:
        state.forget_shown(session, time.time())
    index = open_reader(index_folder(config.dir, config.cache_dir))
    if index is None or config.injection_mode == "tool":
        return _answer("SessionStart", introduction, welcome)
    query = Query(
        text="",
        scope=_scope(config, index, payload, environ),
        session=session,
        limit=config.session_start_limit,
        budget=config.session_start_budget,
    )
    # The sync that starts beside this hook reads what was edited while no session ran; it is worth a moment's wait.
    until = time.monotonic() + _SYNC_SECONDS
    while is_behind(index, query, config.memory_root) and time.monotonic() < until:
        time.sleep(0.03)
    found = for_session(index, query, config.memory_root)
    banner = f"[memem] {index.size()} memories" if config.show_banner else ""
    block = "\n\n".join(part for part in (introduction, session_block(found, banner)) if part)
    answer = _answer("SessionStart", block, welcome)
    _mark_shown(state, session, found.pinned)
    _record(config, "session", len(found.pinned) + len(found.found))
    return answer


def _prompt(config: Config, payload: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    from memem.index.reader import index_folder, open_reader
    from memem.recall.render import prompt_block
    from memem.recall.slices import for_prompt

    text = next((word for field in _PROMPT_FIELDS if (word := _word(payload, field).strip())), "")
    if not text or _is_command(text):
        return ""
    index = open_reader(index_folder(config.dir, config.cache_dir))
    if index is None:
        return ""
    session = _session(payload)
    query = Query(
        text=text,
        scope=_scope(config, index, payload, environ),
        session=session,
        limit=config.prompt_limit,
        budget=config.prompt_budget,
    )
    opened: list[State] = []

    def shown() -> Mapping[str, str]:
        state = _state(config) if session else None
        opened.extend([state] if state else [])
        return state.shown(session) if state else {}

    found = for_prompt(index, query, config.memory_root, shown)
    answer = _answer("UserPromptSubmit", prompt_block(found))
    if opened:
        _mark_shown(opened[0], session, found.found)
    _record(config, "prompt", len(found.found))
    return answer


def _is_command(text: str) -> bool:
    """Slash commands and the host's own messages, which are no words of the user. `/etc/hosts …` is none."""
    return text.startswith(_SILENT_PREFIXES) or (text[0] == "/" and "/" not in text.split(None, 1)[0][1:])


def _scope(config: Config, index: Index, payload: Mapping[str, Any], environ: Mapping[str, str]) -> Scope:
    from memem.project import scope_at

    here = _word(payload, "cwd")
    top = environ.get("CLAUDE_PROJECT_DIR") or here
    # The session's project stays the same when the agent changes into another folder; a sub-folder refines it.
    folder = here if here.startswith(f"{top.rstrip('/')}/") else top
    return scope_at(folder, config.project_aliases, index.root_commit)


def _session(payload: Mapping[str, Any]) -> str:
    name = _word(payload, "session_id")
    return name if 0 < len(name) <= 128 and name.isascii() and name.replace("-", "").replace("_", "").isalnum() else ""


def _word(payload: Mapping[str, Any], field: str) -> str:
    value = payload.get(field)
    return value.replace("\0", "") if isinstance(value, str) else ""


def _state(config: Config) -> State | None:
    """The state database, or None: without it a memory may be shown twice, which beats blocking a prompt."""
    from memem.state.store import open_state

    try:
        return open_state(config.dir, busy=0.1)
    except TooNew:
        raise
    except MememError:
        return None


def _mark_shown(state: State | None, session: str, found: Sequence[Candidate]) -> None:
    if state is None or not session or not found:
        return
    from memem import sqlite

    try:
        state.mark_shown(session, {item.memory.id: item.etag for item in found}, time.time())
    except sqlite.Error:
        return  # locked by a writer: the memory may be shown once more


def _first_run(config: Config) -> bool:
    """Whether nobody was welcomed yet; remembers that somebody is now."""
    mark = config.state_path(WELCOME_MARK)
    try:
        os.makedirs(config.dir, mode=0o700, exist_ok=True)  # noqa: PTH103
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError:
        return False
    return True


def _record(config: Config, event: str, served: int) -> None:
    """One line of outcome: how many were served of how many seen is what `memem status` reports."""
    line = f'{{"at": {int(time.time())}, "event": "{event}", "served": {served}}}\n'
    try:
        handle = os.open(config.state_path("events.jsonl"), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        os.write(handle, line.encode())
        os.close(handle)
    except OSError:
        return


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


class _Json:
    """The settings that the C scanner of the standard library reads; importing `json` for them takes longer than it."""

    strict = False
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float

    def __init__(self) -> None:
        self.memo: dict[str, str] = {}


def _read_input() -> Mapping[str, Any]:
    chunks: list[bytes] = []
    left = _MAX_INPUT
    while left > 0 and (chunk := os.read(0, min(left, 1_000_000))):
        chunks.append(chunk)
        left -= len(chunk)
    text = b"".join(chunks).decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return {}
    import _json

    payload: Any = _json.make_scanner(_Json())(text, 0)[0]  # type: ignore[arg-type]
    return payload if isinstance(payload, dict) else {}


def _answer(event: str, context: str, message: str = "") -> str:
    if not context:
        return ""
    from _json import encode_basestring_ascii as encode

    inner = f'"hookEventName": {encode(event)}, "additionalContext": {encode(context)}'
    outer = f', "systemMessage": {encode(message)}' if message else ""
    return f'{{"hookSpecificOutput": {{{inner}}}{outer}}}\n'


def _write(text: str) -> None:
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
