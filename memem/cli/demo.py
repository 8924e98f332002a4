"""`memem demo`: the whole loop on a bundled sample session, in a throw-away vault."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from memem.app import Memem
from memem.config import load, resolve
from memem.models import Draft
from memem.recall import render

PROJECT = "local:harbor"
RELATED_PROMPT = "The booking tests cannot reach Redis. Which port does it listen on here?"
UNRELATED_PROMPT = "Write a limerick about penguins."


@click.command()
def demo() -> None:
    """Show what memem does on a sample session, in a throw-away vault."""
    folder = Path(load().state_path("demo"))
    shutil.rmtree(folder, ignore_errors=True)
    config = resolve({}, {"dir": str(folder / "state"), "vault": str(folder / "vault")})[0]
    memem = Memem(config, folder=str(folder), environ={})
    session = files("memem.cli") / "sample" / "session.jsonl"
    lessons = json.loads((files("memem.cli") / "sample" / "lessons.json").read_text(encoding="utf-8"))
    records = session.read_text(encoding="utf-8").splitlines()
    _heading("1. A session ends; its lessons become notes")
    click.echo(f"A sample session of {len(records)} records holds {len(lessons)} durable lessons.")
    for lesson in lessons:
        outcome = memem.save(_draft(lesson), PROJECT)
        click.echo(f"  {outcome.action:<10} {outcome.path}")
    _heading("2. The next session starts with this")
    click.echo(render.session_block(memem.session_start(PROJECT)))
    _heading(f"3. A prompt: “{RELATED_PROMPT}”")
    click.echo(render.prompt_block(memem.volunteered(RELATED_PROMPT, PROJECT)) or "(silence)")
    _heading(f"4. Another prompt: “{UNRELATED_PROMPT}”")
    click.echo(render.prompt_block(memem.volunteered(UNRELATED_PROMPT, PROJECT)) or "(silence: nothing is injected)")
    _heading("5. The notes are yours")
    click.echo(f"Markdown files in {memem.vault.root}")
    click.echo(f"In Obsidian: Open folder as vault → {config.vault}")
    click.echo("Your own vault was not touched; the next demo throws this one away.")
    memem.close()


def _draft(lesson: dict[str, Any]) -> Draft:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in lesson.items()
    }
    return Draft(**fields, trust="agent", source_type="agent", source_session="sample")


def _heading(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


COMMANDS = (demo,)
