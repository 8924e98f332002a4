"""Children as real processes: shells that hang, flood, fork and leave, and owners that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memem import process
from memem.errors import Unavailable
from memem.process import Finished, run, started, sweep_orphans

from .home import ROOT

PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def sh(script: str, tmp_path: Path, seconds: float = 30, **more: Any) -> Finished:
    return run(["sh", "-c", script], env=PATH, cwd=str(tmp_path), deadline_seconds=seconds, **more)


def alive(marker: str) -> list[int]:
    """Processes whose environment holds a text."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if marker.encode() in Path(f"/proc/{name}/environ").read_bytes():
                found.append(int(name))
        except OSError:
            continue
    return found


def took(work: Callable[[], object]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def test_child_reads_its_input_and_its_output_is_returned(tmp_path: Path) -> None:
    done = sh("cat; echo no >&2; exit 3", tmp_path, stdin=b"x" * 300_000)
    assert (done.returncode, done.stdout, done.stderr, done.reason) == (3, b"x" * 300_000, b"no\n", "")


def test_child_that_does_not_read_its_input_is_no_error(tmp_path: Path) -> None:
    assert sh("exec 0<&-; echo done", tmp_path, stdin=b"x" * 1_000_000).stdout == b"done\n"


def test_child_gets_the_given_environment_and_its_marker_only(tmp_path: Path) -> None:
    names = {line.partition("=")[0] for line in sh("env", tmp_path).stdout.decode().split()}
    assert names <= {"PATH", "PWD", "OLDPWD", "SHLVL", "_", process.MARKER}
    assert process.MARKER in names


def test_child_leads_a_session_and_a_group_without_a_terminal(tmp_path: Path) -> None:
    done = sh("ps -o pid=,pgid=,sid= -p $$; ( : </dev/tty ) 2>/dev/null || echo no terminal", tmp_path)
    numbers, said = done.stdout.decode().splitlines()
    assert len(set(numbers.split())) == 1
    assert said == "no terminal"


def test_identity_is_the_same_while_a_process_runs_and_none_afterwards(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        first = started(sleeper.pid)
        assert first == started(sleeper.pid) != started(os.getpid())
        sleeper.kill()
    assert started(sleeper.pid) == ""


def test_deadline_ends_a_child(tmp_path: Path) -> None:
    assert sh("sleep 60", tmp_path, 0.3).reason == "deadline"


def test_silence_ends_a_child_that_has_an_idle_limit(tmp_path: Path) -> None:
    assert sh("echo begun; sleep 60", tmp_path, idle_seconds=0.3).reason == "idle"


def test_stop_flag_ends_a_child_within_a_second(tmp_path: Path) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    assert took(lambda: sh("sleep 60", tmp_path, stop=stop)) < 2
    timer.join()
    assert sh("sleep 60", tmp_path, stop=lambda: True).reason == "stopped"


def test_p3_stop_ends_a_child_that_cleans_up_on_term(tmp_path: Path) -> None:
    script = "trap 'echo cleaned; exit 7' TERM; echo begun >&2; while :; do sleep 0.1; done"
    done = sh(script, tmp_path, idle_seconds=0.5)
    assert (done.reason, done.stdout, done.returncode) == ("idle", b"cleaned\n", 7)


def test_p11_deadline_counts_the_time_that_the_machine_slept(tmp_path: Path) -> None:
    begin = process.elapsed()
    times = iter([begin, begin, begin])

    def clock() -> float:
        return next(times, process.elapsed() + 8 * 3600)

    assert sh("sleep 60", tmp_path, 600, clock=clock).reason == "deadline"


def test_l12_child_that_ignores_term_is_killed_in_time(tmp_path: Path) -> None:
    token = f"l12-{os.getpid()}"
    script = f"export TOKEN={token}; trap '' TERM INT HUP; while :; do sleep 1; done"
    begin = time.monotonic()
    done = sh(script, tmp_path, 0.5)
    assert (done.reason, done.returncode) == ("deadline", -signal.SIGKILL)
    assert time.monotonic() - begin < 6.5
    assert alive(token) == []


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60 & exit 0",  # holds the pipes
        "setsid sleep 60 & exit 0",
        "(setsid sh -c 'setsid sleep 60 & exec sleep 60' &) ; exit 0",
        "(setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' </dev/null >/dev/null 2>&1 &); exit 0",
    ],
)
def test_l13_grandchildren_are_ended_wherever_they_went(tmp_path: Path, script: str) -> None:
    token = f"l13-{os.getpid()}-{len(script)}"
    begin = time.monotonic()
    done = sh(f"export TOKEN={token}; {script}", tmp_path)
    assert (done.returncode, done.reason) == (0, "")
    assert time.monotonic() - begin < 6.5
    assert alive(token) == []


def test_l13_grandchildren_of_a_child_that_hangs_are_ended(tmp_path: Path) -> None:
    token = f"l13-hang-{os.getpid()}"
    script = f"export TOKEN={token}; trap '' TERM; (setsid sleep 60 &) ; sleep 61 & while :; do sleep 1; done"
    assert took(lambda: sh(script, tmp_path, 0.3)) < 6.5
    assert alive(token) == []


