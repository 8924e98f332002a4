"""`memem adopt`: take over from a published memem that still runs, with the user's consent."""

from __future__ import annotations

import sys

import click

from memem import adopt as takeover
from memem.config import load
from memem.errors import BadInput, Unavailable
from memem.published import left


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--undo", is_flag=True, help="Put back the crontab entries that were paused.")
def adopt(dry_run: bool, yes: bool, undo: bool) -> None:
    """Take over from a published memem: ask its miner to end, pause its crontab entry.

    Its notes are in use already. Its databases, logs and markers stay as they are, and nothing is killed.

    \b
    Example: memem adopt --dry-run
    """
    if undo:
        click.echo(f"{takeover.resume_crontab()} paused crontab entries are back.")
        return
    folder = load().dir
    found = left(folder)
    _, text = takeover.diagnosis(found)
    click.echo(f"published memem: {text}")
    for process in found.running:
        click.echo(f"  ask to end    {process.role}, pid {process.pid}: {process.command}")
    for line in found.cron:
        click.echo(f"  pause         crontab: {line.encode('utf-8', 'replace').decode()}")
    if dry_run or not (found.running or found.cron):
        return
    if not yes:
        if not sys.stdin.isatty():
            raise BadInput("nothing was done, because nobody can be asked here: memem adopt --yes.")
        click.confirm("Do this?", abort=True)
    if found.cron:
        takeover.pause_crontab(found.cron, folder)
        click.echo(f"paused the crontab entry (memem adopt --undo; a copy is {folder}/{takeover.BACKUP})")
    stubborn = False
    for process in found.running:
        ended = takeover.stop(process)
        click.echo(f"{'ended' if ended else 'still running'}: {process.role}, pid {process.pid}")
        stubborn |= not ended
    if stubborn:
        raise Unavailable("it was asked to end and first finishes its round, which may take minutes: run memem doctor.")


COMMANDS = (adopt,)
