"""Commands over the miner: consent, the process, the queue and what it spends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Any

import click

from memem import background, consent
from memem.cli.main import emit, json_option
from memem.consent import Consent
from memem.daemon import entry, report, supervisor, worker
from memem.daemon.settle import settle
from memem.errors import BadInput, Unavailable
from memem.process import sweep_orphans
from memem.state import lock
from memem.state.jobs import DEAD, PENDING, RUNNING, Job

_START_SECONDS = 60.0
_STOP_SECONDS = 12.0
_CONSENT = """memem reads the sessions of Claude Code after they have settled, keeps what is durable as notes in your
vault, and stays on this machine: {where}."""


@click.group()
def miner() -> None:
    """The background miner: off until you start it.

    \b
    Examples: memem miner start           new sessions from now on, by patterns, at no cost
              memem miner history         past sessions as well, after an estimate
              memem miner spend --allow   let it ask your model, within the day's budget
              memem miner stop            off at once, and not started again
    """


@miner.command()
@click.pass_obj
def start(memem: Any, /) -> None:
    """Mine new sessions from now on. No past session is read, and no model is asked."""
    opened = memem()
    folder, before = opened.config.dir, consent.read(opened.config.dir)
    since = before.since if before.mining else time.time()
    consent.write(folder, before.replace(capture=True, mining=True, stopped=False, since=since))
    supervisor.forgive(folder)
    supervisor.wake(folder)
    if before.stopped:  # one that was told to stop a moment ago may still be putting down its work
        _wait(lambda: lock.owner(folder) is None, _STOP_SECONDS)
    if lock.owner(folder) is None:
        begun = entry.start()
        # One that fails ends, which is told at once; on a busy machine one that does not may take its time.
        _wait(lambda: lock.owner(folder) is not None or entry.has_ended(begun), _START_SECONDS)
    running = lock.owner(folder)
    if running is None:
        raise Unavailable(f"the miner did not start: read {opened.config.state_path('miner.log')}.")
    allowed = consent.read(folder)
    where = f"asking {allowed.spend}, within the budget" if allowed.spend else "by patterns, no model is asked"
    click.echo(f"The miner runs (process {running.pid}). " + _CONSENT.format(where=where))


@miner.command()
@click.option("--forget", is_flag=True, help="Withdraw every consent as well: capture, mining, history, spending.")
@click.pass_obj
def stop(memem: Any, /, forget: bool) -> None:
    """Stop at once, and stay stopped until `memem miner start`. What was queued stays queued."""
    config = memem().config
    if forget:
        consent.withdraw(config.dir)
    elif consent.read(config.dir).capture:
        consent.write(config.dir, consent.read(config.dir).replace(stopped=True))
    if not lock.stop(config.dir):
        running = lock.owner(config.dir)
        raise Unavailable(f"process {running.pid if running else 0} does not end; look at it, then end it by hand.")
    click.echo("The miner is stopped." if not forget else "The miner is stopped, and every consent is withdrawn.")


@miner.command()
@json_option
@click.pass_obj
def status(memem: Any, /, as_json: bool) -> None:
    """What the miner does: sessions mined, waiting and dead, what it waits for, what today has cost."""
    told = report.report(memem())
    if as_json:
        emit(told)
        return
    sessions, today = told["sessions"], told["today"]
    running = told["running"]
    click.echo(f"miner     {report.word(memem())}" + (f" (process {running['pid']})" if running else ""))
    click.echo(
        f"sessions  {sessions['mined']} mined, {sessions['waiting']} waiting, {sessions['running']} at work, "
        f"{sessions['dead']} dead letters"
    )
    if sessions["waiting"]:
        click.echo(f"oldest    waits for {_duration(told['oldest_waiting_seconds'])}")
    for reason in told["waits_for"]:
        click.echo(f"          {reason}")
    last = told["last_success"]
    click.echo(f"last      {time.strftime('%Y-%m-%d %H:%M', time.localtime(last)) if last else 'nothing mined yet'}")
    allowed = told["consent"]["spend"]
    budget = (
        f"${today['usd']:.2f} of ${today['budget_usd']:.2f}, {today['tokens']:,} of {today['budget_tokens']:,} tokens"
    )
    click.echo(
        f"today     {budget} in {today['calls']} calls" if allowed else "model     none: memem miner spend --allow"
    )
    if told["halted"]:
        click.echo(f"halted    {told['halted']['reason']}\nfix       memem miner start")


@miner.command()
@click.pass_obj
def run(_memem: Any, /) -> None:
    """Be the miner in the foreground, for a service manager; ends with 0 when told to stop, 75 when it halts."""
    sys.exit(entry.supervise())


@miner.command()
@click.option("--now", "ended", is_flag=True, help="Sessions that did not settle yet as well.")
@click.pass_obj
def drain(memem: Any, /, ended: bool) -> None:
    """Work off what is due here and now, then end: for cron, or before a backup."""
    opened = memem()
    _needs_mining(opened.config.dir)
    sys.exit(_work_off(opened, ended=ended))


@miner.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Show the count and the estimate only.")
@click.pass_obj
def history(memem: Any, /, yes: bool, dry_run: bool) -> None:
    """Mine all past sessions too: shows how many there are and what it may cost, then works, and can be resumed."""
    opened = memem()
    config = opened.config
    estimate = report.estimate(opened)
    click.echo(report.told(estimate, consent.read(config.dir).spend))
    if dry_run or not estimate["sessions"]:
        return
    if not yes and not _asked("Mine them?"):
        raise click.Abort
    before = consent.read(config.dir)
    consent.write(config.dir, before.replace(capture=True, mining=True, history=True, stopped=False))
    sys.exit(_work_off(opened, ended=False))


@miner.command()
@click.option("--allow", is_flag=True, help="Let the miner ask the configured model, within the day's budget.")
@click.option("--forbid", is_flag=True, help="No model is asked from now on.")
@json_option
@click.pass_obj
def spend(memem: Any, /, allow: bool, forbid: bool, as_json: bool) -> None:
    """What model calls have cost, by day; with --allow or --forbid your word on spending."""
    opened = memem()
    config, before = opened.config, consent.read(opened.config.dir)
    if allow and forbid:
        raise BadInput("say either --allow or --forbid.")
    if allow:
        backend = background.backend(opened)
        if opened.config.llm == "none":
            raise BadInput("no model is chosen: memem config set llm claude (or anthropic, openai, ollama).")
        reason = backend.ready()
        click.echo(report.terms(opened, backend.name))
        if reason:
            click.echo(f"It is not ready yet: {reason}")
        if not sys.stdin.isatty():  # an agent could say yes for its user
            raise BadInput("only a person at a terminal can allow spending: run this command in one.")
        if not click.confirm("Allow it?", default=False):
            raise click.Abort
        consent.write(config.dir, before.replace(spend=backend.name))
        click.echo(f"Allowed: {backend.name}. memem miner spend --forbid takes it back.")
        return
    if forbid:
        consent.write(config.dir, before.replace(spend=""))
        click.echo("No model is asked any more; sessions are mined by patterns.")
        return
    days = background.ledger(opened).days()
    if as_json:
        emit([day.as_dict() for day in days])
        return
    for day in days:
        click.echo(
            f"{day.day}  ${day.cost:8.4f}  {day.calls:4} calls  {day.input:9,} in  {day.output:8,} out  "
            f"{day.backend} {day.model}"
        )
    click.echo(f"allowed: {before.spend or 'no model'}" if days else "Nothing was spent yet.")


@miner.group()
def queue() -> None:
    """What waits, and what could not be done."""


@queue.command("list")
@click.option("--dead", is_flag=True, help="Dead letters only.")
@json_option
@click.pass_obj
def listed(memem: Any, /, dead: bool, as_json: bool) -> None:
    """Jobs with their number, state and reason."""
    jobs = background.queue(memem()).listed((DEAD,) if dead else (PENDING, RUNNING, DEAD))
    if as_json:
        emit([job.as_dict() for job in jobs])
        return
    for job in jobs:
        click.echo(_line(job))
    if not jobs:
        click.echo("The queue is empty.")


@queue.command()
@click.argument("numbers", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="Every dead letter.")
@click.pass_obj
def retry(memem: Any, /, numbers: tuple[int, ...], everything: bool) -> None:
    """Try dead letters once more."""
    jobs = background.queue(memem())
    chosen = [job.id for job in jobs.listed((DEAD,))] if everything else list(numbers)
    for number in _some(chosen, everything):
        jobs.retry(number)
    supervisor.wake(memem().config.dir)
    click.echo(f"{len(chosen)} brought back.")


@queue.command()
@click.argument("numbers", nargs=-1, type=int)
@click.pass_obj
def drop(memem: Any, /, numbers: tuple[int, ...]) -> None:
    """Give dead letters up; the transcripts stay as they are."""
    for number in _some(list(numbers), False):
        background.queue(memem()).drop(number)
    click.echo(f"{len(numbers)} dropped.")


def _work_off(memem: Any, *, ended: bool) -> int:
    from memem.daemon.log import open_log
    from memem.miner import Miner

    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    sweep_orphans()  # children of a miner that was killed
    stop = worker.until_revoked(memem.config.dir, told.is_set)
    jobs = background.queue(memem)
    settle(memem.config, jobs, ended=ended)
    log = open_log(memem.config.dir, role="drain", pid=os.getpid())
    with _progress(sum(jobs.counts()[status] for status in (PENDING, RUNNING))) as beat:
        model = background.model(memem, stop)
        code = worker.work(Miner(memem), model=model, log=log, stop=stop, beat=beat)
    counts = jobs.counts()
    click.echo(f"{counts['done']} done, {counts['pending']} waiting, {counts['dead']} dead letters")
    return code


def _progress(total: int) -> Any:
    import contextlib

    if not sys.stderr.isatty():
        return contextlib.nullcontext(lambda: None)
    from rich.console import Console
    from rich.progress import Progress

    @contextlib.contextmanager
    def shown() -> Any:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("mining", total=total + 1)
            yield lambda: progress.advance(task)

    return shown()


def _asked(question: str) -> bool:
    if not sys.stdin.isatty():
        raise BadInput(f"{question} Nobody can be asked here: say it with --yes.")
    return click.confirm(question, default=False)


def _needs_mining(folder: str) -> Consent:
    allowed = consent.read(folder)
    if not allowed.mining or allowed.stopped:
        raise BadInput("nothing is mined before you say so: memem miner start.")
    return allowed


def _some(numbers: list[int], everything: bool) -> list[int]:
    if not numbers and not everything:
        raise BadInput("give the numbers of dead letters: memem miner queue list --dead.")
    return numbers


def _wait(is_so: Any, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(0.05)
    return bool(is_so())


def _line(job: Job) -> str:
    due = f"due in {_duration(job.due - time.time())}" if job.status == PENDING else job.status
    reason = f"  {job.reason}" if job.reason else ""
    return f"{job.id:6}  {job.kind:8}  {due:14}  {job.key}{reason}"


def _duration(seconds: float) -> str:
    seconds = max(seconds, 0)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


COMMANDS = (miner,)
