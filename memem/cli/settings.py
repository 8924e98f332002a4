"""Commands that set memem up: config and completion."""

from __future__ import annotations

import sys
from typing import Any

import click

from memem.cli.main import emit, json_option
from memem.errors import BadInput


@click.group()
def config() -> None:
    """Show and change settings: environment > config.toml > default.

    \b
    Examples: memem config show
              memem config set injection_mode tool
    """


@config.command()
@json_option
def show(as_json: bool) -> None:
    """Every setting: its value, where that came from, and what it does."""
    from memem import settings

    found = settings.show()
    if as_json:
        emit([setting.as_dict() for setting in found])
    elif sys.stdout.isatty():
        _table(found)
    else:
        for setting in found:
            click.echo(f"{setting.name} = {_plain(setting.value)}  ({setting.origin})")


@config.command()
@click.argument("name")
@json_option
def get(name: str, as_json: bool) -> None:
    """The value of one setting, by its name or its variable."""
    from memem import settings

    found = settings.get(name)
    emit(found.as_dict()) if as_json else click.echo(_plain(found.value))


@config.command(name="set")
@click.argument("name")
@click.argument("value")
def set_(name: str, value: str) -> None:
    """Write one setting to config.toml; the hooks know it from now on."""
    from memem import settings

    _report(settings.change(name, value))


@config.command()
@click.argument("name")
def unset(name: str) -> None:
    """Take one setting out of config.toml, so that its default holds."""
    from memem import settings

    _report(settings.change(name, None))


@config.command()
def edit() -> None:
    """Open config.toml in $EDITOR; what does not fit is not taken over."""
    from memem import settings

    edited = click.edit(settings.text(), extension=".toml")
    if edited is None:
        click.echo("Nothing was changed.")
        return
    settings.accept(edited)
    click.echo("Saved; the hooks know it from now on.")


@config.command(name="set-key")
@click.argument("name")
@click.option("--remove", is_flag=True, help="Take the key out again.")
def set_key(name: str, remove: bool) -> None:
    """Keep a model's key in keys.env, readable by you only; asked for unseen, or read from standard input.

    \b
    Example: memem config set-key ANTHROPIC_API_KEY <key.txt
    """
    from memem import settings

    path = settings.set_key(name, None if remove else _key(name))
    click.echo(f"{name} {'is no longer' if remove else 'is kept'} in {path}.")


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print what makes SHELL complete memem's commands with the tab key.

    \b
    bash: echo 'eval "$(memem completion bash)"' >>~/.bashrc
    zsh:  echo 'eval "$(memem completion zsh)"' >>~/.zshrc
    fish: memem completion fish >~/.config/fish/completions/memem.fish
    """
    from click.shell_completion import get_completion_class

    from memem.cli.group import group
    from memem.config import COMPLETE

    made = get_completion_class(shell)
    if made is None:
        raise BadInput(f"{shell} is not known to this version of click: use bash, zsh or fish.")
    script = made(group, {}, "memem", COMPLETE)
    # Not `source()`: bash's starts a bash to learn its version.
    click.echo(script.source_template % script.source_vars())


COMMANDS = (config, completion)


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _report(setting: Any) -> None:
    click.echo(f"{setting.name} = {_plain(setting.value)}  ({setting.origin})")
    if setting.origin not in ("config.toml", "default"):
        click.echo(f"memem: {setting.origin} in the environment wins over config.toml.", err=True)


def _key(name: str) -> str:
    if sys.stdin is not None and not sys.stdin.isatty():
        return sys.stdin.buffer.read(100_000).decode("utf-8", "replace")
    return str(click.prompt(f"{name} (not shown)", hide_input=True, err=True))


def _table(found: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("setting", "value", "from", "what it does"):
        table.add_column(name, overflow="fold")  # a path that is cut cannot be used
    for setting in found:
        style = "" if setting.origin == "default" else "bold"
        cells = (setting.name, _plain(setting.value), setting.origin)
        table.add_row(*(Text(cell, style) for cell in cells), Text(setting.help.replace("`", "")))
    Console().print(table)
