"""What was redacted is sealed with a key that lies elsewhere; a lost or wrong key is told and never replaced."""

import json
import os
import pty
import signal
import stat
import subprocess
import sys
import types
from pathlib import Path

import pytest

from memem.config import load
from memem.errors import Locked, NotFound
from memem.ingest.grown import grow
from memem.ingest.sealed import SealedStore
from memem.ingest.secrets import Redactor
from memem.models import Memory

from ..home import Home

TOKEN = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ6"
OTHER = "AK" + "IA" + "QX7WZN4RJ2LD5VTC"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.state.mkdir(mode=0o700)
    return made


def store(home: Home, **environ: str) -> SealedStore:
    return SealedStore(load({**home.environ, **environ}), now=lambda: 1_000.0)


def key_file(home: Home) -> Path:
    return home.root / ".config" / "memem" / "secrets.key"


def test_secret_is_sealed_once_and_only_the_key_opens_it(home: Home) -> None:
    sealed = store(home)
    sealed.keep([("github", TOKEN), ("github", TOKEN)], "saved in harbor")
    store(home).keep([("github", TOKEN)], "again")
    (item,) = store(home).items()
    assert (item.rule, item.place, item.at) == ("github", "saved in harbor", 1_000.0)
    assert store(home).reveal(item.id[:6]) == TOKEN
    assert TOKEN not in sealed.path.read_text()
    assert home.state not in key_file(home).parents
    for path in (sealed.path, key_file(home)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_store_that_is_off_keeps_nothing(home: Home) -> None:
    sealed = store(home, MEMEM_SECRETS_STORE="off")
    sealed.keep([("github", TOKEN)], "x")
    assert not sealed.path.exists() and not key_file(home).exists()


@pytest.mark.parametrize("inside", ["state", "vault"])
def test_key_beside_what_it_locks_is_refused(home: Home, inside: str) -> None:
    sealed = SealedStore(load(home.environ).replace(secrets_key_file=str(home.root / inside / "k")))
    sealed.keep([("github", TOKEN)], "x")
    assert "must lie outside" in sealed.problem and not sealed.path.exists()


def lose(path: Path) -> None:
    path.unlink()


def exchange(path: Path) -> None:
    from cryptography.fernet import Fernet

    path.write_bytes(Fernet.generate_key())


def spoil(path: Path) -> None:
    path.write_text("no key\n")


def open_up(path: Path) -> None:
    path.chmod(0o644)


@pytest.mark.parametrize("harm", [lose, exchange, spoil, open_up])
def test_s3_a_key_that_is_missing_wrong_or_open_locks_the_store_and_is_never_replaced(home: Home, harm) -> None:  # type: ignore[no-untyped-def]
    store(home).keep([("github", TOKEN)], "x")
    before = store(home).path.read_bytes()
    harm(key_file(home))
    left = key_file(home).read_bytes() if key_file(home).exists() else None
    sealed = store(home)
    (item,) = sealed.items()
    for call in (sealed.check, lambda: sealed.reveal(item.id), lambda: store(home).allow("x" * 20)):
        with pytest.raises(Locked, match=r"key"):
            call()
    sealed.keep([("aws", OTHER)], "y")
    assert "key" in sealed.problem
    assert store(home).path.read_bytes() == before
    assert (key_file(home).read_bytes() if key_file(home).exists() else None) == left


def test_s3_a_save_goes_on_without_the_key_and_doctor_fails(home: Home) -> None:
    home.save(f"The deploy token of harbor is {TOKEN} since May")
    lose(key_file(home))
    outcome = home.save(f"The bucket of harbor is read with {OTHER} since June")
    assert OTHER not in outcome.body and "[REDACTED:" in outcome.body
    assert not key_file(home).exists()
    memem = home.open()
    from memem.health.folders import secrets

    assert secrets(memem).level == "failing" and "missing" in secrets(memem).text
    memem.close()


def cut(path: Path) -> None:
    os.truncate(path, 100)


def cut_late(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 20)


def cut_whole(path: Path) -> None:
    os.truncate(path, 0)


def scramble(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


def nest(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"[" * 200_000 + b"\n")


def behead(path: Path) -> None:
    path.write_bytes(path.read_bytes().partition(b"\n")[2])


def strip_a_row(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"sealed": 7}\n')


@pytest.mark.parametrize("harm", [cut, cut_late, cut_whole, scramble, nest, behead, strip_a_row])
def test_s3_a_damaged_store_locks_stays_as_it_is_and_is_named(home: Home, harm) -> None:  # type: ignore[no-untyped-def]
    home.save(f"The deploy token of harbor is {TOKEN} since May")
    path, key = store(home).path, key_file(home).read_bytes()
    harm(path)
    damaged = path.read_bytes()
    for _ in range(2):
        told = home.run("save", f"The bucket of harbor is read with {OTHER} since June {_}")
        assert told.returncode == 0 and f"kept nowhere: {path} is damaged" in told.stdout, told
    assert "[REDACTED:" in "".join(one.read_text() for one in home.notes.glob("the-bucket*"))
    listed = home.run("secrets", "list")
    assert (listed.returncode, "is damaged" in listed.stderr) == (4, True), listed
    memem = home.open()
    from memem.health.folders import secrets

    assert secrets(memem).level == "failing" and "is damaged" in secrets(memem).text
    memem.close()
    for call in (lambda: store(home).allow("x" * 20), lambda: store(home).purge(["abcd"])):
        with pytest.raises((Locked, NotFound)):
            call()
    assert (path.read_bytes(), key_file(home).read_bytes()) == (damaged, key)
    assert "removed" in at_terminal(home, "secrets", "purge", "--all", "--yes")
    store(home).keep([("github", TOKEN)], "x")
    assert store(home).reveal(store(home).items()[0].id) == TOKEN


def test_s3_what_a_damaged_store_still_holds_is_shown(home: Home) -> None:
    sealed = store(home)
    sealed.keep([("github", TOKEN)], "x")
    sealed.keep([("aws", OTHER)], "y")
    cut_late(sealed.path)
    (item,) = store(home).items()
    assert store(home).reveal(item.id) == TOKEN
    with pytest.raises(Locked, match="is damaged"):
        store(home).purge([item.id])


def test_disk_that_is_full_leaves_no_half_line(home: Home) -> None:
    import resource

    sealed = store(home)
    sealed.keep([("github", TOKEN)], "x")
    before = sealed.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 30, limits[1]))
    try:
        sealed.keep([("aws", OTHER)], "y")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert sealed.problem and sealed.path.read_bytes() == before


