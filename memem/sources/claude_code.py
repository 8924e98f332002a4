"""Transcripts of Claude Code: where they are, and how they are read line by line in bounded memory."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from memem.dates import seconds
from memem.errors import NotFound, Unavailable
from memem.off import is_off, stretches
from memem.sources.events import Event, record_of
from memem.sources.excluded import Excluded
from memem.sources.lines import decoded
from memem.sources.records import Decoder, Recent, Record
from memem.sources.words import is_of_miner
from memem.value import Value

LONGEST_LINE = 4 * 1024 * 1024  # bytes; the longest seen in real files has 2.1 MB
_PIECE = 1024 * 1024
_BEFORE = 1024 * 1024  # read again before a start offset: a result there needs to know its call
_HEAD_RECORDS, _HEAD_BYTES = 60, 512 * 1024
_IDENTITY = 4096
_PRIVATE = ("tool-results", "memory")  # folders beside transcripts that hold none


class Head(Value):
    """What the first records of a transcript tell: where it began, and whose it is."""

    session: str
    folder: str = ""
    ours: bool = False  # a model call of memem itself, never to be read
    alone: bool = False  # the user had it forgotten, or switched off for now: not to be read

    @property
    def readable(self) -> bool:
        """Whether memem may read on."""
        return not (self.ours or self.alone)


class ClaudeCode:
    """The source of Claude Code's sessions. `state` is memem's state folder: what ran in there is its own.

    `excluded` names projects whose sessions are left alone. `forgotten` tells of a "session" or a "record" by its id
    whether the user had it forgotten: it is passed over.
    """

    def __init__(
        self,
        state: str = "",
        excluded: str = "",
        forgotten: Callable[[str, str], bool] = lambda _kind, _name: False,
    ) -> None:
        self._state = os.path.normpath(state) if state else ""
        self.excluded = Excluded(excluded)
        self._forgotten = forgotten

    def sessions(self, folder: str) -> Iterator[Path]:
        """Transcripts below a folder (or the file itself) in order of their paths, without memem's own."""
        for path in transcripts(folder):
            try:
                readable = self.head(path).readable
            except (NotFound, Unavailable):
                continue
            if readable and not self.excludes(path):
                yield path

    def excludes(self, path: Path) -> bool:
        """Whether a transcript is of a project that the user excluded."""
        if not self.excluded or self.excluded.holds_path(path):
            return bool(self.excluded)
        try:
            return self.excluded.holds_folder(self.head(path).folder)
        except (NotFound, Unavailable):
            return False  # whoever reads it says so

    def head(self, path: Path) -> Head:
        """The session, folder and owner of a transcript, from its first records.

        Raises:
            NotFound, Unavailable: the file is gone, or cannot be read.
        """
        session, folder, prompt = "", "", None
        with _open(path) as file:
            for _ in range(_HEAD_RECORDS):
                line = file.readline(LONGEST_LINE)
                for record in decoded(line)[0]:
                    session = session or _string(record.get("sessionId"))
                    folder = folder or _string(record.get("cwd"))
                    prompt = _first_text(record) if prompt is None else prompt
                if not line or file.tell() > _HEAD_BYTES or (folder and prompt is not None):
                    break
        inside = bool(self._state) and f"{os.path.normpath(folder)}/".startswith(f"{self._state}/") and bool(folder)
        session = session or _session_of(path)
        names = {session, _session_of(path)}
        gone = any(self._forgotten("session", name) for name in names)
        off = bool(self._state) and any(is_off(self._state, name) for name in names)
        return Head(session=session, folder=folder, ours=inside or is_of_miner(prompt or ""), alone=gone or off)

    def read(self, path: Path, start: int = 0, seen: set[str] | None = None, margin: int = 0) -> Transcript:
        """A transcript from a byte offset on.

        `seen` holds uuids of records that were read before, from this file or others: forks copy them. Those met are
        added to it. `margin`: see `records.Decoder`.
        """
        return Transcript(path, start, seen, margin, self._passed_over(_session_of(path)))

    def _passed_over(self, session: str) -> Callable[[Event], bool]:
        """Tells of an event of a session whether it was forgotten, or happened while memem was to leave it alone."""
        private = stretches(self._state, session) if self._state else []

        def passed_over(event: Event) -> bool:
            if self._forgotten("record", record_of(event)):
                return True
            at = seconds(event.at) if private else None
            return bool(private) and (at is None or any(began <= at <= ended for began, ended in private))

        return passed_over


