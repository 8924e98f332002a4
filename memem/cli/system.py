"""Commands about memem itself: status, doctor, sync, conflicts, verify, index."""

from __future__ import annotations

import sys
from typing import Any

import click

from memem import health
from memem.cli.main import emit, json_option
from memem.config import load
from memem.stores import PATIENT_SECONDS
from memem.verify import DAMAGE
from memem.verify import verify as verification


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
    if found["archive"]["sessions"]:
        kept = found["archive"]
        size, index = (f"{kept[name] / 1e6:.1f} MB" for name in ("bytes", "index_bytes"))
        lines.append(f"archive    {kept['sessions']} sessions, {size} and {index} of index")
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
    done = memem().sync(PATIENT_SECONDS)
    if as_json:
        emit(done.as_dict() | {"gone": [memory.id for memory in done.gone]})
    elif not quiet:
        click.echo(
            f"{done.changed} changed, {done.removed} removed, {done.unchanged} unchanged, {done.problems} problems"
        )


@click.command()
@json_option
@click.pass_obj
def conflicts(memem: Any, /, as_json: bool) -> None:
    """List what needs your decision: several versions of one note, notes that cannot be read, and the next step."""
    found = memem().conflicts()
    if as_json:
        emit([conflict.as_dict() for conflict in found])
        return
    for conflict in found:
        click.echo(f"{conflict.what}\n  " + "\n  ".join(conflict.paths) + f"\n  next: {conflict.fix}\n")
    click.echo(f"{len(found)} to decide" if found else "Nothing to decide: every note is readable and there once.")


@click.command()
@json_option
def verify(as_json: bool) -> None:
    """Compare vault, index and state byte for byte; write nothing. Exit code 1 when something is damaged."""
    found = verification(load())
    if as_json:
        emit([finding.as_dict() for finding in found])
    else:
        for finding in found:
            click.echo(f"{finding.level:<6}  {finding.where}: {finding.what}\n        {finding.fix}")
        click.echo(f"{len(found)} findings" if found else "Vault, index and state agree.")
    sys.exit(1 if any(finding.level == DAMAGE for finding in found) else 0)


@click.group()
def index() -> None:
    """The derived index: it may be deleted at any time."""


@index.command()
@json_option
@click.pass_obj
def rebuild(memem: Any, /, as_json: bool) -> None:
    """Build the index anew from the vault."""
    done = memem().rebuild()
    emit({"changed": done.changed, "problems": done.problems}) if as_json else click.echo(
        f"{done.changed} notes indexed, {done.problems} problems"
    )


COMMANDS = (status, doctor, sync, conflicts, verify, index)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)
