"""The command over connections between memories: graph rebuild, audit, stats, neighbors, explore, connect."""

from __future__ import annotations

from typing import Any

import click

from memem import graph as verbs
from memem.cli.main import emit, json_option, scope_option
from memem.index.cues import ASSERTED
from memem.recall import connections


@click.group()
def graph() -> None:
    """How memories are connected: by what their notes say, and by what they share.

    \b
    Example: memem graph neighbors 3f2a9c1e
    """


@graph.command()
@scope_option
@click.pass_obj
def rebuild(memem: Any, /, scope: str) -> None:
    """Make the derived connections anew, of one project or (default) of all.

    \b
    Example: memem graph rebuild
    """
    click.echo(f"Connections of {verbs.rebuild(memem(), scope or '*')} memories made anew.")


@graph.command()
@json_option
@click.pass_obj
def audit(memem: Any, /, as_json: bool) -> None:
    """Ids that are nowhere, half-marked or circular corrections, contradictions, hubs, orphans. Changes nothing.

    \b
    Example: memem graph audit --json
    """
    here = memem()
    found = verbs.audit(here)
    _tell(here)
    if as_json:
        emit([flaw.as_dict() for flaw in found])
    else:
        click.echo(connections.flaws(found))


@graph.command()
@json_option
@click.pass_obj
def stats(memem: Any, /, as_json: bool) -> None:
    """How many connections of each kind there are.

    \b
    Example: memem graph stats
    """
    here = memem()
    counts = verbs.stats(here)
    _tell(here)
    if as_json:
        emit(counts)
        return
    click.echo(f"{sum(counts.values())} connections")
    for relation, count in counts.items():
        click.echo(f"  {relation:<14} {count:>7}")


@graph.command()
@click.argument("memory_id")
@click.option("--history", is_flag=True, help="Superseded and archived ones too.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100))
@json_option
@click.pass_obj
def neighbors(memem: Any, /, memory_id: str, history: bool, limit: int, as_json: bool) -> None:
    """What a memory is connected with, best first.

    \b
    Example: memem graph neighbors 3f2a9c1e --history
    """
    here = memem()
    start, found = verbs.neighbors(here, memory_id, limit, history=history)
    _tell(here)
    if as_json:
        emit([_document(step) for step in found])
    else:
        click.echo(connections.neighbors(start, [(step.memory, step.edge, 1) for step in found]))


@graph.command()
@click.argument("start")
@click.option("--depth", default=2, show_default=True, type=click.IntRange(1, 4))
@click.option("--limit", default=30, show_default=True, type=click.IntRange(1, 100))
@scope_option
@json_option
@click.pass_obj
def explore(memem: Any, /, start: str, depth: int, limit: int, scope: str, as_json: bool) -> None:
    """Walk from START, an id or words to search for, along connections.

    \b
    Example: memem graph explore "redis port"
    """
    here = memem()
    found = verbs.explore(here, start, scope, depth=depth, limit=limit)
    _tell(here)
    if as_json:
        emit([_document(step) for step in found])
    else:
        click.echo(connections.walk([(step.memory, step.edge, step.depth) for step in found]))


@graph.command()
@click.argument("source")
@click.argument("relation", type=click.Choice(ASSERTED))
@click.argument("target")
@click.pass_obj
def connect(memem: Any, /, source: str, relation: str, target: str) -> None:
    """Write into the note of SOURCE how it relates to TARGET; with `supersedes` the target becomes history.

    \b
    Example: memem graph connect 3f2a9c1e related 77aa01bc
    """
    new = verbs.connect(memem(), source, relation, target)
    click.echo(f"{source} {relation} {target}." if new else "The note says so already.")


COMMANDS = (graph,)


def _tell(memem: Any) -> None:
    """What is missing, beside the answer: that may be a document for a program."""
    if told := connections.unsettled(verbs.unsettled(memem)):
        click.echo(told.strip(), err=True)


def _document(step: Any) -> dict[str, Any]:
    edge = step.edge.as_dict() if step.edge else None
    return {"memory": step.memory.as_dict(), "edge": edge, "depth": step.depth, "score": step.score}
