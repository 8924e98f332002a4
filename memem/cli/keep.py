"""Commands that keep what memem knows, and take back what it did: backup, restore, undo, forget, audit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from memem.cli.main import emit, json_option
from memem.recall import render
from memem.text import clean, one_line

_MOST_LINES = 40


@click.command()
@click.argument("path", default="")
@click.option("--sessions", is_flag=True, help="The archived sessions, too.")
@json_option
@click.pass_obj
def backup(memem: Any, /, path: str, sessions: bool, as_json: bool) -> None:
    """Back up the notes and what is known beside them into PATH, a folder or a file name.

    The file is read back and verified before it gets its name. Not in it: keys.env, and what can be made anew.
    A miner and servers may run meanwhile.

    \b
    Example: memem backup /media/usb
    """
    from memem.keep.backup import backup as made_of

    made = made_of(memem(lenient=True).config, path, sessions=sessions)
    if as_json:
        emit(made.as_dict())
        return
    kept = f"{made.notes} files of the vault" + (f", {made.sessions} archived sessions" if sessions else "")
    _say(f"{made.path}\n{kept}, {made.bytes / 1e6:.1f} MB, verified. Bring it back: memem restore {made.path}")
    if not path:
        _say("It lies beside what it protects: copy it to another disk.")
    for one in made.left_out:
        _say(f"left out: {one}")


@click.command()
@click.argument("path", type=click.Path())
@click.option("--yes", is_flag=True, help="Do it; without it nothing is written.")
@json_option
@click.pass_obj
def restore(memem: Any, /, path: str, yes: bool, as_json: bool) -> None:
    """Bring the backup PATH back into the vault and the state folder that are configured here.

    What is here stays: a note that says something else than the backup's keeps its place, and the backup's is put
    beside it as a conflict copy. What you had forgotten stays forgotten. Without --yes it only shows what it would do.

    \b
    Example: memem restore memem-20300102T030405Z.zip
    """
    from memem.keep.bundle import Bundle
    from memem.keep.restore import carry_out, plan

    with Bundle(Path(path).expanduser()) as bundle:
        planned = plan(memem(), bundle)
        merged = carry_out(memem(), bundle, planned) if yes else {}
    if as_json:
        steps = [step.as_dict() for step in planned.steps]
        emit({"made": planned.made, "counts": planned.counts, "steps": steps, "applied": yes, "state_rows": merged})
        return
    _say(f"Backup of {planned.made}: whole, and as it was written.")
    telling = [step for step in planned.steps if step.what != "same"]
    for step in telling[:_MOST_LINES]:
        _say(f"  {step.what:<9} {step.where}" + (f"   {step.why}" if step.why else ""))
    if len(telling) > _MOST_LINES:
        _say(f"  … and {len(telling) - _MOST_LINES} more: --json lists all")
    counts = ", ".join(f"{count} {what}" for what, count in planned.counts.items())
    _say(f"{counts or 'It is empty'}.")
    if not yes:
        _say("Nothing was written. Do it: the same command with --yes.")
    elif "beside" in planned.counts:
        _say("Decide about the copies that were put beside yours: memem conflicts")


@click.command()
@click.argument("memory_id", default="")
@click.option("--redo", is_flag=True, help="Take the last undo back.")
@click.option("--list", "listed", is_flag=True, help="Show what can be taken back, the latest first.")
@click.option("--dry-run", is_flag=True, help="Show what would be taken back.")
@json_option
@click.pass_obj
def undo(memem: Any, /, memory_id: str, redo: bool, listed: bool, dry_run: bool, as_json: bool) -> None:
    """Take back the last thing that memem did to your notes, or to the one of MEMORY_ID.

    A new note is taken out, and what it had replaced is in force again; a link, mark or grown part is as it was.
    What you have edited since stays, and nothing of it is undone. What was forgotten is gone and cannot be undone.

    \b
    Example: memem undo --dry-run
    """
    from memem.keep import undo as undoing

    if listed:
        _show_deeds(undoing.deeds(memem()), as_json)
        return
    deed = undoing.chosen(memem(), memory_id, redo=redo)
    done = [] if dry_run else undoing.take_back(memem(), deed)
    if as_json:
        emit({"done": deed.lines(), "undone": done, "applied": not dry_run, "passed_over": deed.passed})
        return
    for line in deed.passed[:_MOST_LINES]:
        _say(f"Passed over: {line}.")
    if dry_run:
        _say("\n".join(["This would be taken back:", *(f"  {line}" for line in deed.lines())]))
    else:
        _say("\n".join([*done, "Changed your mind: memem undo" + ("" if redo else " --redo")]))


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--query", default="", metavar="WORDS", help="Memories, and archived talk, that hold all these words.")
@click.option("--session", default="", metavar="ID", help="What was learned in a session, and the session itself.")
@click.option("--since", default="", metavar="DAY", help="Learned or said on that day (UTC) or later.")
@click.option("--until", default="", metavar="DAY", help="Learned or said on that day (UTC) or before.")
@click.option("--origin", default="", help="Memories from: user, agent, mined, import, tool, web …")
@click.option("--yes", is_flag=True, help="Do it; without it only what would go is shown.")
@json_option
@click.pass_obj
def forget(memem: Any, /, ids: tuple[str, ...], yes: bool, as_json: bool, **wanted: str) -> None:
    """Forget the memories IDS, or what fits all the options, for good: this cannot be undone.

    The notes go, and with them their traces in index, graph, archive, undo journal, logs and copies of the state. What
    they were learned from is not mined again. Claude Code's own transcripts and backups are not touched, but named;
    what fits in the transcripts is neither searched, archived nor mined from then on.

    \b
    Example: memem forget --query "project falcon"
    """
    from memem.keep.forget import Wish, carry_out, plan

    names = tuple(name.strip().strip("[]").lower() for name in ids)
    opened = memem()
    planned = plan(opened, Wish(ids=names, **{name: text.strip() for name, text in wanted.items()}))
    problems = carry_out(opened, planned) if yes else []
    if as_json:
        emit(
            {
                "memories": [memory.as_dict() for memory in planned.memories.values()],
                "notes": [item.path for item in planned.notes],
                "mentions": planned.mentions,
                "archived_events": len(planned.events),
                "passages_of_transcripts": len(planned.passages),
                "transcripts_of_the_host": planned.transcripts,
                "backups": planned.backups,
                "in_git_history": planned.committed,
                "problems": problems,
                "applied": yes,
            }
        )
        return
    _show_forgetting(planned)
    for problem in problems:
        _say(f"left: {problem}")
    _say("Forgotten." if yes else "Nothing was changed. Forget it, for good: the same command with --yes.")


@click.command()
@click.argument("memory_id")
@json_option
@click.pass_obj
def audit(memem: Any, /, memory_id: str, as_json: bool) -> None:
    """Where the memory of MEMORY_ID came from, who changed it when, and where it was used.

    \b
    Example: memem audit 3f2a9c1e
    """
    from memem.keep.audit import audit as trace_of

    found = trace_of(memem(), memory_id)
    if as_json:
        witnesses = [witness.as_dict() for witness in found.witnesses]
        emit(found.as_dict() | {"memory": found.memory.as_dict(), "witnesses": witnesses})
    else:
        _say("\n".join(_audit_lines(found, memem())))


COMMANDS = (audit, backup, restore, forget, undo)


def _audit_lines(found: Any, memem: Any) -> Iterator[str]:
    from memem.keep.audit import day

    memory = found.memory
    yield render.index_line(memory)
    rows = [
        ("note", str(memem.vault.root / found.path) if found.path else "waits for the vault"),
        ("trust", f"{memory.trust}, from {memory.source_type}" + (", edited by hand" if found.by_hand else "")),
        ("status", memory.status),
        ("session", memory.source_session),
        ("created", memory.created),
        ("updated", memory.updated),
        *(("memem", f"{day(at)} {what}") for at, what in found.changes),
        *((relation, f"{name[:8]} {title or '(gone)'}") for relation, name, title in found.ties),
        ("relevant", f"to {found.relevant} prompts lately" if found.relevant else ""),
        ("shown", f"last {day(found.shown)}" if found.shown else ""),
    ]
    for name, text in rows:
        if text:
            yield f"{name:<11} {one_line(render.quoted(text))}"
    for witness in found.witnesses:
        where = f"{witness.file}:{witness.line}" if witness.line else witness.file or "its transcript is gone"
        yield f"{'said in':<11} {one_line(render.quoted(where))}  record {one_line(render.quoted(witness.record))[:80]}"
        if witness.text:
            who = "a human" if witness.human else "the agent's session"
            yield f"            {one_line(witness.at)[:25]} {who} ({witness.role}): “{witness.text}”"
    if not found.witnesses:
        yield "No record of a session is named in it: it was saved on purpose, imported, or written by hand."


def _show_forgetting(planned: Any) -> None:
    by_hand = f", {planned.by_hand} of them written or edited by hand" if planned.by_hand else ""
    _say(f"{len(planned.notes)} notes{by_hand}")
    for memory in list(planned.memories.values())[:_MOST_LINES]:
        _say(f"  {render.index_line(memory)}")
    if len(planned.memories) > _MOST_LINES:
        _say(f"  … and {len(planned.memories) - _MOST_LINES} more: --json lists all")
    rows = (
        (len(planned.waiting), "saves that wait for the vault"),
        (len(planned.events), "passages of archived sessions"),
        (len(planned.passages), "passages of transcripts, which are passed over from now on"),
        (len(planned.mentions), "notes that link to one of these: generated links go"),
    )
    for count, what in rows:
        if count:
            _say(f"{count} {what}")
    for path in planned.transcripts[:_MOST_LINES]:
        _say(f"stays: {path}")
    if len(planned.transcripts) > _MOST_LINES:
        _say(f"stays: {len(planned.transcripts) - _MOST_LINES} more of them: --json lists all")
    if planned.transcripts:
        _say("They are Claude Code's own, which deletes them in time (cleanupPeriodDays): or delete them yourself.")
    if planned.backups:
        _say(f"stays: {len(planned.backups)} backups made before, such as {planned.backups[-1]}: delete them yourself")
    if planned.committed:
        _say("stays: what git has committed of it in the vault's repository")


def _show_deeds(found: list[Any], as_json: bool) -> None:
    if as_json:
        emit([{"at": deed.changes[-1].at, "undo": deed.is_undo, "done": deed.lines()} for deed in reversed(found)])
        return
    for deed in reversed(found[-_MOST_LINES:]):
        at = datetime.fromtimestamp(deed.changes[-1].at, UTC).strftime("%Y-%m-%d %H:%M")
        _say(f"{at}{'  undo of:' if deed.is_undo else ''}\n" + "\n".join(f"  {line}" for line in deed.lines()))
    if not found:
        _say("Nothing that memem did to your notes can be taken back.")


def _say(text: str) -> None:
    """Print what may hold names of files, without what a terminal would obey."""
    click.echo(clean(text))
