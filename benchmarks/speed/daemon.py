"""The miner's supervisor while nothing changes: CPU time, wakeups and memory of a minute."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from corpus import ROOT, World
from programs import at_rest, cpu_ms, resident_mb
from timing import Row

from memem import consent
from memem.consent import Consent
from memem.index.schema import FILE_NAME
from memem.state import lock

_IDLE = 60  # seconds
_BEGIN = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from memem.daemon.entry import main; main('daemon')"


def rows(world: World) -> Iterator[Row]:
    """A minute of rest; it takes that long, so it is measured with ten thousand notes only."""
    if world.notes != 10_000:
        return
    with tempfile.TemporaryDirectory(dir=world.folder) as name:
        # A state folder of its own: what the hooks left behind may still be at work in the other, and start a miner.
        state, claude = Path(name, "state"), Path(name, "claude")
        state.mkdir(mode=0o700)
        (claude / "projects").mkdir(parents=True)
        shutil.copy2(world.state / FILE_NAME, state)
        environ = world.environ | {"MEMEM_DIR": str(state), "CLAUDE_CONFIG_DIR": str(claude)}
        consent.write(str(state), Consent(capture=True, mining=True))
        process = subprocess.Popen([sys.executable, "-c", _BEGIN], env=environ)
        try:
            at_rest(process.pid)  # its first look at the queue is done then
            running = lock.owner(str(state))
            if running is None or running.pid != process.pid:
                raise RuntimeError("the miner that is to be measured is not at work")
            cpu, woken = cpu_ms(process.pid), _wakeups(process.pid)
            time.sleep(_IDLE)
            cpu, woken = cpu_ms(process.pid) - cpu, _wakeups(process.pid) - woken
            size = resident_mb(process.pid)
        finally:
            os.kill(process.pid, signal.SIGTERM)
            process.wait(30)
    yield Row(
        world.notes, "idle miner, 60 s", cpu, "", target="0 ms, 0 wakeups", met=cpu < 0.5 and not woken,
        remark=f"{woken} wakeups",
    )  # fmt: skip
    yield Row(world.notes, "idle miner, MB", size, "", target="≤ 40 MB", met=size <= 40)


def _wakeups(pid: int) -> int:
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        lines = Path(f"/proc/{pid}/task/{task}/status").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))
    return total
