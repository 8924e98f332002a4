"""The sessions that memem reads: which there are, what is new in them, and what project each belongs to."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from memem import published
from memem.app import Memem
from memem.errors import BadInput
from memem.mining.session import Session, read_session
from memem.models import Scope


class Sessions:
    """Transcripts as memem knows them."""

    def __init__(self, memem: Memem) -> None:
        self._memem = memem
        self.source = memem.source()

    def found(self, paths: Sequence[str]) -> Iterator[Path]:
        """The transcripts that files, folders and globs name, each once, without memem's own.

        Raises:
            BadInput: a path does not exist, or is a transcript of an excluded project.
        """
        folders = [name for path in paths for name in _expanded(path)]
        for path in map(Path, paths):
            if path.is_file() and self.source.excludes(path):
                raise BadInput(
                    f"{path} is of a project that MEMEM_EXCLUDED_SESSION_PROJECTS excludes: take it out there."
                )
        yield from dict.fromkeys(found for folder in folders for found in self.source.sessions(folder))

    def windows(self, path: Path, after: int | None = None) -> Iterator[Session]:
        """What is new in a session, or behind the offset `after`; of a huge one parts, each read when asked for.

        Raises:
            NotFound, Unavailable: the file is gone, or cannot be read.
        """
        reading = self.read(path, after)
        yield reading
        while reading.more:
            reading = self.read(path, reading.offset)
            yield reading

    def read(self, path: Path, after: int | None = None) -> Session:
        """The first of the windows."""
        earlier = self._earlier.get(path.stem, 0)
        return read_session(self.source, path, self._memem.state, after=after, earlier=earlier)

    def scope(self, reading: Session) -> Scope:
        """The project of a session."""
        scope = self._memem.scope("", reading.folder or "/")
        leaf = scope.id.removeprefix("local:")
        if leaf != scope.id and leaf in self._memem.scope().names:
            return self._memem.scope()  # the folder is gone, and was most likely this project's
        return scope

    @cached_property
    def _earlier(self) -> dict[str, int]:
        """How far a published memem had mined each session."""
        return dict(published.mined(self._memem.config.dir))


def _expanded(path: str) -> list[str]:
    """A path, or what a glob stands for.

    Raises:
        BadInput: nothing is there.
    """
    if Path(path).exists():
        return [path]
    found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - the pattern may be absolute
    if not found:
        raise BadInput(f"{path} does not exist; give transcripts (.jsonl) or folders of them.")
    return found