def test_save_tells_that_a_secret_could_not_be_sealed(home: Home) -> None:
    assert "kept nowhere" not in home.run("save", f"The deploy token of harbor is {TOKEN} since May").stdout
    lose(key_file(home))
    told = home.run("save", f"The bucket of harbor is read with {OTHER} since June").stdout
    assert "Secrets were removed" in told and "kept nowhere: the key of the sealed secrets is missing" in told


def test_playbook_keeps_what_a_human_allowed_and_seals_the_rest(home: Home) -> None:
    redactor = Redactor(load({**home.environ, "MEMEM_REDACT_PERSONAL": "1"}))
    redactor.store.allow(TOKEN)
    memem, memory = (
        home.open(),
        Memory(id="5e551011-0000-4000-8000-0000000000cc", title="Harbor", body="", project="harbor"),
    )
    text = f"Allowed {TOKEN}, not {OTHER} nor captain@harbor.io"
    assert grow(memem.vault, memem.index, memem.state, "playbooks/harbor.md", memory, lambda _: text, redactor)
    memem.close()
    written = (home.vault / "memem" / "playbooks" / "harbor.md").read_text()
    assert TOKEN in written and OTHER not in written and "captain@" not in written
    assert len(store(home).items()) == 2


def test_false_positive_is_not_redacted_again(home: Home) -> None:
    redactor = Redactor(load(home.environ))
    assert redactor(f"use {TOKEN} here", "x").text == "use [REDACTED:github] here"
    redactor.store.allow(redactor.store.reveal(redactor.store.items()[0].id))
    assert Redactor(load(home.environ))(f"use {TOKEN} here").text == f"use {TOKEN} here"
    assert TOKEN not in redactor.store.path.read_text()
    lose(key_file(home))
    assert Redactor(load(home.environ))(f"use {TOKEN} here").text == "use [REDACTED:github] here"


