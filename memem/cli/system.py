"""Commands about memem itself: status, doctor, sync."""

from __future__ import annotations

import sys
from typing import Any

import click

from memem import health
from memem.cli.main import emit, json_option


@click.command()
@json_option
@click.pass_obj
def status(memem: Any, /, as_json: bool) -> None:
    """How many memories there are, where they are, and what the hooks did."""
    found = health.status(memem())
    if as_json:
        emit(found)
        return
    outcomes = found["outcomes"]
    waiting = f" · {len(found['warnings'])} warnings" if found["warnings"] else ""
    lines = [
        f"[memem] {found['memories']} memories · {found['here']} for {found['project']}{waiting}",
        "",
        f"vault      {found['vault']}",
        f"state      {found['state']}",
        f"injection  {found['injection']}",
        f"hooks      {outcomes['prompts']} prompts seen, {outcomes['served']} served, "
        f"{outcomes['injected']} memories injected, {outcomes['sessions']} sessions started",
        f"layers     {_counts(found['by_layer'])}",
    ]
    if found["by_kind"]:
        lines.append(f"kinds      {_counts(found['by_kind'])}")
        lines.append(f"projects   {_counts(found['by_project'])}")
    if found["history"]:
        lines.append(f"history    {found['history']} superseded or archived")
    if found["unreadable"]:
        lines.append(f"unreadable {found['unreadable']} notes: memem doctor names them")
    lines += [f"warning    {warning}" for warning in found["warnings"]]
    click.echo("\n".join(lines))


@click.command()
@json_option
@click.pass_obj
def doctor(memem: Any, /, as_json: bool) -> None:
    """Check everything memem needs; each line that is not well names its fix."""
    checks = health.run(memem())
    worst = health.verdict(checks)
    if as_json:
        emit({"verdict": health.VERDICTS[worst], "checks": [check.as_dict() for check in checks]})
    else:
        for check in checks:
            mark = {health.OK: "ok  ", health.DEGRADED: "warn", health.FAILING: "FAIL"}[check.level]
            click.echo(f"{mark}  {check.name:<13} {check.text}" + (f"\n      fix: {check.fix}" if check.fix else ""))
        click.echo(f"\n{health.VERDICTS[worst]}")
    sys.exit(1 if worst == health.FAILING else 0)


@click.command()
@click.option("--quiet", is_flag=True, help="Print nothing.")
@json_option
@click.pass_obj
def sync(memem: Any, /, quiet: bool, as_json: bool) -> None:
    """Bring the index up to date with the vault (other commands do so by themselves)."""
    done = memem().sync()
    if as_json:
        emit(done.as_dict())
    elif not quiet:
        click.echo(
            f"{done.changed} changed, {done.removed} removed, {done.unchanged} unchanged, {done.problems} problems"
        )


COMMANDS = (status, doctor, sync)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)
