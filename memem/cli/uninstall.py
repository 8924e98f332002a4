"""`memem uninstall`: the way out."""

from __future__ import annotations

import click

from memem import uninstall as removal
from memem.config import load


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would go and what would stay.")
@click.option("--state", is_flag=True, help="Also what cannot be made anew: tombstones, offsets, settings, logs.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def uninstall(dry_run: bool, state: bool, yes: bool) -> None:
    """Remove the plugin, the private environment and caches. Never your notes.

    \b
    Example: memem uninstall --dry-run
    """
    removal.uninstall(load(), state=state, dry_run=dry_run, yes=yes)


COMMANDS = (uninstall,)
