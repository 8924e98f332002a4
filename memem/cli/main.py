"""The command line: the table of commands, the page that lists them, and how errors reach people and programs.

Click takes four times as long to load as the interpreter, so nothing here loads it before a command needs it.
"""

from __future__ import annotations

import sys

from memem import __version__
from memem.cli.former import OLD_FLAGS, READS
from memem.config import completing
from memem.errors import BadInput, MememError
from memem.text import clean
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TypeVar

    from memem.app import Memem
    from memem.miner import Miner

    M = TypeVar("M", bound=Memem)

# Group → name, file in this folder, what it does. The file is loaded when its command is called.
COMMANDS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "Remember and recall",
        (
            ("save", "memory", "Save a lesson as a note in your vault."),
            ("search", "memory", "Find memories about something, one line each."),
            ("get", "memory", "Show memories in full by id."),
            ("list", "memory", "List the memories of this project."),
            ("slice", "slice", "The working state for a task: identity, constraints, decisions, failures."),
            ("timeline", "memory", "What was learned before and after a memory."),
            ("graph", "graph", "What a memory is connected with; walk, check and mend the connections."),
            ("import", "imports", "Take notes, instruction files or chat exports in; shows first what it would save."),
        ),
    ),
    (
        "Earlier sessions",
        (
            ("transcripts", "sessions", "Search what was said and done in them."),
            ("mine", "sessions", "Take their durable lessons into the vault."),
            ("off", "secrets", "Leave this session alone: nothing injected, saved, archived or mined."),
            ("miner", "miner", "Let that happen by itself: start, stop, history, what it spends."),
        ),
    ),
    (
        "See how it is doing",
        (
            ("status", "system", "How many memories, where, and what the hooks did."),
            ("doctor", "system", "Check everything; each problem names its fix."),
            ("stats", "review", "Memories over time, kinds and projects; how often recall spoke."),
            ("stale", "review", "Memories that may be outdated, and why. Changes nothing."),
            ("conflicts", "system", "Notes that need your decision."),
            ("secrets", "secrets", "What was redacted, kept encrypted: list, reveal, false-positive, purge."),
            ("verify", "system", "Compare vault, index and state byte for byte."),
        ),
    ),
    (
        "Keep it, take it back",
        (
            ("audit", "keep", "Where a memory came from, back to the line of the transcript, and what became of it."),
            ("backup", "keep", "Put everything that cannot be made anew into one verified file."),
            ("restore", "keep", "Bring a backup back, here or on another machine; shows first what would change."),
            (
                "forget",
                "keep",
                "Take memories or a session out of everything that memem keeps; shows first what goes.",
            ),
            ("undo", "keep", "Take back the last thing that memem did to your notes, or to one of them."),
        ),
    ),
    (
        "Set it up",
        (
            ("config", "settings", "Show and change settings."),
            ("sync", "system", "Bring the index up to date with the vault now."),
            ("index", "system", "Build the index anew: it is derived from the notes."),
            ("completion", "settings", "Complete commands with the tab key in bash, zsh or fish."),
            ("adopt", "adopt", "Take over from the published memem: stop its miner, keep its notes."),
            ("uninstall", "uninstall", "Remove memem; never your notes."),
            ("demo", "demo", "Watch the whole loop on a sample session, in a throw-away vault."),
        ),
    ),
)
EXAMPLES = """\
  memem save "Integration tests need Redis on port 6380" --key cache
  memem search "redis port"
  memem list --all
  memem mine --dry-run ~/.claude/projects
  memem config set injection_mode tool"""
EPILOG = """\
Exit codes: 0 done, 1 doctor or verify found a failure, 2 wrong usage, 3 not found, 4 vault or state folder
unavailable, 5 damaged file, 20 try again later. bootstrap.sh adds 10 to 15, see docs/troubleshooting.md."""


