"""The MCP server over stdio: `python -m memem.server`. With arguments it is the command line, as it always was."""

from __future__ import annotations

import os
import sys
import threading
import time

from memem import __version__
from memem.config import load_leniently
from memem.tools.full import profile
from memem.tools.instructions import INSTRUCTIONS
from memem.tools.stdio import private_stdout, serve
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memem.app import Memem


_INSTALL_POLL_SECONDS = 5
_SLICE_SECONDS, _BREATH_SECONDS = 0.5, 0.05  # of a first sync, and between two of them


class Lazy:
    """The facade, opened by the first call that needs it or by the warm-up, whichever comes first."""

    def __init__(self, prepare: Callable[[], object]) -> None:
        self._prepare = prepare
        self._lock = threading.Lock()
        self._memem: Memem | None = None

    def __call__(self) -> Memem:
        with self._lock:
            self._prepare()
            if self._memem is None:
                from memem.app import Memem

                self._memem = Memem()
            return self._memem

    def warm_up(self) -> None:
        """Sync in the background, then follow the vault: hooks find a fresh index, also after edits in Obsidian."""
        from memem.errors import MememError
        from memem.watch import Watcher

        try:
            memem = self()
            while memem.sync(seconds=_SLICE_SECONDS).left:
                time.sleep(_BREATH_SECONDS)  # a tool that was called meanwhile answers from what is there
        except MememError:
            return  # the tools will say what is wrong when they are called
        while True:
            try:
                Watcher(memem).start()
            except ModuleNotFoundError:  # still being installed
                time.sleep(_INSTALL_POLL_SECONDS)
                self._prepare()
            else:
                return


def main(argv: Sequence[str] | None = None, prepare: Callable[[], object] = lambda: None) -> None:
    """Serve until the client hangs up, then end the process at once.

    `prepare` is called before every tool: the bootstrap uses it to take in dependencies as soon as they are there.
    """
    arguments = sys.argv[1:] if argv is None else argv
    if arguments:
        from memem.cli.main import run

        run(arguments)
        return
    out = private_stdout()
    memem = Lazy(prepare)
    threading.Thread(target=memem.warm_up, daemon=True).start()
    tools = profile(load_leniently().tool_profile, memem)
    serve(tools, "memem", __version__, INSTRUCTIONS, sys.stdin.buffer, out)
    os._exit(0)  # a call that hangs on a dead disk must not keep the process


if __name__ == "__main__":
    main()
