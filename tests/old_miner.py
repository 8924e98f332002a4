"""A wrapper and a miner with the names, arguments and pid files of the published memem's, as real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

_DAEMON = """
import os, signal, sys, time
if os.environ["STUBBORN"] == "1":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(os.environ["MEMEM_DIR"] + "/miner.pid", "w").write(str(os.getpid()))
open(os.environ["MEMEM_DIR"] + "/started", "w").write("x")
time.sleep(600)
"""
_WRAPPER = """#!/usr/bin/env bash
echo $$ >"$MEMEM_DIR/miner-wrapper.pid"
while true; do "$PYTHON" -m memem.miner_daemon run || [ $? -ne 1 ] || exit; done
"""


class OldMiner:
    """Runs as long as the context; the wrapper starts the miner anew whenever it ends."""

    def __init__(self, plugin: Path, state: Path, *, stubborn: bool = False) -> None:
        self._state = state
        package = plugin / "memem"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "miner_daemon.py").write_text(_DAEMON)
        (package / "miner-wrapper.sh").write_text(_WRAPPER)
        os.mkfifo(state / "started")
        self.wrapper = subprocess.Popen(
            ["bash", str(package / "miner-wrapper.sh"), "_loop"],
            env=os.environ
            | {
                "MEMEM_DIR": str(state),
                "PYTHON": sys.executable,
                "PYTHONPATH": str(plugin),
                "STUBBORN": "1" if stubborn else "0",
            },
            cwd=plugin,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        with (state / "started").open():
            self.daemon = int((state / "miner.pid").read_text())
        (state / "started").unlink()

    def __enter__(self) -> OldMiner:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            os.killpg(self.wrapper.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.wrapper.wait()
