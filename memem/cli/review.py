"""Commands that look back over what is remembered: stats and stale."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from memem.cli.main import emit, json_option, scope_option
from memem.recall import render
from memem.text import one_line

_BAR = 40


@click.command()
@scope_option
@json_option
@click.pass_obj
def stats(memem: Any, /, scope: str, as_json: bool) -> None:
    """Memories over time, kinds, projects and origins; prompts seen and served day by day.

    \b
    Example: memem stats --scope general
    """
    from memem.health.stats import stats as counted

    found = counted(memem(), scope or "*")
    if as_json:
        emit(found)
        return
    click.echo(f"{found['memories']} memories, {found['live']} of them current")
    for title, name in (
        ("month", "by_month"), ("kind", "by_kind"), ("layer", "by_layer"), ("origin", "by_origin"),
        ("project", "by_project"),
    ):  # fmt: skip
        _bars(title, found[name])
    outcomes = found["outcomes"]
    click.echo(f"\n{outcomes['prompts']} prompts seen, {outcomes['served']} served, {outcomes['silent']} in silence")
    for name, group in (("injected", "injected"), ("held out", "held_out")):
        seen = found["help"].get(group, {"compared": 0})
        if seen["compared"]:
            signs = ", ".join(f"{count} by {sign}" for sign, count in seen["by_sign"].items())
            used = f"{seen['used']} of {seen['compared']} used later in the session" + (f" ({signs})" if signs else "")
            click.echo(f"{name}: {used}, at most {seen['false_at_most']:.0%} beside the point")
    if found["help"]:
        click.echo(f"about {found['help']['tokens_injected']} tokens injected")
    for day, counts in list(found["by_day"].items())[-14:]:
        click.echo(f"  {day}  {counts['served']:>4} of {counts['prompts']}")


@click.command()
@click.option("--days", default=180, show_default=True, type=click.IntRange(1, 3650), help="Rest that makes one old.")
@click.option("--all", "everywhere", is_flag=True, help="All projects.")
@scope_option
@json_option
@click.pass_obj
def stale(memem: Any, /, days: int, everywhere: bool, scope: str, as_json: bool) -> None:
    """List memories that may be outdated, and why. Changes nothing.

    A memory is listed when the time it held for is over, when all files it concerns are gone, or when it was neither
    changed nor injected for long (half as long for importance 1 and 2, twice for 4 and 5).

    \b
    Example: memem stale --days 90
    """
    from memem.health.stale import stale as listed

    found = listed(memem(), time.time(), days, "*" if everywhere else scope)
    if as_json:
        emit([{"memory": one.memory.as_dict(), "path": one.path, "reasons": one.reasons} for one in found])
        return
    for one in found:
        click.echo(f"{render.index_line(one.memory)}\n  {'; '.join(map(_quoted, one.reasons))}\n  {_quoted(one.path)}")
    if found:
        click.echo(
            f"\n{len(found)} to look at. Wrong: save the correction with --supersedes ID. Over: set `status: archived` "
            "in the note."
        )
    else:
        click.echo("Nothing looks outdated.")


COMMANDS = (stats, stale)


def _bars(title: str, counts: dict[str, int]) -> None:
    if not counts:
        return
    click.echo(f"\nby {title}")
    width = max(min(len(name), 40) for name in counts)
    for name, count in counts.items():
        bar = "█" * max(round(_BAR * count / max(counts.values())), 1) if sys.stdout.isatty() else ""
        click.echo(f"  {_quoted(name)[:40]:<{width}} {count:>6} {bar}".rstrip())


def _quoted(text: str) -> str:
    return one_line(render.quoted(text))
