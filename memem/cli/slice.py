"""The command for the Active Memory Slice, with the flags of the published memem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from memem.active import MODES, Task
from memem.cli.main import json_option, scope_option
from memem.errors import BadInput
from memem.recall import render

_OPTIONS = (
    click.option(
        "--query-file",
        type=click.File("r", encoding="utf-8", errors="replace"),
        help="Read the query from a file, `-` for stdin.",
    ),
    click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 50)),
    click.option("--session-id", "session", default="", help="Carry forward from this session's previous slice."),
    click.option("--repo-path", "--cwd", "folder", default="", help="Folder whose project is meant."),
    click.option("--task-mode", "mode", default="", help=f"One of {', '.join(MODES)}: more room for what it needs."),
    click.option("--current-file", default="", help="File being worked on."),
    click.option("--open-file", "open_files", multiple=True, help="May be repeated."),
    click.option("--modified-file", "modified_files", multiple=True, help="May be repeated."),
    click.option("--artifact-path", "artifact", default="", help="What the task makes or changes."),
    click.option("--branch", default="", help="Default: the one that is checked out."),
    click.option("--task-name", "name", default="", help="Name of the task."),
    click.option("--stakeholder", default="", help="Whom it is for."),
    click.option("--deadline", default="", help="When it is due, in any words."),
    click.option("--include-history", "history", is_flag=True, help="Also what is no longer in force."),
    click.option("--include-transcripts", "transcripts", is_flag=True, help="Also what was said in sessions."),
    click.option("--strict", is_flag=True, help="Only this project and `general`."),
    click.option("--judge/--no-llm", default=False, help="Let the model you allowed drop what is beside it."),
    click.option("--writeback-preview", "preview", is_flag=True, help="Show what the proposed changes would do."),
    click.option("--auto-commit-safe", "commit", is_flag=True, help="Make those changes that are safe: links only."),
)


def _with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command(name="slice")
@click.argument("query", required=False)
@_with_options
@scope_option
@json_option
@click.pass_obj
def slice_(
    memem: Any,
    /,
    query: str | None,
    query_file: Any,
    scope: str,
    as_json: bool,
    preview: bool,
    commit: bool,
    **fields: Any,
) -> None:
    """The Active Memory Slice for QUERY: goals, constraints, decisions, failures, what is open.

    \b
    Example: memem slice "continue the auth rollout" --task-mode coding
    """
    if query_file and query is not None:
        raise BadInput("give the query as an argument or with --query-file, not both.")
    text = query_file.read() if query_file else query
    if not text:
        raise BadInput('say what the slice is for: memem slice "…", or --query-file FILE.')
    if preview and commit:
        raise BadInput("--writeback-preview only shows, --auto-commit-safe writes: give one of them.")
    found = memem().slice(Task(text=text, scope=scope, **fields), "commit" if commit else "preview" if preview else "")
    if as_json:
        from memem.recall.formats import slice_json

        click.echo(slice_json(found, writeback=preview or commit))
    else:
        click.echo(render.slice_markdown(found))


COMMANDS = (slice_,)
