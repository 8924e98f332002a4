"""How the miner's processes begin: the supervisor, its workers, and the hooks' word that a session moved on."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from memem import __version__, consent
from memem.config import Config, load
from memem.daemon.settle import settle
from memem.daemon.supervisor import Supervisor, halted, wake
from memem.errors import MememError
from memem.install import ROOT, use_environment
from memem.state import lock
from memem.state.jobs import Jobs
from memem.state.store import open_state

# The parent's search path, because the dependencies may be in a private environment, and a plugin has no package.
_BEGIN = (
    "import sys, json; sys.path[:] = json.loads(sys.argv.pop(1)); "
    "from memem.daemon.entry import main; main(sys.argv[1])"
)
_ENDED = ("SessionEnd",)
_MOST_INPUT = 1_000_000


def main(role: str) -> NoReturn:
    """Run one of the roles in this process and end it with its exit code."""
    use_environment(load())  # so that nobody removes it under us
    sys.exit(ROLES[role]())


def daemon() -> int:
    """A supervisor of its own: what ends the session that started it does not end it."""
    try:
        os.setsid()
    except OSError:
        pass  # it leads a session already
    return supervise()


def supervise() -> int:
    """The supervisor, until it is told to stop."""
    from memem.daemon.log import open_log
    from memem.daemon.watch import follow
    from memem.process import sweep_orphans

    config = load()
    os.chdir(config.dir)
    sweep_orphans()  # children of a miner that was killed
    log = open_log(config.dir, role="supervisor", pid=os.getpid(), version=__version__)
    supervisor = Supervisor(config, command("work"), environment(), log)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.stop())
    unfollow = follow(config, supervisor)
    try:
        return supervisor.run()
    finally:
        unfollow()


def work() -> int:
    """One worker, until nothing is due."""
    from memem.daemon import worker
    from memem.daemon.log import open_log
    from memem.miner import Miner

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    worker.end_with_parent(stop)
    memem = Miner(load())
    log = open_log(memem.config.dir, role="worker", pid=os.getpid())
    try:
        settle(memem.config, memem.jobs())
        return worker.work(memem, model=memem.model(stop.is_set), log=log, stop=stop.is_set, beat=_beat)
    except MememError as error:
        log.error("cannot_work", reason=str(error))
        return worker.FATAL if error.exit_code == 5 else worker.TRANSIENT
    finally:
        memem.close()


def note() -> int:
    """A hook's event on stdin: queue its session and see to it that the miner runs. Prints nothing, fails silently."""
    config = load()
    if not consent.read(config.dir).active:
        return 0
    try:
        payload = json.loads(sys.stdin.buffer.read(_MOST_INPUT))
    except ValueError:
        payload = {}
    try:
        _queue(config, payload if isinstance(payload, dict) else {})
        wake(config.dir)
        ensure(config)
    except (OSError, MememError):
        return 1
    return 0


def ensure(config: Config) -> None:
    """Start the miner unless it runs, ended itself in this version, or may not; an older version's is replaced."""
    stopped = halted(config.dir)
    if not consent.read(config.dir).active or (stopped and stopped.version == __version__):
        return
    running = lock.owner(config.dir)
    if running and running.version and _number(running.version) < _number(__version__):
        lock.end(running)
        running = None
    if running is None:
        start()


def start() -> None:
    """Start a supervisor that outlives this process."""
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    line = command("daemon")
    os.posix_spawn(line[0], line, environment(), file_actions=nothing)


def command(role: str) -> list[str]:
    """The command line of a role, with this process's interpreter and packages."""
    path = [str(Path(part).resolve()) if part else ROOT for part in sys.path]
    return [sys.executable, "-I", "-c", _BEGIN, json.dumps([ROOT, *path]), role]


def environment() -> dict[str, str]:
    """What the miner's processes inherit: nothing of the session that happened to start them."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CLAUDE_CODE_", "CLAUDE_PROJECT", "CLAUDE_PLUGIN", "MEMEM_CHILD"))
        and name != "CLAUDECODE"
    }


def _queue(config: Config, payload: Mapping[str, Any]) -> None:
    path = payload.get("transcript_path")
    if not isinstance(path, str) or not path.endswith(".jsonl"):
        return
    real = os.path.realpath(path)
    if not any(real.startswith(f"{os.path.realpath(folder)}/") for folder in config.session_dirs):
        return  # the scan finds what belongs to us
    state = open_state(config.dir)
    try:
        settle(config, Jobs(state.connection), [Path(path)], ended=payload.get("hook_event_name") in _ENDED)
    finally:
        state.close()


def _beat() -> None:
    sys.stdout.write(".\n")
    sys.stdout.flush()


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


ROLES = {"daemon": daemon, "work": work, "note": note}
