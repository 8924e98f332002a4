"""The records of Claude Code, every version's, as events. Types are an allowlist: what is unknown is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from memem.sources import commits, words
from memem.sources.events import Event
from memem.text import public
from memem.value import Value

Record = dict[str, Any]
V = TypeVar("V")

PROMPT, PROSE, EDIT, RESULT, SHELL = 20_000, 8_000, 4_000, 2_000, 1_000  # longest text of each kind, in characters
LONGEST = {
    "prompt": PROMPT, "feedback": PROMPT, "answer": PROMPT, "prose": PROSE, "plan": PROSE, "edit": EDIT,
    "commit": EDIT, "result": RESULT, "command": SHELL,
}  # fmt: skip
_BOTH_ENDS = ("prose", "result")  # kinds that say most at their beginning and their end
SHELLS = ("Bash", "PowerShell", "Shell")
_LATE = 100  # records within which the record of a prompt told from the queue is taken for the same
_SETTLED = 8  # records after which a prompt that left the queue has no record of its own any more
_REMEMBERED = 2_000  # calls whose result has not come, texts of queue and plans
_MOST_UNKNOWN = 100
_IGNORED = frozenset(
    """
    file-history-snapshot file-history-delta last-prompt ai-title custom-title summary permission-mode mode pr-link
    agent-name agent-setting agent-color bridge-session atis-latch relocated worktree-state frame-link tools-used
    cost-state api-request api-request-blob api-request-shape
    """.split()
)


class Recent(dict[str, V]):
    """A dictionary that forgets its oldest entries."""

    def put(self, key: str, value: V) -> None:
        """Set an entry, as the newest."""
        self.pop(key, None)
        self[key] = value
        if len(self) > _REMEMBERED:
            del self[next(iter(self))]


class Call(Value):
    """A tool call whose result has not come: what it does is told when it succeeded."""

    tool: str
    held: tuple[Event, ...] = ()
    ours: bool = False


class Waiting(Value):
    """A prompt from the queue of the client that has no record of its own yet."""

    event: Event | None  # none for what the client queued itself
    left_at: int = 0  # number of the record after which it was taken out of the queue


class Decoder:
    """Turns the records of one file into events, in order. It holds what ties records together, and no more.

    `margin`: characters by which texts may be longer than their kind allows, for readers who cut them themselves.
    """

    def __init__(self, session: str, agent: str = "", margin: int = 0) -> None:
        self.unknown: dict[str, int] = {}
        self._margin = margin
        self._own_agent = self._agent = agent
        self._session, self._folder, self._branch, self._uuid, self._at = session, "", "", "", ""
        self._number = 0
        self._calls: Recent[Call] = Recent()
        self._queue: dict[str, Waiting] = {}
        self._told: Recent[int] = Recent()  # prompts told from the queue, whose record may still come
        self._plans: Recent[bool] = Recent()

    def take(self, record: Record) -> list[Event]:
        """The events of one record."""
        kind = _text(record.get("type"))
        take = _TAKE.get(kind)
        if take is None:
            if kind not in _IGNORED:
                name = kind[:50] if kind in self.unknown or len(self.unknown) < _MOST_UNKNOWN else ""
                self.unknown[name or "?"] = self.unknown.get(name or "?", 0) + 1
            return []
        self._session = _text(record.get("sessionId")) or _text(record.get("session_id")) or self._session
        self._folder = _text(record.get("cwd")) or self._folder
        self._branch = _text(record.get("gitBranch")) or self._branch
        self._uuid = _text(record.get("uuid")) or self._uuid
        self._at = _text(record.get("timestamp"))[:40] or self._at
        inner = _text(record.get("agentId")) or "agent" if record.get("isSidechain") else ""
        self._agent = self._own_agent or inner
        self._number += kind in ("user", "assistant")
        events = list(take(self, record))
        return [*self._overdue(), *events] if self._queue else events

    @property
    def waiting(self) -> bool:
        """Whether a prompt in the queue has not been told yet."""
        return bool(self._queue)

    def end(self) -> list[Event]:
        """What still waits in the queue when the file ends: it was typed, and may never be sent."""
        return self._tell(list(self._queue))

    def event(self, kind: str, text: str, **more: Any) -> Event:
        """An event of the record being taken."""
        fields = {"session": self._session, "uuid": self._uuid, "at": self._at, "agent": self._agent}
        return Event(kind=kind, text=public(text), **(fields | {"folder": self._folder, "branch": self._branch} | more))

    # Users

    def user(self, record: Record) -> Iterator[Event]:
        """A prompt, a wrapper of the client, or results of tools."""
        content = _dict(record.get("message")).get("content")
        results = [block for block in _list(content) if block.get("type") == "tool_result"]
        if results:
            for block in results:
                yield from self._result(block, record)
        elif "toolUseResult" not in record and not (record.get("isMeta") or record.get("isCompactSummary")):
            yield from self._typed(_texts(content, "\n\n"), record)

    def _typed(self, text: str, record: Record) -> Iterator[Event]:
        key = words.likeness(text)
        self._queue.pop(key, None)
        if self._number - self._told.pop(key, -_LATE) < _LATE:
            return
        said = words.said(text)
        if said.kind == words.INTERRUPT:
            yield self.event("boundary", said.text)
        elif said.kind == words.PLAN:
            yield from self._plan(said.text)
        elif said.kind == words.COMMAND:
            yield from self._shell(said.text, "bash-input")
        elif said.kind == words.PROMPT and not self._agent and _is_of_a_human(record):
            yield self.event("prompt", self._head(said.text, PROMPT))

    def _plan(self, text: str) -> Iterator[Event]:
        text = self._head(words.cleaned(text), PROSE)
        if text and text not in self._plans:
            self._plans.put(text, True)
            yield self.event("plan", text)

    def _result(self, block: Record, record: Record) -> Iterator[Event]:
        call = self._calls.pop(_text(block.get("tool_use_id")), None)
        output = _texts(block.get("content"), "\n")
        detail = _dict(record.get("toolUseResult"))
        failed = block.get("is_error") is True
        refusal = words.refusal(output) if failed and _is_refused(call, record) else None
        if refusal is not None:
            told = words.cleaned(_text(detail.get("userFeedback")) or _text(record.get("userFeedback"))) or refusal
            if told and not self._agent:
                yield self.event("feedback", self._head(told, PROMPT), tool=call.tool if call else "")
            return
        if (call and call.tool == "AskUserQuestion") or (not call and {"questions", "answers"} <= set(detail)):
            yield from self._answers(detail, output)
            return
        if call and call.tool == "ExitPlanMode" and not failed and not self._agent:
            yield from self._plan(_text(detail.get("plan")) or next((held.text for held in call.held), ""))
            return
        if call and not failed:
            yield from call.held
        # The call of an orphan is not known, so it may be one of ours: memem never reads what it said itself.
        if call and not call.ours:
            # Cut before cleaning, because outputs are long; not where the cut could part our text from its marker.
            size = RESULT + 2 * self._margin
            shorter = output if "memem-" in output else words.ends(output, 2 * size)
            if text := words.ends(words.cleaned(shorter), size):
                yield self.event("result", text, tool=call.tool, failed=failed)

    def _answers(self, detail: Record, output: str) -> Iterator[Event]:
        found = _dict(detail.get("answers")) if "answers" in detail else words.answers(output)
        notes = _dict(detail.get("annotations"))
        for question, answer in found.items():
            chosen = ", ".join(map(str, answer)) if isinstance(answer, list) else _text(answer)
            note = _text(_dict(notes.get(question)).get("notes"))
            text = words.cleaned(f"{chosen} ({note})" if note and chosen else chosen or note)
            if text and not self._agent:
                yield self.event("answer", self._head(f"{words.cleaned(question)} — {text}", PROMPT))

    # The agent

    def assistant(self, record: Record) -> Iterator[Event]:
        """Blocks of one message: prose and tool calls. The client's own error texts are nobody's."""
        message = _dict(record.get("message"))
        if record.get("isApiErrorMessage") or message.get("model") == "<synthetic>":
            return
        content = message.get("content")
        for block in _list([{"type": "text", "text": content}] if isinstance(content, str) else content):
            if block.get("type") == "text":
                text = words.ends(words.cleaned(_text(block.get("text"))), PROSE + 2 * self._margin)
                if text:
                    yield self.event("prose", text)
            elif block.get("type") == "tool_use":
                yield from self._called(block)

    def _called(self, block: Record) -> Iterator[Event]:
        tool, given = _text(block.get("name")), _dict(block.get("input"))
        command = _text(given.get("command")) if tool in SHELLS else ""
        told = list(self._shell(command, tool)) if command else []
        held = [event for event in told if event.kind == "commit"] or self._edits(tool, given)
        path = _text(given.get("file_path")) or _text(given.get("path"))
        ours = words.is_of_memem(tool, command or path)
        self._calls.put(_text(block.get("id")), Call(tool=tool, held=tuple(held), ours=ours))
        yield from (event for event in told if event.kind == "command")

    def _shell(self, command: str, tool: str) -> Iterator[Event]:
        text = words.cleaned(command)
        if text:
            yield self.event("command", self._head(text, SHELL), tool=tool)
            for message in commits.messages(text):
                yield self.event("commit", self._head(message, EDIT), tool=tool)

    def _edits(self, tool: str, given: Record) -> list[Event]:
        path = _text(given.get("file_path")) or _text(given.get("notebook_path"))
        if tool == "ExitPlanMode":
            texts = [_text(given.get("plan"))[: 2 * PROSE + self._margin]]
        elif tool == "MultiEdit":
            texts = [_text(edit.get("new_string")) for edit in _list(given.get("edits"))[:50]]
        else:
            field = {"Edit": "new_string", "Write": "content", "NotebookEdit": "new_source"}.get(tool, "")
            texts = [_text(given.get(field))]
        cleaned = (self._head(words.cleaned(text), EDIT if path else PROSE) for text in texts if text)
        return [self.event("edit", text, path=path, tool=tool) for text in cleaned if text]

    # What is neither

    def system(self, record: Record) -> Iterator[Event]:
        """Compaction parts a session; nothing else of the system matters."""
        if record.get("subtype") in ("compact_boundary", "microcompact_boundary"):
            yield self.event("boundary", "compaction")

    def progress(self, record: Record) -> Iterator[Event]:
        """Messages of a sub-agent, which older clients wrote into the session's own file."""
        data = _dict(record.get("data"))
        inner = _dict(data.get("message"))
        take = {"user": Decoder.user, "assistant": Decoder.assistant}.get(_text(inner.get("type")))
        if data.get("type") == "agent_progress" and take:
            before, self._agent = self._agent, _text(data.get("agentId")) or "agent"
            self._uuid = _text(inner.get("uuid")) or self._uuid
            yield from take(self, inner)
            self._agent = before

    def attachment(self, record: Record) -> Iterator[Event]:
        """Prompts typed while the agent worked; all other attachments are put there by the client and by hooks."""
        attached = _dict(record.get("attachment"))
        if attached.get("type") == "queued_command" and attached.get("commandMode", "prompt") == "prompt":
            yield from self._typed(_texts(attached.get("prompt"), "\n\n"), attached)

    def queue(self, record: Record) -> Iterator[Event]:
        """The queue of prompts: what left it and gets no record of its own was told to the agent all the same."""
        operation, raw = record.get("operation"), _text(record.get("content"))
        key = words.likeness(raw)
        if operation == "enqueue" and not self._agent:
            said = words.queued(raw)
            event = self.event("prompt", self._head(said.text, PROMPT)) if said.kind == words.PROMPT else None
            self._queue[key] = Waiting(event=event)
            yield from self._tell(list(self._queue)[:-_REMEMBERED])
        elif operation == "popAll":  # back in the input line, where the human may change it
            self._queue = {name: waiting for name, waiting in self._queue.items() if waiting.left_at}
        elif operation in ("dequeue", "remove"):
            inside = [name for name, waiting in self._queue.items() if not waiting.left_at]
            for name in [key] if raw else inside[:1]:
                if name in inside:
                    self._queue[name] = self._queue[name].replace(left_at=self._number + 1)

    def _overdue(self) -> list[Event]:
        return self._tell(
            [
                name
                for name, waiting in self._queue.items()
                if waiting.left_at and self._number - waiting.left_at >= _SETTLED
            ]
        )

    def _head(self, text: str, size: int) -> str:
        return words.head(text, size + self._margin)

    def _tell(self, names: list[str]) -> list[Event]:
        for name in names:
            self._told.put(name, self._number)
        told = [self._queue.pop(name).event for name in names]
        return [event for event in told if event]


