"""The values of an Active Memory Slice: the task, what is in it, what was left out, what it proposes to write."""

from __future__ import annotations

from memem.models import Candidate, Memory, Query
from memem.value import Value

MODES = ("coding", "proposal", "debug", "research", "maintenance", "session_start")


class Task(Value):
    """What a slice is for: the question, and what the caller knows of the work at hand."""

    text: str
    scope: str = ""  # a project's name; "" for the one of the folder
    folder: str = ""
    session: str = ""
    mode: str = ""  # one of MODES, or nothing
    current_file: str = ""
    open_files: tuple[str, ...] = ()
    modified_files: tuple[str, ...] = ()
    artifact: str = ""  # what the task is to make or change, if it is not the current file
    branch: str = ""
    name: str = ""
    stakeholder: str = ""
    deadline: str = ""
    limit: int = 10
    budget: int = 9500  # UTF-16 units of the rendered items
    strict: bool = False  # nothing of other projects
    history: bool = False  # also what is no longer in force
    transcripts: bool = False  # also what was said in sessions
    judge: bool = False  # a model may drop and move what was found

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """The files at hand, each once, with what they are to the task: the most telling state wins."""
        named = [(self.artifact, "artifact"), (self.current_file, "current")]
        named += [(path, "modified") for path in self.modified_files] + [(path, "open") for path in self.open_files]
        states: dict[str, str] = {}
        for path, state in named:
            if path:
                states.setdefault(path, state)
        return tuple(states.items())


class Item(Value):
    """One thing in a slice, in its role. `id` is a memory's, or begins with `artifact:`, `transcript:` or `task:`."""

    id: str
    title: str
    role: str = ""
    text: str = ""
    origin: str = "memory"  # memory, playbook, transcript, artifact, task
    candidate: Candidate | None = None
    score: float = 0.0  # 0 to 1
    why: tuple[str, ...] = ()
    carried: int = 0  # for how many slices it has been there without being found again

    @property
    def memory(self) -> Memory | None:
        """The memory behind it, if there is one."""
        return self.candidate.memory if self.candidate else None


class Excluded(Value):
    """A candidate that a boundary kept out."""

    id: str
    title: str
    reason: str


class Past(Value):
    """What is remembered of an earlier slice: ids with role, score and `carried`; no text."""

    id: str
    items: tuple[tuple[str, str, float, int], ...] = ()


class Continuity(Value):
    """What became of the session's previous slice. Ids throughout."""

    previous: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    progression: tuple[tuple[str, str], ...] = ()  # path → new, continued, carried, dropped


class Delta(Value):
    """A proposed change of the vault. The same proposal has the same id whenever and wherever it is made."""

    id: str
    type: str
    reason: str
    confidence: float
    memories: tuple[str, ...] = ()  # full ids of those it changes or is about
    content: str = ""  # of a new memory
    kind: str = ""


class Result(Value):
    """What became of a delta: `status` is one of not_run, dry_run, committed, rejected, blocked, skipped."""

    delta: Delta
    status: str
    policy: str  # auto_safe, manual_review, blocked
    errors: tuple[str, ...] = ()
    message: str = ""


class ActiveSlice(Value):
    """The working state for a task."""

    id: str
    query: Query
    task: Task
    at: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    items: tuple[Item, ...] = ()
    resolved: tuple[Item, ...] = ()  # tensions that are none any more
    excluded: tuple[Excluded, ...] = ()
    considered: int = 0
    recalled: int = 0
    judge: str = ""  # the model that looked through it, or nothing
    confidence: float = 0.0  # how much of the question's information the best match holds
    continuity: Continuity = Continuity()
    results: tuple[Result, ...] = ()
    warnings: tuple[str, ...] = ()
