"""The worker: takes jobs from the queue until none is due. A process of its own, so that its end frees everything."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from typing import Any

from memem import consent
from memem.errors import Damaged, LeaseLost, MememError, NotReady, Paused, TransientError, Unavailable
from memem.miner import Miner
from memem.mining.model import Model
from memem.process import started
from memem.state.jobs import Job, Jobs

DONE, TRANSIENT, FATAL = 0, 20, 75  # exit codes
LEAST_FREE_BYTES = 50_000_000
_WAIT_SECONDS = 60.0
_LOOK_SECONDS = 1.0


def work(
    memem: Miner, *, model: Model | None, log: Any, stop: Callable[[], bool], beat: Callable[[], None] = lambda: None
) -> int:
    """Do what is due; answers an exit code. `beat` is called at every step forward."""
    try:
        jobs = memem.jobs(owner=identity(), alive=is_alive)
        while not stop() and consent.read(memem.config.dir).active:
            if not _has_space(memem):
                log.error("disk_full", least_free_bytes=LEAST_FREE_BYTES)
                return TRANSIENT
            beat()
            job = jobs.claim()
            if job is None:
                return DONE
            if not _attempt(memem, jobs, job, model, log, stop):
                return TRANSIENT
    except Damaged as error:
        log.error("state_unusable", reason=str(error))
        return FATAL
    return DONE


def _attempt(memem: Miner, jobs: Jobs, job: Job, model: Model | None, log: Any, stop: Callable[[], bool]) -> bool:
    """Do one job; False when nothing can be done now (the vault is away, the disk is full)."""
    about = log.bind(job=job.id, kind=job.kind)
    try:
        try:
            about.info("done", result=memem.run(job, jobs, model))
        except Paused as pause:
            # Told to stop, a call ends as if the backend had failed; the job is free for the next worker at once.
            jobs.later(job, jobs.now() if stop() else pause.until, str(pause))
            about.warning("paused", reason=str(pause), until=pause.until)
        except LeaseLost:
            raise
        except (Unavailable, NotReady, TransientError) as error:
            if getattr(error, "counted", False):
                jobs.failed(job, str(error))
                return True
            jobs.later(job, jobs.now() + _WAIT_SECONDS, str(error))
            about.warning("put_off", reason=str(error))
            return False
        except MememError as error:
            buried = jobs.failed(job, str(error))
            about.error("buried" if buried else "failed", reason=str(error))
        except Exception as error:  # noqa: BLE001 - the door of the jobs: one that breaks must not stop the others
            # By type and place only: the message may hold words of a session.
            trace = error.__traceback__
            while trace and trace.tb_next:
                trace = trace.tb_next
            place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else ""
            reason = f"{type(error).__name__} in {place}"
            about.error("buried" if jobs.failed(job, reason) else "failed", reason=reason)
    except LeaseLost:
        about.warning("lease_lost")
    return True


def identity() -> str:
    """What this process is known by in leases: its id and start, because ids are given out again."""
    return f"{os.getpid()}:{started(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Whether the process of that identity still runs."""
    pid, _, start = owner.partition(":")
    return pid.isdigit() and bool(start) and started(int(pid)) == start


def end_with_parent(stop: threading.Event) -> None:
    """Set `stop` when the process that started this one is gone: a worker without its supervisor must not live on."""
    parent = os.getppid()

    def look() -> None:
        while not stop.wait(_LOOK_SECONDS):
            if os.getppid() != parent:
                stop.set()

    threading.Thread(target=look, name="memem-parent", daemon=True).start()


def _has_space(memem: Miner) -> bool:
    try:
        return all(
            shutil.disk_usage(folder).free >= LEAST_FREE_BYTES for folder in (memem.config.dir, memem.config.vault)
        )
    except OSError:
        return True  # what is not there is told by whoever needs it