def test_purged_secret_is_gone_and_what_is_allowed_stays(home: Home) -> None:
    sealed = store(home)
    sealed.keep([("github", TOKEN), ("aws", OTHER)], "x")
    sealed.allow("a value that is none")
    first = sealed.items()[0].id
    assert sealed.purge([first]) == 1
    assert [item.rule for item in store(home).items()] == ["aws"]
    assert store(home).purge() == 1 and store(home).allowed() == 1
    with pytest.raises(NotFound):
        store(home).reveal(first)


def test_store_whose_key_is_lost_can_be_given_up(home: Home) -> None:
    sealed = store(home)
    sealed.keep([("github", TOKEN)], "x")
    sealed.allow("a value that is none")
    lose(key_file(home))
    assert home.run("secrets", "list").returncode == 4
    assert "removed" in at_terminal(home, "secrets", "purge", "--all", "--yes")
    store(home).keep([("github", TOKEN)], "x")
    assert store(home).reveal(store(home).items()[0].id) == TOKEN


def test_line_that_a_crash_cut_off_is_passed_over(home: Home) -> None:
    sealed = store(home)
    sealed.keep([("github", TOKEN)], "x")
    with sealed.path.open("ab") as file:
        file.write(b'{"id": "ab')
    assert len(store(home).items()) == 1


def test_key_in_the_keyring_is_made_there_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[tuple[str, str], str] = {}
    ring = types.ModuleType("keyring")
    ring.get_keyring = lambda: types.SimpleNamespace(priority=5)  # type: ignore[attr-defined]
    ring.get_password = lambda *name: kept.get(name)  # type: ignore[attr-defined]
    ring.set_password = lambda service, account, key: kept.update({(service, account): key})  # type: ignore[attr-defined]
    errors = types.ModuleType("keyring.errors")
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", ring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    sealed = store(home, MEMEM_SECRETS_STORE="keyring")
    sealed.keep([("github", TOKEN)], "x")
    assert store(home, MEMEM_SECRETS_STORE="keyring").reveal(sealed.items()[0].id) == TOKEN
    assert len(kept) == 1 and not key_file(home).exists()
    kept.clear()
    with pytest.raises(Locked, match="missing"):
        store(home, MEMEM_SECRETS_STORE="keyring").check()


def test_secrets_are_listed_without_them_and_a_program_may_do_nothing_else(home: Home) -> None:
    home.save(f"The deploy token of harbor is {TOKEN} since May")
    listed = json.loads(home.run("secrets", "list", "--json").stdout)
    assert [item["rule"] for item in listed] == ["github"] and listed[0]["place"].startswith("saved in ")
    name = listed[0]["id"]
    for asked in (("reveal", name), ("false-positive", name), ("purge", name, "--yes"), ("purge", "--all", "--yes")):
        refused = home.run("secrets", *asked)
        assert refused.returncode == 2 and "terminal" in refused.stderr and TOKEN not in refused.stdout + refused.stderr
    assert json.loads(home.run("secrets", "list", "--json").stdout) == listed


def test_person_says_that_it_is_no_secret_and_removes_it(home: Home) -> None:
    home.save(f"The deploy token of harbor is {TOKEN} since May")
    assert "not redacted again" in at_terminal(home, "secrets", "false-positive", store(home).items()[0].id)
    home.save(f"The token of the harbor release is {TOKEN} for the public demo")
    assert sum(TOKEN in path.read_text() for path in home.notes.glob("*.md")) == 1
    assert "1 removed." in at_terminal(home, "secrets", "purge", "--all", "--yes")
    assert store(home).items() == [] and store(home).allowed() == 1


def test_secret_is_shown_to_a_person(home: Home) -> None:
    home.save(f"The deploy token of harbor is {TOKEN} since May")
    assert at_terminal(home, "secrets", "reveal", store(home).items()[0].id).strip() == TOKEN


def at_terminal(home: Home, *arguments: str) -> str:
    """What a command says to a person who sits at a terminal."""
    ours, theirs = pty.openpty()
    environ = {**home.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "memem", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, cwd=home.project) as child:
        child.wait(60)
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    return shown