class Transcript:
    """One pass over a file. While it runs, `offset` is behind the last line whose events were all taken.

    `settled` is an offset from which a later pass misses nothing if this one is not finished: no prompt that was typed
    before it still waits to be told.
    """

    def __init__(
        self,
        path: Path,
        start: int = 0,
        seen: set[str] | None = None,
        margin: int = 0,
        passed_over: Callable[[Event], bool] = lambda _: False,
    ) -> None:
        self.path = path
        self._passed_over = passed_over
        self.offset = self.settled = start
        self.skipped = 0
        self.records = 0
        self._start = start
        self._seen = seen
        self._recent: Recent[bool] = Recent()
        self._decoder = Decoder(_session_of(path), _agent_of(path), margin)

    @property
    def unknown(self) -> dict[str, int]:
        """Record types that are not known, counted."""
        return self._decoder.unknown

    def __iter__(self) -> Iterator[Event]:
        """The events from the start offset to the last complete line.

        Raises:
            NotFound, Unavailable: the file is gone, or cannot be read.
        """
        with _open(self.path) as file:
            self._catch_up(file)
            try:
                yield from self._events(file)
            except OSError as error:
                raise Unavailable(
                    f"{self.path} cannot be read: {error}. Check the disk and its permissions."
                ) from error
        yield from (event for event in self._decoder.end() if not self._passed_over(event))
        self.settled = self.offset

    def _catch_up(self, file: BinaryIO) -> None:
        """Let the decoder see what stands before the start: calls, the queue. It was told already."""
        if self._start <= 0:
            return
        at = max(self._start - _BEFORE, 0)
        file.seek(at)
        if at:
            at += len(file.readline(self._start - at))
        while at < self._start and (line := file.readline(self._start - at)):
            at += len(line)
            for record in decoded(line)[0]:
                self._decoder.take(record)
                self._is_new(record, self._recent)
        self._decoder.end()
        self._decoder.unknown.clear()
        file.seek(self._start)

    def _events(self, file: BinaryIO) -> Iterator[Event]:
        while line := file.readline(LONGEST_LINE + 1):
            length, complete = len(line), line.endswith(b"\n")
            if not complete and length > LONGEST_LINE:
                rest = _to_line_end(file)
                if rest is None:
                    return
                self.skipped += 1
                self.offset += length + rest
                continue
            found, whole = decoded(line)
            # Without its line end a record is either cut off, and left for later, or whole all the same.
            if not complete and not (found and whole):
                return
            self.skipped += not whole
            self.records += len(found)
            for record in found:
                events = self._decoder.take(record)
                if self._is_new(record, self._recent if self._seen is None else self._seen):
                    yield from (event for event in events if not self._passed_over(event))
            self.offset += length
            if not self._decoder.waiting:
                self.settled = self.offset

    def _is_new(self, record: Record, seen: set[str] | Recent[bool]) -> bool:
        data = record.get("data")
        inner = data.get("message") if record.get("type") == "progress" and isinstance(data, dict) else None
        uuid = _string((inner if isinstance(inner, dict) else record).get("uuid"))
        if not uuid:
            return True
        known = uuid in seen or uuid in self._recent
        seen.add(uuid) if isinstance(seen, set) else seen.put(uuid, True)
        return not known


def records_on(path: Path, wanted: Callable[[bytes], bool]) -> Iterator[tuple[int, Record]]:
    """The records on the lines of a file that are wanted, each with the byte offset of its line.

    Raises:
        NotFound, Unavailable: the file is gone, or cannot be read.
    """
    with _open(path) as file:
        place = 0
        try:
            while line := file.readline(LONGEST_LINE + 1):
                length = len(line)
                if length > LONGEST_LINE and not line.endswith(b"\n"):
                    length += _to_line_end(file) or 0
                elif wanted(line):
                    yield from ((place, record) for record in decoded(line)[0])
                place += length
        except OSError as error:
            raise Unavailable(f"{path} cannot be read: {error}. Check the disk and its permissions.") from error


