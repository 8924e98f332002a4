"""The miner under faults: killed, orphaned, crowded, cut off from its model, left idle, fed far too much.

    python benchmarks/faults/miner.py PART… [--sessions FOLDER] [--kills 1000] [--owners 200] [--megabytes 700] [--json]

Parts, all without one named:
`kill`      workers killed with SIGKILL while they mine the sessions of FOLDER, until the work is done, again and
            again; the vault is compared with that of an undisturbed run
`owners`    supervisors killed while their worker asks a slow fake `claude` that leaves a grandchild behind and half
            of the time ignores TERM; every other time the worker dies with its supervisor, and the client with it
`stops`     SIGTERM at any moment, with the same client
`together`  50 sessions end at once, two `memem miner drain` beside the miner
`jobs`      1,000 jobs with 30 % faults, then a day without a model, on a fake clock
`idle`      what the waiting supervisor costs
`memory`    FOLDER again and again, as many MB as asked, through one worker
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from world import ROOT, World, report, world

from memem import consent
from memem.app import Memem
from memem.background import queue
from memem.consent import Consent
from memem.daemon import entry, worker
from memem.daemon.settle import settle
from memem.errors import Malformed, Paused, PermanentError, TransientError
from memem.miner import Miner
from memem.state import lock
from memem.state.jobs import SESSION, Jobs
from memem.vault.note import parse

ALLOWED = Consent(capture=True, mining=True, history=True)
CLAUDE = Path(__file__).with_name("claude.sh")
BATCH = 10  # homes at once
PATIENCE = 60.0


class Log:
    """Says nothing."""

    def bind(self, **_: Any) -> Log:
        """The same."""
        return self

    def __getattr__(self, _level: str) -> Callable[..., None]:
        return lambda *_, **__: None


class Home(World):
    """A home with sessions, in which the miner may work."""

    def __init__(self, root: Path, allowed: Consent = ALLOWED, **environ: str) -> None:
        root.mkdir(exist_ok=True)
        super().__init__(root)
        self.environ = {
            "HOME": str(root),
            "PATH": f"{root}/bin:/usr/bin:/bin",
            "MEMEM_MINER_SETTLE_SECONDS": "0",
            "PYTHONPATH": str(ROOT),
        } | environ
        self.sessions = Path(self.config.session_dirs[0])
        self.sessions.mkdir(parents=True)
        Path(self.config.dir).mkdir(mode=0o700)
        consent.write(self.config.dir, allowed)

    def memem(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command line of memem as a process."""
        return self.process([sys.executable, "-m", "memem", *arguments])

    def process(self, command: list[str]) -> subprocess.Popen[bytes]:
        """A process of this home."""
        nothing = subprocess.DEVNULL
        return subprocess.Popen(
            command, env=self.environ, cwd=self.config.dir, stdin=nothing, stdout=nothing, stderr=nothing
        )

    def alive(self) -> list[int]:
        """All processes of this home: its name is in their environment."""
        found = []
        for name in os.listdir("/proc"):
            try:
                environ = Path("/proc", name, "environ").read_bytes() if name.isdigit() else b""
                if f"HOME={self.root}\0".encode() in environ:
                    found.append(int(name))
            except OSError:
                continue
        return found

    def fake_model(self) -> Path:
        """Put the fake client on the path; answers the file that its calls write to."""
        (self.root / "bin").mkdir()
        shutil.copy(CLAUDE, self.root / "bin" / "claude")
        return self.root / "calls"

    def jobs(self) -> dict[str, int]:
        """The sessions of the queue by state."""
        memem = self.open()
        counts = queue(memem).counts(SESSION)
        memem.close()
        return counts


