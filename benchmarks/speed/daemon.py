"""The miner's supervisor while nothing changes: CPU time, wakeups and memory of a minute."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from corpus import ROOT, World
from programs import cpu_ms, resident_mb
from timing import Row

from memem import consent
from memem.consent import Consent

_SETTLE, _IDLE = 8, 60  # seconds
_BEGIN = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from memem.daemon.entry import main; main('daemon')"


def rows(world: World) -> Iterator[Row]:
    """A minute of rest; it takes that long, so it is measured with ten thousand notes only."""
    if world.notes != 10_000:
        return
    consent.write(str(world.state), Consent(capture=True, mining=True))
    environ = world.environ | {"CLAUDE_CONFIG_DIR": str(world.folder / "claude")}
    (world.folder / "claude" / "projects").mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen([sys.executable, "-c", _BEGIN], env=environ)
    try:
        time.sleep(_SETTLE)
        cpu, woken = cpu_ms(process.pid), _wakeups(process.pid)
        time.sleep(_IDLE)
        cpu, woken = cpu_ms(process.pid) - cpu, _wakeups(process.pid) - woken
        size = resident_mb(process.pid)
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait(30)
        consent.withdraw(str(world.state))
    yield Row(world.notes, "idle miner, 60 s", cpu, "", target="0 ms", met=cpu < 0.5, remark=f"{woken} wakeups")
    yield Row(world.notes, "idle miner, MB", size, "", target="≤ 40 MB", met=size <= 40)


def _wakeups(pid: int) -> int:
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        lines = Path(f"/proc/{pid}/task/{task}/status").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))
    return total
