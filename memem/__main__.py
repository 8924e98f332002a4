"""The entry point `memem …` and `python -m memem …`; without arguments and terminal it is the MCP server."""

from __future__ import annotations

import sys

from memem.config import completing
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command, or serve when another program starts memem without arguments."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments and sys.stdin and not sys.stdin.isatty() and not completing():
        from memem.server import main as serve

        serve([])
        return
    try:
        from memem.cli.main import run

        run(arguments)
    except KeyboardInterrupt:  # before or after a command's own library, which has its own words for it
        sys.exit(130)


if __name__ == "__main__":
    main()
