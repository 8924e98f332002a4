"""Children: each in a session of its own, bounded in time and output, and never left behind.

A child and all that it starts carry `MEMEM_CHILD=<owner's pid>:<owner's identity>:<token>` in their environment. The
token finds those that left the child's process group; the owner's identity finds, at the next start, those whose
owner was killed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from memem.errors import TransientError, Unavailable
from memem.value import Value

MARKER = "MEMEM_CHILD"
GRACE_SECONDS = 5.0  # from TERM to KILL
_KILL_SECONDS = 0.8  # for the system to take away what was killed
_TICK = 0.2
_SHORT_OF = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
_LINUX = sys.platform == "linux"
_READ = 65536

Stop = Callable[[], bool]


class Finished(Value):
    """How a child ended. `reason` is "" when it ended by itself, else why it was ended.

    `returncode` is negative for a signal, as in subprocess; output beyond the limit is cut away.
    """

    returncode: int
    stdout: bytes
    stderr: bytes
    reason: str  # "", "deadline", "idle", "stopped", "overflow" (of stdout)


class Running(Value):
    """A process at one moment."""

    pid: int
    group: int
    marker: str


def elapsed() -> float:
    """Seconds that nobody sets back and that go on while the machine sleeps, so that a deadline holds after it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def never() -> bool:
    """The stop flag of those that nobody stops."""
    return False


def asking(stop: Any) -> Stop:
    """A stop flag as a function, from a function or an event."""
    asked: Stop = getattr(stop, "is_set", stop)
    return asked


def started(pid: int) -> str:
    """An opaque identity of the running process, never given to another that gets its number; "" if none runs."""
    if _LINUX:
        fields = _stat(pid)
        return f"{_boot()}.{fields[19]}" if fields and fields[0] not in "ZX" else ""
    shown = _ps("-p", str(pid), "-o", "stat=,lstart=").split()
    return "_".join(shown[1:]) if shown and "Z" not in shown[0] else ""


def run(
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str],
    cwd: str,
    deadline_seconds: float,
    idle_seconds: float | None = None,
    output_limit: int = 1_000_000,
    stop: Any = never,
    stop_grace_seconds: float = GRACE_SECONDS,
    clock: Callable[[], float] = elapsed,
) -> Finished:
    """Run a program to its end, or to ours: nothing of it is alive when this returns, at most 6 s after the deadline.

    `env` is its whole environment; `stop` is a function or an event, after which TERM and KILL are only
    `stop_grace_seconds` apart. stdout beyond `output_limit` bytes ends it,
    stderr beyond it is thrown away.

    Raises:
        TransientError: the system has no process, memory or descriptor left.
        Unavailable: there is no such program, or it cannot be run.
    """
    child = _Child(command, stdin, env, cwd, output_limit, clock)
    reason = ""
    try:
        reason = child.follow(clock() + deadline_seconds, idle_seconds, asking(stop))
    finally:
        child.end(stop_grace_seconds if reason == "stopped" else GRACE_SECONDS)
    return Finished(
        returncode=child.returncode, stdout=bytes(child.output[0]), stderr=bytes(child.output[1]), reason=reason
    )


def sweep_orphans() -> int:
    """End the processes whose owner, another process of ours, is gone without them; answers how many there were.

    TERM, 5 s, KILL. A process is known by its marker, and looked at again right before each signal.
    """
    family = _ancestors()

    def orphans() -> list[Running]:
        return [found for found in _running() if found.pid not in family and _is_orphan(found.marker)]

    first = orphans()
    _end_all(orphans, first, elapsed)
    return len(first)


