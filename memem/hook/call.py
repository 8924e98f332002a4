"""One call of a hook: what the host handed over, and what every event needs of it."""

from __future__ import annotations

import os
import time

from memem.config import Config
from memem.errors import MememError, TooNew
from memem.models import Query
from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from memem.index.reader import Index
    from memem.models import Candidate
    from memem.state.store import State

TRAIL = "events.jsonl"
LONGEST_NAME = 64
_MOST_IDS = 6


class Call(Value):
    """An event as the host told it, with the settings it is answered by."""

    config: Config
    payload: Mapping[str, Any]
    environ: Mapping[str, str]

    def word(self, field: str) -> str:
        """A text field of the event, or nothing."""
        return text_in(self.payload, field)

    @property
    def session(self) -> str:
        """The session's id, or nothing when it is none that can be remembered."""
        return _id(self.word("session_id"))

    @property
    def context(self) -> str:
        """Whose context an answer goes to: the session's own, or that of a sub-agent in it."""
        agent = self.word("agent_id")
        return self.session if not agent else f"{self.session}.{_id(agent)}" if self.session and _id(agent) else ""

    @property
    def held(self) -> bool:
        """Whether this session is held out: nothing is injected, what would have been is noted."""
        if self.config.holdout <= 0 or not self.session:
            return False
        from binascii import crc32

        return crc32(self.session.encode()) % 100 < self.config.holdout

    @property
    def folder(self) -> str:
        """The folder of the session's project. It stays when the agent changes to another; a sub-folder refines it."""
        here = self.word("cwd")
        top = self.environ.get("CLAUDE_PROJECT_DIR") or here
        return here if here.startswith(f"{top.rstrip('/')}/") else top

    def query(self, index: Index, text: str = "", *, limit: int, budget: int, paths: tuple[str, ...] = ()) -> Query:
        """A question of this session to recall, in the scope of its project."""
        from memem.project import scope_at

        scope = scope_at(self.folder, self.config.project_aliases, index.root_commit)
        today = time.strftime("%Y-%m-%d", time.gmtime())
        return Query(text=text, scope=scope, paths=paths, session=self.session, limit=limit, budget=budget, today=today)

    def index(self) -> Index | None:
        """The index, or None where there is none yet."""
        from memem.index.reader import index_folder, open_reader

        return open_reader(index_folder(self.config.dir, self.config.cache_dir))

    def state(self) -> State | None:
        """The state database, or None: without it a memory may be shown twice, which beats blocking a prompt.

        Raises:
            TooNew: a newer memem wrote it, so what was shown cannot be known.
        """
        from memem.state.store import open_state

        try:
            return open_state(self.config.dir, busy=0.1)
        except TooNew:
            raise
        except MememError:
            return None

    def mark_shown(self, state: State | None, found: Sequence[Candidate]) -> None:
        """Remember whose bodies are in the context now; what is withheld from a session is not."""
        if state is None or not self.context or not found or self.held:
            return
        from memem import sqlite

        try:
            state.mark_shown(self.context, {item.memory.id: item.etag for item in found}, time.time())
        except sqlite.Error:
            return  # locked by a writer: the memory may be shown once more

    def claimed(self, state: State | None, found: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """Those of them that no other hook shows at this moment: several tools may be called at once."""
        if state is None or not self.context or not found:
            return tuple(found)
        from memem import sqlite

        try:
            fresh = state.claim(self.context, {item.memory.id: item.etag for item in found}, time.time())
        except sqlite.Error:
            return tuple(found)  # locked by a writer: the memory may be shown once more
        return tuple(item for item in found if item.memory.id in fresh)

    def record(
        self, event: str, served: int, ids: Sequence[str] | None = None, agent: str = "", shown: Sequence[str] = ()
    ) -> None:
        """Leave a line in the trail: how many were served, and for later events of the session which ids.

        `shown` are the ids of what was injected, or would have been in a session that is held out.

        The trail holds no word of a prompt. One that is lost costs nothing but the counts.
        """
        parts = [f'"at": {int(time.time())}, "event": "{event}", "served": {served}']
        if ids is not None and self.session:
            from _json import encode_basestring_ascii as encode

            names = ", ".join(encode(name[:LONGEST_NAME]) for name in ids[:_MOST_IDS])
            parts.append(f'"session": {encode(self.session)}, "ids": [{names}]')
            parts += [f'"shown": [{", ".join(encode(name[:LONGEST_NAME]) for name in shown)}]'] if shown else []
            parts += ['"held": true'] if shown and self.held else []
            parts += [f'"agent": {encode(agent[:LONGEST_NAME])}'] if agent else []
        try:
            handle = os.open(self.config.state_path(TRAIL), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
            os.write(handle, f"{{{', '.join(parts)}}}\n".encode())
            os.close(handle)
        except OSError:
            return


def text_in(values: Mapping[str, Any], field: str) -> str:
    """A text of what the host handed over, or nothing."""
    value = values.get(field)
    return value.replace("\0", "") if isinstance(value, str) else ""


def _id(name: str) -> str:
    return name if 0 < len(name) <= 128 and name.isascii() and name.replace("-", "").replace("_", "").isalnum() else ""


def answer(event: str, context: str, message: str = "") -> str:
    """The output that gives the model a context, and the user a message; nothing without a context."""
    if not context:
        return ""
    from _json import encode_basestring_ascii as encode

    inner = f'"hookEventName": {encode(event)}, "additionalContext": {encode(context)}'
    outer = f', "systemMessage": {encode(message)}' if message else ""
    return f'{{"hookSpecificOutput": {{{inner}}}{outer}}}\n'


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


def decoded(text: str) -> Mapping[str, Any]:
    """The JSON object that a text begins with, or nothing.

    Raises:
        ValueError, StopIteration, RecursionError: it is broken, cut off, or nested too deeply.
    """
    if not text.startswith("{"):
        return {}
    import _json

    value: Any = _json.make_scanner(_Json())(text, 0)[0]  # type: ignore[arg-type]
    return value if isinstance(value, dict) else {}
