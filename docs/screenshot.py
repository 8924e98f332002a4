"""Records docs/demo.svg: what `memem demo` really prints in a terminal, in an empty home. Needs a Unix terminal.

python docs/screenshot.py
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 116
COMMAND = ("demo",)


def recorded(home: str) -> str:
    """What the command prints in a terminal, with its colours and without this machine's folders."""
    leader, follower = os.openpty()
    environ = {"HOME": home, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": str(WIDTH)}
    command = [sys.executable, "-m", "memem", *COMMAND]
    with subprocess.Popen(
        command,
        env=environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
        cwd=home,
        stdin=follower,
        stdout=follower,
    ):
        os.close(follower)
        chunks = []
        try:
            while chunk := os.read(leader, 65_536):
                chunks.append(chunk)
        except OSError:  # Linux says so at the end of a terminal
            pass
    os.close(leader)
    text = b"".join(chunks).decode("utf-8").replace("\r\n", "\n")
    return text.replace(home, "~").replace(str(ROOT), "…")


def main() -> None:
    """Run the command and write the picture."""
    with tempfile.TemporaryDirectory() as home:
        text = recorded(os.path.realpath(home))
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ memem {' '.join(COMMAND)}", "bold green"))
    console.print(Text.from_ansi(text))
    picture = console.export_svg(title="memem", unique_id="memem")
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)  # it asks no server for a font
    (ROOT / "docs" / "demo.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
