"""The command line: the group, what all commands share, and how errors reach people and programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from memem import __version__
from memem.app import Memem
from memem.errors import MememError

EPILOG = """\b
Exit codes: 0 done, 1 doctor found a failure, 2 wrong usage, 3 not found, 4 vault or state folder
unavailable, 5 damaged file, 20 try again later. bootstrap.sh adds 10 to 15, see docs/troubleshooting.md.
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(__version__, prog_name="memem")
@click.pass_context
def group(context: click.Context) -> None:
    """Local-first memory for coding agents: markdown notes in your vault, recalled when they matter."""
    context.obj = _Opener()


class _Opener:
    """Opens the facade when a command needs it, so that --help stays instant."""

    def __init__(self) -> None:
        self._memem: Memem | None = None

    def __call__(self) -> Memem:
        if self._memem is None:
            self._memem = Memem()
            for warning in self._memem.degraded:
                click.echo(f"memem: {warning}", err=True)
        return self._memem


def run(arguments: Sequence[str]) -> None:
    """Run one command line; ends the process with the documented exit code."""
    from memem.cli import adopt, demo, memory, miner, sessions, system, uninstall

    for module in (memory, sessions, miner, system, demo, adopt, uninstall):
        for command in module.COMMANDS:
            group.add_command(command)
    try:
        group.main(list(arguments), prog_name="memem", standalone_mode=True)
    except MememError as error:
        click.echo(f"memem: {error}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the door of the command line: a person gets a line, not a traceback
        click.echo(
            f"memem: unexpected {type(error).__name__}: {error}\nfix: memem doctor; if that is well, report it",
            err=True,
        )
        sys.exit(1)


def scope_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--scope`, the same for every command."""
    return click.option(
        "--scope", "scope", default="", metavar="PROJECT", help="Project; default: the one here. `general` for none."
    )(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, the same for every command."""
    return click.option("--json", "as_json", is_flag=True, help="For programs: one JSON document.")(function)


def emit(document: Any) -> None:
    """Print a JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
