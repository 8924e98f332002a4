"""The hooks as the host starts them: the shell's whole path, against the bare interpreter."""

from __future__ import annotations

import json
from collections.abc import Iterator

from corpus import ROOT, World, questions
from timing import BARE, Pairs, Row, spawned

RUNS = 2  # of each prompt
_SHIM = ("sh", str(ROOT / "hooks" / "memem.sh"))
_SILENT = ("yes, go on", "write a limerick about penguins and the weather", "commit this and push it")


def rows(world: World) -> Iterator[Row]:
    """The prompt hook on prompts with a planted answer, on others, and the start of a session."""
    for what, prompts, most in (("prompt hook", questions(), 3.0), ("prompt hook, unrelated", _SILENT * 7, 3.0)):
        pairs, answered = Pairs(), 0
        for number, prompt in enumerate(prompts * RUNS):
            floor, _ = spawned(BARE, world.environ)
            # A new session each time: a memory that was shown already would make the rest cheaper.
            event = {"session_id": f"{what[-5:]}-{number}", "cwd": str(world.project), "prompt": prompt}
            cost, out = spawned((*_SHIM, "UserPromptSubmit"), world.environ, json.dumps(event).encode())
            answered += bool(out)
            pairs.add(floor, cost)
        yield _row(world, what, pairs, most, f"{answered} of {len(prompts) * RUNS} answered")
    pairs, size = Pairs(), 0
    for number in range(20):
        floor, _ = spawned(BARE, world.environ)
        event = {"session_id": f"start-{number}", "cwd": str(world.project), "source": "startup"}
        cost, out = spawned((*_SHIM, "SessionStart"), world.environ, json.dumps(event).encode())
        size = len(out)
        pairs.add(floor, cost)
    yield _row(world, "session start hook", pairs, 4.0, f"{size} bytes")


def _row(world: World, what: str, pairs: Pairs, most: float, remark: str) -> Row:
    met = pairs.ratio <= most if world.notes <= 10_000 else None
    return Row(
        world.notes, what, pairs.cpu, f"bare python {pairs.floor:.1f} ms", pairs.ratio, pairs.wall, f"≤ {most:g} ×",
        met, remark,
    )  # fmt: skip
