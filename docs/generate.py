"""Writes the generated parts of the documentation from the code: options, tools, commands, messages.

python docs/generate.py            rewrite them
python docs/generate.py --check    exit 1 if they are not up to date
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import faults  # noqa: E402 - beside this file
from messages import messages  # noqa: E402 - beside this file

from memem.cli.main import COMMANDS  # noqa: E402 - the checkout's own code
from memem.config import options  # noqa: E402
from memem.predecessors import table  # noqa: E402
from memem.tools.full import additional  # noqa: E402
from memem.tools.memory import core  # noqa: E402


def option_table() -> str:
    """The options as a markdown table."""
    rows = ["| Variable | `config.toml` | Default | What it does |", "|---|---|---|---|"]
    for name, spec in options():
        default = str(int(spec.default)) if isinstance(spec.default, bool) else spec.default
        shown = f"`{default}`" if default != "" else "–"
        key = f"`{name}`" if name != "dir" else "–"
        rows.append(f"| `{spec.env[0]}` | {key} | {shown} | {spec.help} |")
    return "\n".join(rows)


def tool_table() -> str:
    """The MCP tools of the default profile as a markdown table."""
    return _tools(core)


def full_tool_table() -> str:
    """The tools that the full profile adds, as a markdown table."""
    return _tools(additional)


def _tools(table) -> str:
    rows = ["| Tool | What it does |", "|---|---|"]
    for tool in table(lambda: None):  # only names and schemas are read
        arguments = ", ".join(
            name if name in tool.schema["required"] else f"{name}?" for name in tool.schema["properties"]
        )
        rows.append(f"| `{tool.name}({arguments})` | {tool.description} |")
    return "\n".join(rows)


def command_table() -> str:
    """The commands as a markdown table."""
    rows = ["| Command | What it does |", "|---|---|"]
    return "\n".join(
        [*rows, *(f"| `memem {name}` | {text} |" for _, commands in COMMANDS for name, _, text in commands)]
    )


def predecessor_table() -> str:
    """What became of the settings of other programs, as a markdown table."""
    rows = ["| Setting | Of | Now |", "|---|---|---|"]
    for row in table():
        now = f"sets `{row.option}`" if row.option else row.says
        rows.append(f"| `{row.name}` | {row.program} | {now} |")
    return "\n".join(rows)


def message_table() -> str:
    """Every message of an error, as a markdown table."""
    rows = ["| Exit code | Message | From |", "|---|---|---|"]
    for code, text, module in messages(ROOT):
        shown = text.replace("|", "\\|").replace("`", "'")
        rows.append(f"| {code} | {shown} | `{module}` |")
    return "\n".join(rows)


def fault_table() -> str:
    """The rows of the fault list with their tests, as a markdown table."""
    return faults.table(ROOT)


PARTS = {
    "options": option_table,
    "tools": tool_table,
    "full-tools": full_tool_table,
    "commands": command_table,
    "predecessors": predecessor_table,
    "messages": message_table,
    "faults": fault_table,
}
FILES = ("README.md", "llms.txt", "docs/configuration.md", "docs/messages.md", "docs/faults.md")


def filled(text: str) -> str:
    """The text with every generated part between its markers made anew."""
    for name, make in PARTS.items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        # Made only where it stands: to find the messages takes a second.
        text = pattern.sub(lambda match, make=make: f"{match[1]}{make()}\n{match[2]}", text)
    return text


def main() -> int:
    """Rewrite or check; the exit code for the shell."""
    stale = []
    for path in (ROOT / name for name in FILES):
        text = path.read_text(encoding="utf-8")
        if filled(text) != text:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(filled(text), encoding="utf-8")
    if stale:
        print(f"{'stale' if '--check' in sys.argv else 'rewritten'}: {', '.join(stale)}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