def kill(given: argparse.Namespace) -> dict[str, Any]:
    """Kill, check, go on until the work is done; then compare, and begin anew."""
    chance = random.Random(given.seed)
    figures: Counter[str] = Counter()
    with world() as outer:
        undisturbed = _copy(outer.root / "undisturbed", given.sessions)
        began = time.monotonic()
        assert os.waitpid(_fork_worker(undisturbed), 0)[1] == 0
        seconds = time.monotonic() - began
        expected = _texts(undisturbed, Counter())
        while figures["kills"] < given.kills:
            home = _copy(outer.root / f"round {figures['rounds']}", given.sessions)
            _round(home, chance, figures, given.kills, seconds)
            figures["rounds"] += 1
            found = _texts(home, figures)
            figures["lost"] += (expected - found).total()
            figures["doubled or changed"] += (found - expected).total()
            shutil.rmtree(home.root)
    zero = dict.fromkeys(("lost", "doubled or changed", "torn", "stray temporary files", "I6 violated"), 0)
    counted = {name: figures[name] for name in ("kills", "rounds", "in the middle of a job")}
    return counted | {"notes of a run": expected.total(), "undisturbed seconds": round(seconds, 1)} | {
        name: figures[name] for name in zero
    }  # fmt: skip


def _copy(root: Path, sessions: Path) -> Home:
    home = Home(root)
    shutil.copytree(sessions, home.sessions, dirs_exist_ok=True, copy_function=shutil.copy2)
    for path in home.root.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    memem = home.open()
    settle(memem.config, queue(memem), ended=True)
    memem.close()
    return home


def _fork_worker(home: Home) -> int:
    """A worker in a process of its own, which has imported everything: most kills are to meet its work."""
    child = os.fork()
    if not child:
        memem = home.open()
        os._exit(worker.work(Miner(memem), model=None, log=Log(), stop=lambda: False))
    return child


def _round(home: Home, chance: random.Random, figures: Counter[str], most: int, seconds: float) -> None:
    sessions = sum(home.jobs().values())
    while True:
        child = _fork_worker(home)
        kills = figures["kills"] < most
        # Most soon after the start, some late enough for the longest session to be finished once.
        wait = chance.random() * (0.3 if chance.random() < 0.7 else max(seconds / 5, 1.0))
        until = time.monotonic() + wait
        done, code = 0, 0
        while not done and (not kills or time.monotonic() < until):
            done, code = os.waitpid(child, os.WNOHANG if kills else 0)
            time.sleep(0.002)
        if done:
            assert code == 0, code
            return
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        figures["kills"] += 1
        counts = home.jobs()
        figures["in the middle of a job"] += counts["running"]
        figures["I6 violated"] += sum(counts.values()) != sessions or counts["running"] > 1


def _texts(home: Home, figures: Counter[str]) -> Counter[tuple[Any, ...]]:
    """What stands in the vault, without ids and times; counts what is torn or stray on the way."""
    left = home.temporary()
    for path in left:
        os.utime(path, (time.time() - 3700,) * 2)
    memem = home.open()
    memem.sync()
    figures["stray temporary files"] += len(home.temporary()) + len(memem.warnings())
    counts = queue(memem).counts()
    figures["lost"] += counts["pending"] + counts["running"] + counts["dead"]
    memem.close()
    found: Counter[tuple[Any, ...]] = Counter()
    for path in home.vault.rglob("*.md"):
        note = parse(path.read_bytes(), path.name)
        figures["torn"] += bool(note.problem) or not note.memory.body.strip()
        if note.memory.source_type != "grown":  # its lines name ids
            memory = note.memory
            found[memory.project, memory.kind, memory.status, memory.lesson, memory.evidence] += 1
    return found


