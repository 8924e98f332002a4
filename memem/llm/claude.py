"""The user's own Claude Code program, run headless: no hooks, no plugins, no tools, no transcript, no recursion."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from memem.errors import (
    Malformed,
    MememError,
    ModelUnusable,
    Refused,
    Stopped,
    TransientError,
    Truncated,
    Unavailable,
)
from memem.llm import prices
from memem.llm.faults import RETRY_AFTER_LIMIT, failure
from memem.llm.protocol import MAX_OUTPUT_TOKENS, REPLY_LIMIT, SYSTEM, Answer, Reply, asked, paid, settled
from memem.process import Finished, never, run
from memem.value import Value

_MODEL = "haiku"
_READ = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_OLDEST = (2, 1)
_VERSION_SECONDS = 10
_STOP_GRACE_SECONDS = 2.0  # it has nothing to put away, and who stops the miner waits for it
# What a session around us has put into the environment: it would take this call for a part of itself.
OF_A_SESSION = re.compile(
    r"CLAUDECODE|CLAUDE_CODE_(ENTRYPOINT|(SESSION|CHILD|MESSAGING|BRIDGE)_.*)|CLAUDE_PLUGIN_.*"
    r"|CLAUDE_(PROJECT_DIR|ENV_FILE|PID|EFFORT)"
)
_OWN = {
    "MEMEM_MINER": "1",  # each of the two ends our hooks at once, should they run all the same
    "MEMEM_HOOK_DISABLE": "1",
    "CLAUDE_CODE_MAX_RETRIES": "0",  # the worker retries; the program itself would, for minutes, even after a 401
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(MAX_OUTPUT_TOKENS),
    "MAX_THINKING_TOKENS": "0",
    "CLAUDE_CODE_SKIP_PROMPT_HISTORY": "1",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
}
# Becomes the program, which the kernel then kills with its owner, be that killed itself. Asking for it between fork and
# exec is not safe with threads; this asks in a process of its own. The thread that called `run` outlives its child.
_TIED = """
import os, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, ctypes.c_ulong(9))  # PR_SET_PDEATHSIG, SIGKILL
except (ImportError, AttributeError, OSError):
    pass
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
_FLAGS = (
    "--no-session-persistence", "--setting-sources", "", "--strict-mcp-config", "--tools", "",
    "--disable-slash-commands", "--settings", '{"disableAllHooks":true}', "--max-turns", "1", "--effort", "low",
    "--output-format", "stream-json", "--verbose", "--system-prompt", SYSTEM,
)  # fmt: skip
# How the program names what went wrong, where the API's status does not say more.
_BY_KIND: dict[str, tuple[type[MememError], str]] = {
    "authentication_failed": (ModelUnusable, "claude is not logged in: run `claude` once and /login"),
    "oauth_org_not_allowed": (ModelUnusable, "claude's login is not allowed here: run `claude` once and /login"),
    "billing_error": (ModelUnusable, "claude's account is out of credit or over its limit: see its billing page"),
    "max_output_tokens": (Truncated, "the model's answer was cut off"),
    "prompt_too_long": (Truncated, "the text is too long for the model"),
    "server_error": (TransientError, "claude could not reach its API: it is tried again later"),
    "connection_failed": (TransientError, "claude could not reach its API: it is tried again later"),
}


class Envelope(Value):
    """What the program wrote: its last result, and of the records before it what the result leaves out."""

    result: dict[str, Any]
    kind: str  # its name for an error
    resets_at: float  # when a limit ends, in seconds of the wall clock; 0 unknown
    text: str  # of the model, not of the program


