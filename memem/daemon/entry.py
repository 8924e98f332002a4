"""How the miner's processes begin: the supervisor, its workers, and the hooks' word that a session moved on."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from memem import __version__, consent, sqlite
from memem.config import Config, load
from memem.daemon.settle import settle
from memem.daemon.supervisor import Supervisor, halted, wake
from memem.errors import Damaged, MememError
from memem.install import ROOT, use_environment
from memem.llm.claude import OF_A_SESSION
from memem.process import MARKER
from memem.state import copies, lock
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

    config = load()
    os.chdir(config.dir)
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
    from memem import background
    from memem.app import Memem
    from memem.daemon import worker
    from memem.daemon.log import open_log
    from memem.miner import Miner

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    owner = os.environ.get(MARKER, "").partition(":")[0]
    worker.end_with_owner(stop, lambda: owner.isdigit() and os.getppid() != int(owner))
    log = open_log(str(Path.cwd()), role="worker", pid=os.getpid())  # where the supervisor started it
    try:
        config = load()
        if restored := copies.restore(config.dir):
            log.error("state_restored", reason=restored)
        memem = Memem(config)
        try:
            ended = worker.until_revoked(memem.config.dir, stop.is_set)
            settle(memem.config, background.queue(memem))
            model, beat = background.model(memem, ended), partial(_beat, stop)
            return worker.work(Miner(memem), model=model, log=log, stop=ended, beat=beat)
        finally:
            memem.close()
    except (MememError, sqlite.Error) as error:
        log.error("cannot_work", reason=str(error))
        return worker.FATAL if isinstance(error, Damaged) else worker.TRANSIENT


def note() -> int:
    """A hook's event on stdin: queue its session and see to it that the miner runs. Prints nothing, fails silently."""
    config = load()
    if not consent.read(config.dir).active:
        return 0
    try:
        payload = json.loads(sys.stdin.buffer.read(_MOST_INPUT))
    except (ValueError, RecursionError):
        payload = {}
    try:
        _queue(config, payload if isinstance(payload, dict) else {})
    except (OSError, MememError, sqlite.Error):
        pass  # the miner finds the session by itself when it looks
    try:
        wake(config.dir)
        ensure(config)
    except OSError:
        return 1
    return 0


def ensure(config: Config) -> None:
    """Start the miner unless it runs, ended itself in this version, or may not; an older version's is replaced."""
    stopped = halted(config.dir)
    if not consent.read(config.dir).active or (stopped and stopped.version == __version__):
        return
    running = lock.owner(config.dir)
    if running and running.older:
        lock.end(running)
    if running is None or running.older:
        start()


def start() -> int:
    """Start a supervisor that outlives this process; answers its process id."""
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    line = command("daemon")
    return os.posix_spawn(line[0], line, environment(), file_actions=nothing)


def has_ended(started: int) -> bool:
    """Whether a supervisor that this process started is there no more."""
    try:
        return os.waitpid(started, os.WNOHANG)[0] == started
    except ChildProcessError:
        return True


def command(role: str) -> list[str]:
    """The command line of a role, with this process's interpreter and packages."""
    path = [str(Path(part).resolve()) if part else ROOT for part in sys.path]
    return [sys.executable, "-I", "-c", _BEGIN, json.dumps([ROOT, *path]), role]


def environment() -> dict[str, str]:
    """What the miner's processes inherit: nothing of the session that happened to start them."""
    # What is a user's own stays: without CLAUDE_CODE_OAUTH_TOKEN or CLAUDE_CODE_USE_BEDROCK there is no login.
    return {name: value for name, value in os.environ.items() if not OF_A_SESSION.fullmatch(name) and name != MARKER}


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


def _beat(stop: threading.Event) -> None:
    try:
        os.write(1, b".\n")
    except OSError:  # the supervisor is gone
        stop.set()


ROLES = {"daemon": daemon, "work": work, "note": note}
