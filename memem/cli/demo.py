"""`memem demo`: the whole loop on a bundled sample session, in a throw-away vault."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import click

from memem.app import Memem
from memem.config import load, resolve
from memem.errors import BadInput
from memem.miner import Miner
from memem.recall import render

PROJECT = "local:harbor"
RELATED_PROMPT = "The booking tests cannot reach Redis. Which port does it listen on here?"
UNRELATED_PROMPT = "Write a limerick about penguins."


@click.command()
def demo() -> None:
    """Show what memem does on a sample session, in a throw-away vault."""
    folder = Path(load().state_path("demo"))
    mark = folder / ".memem-demo"
    if folder.exists() and not mark.exists():
        raise BadInput(f"{folder} is not a demo of memem and was left alone: move it away and start again.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    mark.touch()
    config = resolve({}, {"dir": str(folder / "state"), "vault": str(folder / "vault")})[0]
    memem = Memem(config, folder=str(folder), environ={})
    sample = str(files("memem.cli") / "sample" / "session.jsonl")
    _heading("1. A session ended; its durable lessons become notes")
    click.echo(f"Mining {sample} (patterns only, no model):")
    for mined in Miner(memem).mine([sample]):
        for outcome in mined.outcomes:
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


def _heading(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


COMMANDS = (demo,)