class _Child:
    """One running child with its pipes."""

    def __init__(
        self,
        command: Sequence[str],
        stdin: bytes,
        env: Mapping[str, str],
        cwd: str,
        output_limit: int,
        clock: Callable[[], float],
    ) -> None:
        self.output = (bytearray(), bytearray())
        self.returncode = -signal.SIGKILL
        self._input = memoryview(stdin)
        self._limit = output_limit
        self._clock = clock
        self._overflow = False
        self._marker = _new_marker()
        selector = None
        try:
            self._selector = selector = selectors.DefaultSelector()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**env, MARKER: self._marker}, cwd=cwd, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            if selector:
                selector.close()
            raise _not_started(command[0], error) from error
        self._last_output = clock()
        self._attend()

    def _attend(self) -> None:
        pipes: tuple[Any, ...] = (self._process.stdin, self._process.stdout, self._process.stderr)
        answers = (self._write, self._read, self._read)
        for number, (pipe, answer) in enumerate(zip(pipes, answers, strict=True)):
            os.set_blocking(pipe.fileno(), False)
            event = selectors.EVENT_READ if number else selectors.EVENT_WRITE
            self._selector.register(pipe, event, (answer, number))

    def follow(self, deadline: float, idle_seconds: float | None, stop: Stop) -> str:
        """Feed and drain it until it ends (answers "") or must be ended (answers why)."""
        while not self._has_ended():
            now = self._clock()
            if stop():
                return "stopped"
            if now >= deadline:
                return "deadline"
            if idle_seconds is not None and now >= self._last_output + idle_seconds:
                return "idle"
            if self._overflow:
                return "overflow"
            # After both pipes are closed the end is only a moment away.
            self._pump(min(_TICK, max(0.0, deadline - now)) if self._selector.get_map() else 0.02)
        patience = self._clock() + 1
        while self._pump(0.02) and self._clock() < patience and not self._overflow:
            pass  # what it wrote last; a grandchild that keeps the pipe open is not waited for
        return "overflow" if self._overflow else ""

    def end(self, grace_seconds: float) -> None:
        """End it and all it started, if anything still runs, and let go of the pipes."""
        try:
            _end_all(self._left, self._left(), self._clock, self._pump, grace_seconds)
            patience = self._clock() + 0.2
            while self._pump(0) and self._clock() < patience:
                pass  # its last words
        except OSError:
            pass  # no descriptor left to look for others with
        finally:
            if not self._has_ended():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            for key in list(self._selector.get_map().values()):
                self._drop(key.fileobj)
            self._selector.close()
            with contextlib.suppress(subprocess.TimeoutExpired):  # it cannot even be killed: the disk it reads hangs
                self.returncode = self._process.wait(_KILL_SECONDS)

    def _left(self) -> list[Running]:
        # The number of the group is nobody else's as long as its leader has not been waited for.
        group = self._process.pid if self._process.returncode is None else -1
        return [found for found in _running() if found.marker == self._marker or found.group == group]

    def _has_ended(self) -> bool:
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _pump(self, seconds: float) -> bool:
        """Move what can be moved within a time; False if nothing could."""
        ready = self._selector.select(seconds)
        for key, _ in ready:
            answer, number = key.data
            answer(key.fileobj, number)
        return bool(ready)

    def _write(self, pipe: Any, _number: int) -> None:
        try:
            self._input = self._input[os.write(pipe.fileno(), self._input[:_READ]) :]
        except BlockingIOError:
            return
        except OSError:  # it does not want to read on
            self._input = memoryview(b"")
        if not self._input:
            self._drop(pipe)

    def _read(self, pipe: Any, number: int) -> None:
        try:
            data = os.read(pipe.fileno(), _READ)
        except BlockingIOError:
            return
        if not data:
            self._drop(pipe)
            return
        self._last_output = self._clock()
        kept = self.output[number - 1]
        room = self._limit - len(kept)
        kept += data[:room]
        self._overflow |= number == 1 and len(data) > room

    def _drop(self, pipe: Any) -> None:
        self._selector.unregister(pipe)
        with contextlib.suppress(OSError):  # the rest of the input has no reader any more
            pipe.close()


def _not_started(program: str, error: OSError) -> TransientError | Unavailable:
    if error.errno in _SHORT_OF:
        return TransientError(f"{program} cannot be started now: {error.strerror}. It is tried again later.")
    return Unavailable(f"{program} cannot be started: {error.strerror}. Check that it is installed and can be run.")