def run(arguments: Sequence[str]) -> None:
    """Run one command line; ends the process with the documented exit code."""
    try:
        _dispatch(list(arguments))
    except MememError as error:
        print(f"memem: {clean(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except ModuleNotFoundError:
        raise  # a dependency is not installed yet: the bootstrap knows what to do
    except Exception as error:  # noqa: BLE001 - the door of the command line: a person gets a line, not a traceback
        what = f"memem: unexpected {type(error).__name__}{_words(error)}"
        print(f"{what}\nfix: memem doctor; if that is well, report it", file=sys.stderr)
        sys.exit(1)


def _words(error: Exception) -> str:
    """What an error says, without secrets: a terminal's text ends up in logs and reports."""
    from memem.ingest.secrets import redact

    try:
        return f": {redact(str(error)[:2000]).text}"
    except MememError:
        return ""


def page(heading: Callable[[str], str] = str) -> str:
    """All commands in their groups, with examples and exit codes: what `memem --help` prints."""
    lines = [
        f"memem {__version__}: local-first memory for coding agents. Markdown notes in your vault, recalled when they",
        "matter.",
        "",
        f"{heading('Usage:')} memem COMMAND [OPTIONS]      memem COMMAND --help says more",
    ]
    for group, rows in COMMANDS:
        lines += ["", heading(group), *(f"  {name:<12} {text}" for name, _, text in rows)]
    lines += ["", heading("Examples"), EXAMPLES, "", EPILOG]
    return "\n".join(lines)


def _dispatch(arguments: list[str]) -> None:
    first = arguments[0].partition("=")[0] if arguments else "--help"
    if completing():
        arguments = []  # the shell hands over the words in its own variables
    elif first in ("-h", "--help"):
        print(page(_bold if sys.stdout.isatty() else str))
        return
    elif first == "--version":
        print(f"memem, version {__version__}")
        return
    elif (answer := _glanced(arguments)) is not None:
        print(answer)
        return
    elif first in READS:
        arguments[:1] = [*READS[first], *arguments[0].split("=", 1)[1:]]
    elif first in OLD_FLAGS:
        raise BadInput(f"{first} is no flag any more. {OLD_FLAGS[first]}")
    from memem.cli.group import group

    group.main(arguments, prog_name="memem")


def _glanced(arguments: list[str]) -> str | None:
    """The answer of the commonest command, a search without options, if it can be had without loading the rest."""
    if len(arguments) != 2 or arguments[0] != "search" or arguments[1][:1] in ("", "-") or arguments[1].isspace():
        return None
    from memem.glance import search

    return search(arguments[1])


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m"


class Opener:
    """Opens the facade when a command needs it, so that the help of a command stays quick."""

    def __init__(self) -> None:
        self._memem: Memem | None = None
        self._told: set[str] = set()

    def __call__(self, *, lenient: bool = False) -> Memem:
        """The facade; with `lenient` also when settings are wrong, for those who tell what is wrong."""
        if self._memem is None:
            from memem.app import Memem
            from memem.config import load, load_leniently

            self._memem = Memem(load_leniently() if lenient else load())
            self._tell(self._memem.degraded)
        return self._memem

    def warn(self) -> None:
        """Tell what came to light since, for answers that have no place for it."""
        if self._memem is not None:
            self._tell(self._memem.warnings())

    def _tell(self, warnings: Iterable[str]) -> None:
        for warning in warnings:
            if warning not in self._told:
                self._told.add(warning)
                print(f"memem: {clean(warning)}", file=sys.stderr)

    def miner(self) -> Miner:
        """What reads transcripts for it."""
        from memem.miner import Miner

        return Miner(self())


def scope_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--scope`, the same for every command."""
    import click

    return click.option(
        "--scope", "scope", default="", metavar="PROJECT", help="Project; default: the one here. `general` for none."
    )(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, the same for every command."""
    import click

    return click.option("--json", "as_json", is_flag=True, help="For programs: one JSON document.")(function)


def emit(document: Any) -> None:
    """Print a JSON document."""
    import json

    import click

    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