def owners(given: argparse.Namespace) -> dict[str, Any]:
    """Kill supervisors, count who is left after 5 s, start anew and stop, count again."""
    figures: Counter[str] = Counter()
    while figures["owners killed"] < given.owners:
        with world() as outer:
            homes = [_thinking(outer.root / str(n)) for n in range(min(BATCH, given.owners - figures["owners killed"]))]
            running = [home.process(entry.command("daemon")) for home in homes]
            _until(lambda: all((home.root / "calls").exists() for home in homes))  # noqa: B023
            for number, (home, process) in enumerate(zip(homes, running, strict=True)):
                alone = number % 2
                ours = home.alive()
                for pid in ours if not alone else [process.pid]:
                    if _is_ours(pid, process.pid):
                        os.kill(pid, signal.SIGKILL)
                process.wait()
                figures["owners killed"] += 1
                figures["worker killed with it"] += not alone
            time.sleep(5)
            for number, home in enumerate(homes):
                which = "left after 5 s, supervisor killed" if number % 2 else "left after 5 s, worker killed too"
                left = home.alive()
                figures[which] += len(left)
                figures["clients among them"] += sum(map(_is_client, left))
            again = [home.process(entry.command("daemon")) for home in homes]
            _until(lambda: all(lock.owner(home.config.dir) for home in homes))  # noqa: B023
            for process in again:
                process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            figures["stopped with another code than 0"] += sum(process.wait(timeout=PATIENCE) != 0 for process in again)
            figures["slowest stop, ms"] = max(figures["slowest stop, ms"], int((time.monotonic() - began) * 1000))
            figures["left after the next start and stop"] += sum(len(home.alive()) for home in homes)
            figures["jobs not in one place"] += sum(sum(home.jobs().values()) != 1 for home in homes)
            figures["jobs not pending after the stop"] += sum(home.jobs()["pending"] != 1 for home in homes)
    names = (
        "owners killed", "worker killed with it", "left after 5 s, supervisor killed",
        "left after 5 s, worker killed too", "clients among them", "left after the next start and stop",
        "jobs not in one place",
        "jobs not pending after the stop", "stopped with another code than 0", "slowest stop, ms",
    )  # fmt: skip
    return {name: figures[name] for name in names}


def _thinking(root: Path) -> Home:
    home = Home(root, ALLOWED.replace(spend="claude"), MEMEM_LLM="claude", FAKE_SECONDS="60", FAKE_STUBBORN="1")
    home.fake_model()
    _talk(home, 0)
    return home


def _is_ours(pid: int, leader: int) -> bool:
    """Whether a process is the supervisor or its worker, as opposed to the model's client."""
    try:
        return pid == leader or b"\0work\0" in Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return False


def _is_client(pid: int) -> bool:
    try:
        return b"/bin/claude\0" in Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return False


def _talk(home: Home, number: int) -> None:
    from tests.sources.transcripts import agent, user, write

    path = home.sessions / "-home-dana-harbor" / f"{number:04d}.jsonl"
    write(path, user(f"Berth {number} is closed in winter"), agent("Noted."))


