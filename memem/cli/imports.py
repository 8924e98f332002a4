"""The command that takes the notes of other programs in."""

from __future__ import annotations

from typing import Any

import click

from memem.cli.main import emit, json_option, scope_option
from memem.recall.listing import imported


@click.command(name="import")
@click.argument("path")
@click.option("--apply", is_flag=True, help="Save them; without it nothing is written.")
@click.option("--root", "roots", multiple=True, metavar="FOLDER", help="Another folder to read from than your home's.")
@scope_option
@json_option
@click.pass_obj
def import_(memem: Any, /, path: str, apply: bool, roots: tuple[str, ...], scope: str, as_json: bool) -> None:
    """Take in the notes of PATH: a markdown, text or JSON file, a chat export, or a folder of them.

    Shows what it would save; nothing is written before you say --apply.

    \b
    Example: memem import ~/notes --scope general
    """
    found = list(memem().import_from(path, scope, roots=roots, dry_run=not apply))
    if as_json:
        emit([_document(one, apply) for one in found])
        return
    click.echo(imported(found, applied=apply))
    if not apply and any(one.outcome and one.outcome.action == "added" for one in found):
        click.echo("Nothing was written. Save them: the same command with --apply.")


COMMANDS = (import_,)


def _document(one: Any, applied: bool) -> dict[str, Any]:
    if one.outcome is None:
        return {"file": one.file, "action": "skipped", "reason": one.reason, "applied": False}
    outcome = one.outcome
    return {
        "file": one.file,
        "action": outcome.action,
        "reason": outcome.reason,
        "applied": applied and outcome.action == "added",
        "redacted": outcome.redacted,
        "memory": outcome.memory.as_dict(),
    }