class Claude:
    """Claude by the user's login."""

    name = "claude"

    def __init__(self, environ: Mapping[str, str], folder: str, model: str = "", seconds: float = 120) -> None:
        self._environ = {key: value for key, value in environ.items() if not OF_A_SESSION.fullmatch(key)} | _OWN
        # Nobody is left to hold an orphan to its deadline: where no kernel ends it, it does so itself.
        self._environ["API_TIMEOUT_MS"] = str(int(seconds * 1000))
        self._folder = folder
        self._model = model or _MODEL
        self._seconds = seconds

    def ready(self) -> str:
        """Why it cannot be used, with the next step, or ""."""
        try:
            done = self._run(["--version"], b"", _VERSION_SECONDS, never)
        except MememError as error:
            return str(error)
        found = re.match(rb"(\d+)\.(\d+)", done.stdout)
        if done.returncode or not found:
            return "claude does not tell its version: run `claude --version`, and reinstall it if that fails"
        if tuple(map(int, found.groups())) < _OLDEST:
            return f"claude {found[0].decode()} is too old: run `claude update`"
        return ""

    def ask(self, prompt: str, schema: Mapping[str, Any], *, stop: Any) -> Answer:
        """The document that answers the prompt."""
        arguments = ["-p", "--model", self._model, *_FLAGS, "--json-schema", json.dumps(schema)]

        def once(question: str) -> Reply:
            return self._reply(self._run(arguments, question.encode("utf-8", "replace"), self._seconds, stop, _tie()))

        return settled(once, prompt, schema)

    def _run(self, arguments: list[str], stdin: bytes, seconds: float, stop: Any, tie: Sequence[str] = ()) -> Finished:
        program = _program(self._environ)
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)  # noqa: PTH103
            return run(
                [*tie, program, *arguments],
                stdin=stdin, env=self._environ, cwd=self._folder, deadline_seconds=seconds,
                output_limit=2 * REPLY_LIMIT,  # the answer stands in it twice
                stop=stop, stop_grace_seconds=_STOP_GRACE_SECONDS,
            )  # fmt: skip
        except OSError as error:
            raise ModelUnusable(f"{self._folder} cannot be used: {error.strerror}. Check its permissions.") from error
        except Unavailable as error:
            raise ModelUnusable(str(error)) from error

    def _reply(self, done: Finished) -> Reply:
        if done.reason == "stopped":
            raise asked(Stopped("stopped while claude was thinking"))
        if done.reason == "overflow":
            raise asked(Malformed("claude's answer is far too long"))
        if done.reason:
            late = f"claude did not answer within {self._seconds:g} s (MEMEM_LLM_TIMEOUT): it is tried again later"
            raise asked(TransientError(late))
        envelope = _opened(done.stdout)
        if envelope is None:
            if done.returncode < 0 or done.returncode > 128:
                killed = "claude was killed, perhaps for lack of memory: tried again later"
                raise asked(TransientError(killed, counted=True))
            raise ModelUnusable(f"claude ended with code {done.returncode} and no result: run `claude -p hello`")
        spent = self._spent(envelope.result)
        error = _error(envelope)
        if error:
            raise paid(error, spent)
        document = envelope.result.get("structured_output")
        if document is None and not spent.output_tokens:
            # Words without a model's work are the program's own: a notice about a login, a limit, an update.
            raise ModelUnusable("claude answered without asking the model: run `claude -p hello` to see what it says")
        return Reply(document=document, text=envelope.text, spent=spent)

    def _spent(self, result: Mapping[str, Any]) -> Answer:
        usage = _mapping(result.get("usage"))
        read = sum(_count(usage.get(name)) for name in _READ)
        written = _count(usage.get("output_tokens"))
        model = next(iter(_mapping(result.get("modelUsage"))), self._model)
        cost = result.get("total_cost_usd")
        return Answer(
            data={},
            input_tokens=read,
            output_tokens=written,
            cost_usd=prices.number(cost, prices.estimate(model, read, written)),
            model=model,
            session=str(result.get("session_id") or ""),
        )


def _program(environ: Mapping[str, str]) -> str:
    home = environ.get("HOME", "")
    folders = [*environ.get("PATH", "").split(":"), f"{home}/.local/bin", f"{home}/.claude/local"]
    for folder in folders:
        path = f"{folder}/claude"
        if folder.startswith("/") and os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113
            return path
    raise ModelUnusable("there is no claude on the PATH or in ~/.local/bin: install Claude Code, or set MEMEM_LLM")


def _tie() -> list[str]:
    """What a command line begins with whose process is to die with this one; nothing where the system cannot."""
    if sys.platform != "linux" or not sys.executable:
        return []
    return [sys.executable, "-I", "-S", "-c", _TIED, str(os.getpid())]


def _opened(stdout: bytes) -> Envelope | None:
    """The records of one run, or None when they do not end in a result."""
    result: dict[str, Any] = {}
    kind, resets_at, text = "", 0.0, ""
    for line in stdout.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue  # a notice that is no record
        record = _mapping(record)
        if record.get("type") == "result":
            result = record
        elif record.get("type") == "assistant":
            kind = str(record.get("error") or "")
            text = "" if kind else _text(_mapping(record.get("message")).get("content"))
        elif record.get("type") == "rate_limit_event":
            resets_at = float(_count(_mapping(record.get("rate_limit_info")).get("resetsAt")))
    return Envelope(result=result, kind=kind, resets_at=resets_at, text=text) if result else None


def _error(envelope: Envelope) -> MememError | None:
    """What the envelope reports; None for an answer, which may still not fit."""
    result = envelope.result
    if result.get("stop_reason") == "refusal":
        return Refused("the model declined to answer")
    if result.get("subtype") in ("error_max_turns", "error_max_structured_output_retries"):
        return None  # the model wrote something, but not by the schema
    if not result.get("is_error") and result.get("subtype") == "success":
        return None
    if result.get("subtype") == "error_during_execution":
        return TransientError("claude failed on its own: it is tried again later", counted=True)
    names = (envelope.kind, result.get("api_error"), result.get("terminal_reason"))
    known = next((_BY_KIND[name] for name in names if name in _BY_KIND), None)
    status = result.get("api_error_status")
    if known and known[0] is not TransientError:
        return known[0](known[1])
    if isinstance(status, int):
        error = failure("claude", status, {}, words=str(result.get("result")))
    elif known:
        error = known[0](known[1])
    elif envelope.kind == "rate_limit":
        error = TransientError("claude has reached a limit: it is tried again later")
    else:
        return ModelUnusable("claude reports an error of its own: run `claude -p hello` to see what it says")
    if isinstance(error, TransientError) and envelope.resets_at:
        error.retry_after = min(max(envelope.resets_at - time.time(), 0.0), RETRY_AFTER_LIMIT)
    return error


def _text(content: Any) -> str:
    blocks = content if isinstance(content, list) else []
    return "".join(str(block.get("text") or "") for block in map(_mapping, blocks) if block.get("type") == "text")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