def cut(kind: str, text: str) -> str:
    """A text of an event cut to what its kind allows."""
    return (words.ends if kind in _BOTH_ENDS else words.head)(text, LONGEST.get(kind, PROSE))


_TAKE: dict[str, Callable[[Decoder, Record], Iterator[Event]]] = {
    "user": Decoder.user,
    "assistant": Decoder.assistant,
    "system": Decoder.system,
    "progress": Decoder.progress,
    "attachment": Decoder.attachment,
    "queue-operation": Decoder.queue,
}


def _is_of_a_human(record: Record) -> bool:
    origin = record.get("origin")
    kind = origin.get("kind") if isinstance(origin, dict) else None
    return kind in (None, "human") and record.get("promptSource") != "system" and not record.get("isSidechain")


def _is_refused(call: Call | None, record: Record) -> bool:
    # Whoever writes a tool's output could pretend to be the human; of such tools only the client's own word counts.
    foreign = call is None or call.tool.startswith(("mcp__", "Web"))
    return not foreign or record.get("toolUseResult") == "User rejected tool use" or "toolDenialKind" in record


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dict(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Record]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(content: Any, glue: str) -> str:
    """The text of a message or result, which is a string or a list of blocks."""
    if isinstance(content, str):
        return content
    return glue.join(_text(block.get("text")) for block in _list(content) if block.get("type") == "text")
