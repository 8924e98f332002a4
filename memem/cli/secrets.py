"""Commands about what was redacted, and about sessions that memem leaves alone."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from memem.cli.main import emit, json_option
from memem.errors import BadInput, NotFound
from memem.off import is_off, turn_off, turn_on


@click.group()
def secrets() -> None:
    """Secrets that were redacted, kept encrypted: list them, look at one, say that one is none, remove them.

    \b
    Example: memem secrets list
    """


@secrets.command(name="list")
@json_option
@click.pass_obj
def list_(memem: Any, /, as_json: bool) -> None:
    """What was redacted, without the secrets: id, rule, when, where."""
    store = memem().redactor.store
    items = store.items()
    if as_json:
        emit([{"id": item.id, "rule": item.rule, "place": item.place, "at": item.at} for item in items])
    else:
        for item in items:
            day = time.strftime("%Y-%m-%d %H:%M", time.gmtime(item.at))
            click.echo(f"{item.id}  {day}  {item.rule:<14} {item.place}")
        click.echo(f"{len(items)} redacted, {store.allowed()} allowed. One in full: memem secrets reveal ID")
    store.check()


@secrets.command()
@click.argument("name", metavar="ID")
@click.pass_obj
def reveal(memem: Any, /, name: str) -> None:
    """Show one secret, at a terminal only: what a program reads ends up in logs and in front of models."""
    _check_person("a secret is shown to")
    click.echo(memem().redactor.store.reveal(name))


@secrets.command(name="false-positive")
@click.argument("name", metavar="[ID]", required=False)
@click.pass_obj
def false_positive(memem: Any, /, name: str | None) -> None:
    """Say, at a terminal only, that a value is no secret: it is not redacted again. Without an id it is asked for."""
    _check_person("that a secret is none is said by")
    from memem.clearing import MARK, look_again

    opened = memem()
    store = opened.redactor.store
    store.allow(store.reveal(name) if name else click.prompt("Value", hide_input=True))
    look_again(opened, MARK)
    click.echo(
        "It is not redacted again. Notes that were saved without it stay as they are: edit them in your vault. "
        "Where you had typed it yourself, it is found and shown again."
    )


@secrets.command()
@click.argument("names", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def purge(memem: Any, /, names: tuple[str, ...], everything: bool, yes: bool) -> None:
    """Remove secrets from the store for good, at a terminal only."""
    _check_person("secrets are removed by")
    if bool(names) == everything:
        raise BadInput("name the ids to remove, or --all.")
    store = memem().redactor.store
    if not yes:
        click.confirm(f"Remove {len(names) or len(store.items())} for good?", abort=True)
    click.echo(f"{store.purge(names)} removed.")


def _check_person(what: str) -> None:
    """Raises BadInput where no person sits: a program could let a secret through, or read it into logs and models."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput(f"{what} a person at a terminal only: run this in a terminal of your own.")


@click.command()
@click.option("--session", default="", metavar="ID", help="Another session than the one this runs in.")
@click.option("--undo", is_flag=True, help="Take part in it again.")
@click.pass_obj
def off(memem: Any, /, session: str, undo: bool) -> None:
    """Leave a session alone: nothing injected, saved, archived, mined or found of it.

    \b
    Example: memem off
    """
    opened = memem()
    name, folder = session or opened.session, opened.config.dir
    if not name:
        raise BadInput("no session runs here: memem off --session ID; or start one with MEMEM_SESSION_OFF=1 claude.")
    if undo:
        if not turn_on(folder, name):
            raise NotFound(f"session {name[:60]!r} is not off.")
        click.echo(f"memem takes part in session {name} again. What was said meanwhile stays private.")
        return
    if not turn_off(folder, name):
        raise BadInput(f"{name[:60]!r} is no id of a session: letters, digits, - and _.")
    click.echo(f"memem leaves session {name} alone from now on. Back: memem off --undo")
    if not is_off(folder, name):
        raise NotFound(f"{folder}/off cannot be written.")


COMMANDS = (secrets, off)