def stops(given: argparse.Namespace) -> dict[str, Any]:
    """SIGTERM at any moment, with a client that may not listen."""
    chance = random.Random(given.seed)
    figures: Counter[str] = Counter()
    for _ in range(max(given.stops // BATCH, 1)):
        with world() as outer:
            homes = [_thinking(outer.root / str(number)) for number in range(BATCH)]
            running = [home.process(entry.command("daemon")) for home in homes]
            _until(lambda: all(lock.owner(home.config.dir) for home in homes))  # noqa: B023
            told: dict[int, float] = {}
            for at, number in sorted((time.monotonic() + chance.random() * 4, number) for number in range(BATCH)):
                time.sleep(max(0.0, at - time.monotonic()))
                figures["in a call"] += (homes[number].root / "calls").exists()
                running[number].send_signal(signal.SIGTERM)
                told[number] = time.monotonic()
            while told:
                for number in [number for number in told if running[number].poll() is not None]:
                    milliseconds = int((time.monotonic() - told.pop(number)) * 1000)
                    figures["slowest, ms"] = max(figures["slowest, ms"], milliseconds)
                time.sleep(0.02)
            figures["stops"] += BATCH
            figures["with another code than 0"] += sum(process.returncode != 0 for process in running)
            figures["processes left"] += sum(len(home.alive()) for home in homes)
            counts = [home.jobs() for home in homes]
            figures["jobs neither pending nor unasked"] += sum(each["pending"] != sum(each.values()) for each in counts)
    names = ("stops", "in a call", "with another code than 0", "slowest, ms", "processes left",
             "jobs neither pending nor unasked")  # fmt: skip
    return {name: figures[name] for name in names}


def together(given: argparse.Namespace) -> dict[str, Any]:
    """Fifty sessions at once, three processes that mine them."""
    with world() as outer:
        home = Home(outer.root / "home", ALLOWED.replace(spend="claude"), MEMEM_LLM="claude", FAKE_SECONDS="0.2")
        calls = home.fake_model()
        for number in range(50):
            _talk(home, number)
        daemon = home.process(entry.command("daemon"))
        _until(lambda: bool(lock.owner(home.config.dir)))
        began = time.monotonic()
        drains = [home.memem("miner", "drain", "--now") for _ in range(2)]
        _until(lambda: home.jobs()["done"] == 50, 300)
        seconds = time.monotonic() - began
        for drain in drains:
            drain.wait(timeout=PATIENCE)
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(timeout=PATIENCE)
        at_once = most = total = 0
        for line in sorted(calls.read_text().splitlines()):
            at_once += 1 if line.endswith("+") else -1
            total += line.endswith("+")
            most = max(most, at_once)
        figures = {"sessions": 50, "processes that mine": 3, "calls": total, "most calls at once": most}
        return figures | {"seconds": round(seconds, 1)} | {f"sessions {k}": n for k, n in home.jobs().items()}


class _Clock:
    at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


def jobs(given: argparse.Namespace) -> dict[str, Any]:
    """A queue of 1,000 jobs, faults of every kind, and the sum after each step; then a day without a model."""
    chance = random.Random(given.seed)
    with world() as home:
        Path(home.config.dir).mkdir(mode=0o700)
        consent.write(home.config.dir, ALLOWED)
        memem, clock, figures = home.open(), _Clock(), Counter[str]()
        outage_until = clock.at

        def run(job: Any, jobs: Jobs, _model: Any) -> str:
            _check(jobs, figures)
            if clock.at < outage_until:
                figures["put off during the outage"] += 1
                raise Paused("it rests", clock.at + 3600)
            if chance.random() < 0.3:
                figures["faults"] += 1
                # The last one is a worker that is killed.
                raise chance.choice(
                    [Paused("it rests", clock.at + 60), TransientError("529"), TransientError("killed", counted=True),
                     Malformed("no JSON"), PermanentError("400"), ValueError("ours"), KeyboardInterrupt()]
                )  # fmt: skip
            jobs.done(job)
            return "done"

        miner = Miner(memem)
        miner.run = run  # type: ignore[method-assign]
        waiting = queue(memem)
        for number in range(1000):
            waiting.enqueue(SESSION, str(number), {"path": str(number)}, due=clock.at)
        first = _work_until_done(miner, clock, figures)
        for dead in waiting.listed(("dead",)):
            waiting.retry(dead.id)
        waiting.connection.execute("UPDATE jobs SET status = 'pending', due = ?", (clock.at,))
        outage_until = clock.at + 86_400
        chance = random.Random(0)
        chance.random = lambda: 1.0  # type: ignore[method-assign]
        second = _work_until_done(miner, clock, figures)
        memem.close()
    return {
        "jobs": 1000, "faults": figures["faults"], "steps": figures["steps"], "sum differs": figures["sum differs"],
        "done": first["done"], "dead": first["dead"], "after 24 h outage: done": second["done"],
        "after 24 h outage: dead": second["dead"], "put off during the outage": figures["put off during the outage"],
    }  # fmt: skip


def _work_until_done(miner: Miner, clock: _Clock, figures: Counter[str]) -> dict[str, int]:
    def clocked(memem: Memem, owner: str = "", alive: Any = None) -> Jobs:
        found = queue(memem, f"{owner}{figures['steps']}", lambda name: name == f"{owner}{figures['steps']}")
        found.now = clock
        return found

    while True:
        figures["workers"] += 1
        try:
            worker.work(miner, model=None, log=Log(), stop=lambda: False, queue=clocked)
        except KeyboardInterrupt:
            pass
        counts = _check(clocked(miner.memem), figures)
        if not counts["pending"] + counts["running"]:
            return counts
        clock.at += 300


def _check(jobs: Jobs, figures: Counter[str]) -> dict[str, int]:
    counts = jobs.counts()
    figures["sum differs"] += sum(counts.values()) != 1000
    figures["steps"] += 1
    return counts


def idle(given: argparse.Namespace) -> dict[str, Any]:
    """What a supervisor costs that has nothing to do."""
    with world() as outer:
        home = Home(outer.root / "home")
        for number in range(20):
            _talk(home, number)
        daemon = home.process(entry.command("daemon"))
        _until(lambda: home.jobs()["done"] == 20, 120)
        time.sleep(3)
        before = _cost(daemon.pid)
        time.sleep(given.seconds)
        after = _cost(daemon.pid)
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(timeout=PATIENCE)
        return {
            "seconds": given.seconds,
            "CPU ms": int((after[0] - before[0]) * 1000),
            "context switches": after[1] - before[1],
            "resident MB": round(after[2] / 1000, 1),
            "threads": after[3],
            "exit code": code,
        }


def _cost(pid: int) -> tuple[float, int, int, int]:
    """CPU seconds, context switches, resident kB and threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    switches = 0
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    for task in tasks:
        lines = (task / "status").read_text().splitlines()
        switches += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), switches, resident, len(tasks)


def memory(given: argparse.Namespace) -> dict[str, Any]:
    """The sessions again and again: one file of a third of it, the rest in copies as they are."""
    with world() as outer:
        home = Home(outer.root / "home")
        real = sorted(given.sessions.rglob("*.jsonl"))
        wanted, size, copies = given.megabytes * 1_000_000, 0, 0
        big = home.sessions / "-home-dana-harbor" / "big.jsonl"
        big.parent.mkdir(parents=True)
        with big.open("wb") as file:
            while size < wanted // 3:
                for path in real:
                    size += file.write(path.read_bytes())
        while size < wanted:
            for path in real:
                target = home.sessions / f"copy-{copies}" / path.parent.name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                size += target.write_bytes(path.read_bytes())
            copies += 1
        began = time.monotonic()
        process = home.process(entry.command("work"))
        _, code, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        return {
            "MB": size // 1_000_000,
            "largest file, MB": big.stat().st_size // 1_000_000,
            "files": sum(home.jobs().values()),
            "peak resident MB": round(used.ru_maxrss / 1000, 1),
            "seconds": int(seconds),
            "MB per second": round(size / 1e6 / seconds, 1),
            "MB per CPU second": round(size / 1e6 / (used.ru_utime + used.ru_stime), 1),
            "exit code": code,
        } | {f"sessions {name}": count for name, count in home.jobs().items()}


def _until(is_so: Callable[[], bool], seconds: float = PATIENCE) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            raise SystemExit("it did not happen in time")
        time.sleep(0.05)


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "jobs": jobs, "together": together, "idle": idle, "stops": stops, "owners": owners, "memory": memory, "kill": kill,
}  # fmt: skip
NEED_SESSIONS = ("kill", "memory")


def main() -> None:
    """Run the parts that were named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART")
    parser.add_argument("--sessions", type=Path, help="a folder of real transcripts")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--owners", type=int, default=200)
    parser.add_argument("--stops", type=int, default=50)
    parser.add_argument("--megabytes", type=int, default=700)
    parser.add_argument("--seconds", type=int, default=60, help="how long to watch the idle supervisor")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # homes are taken away, and with them their processes
    for name in given.parts or PARTS:
        if name in NEED_SESSIONS and not given.sessions:
            print(f"{name}: needs --sessions FOLDER", file=sys.stderr)
            continue
        report(f"miner: {name}", PARTS[name](given), given.json)


if __name__ == "__main__":
    main()