def test_l13_a_group_without_the_marker_is_ended_too(tmp_path: Path) -> None:
    name = "61.0713"
    sh(f"env -i /bin/sleep {name} & exit 0", tmp_path)
    assert subprocess.run(["pgrep", "-f", f"sleep {name}"], capture_output=True).stdout == b""


def test_l14_flood_of_errors_neither_blocks_nor_is_kept(tmp_path: Path) -> None:
    script = "head -c 1073741824 /dev/zero >&2; echo done"
    done = sh(script, tmp_path, 120)
    assert (done.returncode, done.stdout, len(done.stderr), done.reason) == (0, b"done\n", 1_000_000, "")


def test_l10_output_beyond_the_limit_ends_the_child(tmp_path: Path) -> None:
    done = sh("yes", tmp_path, output_limit=5000)
    assert (done.reason, len(done.stdout)) == ("overflow", 5000)


def test_l15_child_that_asks_a_question_finds_its_input_closed(tmp_path: Path) -> None:
    assert sh("read -r answer || echo nobody", tmp_path).stdout == b"nobody\n"


def test_l15_missing_program_is_named_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"no-such-program cannot be started.*Check"):
        run(["no-such-program"], env=PATH, cwd=str(tmp_path), deadline_seconds=1)


STARVED = """
import encodings.ascii, os, resource, sys  # the codec cannot be read any more as another user
if sys.argv[1] == "processes":
    if os.geteuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
else:
    resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6))
try:
    run(["true"], env={}, cwd="/", deadline_seconds=5)
except TransientError as error:
    print("transient", error)
"""


@pytest.mark.parametrize("what", ["processes", "descriptors"])
def test_p9_no_process_or_descriptor_left_is_transient(what: str) -> None:
    head = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    head += "from memem.process import run\nfrom memem.errors import TransientError\n"
    command = [sys.executable, "-c", head + STARVED, what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("transient true cannot be started now"), done


STARVING = """
import resource
def stop():
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 4096))
    return True
done = run(["sleep", "60.0913"], env={"PATH": "/usr/bin:/bin"}, cwd="/", deadline_seconds=50, stop=stop)
print(done.reason, done.returncode)
"""


def test_p9_child_is_ended_even_without_a_descriptor_to_look_for_it() -> None:
    head = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom memem.process import run\n"
    done = subprocess.run([sys.executable, "-c", head + STARVING], capture_output=True, text=True, timeout=60)
    assert done.stdout == f"stopped {-signal.SIGKILL}\n", done
    assert subprocess.run(["pgrep", "-f", "sleep 60.0913"], capture_output=True).stdout == b""


OWNER = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from memem.process import run
print("begun", flush=True)
run(["sh", "-c", sys.argv[1]], env={{"PATH": "/usr/bin:/bin", "TOKEN": sys.argv[2]}}, cwd="/", deadline_seconds=90)
"""


def orphaned(token: str, script: str) -> subprocess.Popen[bytes]:
    """An owner with a child that runs the script, which has created its grandchildren when this returns."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER, script, token], stdout=subprocess.PIPE)
    limit = time.monotonic() + 30
    while len(alive(token)) < script.count("sleep 6") + 1 and time.monotonic() < limit:
        os.sched_yield()
    return owner


def test_children_of_a_killed_owner_are_ended_by_the_next_start() -> None:
    token = f"orphan-{os.getpid()}"
    script = "(setsid sleep 61 &); trap '' TERM; sleep 62 & while :; do sleep 0.1; done"
    with orphaned(token, script) as owner:
        sweep_orphans()
        assert len(alive(token)) > 2  # the owner lives
        owner.kill()
    sweep_orphans()
    assert alive(token) == []


def test_processes_of_others_are_never_swept() -> None:
    mine = f"{os.getpid()}:{started(os.getpid())}"
    markers = [
        "",
        "nonsense",
        f"{mine}:{process._namespace()}.{'a' * 16}",  # a living owner
        f"999999999:x.1:otherpid4026.{'a' * 16}",  # of another container
        f"999999999:x.1:{process._namespace()}.{'a' * 15}",  # not a token of ours
    ]
    others = [subprocess.Popen(["sleep", "60"], env={process.MARKER: marker}) for marker in markers]
    try:
        sweep_orphans()
        assert [other.poll() for other in others] == [None] * len(others)
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_number_given_to_another_process_does_not_save_an_orphan_nor_condemn_a_stranger() -> None:
    marker = f"{os.getpid()}:an.older.process:{process._namespace()}.{'b' * 16}"
    with subprocess.Popen(["sleep", "60"], env={process.MARKER: marker}) as orphan:
        found = process._look(orphan.pid)
        assert found
        process._send(found.replace(marker="another"), signal.SIGKILL)
        assert orphan.poll() is None
        sweep_orphans()
        assert orphan.wait(10) == -signal.SIGTERM


def test_line_of_ps_is_understood_where_there_is_no_proc() -> None:
    line = "  812   810 S+   /usr/bin/claude -p --model haiku HOME=/Users/a b MEMEM_CHILD=7:x:.ab LANG=C"
    assert process._from_ps(line) == process.Running(pid=812, group=810, marker="7:x:.ab")
    assert process._from_ps("  813   810 Z+   (claude)") is None
    assert process._from_ps("") is None