def _end_all(
    left: Callable[[], list[Running]],
    found: list[Running],
    clock: Callable[[], float],
    pause: Callable[[float], object] = time.sleep,
    grace_seconds: float = GRACE_SECONDS,
) -> None:
    """TERM, 5 s, KILL, until `left` finds nothing; `pause` is called with seconds to spend meanwhile."""
    for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, _KILL_SECONDS)):
        patience = clock() + seconds
        told: set[int] = set()
        while found and clock() < patience:
            for one in found:
                if one.pid not in told or number == signal.SIGKILL:  # the second TERM makes some programs careless
                    _send(one, number)
                    told.add(one.pid)
            pause(0.1)
            found = left()


def _send(target: Running, number: int) -> None:
    """Send a signal to a process, if it still is the one that was found."""
    try:
        handle = os.pidfd_open(target.pid) if hasattr(os, "pidfd_open") else -1
    except ProcessLookupError:
        return
    except OSError:
        handle = -1  # an old kernel, or no descriptor left
    try:
        if _look(target.pid) != target:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if handle >= 0:
                signal.pidfd_send_signal(handle, number)
            else:
                os.kill(target.pid, number)
    finally:
        if handle >= 0:
            os.close(handle)


def _new_marker() -> str:
    pid = os.getpid()
    return f"{pid}:{started(pid)}:{_namespace()}.{secrets.token_hex(8)}"


def _is_orphan(marker: str) -> bool:
    found = re.fullmatch(r"(\d+):([^:].*):(\w*)\.[0-9a-f]{16}", marker)
    # Process numbers of another container mean nothing here.
    return bool(found) and found[3] == _namespace() and started(int(found[1])) != found[2]  # type: ignore[index]


def _namespace() -> str:
    try:
        return re.sub(r"\W", "", os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 - it is no file
    except OSError:
        return ""


def _running() -> Iterator[Running]:
    """Our user's processes; zombies are not running."""
    if _LINUX:
        numbers = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - hundreds of names
        return filter(None, map(_look, numbers))
    return filter(None, map(_from_ps, _ps("-U", str(os.geteuid()), *_PS_COLUMNS).splitlines()))


def _look(pid: int) -> Running | None:
    """The process of that number, if it runs and is our user's."""
    if not _LINUX:
        return _from_ps(_ps("-p", str(pid), *_PS_COLUMNS))
    fields = _stat(pid)
    if not fields or fields[0] in "ZX":
        return None
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid():  # noqa: PTH116
            return None
        with open(f"/proc/{pid}/environ", "rb") as file:
            environ = b"\0" + file.read()
    except OSError:
        return None
    _, _, rest = environ.partition(f"\0{MARKER}=".encode())
    return Running(pid=pid, group=int(fields[2]), marker=rest.partition(b"\0")[0].decode("ascii", "replace"))


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name: state, parent, group …, start time at 19; none if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()  # the name before it may hold anything
    except OSError:
        return []


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read(8)
    except OSError:
        return ""


def _ancestors() -> set[int]:
    family, pid = set(), os.getpid()
    while pid > 1 and pid not in family:
        family.add(pid)
        parent = _stat(pid)[1:2] if _LINUX else _ps("-p", str(pid), "-o", "ppid=").split()[:1]
        pid = int(parent[0]) if parent else 0
    return family


_PS_COLUMNS = ("-E", "-ww", "-o", "pid=,pgid=,stat=,command=")  # -E shows the environment after the command


def _ps(*arguments: str) -> str:
    environ = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/bin:/usr/bin"}
    try:
        done = subprocess.run(["ps", *arguments], env=environ, capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _from_ps(line: str) -> Running | None:
    fields = line.split(None, 3)
    if len(fields) < 4 or "Z" in fields[2]:
        return None
    marked = re.search(rf"(?:^|\s){MARKER}=(\S+)", fields[3])
    return Running(pid=int(fields[0]), group=int(fields[1]), marker=marked[1] if marked else "")
