"""What the fault benchmarks share: a home in a temporary folder, memem as child processes, tables and `--json`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from memem.app import Memem  # noqa: E402 - runs from a checkout
from memem.config import resolve  # noqa: E402

OPEN = """
import os, sys, time
from memem.app import Memem
from memem.config import resolve
from memem.errors import MememError
from memem.models import Draft
memem = Memem(resolve({'HOME': sys.argv[1]}, {})[0], sys.argv[1] + '/work', environ={})
"""


class World:
    """One user's home: vault, state folder and project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "work").mkdir(exist_ok=True)
        self.config = resolve({"HOME": str(root)}, {})[0]
        self.vault = Path(self.config.memory_root)

    def open(self) -> Memem:
        """memem in this process."""
        return Memem(self.config, str(self.root / "work"), environ={})

    def start(self, code: str, *arguments: object) -> subprocess.Popen[bytes]:
        """A program after OPEN in a process of its own."""
        command = [sys.executable, "-c", OPEN + code, str(self.root), *map(str, arguments)]
        return subprocess.Popen(command, cwd=ROOT, env={"HOME": "/nonexistent"}, stdout=subprocess.PIPE)

    def temporary(self) -> list[Path]:
        """Temporary files of memem, in the vault and in the state folder."""
        found = [path for path in self.vault.rglob("*.tmp") if path.name.startswith(".memem-")]
        return found + list(Path(self.config.dir).rglob("*.tmp"))


@contextmanager
def world() -> Iterator[World]:
    """A home that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield World(Path(folder))


def report(title: str, figures: Mapping[str, Any], as_json: bool) -> None:
    """Print figures as a table, or as JSON."""
    if as_json:
        print(json.dumps({"benchmark": title, **figures}))
        return
    print(title)
    for name, figure in figures.items():
        print(f"  {name:<44} {figure:>12,}" if isinstance(figure, int) else f"  {name:<44} {figure:>12}")
