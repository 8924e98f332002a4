"""Commands over memories: save, search, get, list, timeline."""

from __future__ import annotations

import sys
from typing import Any

import click

from memem.cli.main import emit, json_option, scope_option
from memem.errors import BadInput, NotFound
from memem.models import KINDS, Draft, Memory
from memem.recall import render


@click.command()
@click.argument("text")
@click.option("--title", default="", help="Default: the first sentence.")
@click.option("--kind", type=click.Choice(KINDS), help="Default: from the wording.")
@click.option("--layer", type=click.IntRange(0, 3), help="0 identity (pinned), 1 conventions, 2 domain, 3 archival.")
@click.option("--importance", type=click.IntRange(1, 5))
@click.option("--tag", "tags", multiple=True, help="May be repeated.")
@click.option("--key", "keys", multiple=True, help="Another word it may be asked for by. May be repeated.")
@click.option("--path", "paths", multiple=True, help="File or glob it concerns. May be repeated.")
@click.option("--supersedes", multiple=True, metavar="ID", help="A memory it replaces. May be repeated.")
@click.option("--dry-run", is_flag=True, help="Tell what would happen, write nothing.")
@scope_option
@json_option
@click.pass_obj
def save(memem: Any, /, text: str, scope: str, as_json: bool, dry_run: bool, **fields: Any) -> None:
    """Save TEXT as a memory (`-` reads it from standard input).

    \b
    Example: memem save "Integration tests need Redis on port 6380" --key cache
    """
    content = _from_stdin() if text == "-" else text
    given = {name: value for name, value in fields.items() if value is not None}
    outcome = memem().save(Draft(content=content, **given), scope, dry_run=dry_run)
    if as_json:
        emit(
            {
                "action": outcome.action,
                "path": outcome.path,
                "reason": outcome.reason,
                "redacted": outcome.redacted,
                "replaced": [memory.id for memory in outcome.replaced],
                "dry_run": dry_run,
                "memory": outcome.memory.as_dict(),
            }
        )
        return
    click.echo(("Dry run, nothing was written. " if dry_run else "") + render.outcome(outcome))
    if outcome.path:
        click.echo(f"{memem().vault.root / outcome.path}")


@click.command()
@click.argument("query")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 50))
@click.option("--strict", is_flag=True, help="Only this project and `general`.")
@click.option("--as-of", default="", metavar="DATE", help="What was valid at the end of that day (2026-01-31).")
@click.option("--explain", is_flag=True, help="Also each score, and what it is made of.")
@scope_option
@json_option
@click.pass_obj
def search(
    memem: Any, /, query: str, limit: int, scope: str, as_json: bool, strict: bool, explain: bool, as_of: str
) -> None:
    """Find memories about QUERY, one line each.

    \b
    Example: memem search "redis port"
    """
    found = memem().search(query, limit, scope, strict=strict, as_of=as_of)
    if as_json:
        memem.warn()
        own = [
            {"score": round(item.score, 4), "reasons": item.reasons, "signals": item.signals, "path": item.path}
            for item in found.found
        ]
        emit([{**item.memory.as_dict(), **more} for item, more in zip(found.found, own, strict=True)])
    elif explain:
        click.echo(render.explained(found))
    else:
        click.echo(render.compact_index(found))


@click.command()
@click.argument("ids", nargs=-1, required=True)
@json_option
@click.pass_obj
def get(memem: Any, /, ids: tuple[str, ...], as_json: bool) -> None:
    """Show memories in full by id; the first 8 characters suffice.

    \b
    Example: memem get 3f2a9c1e
    """
    memories, missing = memem().get(ids)
    memem.warn()
    if as_json:
        emit([memory.as_dict() for memory in memories])
    elif memories:
        click.echo(render.full(memories))
    if missing:
        raise NotFound(f"no memory {', '.join(missing)}; `memem list` shows ids.")


@click.command(name="list")
@click.option("--all", "everywhere", is_flag=True, help="All projects.")
@click.option("--history", is_flag=True, help="Superseded and archived ones too.")
@scope_option
@json_option
@click.pass_obj
def list_(memem: Any, /, everywhere: bool, history: bool, scope: str, as_json: bool) -> None:
    """List the memories of this project.

    \b
    Example: memem list --all --json
    """
    memories = [item.memory for item in memem().memories("*" if everywhere else scope, history=history)]
    memem.warn()
    if as_json:
        emit([memory.as_dict() for memory in memories])
    elif not memories:
        name = "the vault" if everywhere else memem().scope(scope).id
        click.echo(f'No memories in {name} yet. Save one: memem save "…"; or see all: memem list --all')
    elif sys.stdout.isatty():
        _table(memories)
    else:
        click.echo("\n".join(render.index_line(memory) for memory in memories))


@click.command()
@click.argument("memory_id")
@click.option("--before", default=5, show_default=True, type=click.IntRange(0, 20))
@click.option("--after", default=5, show_default=True, type=click.IntRange(0, 20))
@json_option
@click.pass_obj
def timeline(memem: Any, /, memory_id: str, before: int, after: int, as_json: bool) -> None:
    """What was learned before and after a memory, and what it links to.

    \b
    Example: memem timeline 3f2a9c1e --before 3
    """
    found = memem().timeline(memory_id, before, after)
    memem.warn()
    if as_json:
        parts = {"before": found.before, "after": found.after, "linked": found.linked}
        lists = {name: [memory.as_dict() for memory in memories] for name, memories in parts.items()}
        emit({"anchor": found.anchor.as_dict(), **lists})
        return
    click.echo(render.timeline(found.anchor, found.before, found.after, found.linked))


COMMANDS = (save, search, get, list_, timeline)


def _from_stdin() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise BadInput('nothing on standard input: echo "…" | memem save -')
    data = sys.stdin.buffer.read()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:  # what cannot be read would be lost, and nobody would know
        likely = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "WINDOWS-1252"
        raise BadInput(
            f"standard input is no UTF-8 (byte {error.start + 1}), so nothing was saved. If it is {likely}: "
            f"iconv -f {likely} -t UTF-8 FILE | memem save -"
        ) from None


def _table(memories: list[Memory]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("id", "layer", "kind", "title", "project"):
        table.add_column(name, overflow="ellipsis", no_wrap=name != "title")
    for memory in memories:
        cells = (memory.id8, f"L{memory.layer}", memory.kind, memory.title, memory.project)
        # Text, not markup: a title in brackets is a title.
        table.add_row(*(Text(render.quoted(cell)) for cell in cells))
    Console().print(table)