def fingerprint(path: Path) -> str:
    """What a file is known by while it grows: `inode:length:hash` of its first 4 KB, or of all when it has less.

    Raises:
        NotFound, Unavailable: the file is gone, or cannot be read.
    """
    with _open(path) as file:
        start = file.read(_IDENTITY)
        return f"{os.fstat(file.fileno()).st_ino}:{len(start)}:{hashlib.sha256(start).hexdigest()[:16]}"


def is_same(path: Path, known: str, offset: int = 0) -> bool:
    """Whether a file is still the one of that fingerprint and holds at least `offset` bytes; else read it anew.

    Raises:
        NotFound, Unavailable: the file is gone, or cannot be read.
    """
    inode, _, rest = known.partition(":")
    length, _, digest = rest.partition(":")
    with _open(path) as file:
        about = os.fstat(file.fileno())
        if str(about.st_ino) != inode or about.st_size < offset or not length.isdigit():
            return False
        return hashlib.sha256(file.read(min(int(length), _IDENTITY))).hexdigest()[:16] == digest


def line_start(path: Path, at: int) -> int:
    """Where the first line at or after a byte offset begins; 0 for one at or before the file's start.

    Raises:
        NotFound, Unavailable: the file is gone, or cannot be read.
    """
    if at <= 0:
        return 0
    with _open(path) as file:
        file.seek(at - 1)
        return at - 1 + (_to_line_end(file) or 0)


def transcripts(folder: str) -> Iterator[Path]:
    """Every transcript below a folder, or the file itself, in order of their paths."""
    return (Path(path) for path, _ in listed(folder))


def listed(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """The same with what the system knows of each, made for folders of thousands."""
    top = Path(folder)
    if top.is_file():
        yield folder, top.stat()
        return
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    folders = []
    for entry in inside:
        try:
            if entry.name.endswith(".jsonl") and stat.S_ISREG((about := entry.stat()).st_mode):
                yield entry.path, about
            elif entry.is_dir(follow_symlinks=False) and entry.name not in _PRIVATE:
                folders.append(entry.path)
        except OSError:
            continue  # it went away, or is a link to nothing
    for inner in folders:
        yield from listed(inner)


def _open(path: Path) -> BinaryIO:
    try:
        # Not to block on a pipe that has a transcript's name.
        file = open(path, "rb", buffering=_PIECE, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"the transcript {path} is gone.") from error
    except (OSError, ValueError) as error:
        raise Unavailable(f"{path} cannot be read: {error}. Check its permissions.") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise Unavailable(f"{path} is no regular file: name a transcript (.jsonl).")
    return file


def _to_line_end(file: BinaryIO) -> int | None:
    """Bytes to the end of the line, read and thrown away; None when the file ends before."""
    length = 0
    while piece := file.readline(_PIECE):
        length += len(piece)
        if piece.endswith(b"\n"):
            return length
    return None


def _first_text(record: Record) -> str | None:
    """The text of a record that may be the first prompt."""
    if record.get("type") == "queue-operation" and isinstance(record.get("content"), str):
        return _string(record["content"])
    message = record.get("message")
    if record.get("type") != "user" or record.get("isMeta") or not isinstance(message, dict):
        return None
    content: Any = message.get("content")
    if isinstance(content, list):
        texts = [block.get("text") for block in content if isinstance(block, dict)]
        content = "\n".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else None


def names_of(path: Path) -> tuple[str, str]:
    """The session a transcript belongs to, and the sub-agent it is of, as its path tells."""
    return _session_of(path), _agent_of(path)


def _session_of(path: Path) -> str:
    return path.parent.parent.name if path.parent.name == "subagents" else path.stem


def _agent_of(path: Path) -> str:
    return path.stem.removeprefix("agent-") if path.stem.startswith("agent-") else ""


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
