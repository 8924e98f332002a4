"""Commands about memem itself: status, doctor, sync, conflicts, verify, index."""

from __future__ import annotations

import sys
from typing import Any

import click

from memem.cli.main import emit, json_option
from memem.text import clean


@click.command()
@json_option
@click.pass_obj
def status(memem: Any, /, as_json: bool) -> None:
    """How many memories there are, where they are, and what the hooks did."""
    from memem.health.status import headline
    from memem.health.status import status as told

    found = told(memem(lenient=True))
    if as_json:
        emit(found)
        return
    outcomes = found["outcomes"]
    rows = [
        ("vault", found["vault"]),
        ("state", f"{found['state']} (index {found['index_bytes'] / 1_000_000:.1f} MB)"),
        ("injection", found["injection"]),
        ("hooks", f"{outcomes['sessions']} sessions started, {outcomes['injected']} memories injected"),
        ("prompts", f"{outcomes['prompts']} seen, {outcomes['served']} served, {outcomes['silent']} left in silence"),
        ("layers", _counts(found["by_layer"])),
        ("kinds", _counts(found["by_kind"])),
        ("projects", _counts(found["by_project"])),
        ("archive", _archive(found["archive"])),
        ("history", f"{found['history']} superseded or archived" if found["history"] else ""),
        ("deleted", f"{outcomes['deleted']} notes deleted, by hand or undone" if outcomes["deleted"] else ""),
        ("unreadable", f"{found['unreadable']} notes: memem doctor names them" if found["unreadable"] else ""),
        (
            "secrets",
            f"in {found['with_secrets']} notes, hidden: memem doctor names them" if found["with_secrets"] else "",
        ),
        *(("degraded", reason) for reason in found["degraded"]),
    ]
    _say("\n".join([headline(found), "", *(f"{name:<10} {text}" for name, text in rows if text)]))


@click.command()
@json_option
@click.pass_obj
def doctor(memem: Any, /, as_json: bool) -> None:
    """Check everything memem needs; each line that is not well names its fix.

    It also tries memem out (a round trip, the real hook) on a store of its own in a temporary folder.
    Exit code 0 when HEALTHY or DEGRADED (memem works, something is amiss), 1 when FAILING.
    """
    from memem import health

    checks = health.run(memem(lenient=True))
    worst = health.verdict(checks)
    if as_json:
        emit({"verdict": health.VERDICTS[worst], "checks": [check.as_dict() for check in checks]})
    else:
        for check in checks:  # which quote names of files, and those can hold anything
            mark = {health.OK: "ok  ", health.DEGRADED: "warn", health.FAILING: "FAIL"}[check.level]
            _say(f"{mark}  {check.name:<13} {check.text}" + (f"\n      fix: {check.fix}" if check.fix else ""))
        click.echo(f"\n{health.VERDICTS[worst]}")
    sys.exit(1 if worst == health.FAILING else 0)


@click.command()
@click.option("--quiet", is_flag=True, help="Print nothing.")
@json_option
@click.pass_obj
def sync(memem: Any, /, quiet: bool, as_json: bool) -> None:
    """Bring the index up to date with the vault (other commands do so by themselves)."""
    from memem.stores import PATIENT_SECONDS

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
        _say(f"{conflict.what}\n  " + "\n  ".join(conflict.paths) + f"\n  next: {conflict.fix}\n")
    click.echo(f"{len(found)} to decide" if found else "Nothing to decide: every note is readable and there once.")


@click.command()
@json_option
def verify(as_json: bool) -> None:
    """Compare vault, index and state byte for byte; write nothing. Exit code 1 when something is damaged."""
    from memem.config import load
    from memem.verify import DAMAGE
    from memem.verify import verify as verification

    found = verification(load())
    if as_json:
        emit([finding.as_dict() for finding in found])
    else:
        for finding in found:
            _say(f"{finding.level:<6}  {finding.where}: {finding.what}\n        {finding.fix}")
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


def _archive(kept: dict[str, int]) -> str:
    size, index = (f"{kept[name] / 1e6:.1f} MB" for name in ("bytes", "index_bytes"))
    return f"{kept['sessions']} sessions, {size} and {index} of index" if kept["sessions"] else ""


def _say(text: str) -> None:
    """Print what may hold names of files or projects, without what a terminal would obey."""
    click.echo(clean(text))


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)
