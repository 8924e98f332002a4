"""The worker: takes jobs from the queue until none is due. A process of its own, so that its end frees everything."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from typing import Any

from memem import background, consent, graph, sqlite
from memem.app import Memem
from memem.errors import (
    Damaged,
    LeaseLost,
    MememError,
    NotReady,
    Paused,
    StateUnavailable,
    Stopped,
    TransientError,
    VaultUnavailable,
)
from memem.miner import Miner
from memem.mining.model import Model
from memem.process import started
from memem.state import copies
from memem.state.jobs import Job, Jobs

DONE, TRANSIENT, FATAL = 0, 20, 75  # exit codes
LEAST_FREE_BYTES = 50_000_000
_WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_LAST_SECONDS = 3.5  # for a worker whose owner is gone to put its job down


def work(
    miner: Miner,
    *,
    model: Model | None,
    log: Any,
    stop: Callable[[], bool],
    beat: Callable[[], None] = lambda: None,
    queue: Callable[..., Jobs] = background.queue,
) -> int:
    """Do what is due in a queue; answers an exit code. `beat` is called at every step forward."""
    memem = miner.memem
    ended = until_revoked(memem.config.dir, stop)
    _let_in(memem, log)

    def step() -> None:
        beat()
        if ended():
            raise Stopped("put down: the miner was told to stop, or what it may do has changed")

    try:
        jobs = queue(memem, owner=identity(), alive=is_alive)
        jobs.between = step
        while not ended():
            if not _has_space(memem):
                log.error("disk_full", least_free_bytes=LEAST_FREE_BYTES)
                return TRANSIENT
            beat()
            job = jobs.claim()
            if job is None:
                _connect(memem, step, log)
                return DONE
            if not _attempt(miner, jobs, job, model, log, ended):
                return TRANSIENT
            _keep_copy(memem, jobs, log)
    except Damaged as error:
        log.error("state_unusable", reason=str(error))
        return FATAL
    except sqlite.FAULTS as error:  # locked or full; if it is damaged, the next worker begins with mending it
        log.error("state_unusable", reason=str(error))
        return TRANSIENT
    return DONE


def _let_in(memem: Memem, log: Any) -> None:
    """Bring saves that wait into the vault, if it can be written by now."""
    if waiting := memem.waiting():
        try:
            memem.sync()
            log.info("let_in", waited=waiting, waiting=memem.waiting())
        except MememError as error:
            log.warning("still_waiting", waiting=waiting, reason=str(error))


def _connect(memem: Memem, step: Callable[[], None], log: Any) -> None:
    """Make the edges of the graph that are missing, now that there is nothing else to do."""

    def ended() -> bool:
        try:
            step()
        except Stopped:
            return True
        return False

    try:
        if notes := graph.catch_up(memem, ended):
            log.info("connected", notes=notes)
    except MememError as error:
        log.warning("not_connected", reason=str(error))


def until_revoked(folder: str, stop: Callable[[], bool]) -> Callable[[], bool]:
    """A stop flag that is also set when the consent changes: a worker acts on the one it began with, or not at all."""
    begun = _granted(folder)
    return lambda: stop() or not begun[0] or _granted(folder) != begun


def _granted(folder: str) -> tuple[bool, bool, str]:
    allowed = consent.read(folder)
    return allowed.active, allowed.mining, allowed.spend


def _attempt(miner: Miner, jobs: Jobs, job: Job, model: Model | None, log: Any, stop: Callable[[], bool]) -> bool:
    """Do one job; False when nothing can be done now (the vault is away, the disk is full)."""
    about = log.bind(job=job.id, kind=job.kind)
    try:
        try:
            about.info("done", result=miner.run(job, jobs, model))
        except (Paused, Stopped) as pause:
            # Told to stop, a call ends as if the backend had failed; the job is free for the next worker at once.
            until = pause.until if isinstance(pause, Paused) and not stop() else jobs.now()
            jobs.later(job, until, str(pause))
            about.warning("paused", reason=str(pause), until=until)
        except LeaseLost:
            raise
        except (VaultUnavailable, StateUnavailable, NotReady, TransientError) as error:
            if not getattr(error, "counted", False):
                jobs.later(job, jobs.now() + _WAIT_SECONDS, str(error))
                about.warning("put_off", reason=str(error))
                return False
            _failed(jobs, job, str(error), about)
        except MememError as error:
            _failed(jobs, job, str(error), about)
        except sqlite.Error:
            raise
        except Exception as error:  # noqa: BLE001 - the door of the jobs: one that breaks must not stop the others
            # By type and place only: the message may hold words of a session.
            trace = error.__traceback__
            while trace and trace.tb_next:
                trace = trace.tb_next
            place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else ""
            _failed(jobs, job, f"{type(error).__name__} in {place}", about)
    except LeaseLost:
        about.warning("lease_lost")
    return True


def _failed(jobs: Jobs, job: Job, reason: str, about: Any) -> None:
    about.error("buried" if jobs.failed(job, reason) else "failed", reason=reason)


def _keep_copy(memem: Memem, jobs: Jobs, log: Any) -> None:
    try:
        if copies.keep(jobs.connection, memem.config.dir, time.time()):
            log.info("state_copied")
    except (OSError, MememError, sqlite.Error) as error:
        log.warning("state_not_copied", reason=f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}")


def identity() -> str:
    """What this process is known by in leases: its id and start, because ids are given out again."""
    return f"{os.getpid()}:{started(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Whether the process of that identity still runs."""
    pid, _, start = owner.partition(":")
    return pid.isdigit() and bool(start) and started(int(pid)) == start


def end_with_owner(stop: threading.Event, is_gone: Callable[[], bool]) -> None:
    """Set `stop` when the process that started this one is gone: a worker without its supervisor must not live on.

    It has a moment to put its job down; one that cannot, because it reads a huge session, ends as if killed.
    """

    def look() -> None:
        while not stop.wait(_LOOK_SECONDS):
            if is_gone():
                stop.set()
                threading.Event().wait(_LAST_SECONDS)
                os._exit(TRANSIENT)

    threading.Thread(target=look, name="memem-owner", daemon=True).start()


def _has_space(memem: Memem) -> bool:
    try:
        return all(
            shutil.disk_usage(folder).free >= LEAST_FREE_BYTES for folder in (memem.config.dir, memem.config.vault)
        )
    except OSError:
        return True  # what is not there is told by whoever needs it
