"""The commands as click sees them: each loaded from its file when it is called, unknown ones answered with a hint."""

from __future__ import annotations

from importlib import import_module

import click

from memem import __version__
from memem.cli.former import OTHER_WORDS
from memem.cli.main import COMMANDS, Opener, page

FILES = {name: file for _, rows in COMMANDS for name, file, _ in rows}


class Commands(click.Group):
    """The table of commands as a click group."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Every name, in the order of the table."""
        return list(FILES)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name from its file."""
        if name not in FILES:
            return None
        commands: tuple[click.Command, ...] = import_module(f"memem.cli.{FILES[name]}").COMMANDS
        return next(command for command in commands if command.name == name)

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; a name that other programs use, or a slip of the keys, is answered with ours."""
        name = arguments[0]
        if name not in FILES and not name.startswith("-"):
            context.fail(f"memem has no command {name!r}. {_hint(name)}")
        return super().resolve_command(context, arguments)

    def get_help(self, context: click.Context) -> str:
        """The same page as without click."""
        return page()


def _hint(name: str) -> str:
    from difflib import get_close_matches  # as slow as half of click

    if name in OTHER_WORDS:
        return f"What you want is: {OTHER_WORDS[name]}"
    near = get_close_matches(name, FILES, n=1)
    return f"Did you mean `memem {near[0]}`?" if near else "`memem --help` lists them."


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.pass_context
def group(context: click.Context) -> None:
    """Local-first memory for coding agents."""
    context.obj = Opener()
