"""The miner's log, written by several processes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from memem.daemon import log

_WRITE = """
import sys
from memem.daemon import log
log._BYTES = 20_000
log._KEPT = 50
written = log.open_log(sys.argv[1], role=sys.argv[2])
for number in range(int(sys.argv[3])):
    written.info("line", number=number, filler="x" * 100)
"""


def test_lines_of_two_processes_survive_that_both_rotate(tmp_path: Path) -> None:
    several = [subprocess.Popen([sys.executable, "-c", _WRITE, str(tmp_path), role, "400"]) for role in "ab"]
    assert [one.wait(timeout=60) for one in several] == [0, 0]
    files = list(tmp_path.glob("miner.log*"))
    lines = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    assert len(files) > 3
    assert sorted((line["role"], line["number"]) for line in lines) == [(role, n) for role in "ab" for n in range(400)]
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    log.open_log(str(tmp_path / "nowhere")).info("line")
    (tmp_path / "miner.log").mkdir()
    log.open_log(str(tmp_path)).info("line")
