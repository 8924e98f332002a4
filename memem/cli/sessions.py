"""Commands over sessions: what their transcripts say, and what is worth keeping of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from memem.cli.main import emit, json_option, scope_option
from memem.mining.session import Mined
from memem.recall import render
from memem.recall.formats import passages
from memem.sources.claude_code import transcripts as transcripts_below


@click.command()
@click.argument("query")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 20))
@click.option("--all", "everywhere", is_flag=True, help="Sessions of all projects.")
@click.option("--sessions", "by_session", is_flag=True, help="One place of each session, the best session first.")
@click.option("--newest", is_flag=True, help="With --sessions: those that began lately sooner.")
@scope_option
@json_option
@click.pass_obj
def transcripts(memem: Any, /, query: str, limit: int, scope: str, as_json: bool, **how: bool) -> None:
    """Search what was said and done in earlier sessions of this project.

    \b
    Example: memem transcripts "webhook twice"
    """
    found = memem().transcripts(query, limit, scope, **how)
    if as_json:
        emit(found.as_dict() | {"passages": [passage.as_dict() for passage in found.passages]})
    else:
        click.echo(passages(found))


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("--dry-run", is_flag=True, help="Show the lessons, write nothing.")
@click.option("--again", is_flag=True, help="Also what was mined before, by this memem or a published one.")
@json_option
@click.pass_obj
def mine(memem: Any, /, paths: tuple[str, ...], dry_run: bool, again: bool, as_json: bool) -> None:
    """Take the durable lessons of sessions into the vault: transcripts (.jsonl) or folders of them.

    Patterns only: no model, nothing leaves the machine. Lessons in a human's own words may be shown unasked; the
    others are found by search until they are confirmed. What was mined before is skipped, so a run that was stopped
    goes on where it ended.

    \b
    Example: memem mine --dry-run ~/.claude/projects
    """
    done = []
    found = memem.miner().mine(paths, dry_run=dry_run, again=again)
    for mined in found if as_json else _with_progress(found, paths):
        done.append(mined)
        if not as_json:
            _report(mined, dry_run)
    if as_json:
        emit([_document(mined) for mined in done])
        return
    saved = sum(outcome.action != "skipped" for mined in done for outcome in mined.outcomes)
    verb = "would be saved" if dry_run else "saved"
    unchanged = sum(mined.unchanged for mined in done)
    click.echo(f"{_many(len(done), 'session')}, {_many(saved, 'lesson')} {verb}, {unchanged} had nothing new")
    earlier = sum(mined.earlier for mined in done)
    if earlier:
        click.echo(f"{earlier} were mined by a published memem and read on from there; --again reads them whole")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _with_progress(sessions: Iterator[Mined], paths: Sequence[str]) -> Iterator[Mined]:
    """The sessions, with a bar over their bytes on a terminal; a pipe sees nothing of it."""
    if not sys.stderr.isatty():
        yield from sessions
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    total = sum(map(_size, dict.fromkeys(path for folder in paths for path in transcripts_below(folder))))
    columns = (TextColumn("mining"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    # Notes printed into a file must not turn up beside the bar.
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
    ) as progress:
        task = progress.add_task("", total=total)
        for mined in sessions:
            progress.advance(task, _size(Path(mined.path)))
            yield mined


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # gone meanwhile


def _report(mined: Mined, dry_run: bool) -> None:
    for outcome in mined.outcomes:
        if outcome.action != "skipped":
            click.echo(("+ " if not dry_run else "? ") + render.index_line(outcome.memory))
            for old in outcome.replaced:
                click.echo(f"  replaces {render.index_line(old)}")


def _document(mined: Mined) -> dict[str, Any]:
    lessons = [
        {
            "action": outcome.action,
            "path": outcome.path,
            "memory": outcome.memory.as_dict(),
            "replaced": [old.id for old in outcome.replaced],
        }
        for outcome in mined.outcomes
    ]
    return mined.as_dict() | {"outcomes": lessons}


COMMANDS = (transcripts, mine)
