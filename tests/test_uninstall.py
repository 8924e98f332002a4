"""The way out: exactly what was shown goes, and nothing else, also when nothing else works any more."""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import subprocess
from pathlib import Path

from .e2e.published import STATE_FILES, write_state
from .home import ROOT, SECONDS, Home
from .test_bootstrap import Machine, machine, program, tree

__all__ = ["machine"]
CLAUDE = '#!/bin/sh\necho "$*" >>"$HOME/claude-calls"\n[ "$1 $2 $3" != "plugin uninstall fail" ]\n'


def used(machine: Machine) -> Machine:
    """A machine on which memem was installed, used, and knows things."""
    machine.add_uv()
    assert machine.run("setup").returncode == 0
    (machine.vault / "memem/memories/note.md").write_text("mine")
    for name in ("state.db", "state.db-wal", "index-v4.db", "index-v4.db.damaged-1", "events.jsonl", "config.toml"):
        (machine.state / name).touch()
    (machine.state / "spool").mkdir()
    return machine


def remove(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    return machine.run("uninstall", *arguments)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_dry_run_shows_everything_and_changes_nothing(machine: Machine) -> None:
    used(machine)
    before = tree(machine.home)
    done = remove(machine, "--dry-run")
    assert done.returncode == 0
    goes, stays = done.stdout.split("This stays:")
    assert f"{machine.environment}   private environment" in goes
    assert f"{machine.state}/index-v4.db   search index" in goes
    assert f"{machine.state}/state.db   what you deleted" in stays
    assert f"{machine.vault}/memem   your notes" in stays
    assert tree(machine.home) == before


def test_the_key_of_what_was_redacted_is_named_with_how_to_delete_it(machine: Machine) -> None:
    used(machine)
    key = machine.home / ".config" / "memem" / "secrets.key"
    key.parent.mkdir(parents=True)
    key.write_text("k")
    for arguments in (["--dry-run"], ["--state", "--yes"]):
        stays = remove(machine, *arguments).stdout.split("This stays:")[1]
        assert f"rm {shlex.quote(str(key))}" in stays
    assert key.exists()


def test_without_state_what_cannot_be_made_anew_stays(machine: Machine) -> None:
    used(machine)
    vault = tree(machine.vault)
    done = remove(machine, "--yes")
    assert done.returncode == 0, done.stderr
    kept = {"state.db", "state.db-wal", "events.jsonl", "config.toml", "bootstrap.log", ".vault-seen", "spool"}
    assert names(machine.state) == kept
    assert tree(machine.vault) == vault


def test_with_state_nothing_is_left_but_the_vault_and_a_second_time_there_is_nothing_to_do(machine: Machine) -> None:
    used(machine)
    vault = tree(machine.vault)
    link = machine.home / ".local/bin/memem"
    link.parent.mkdir(parents=True)
    link.symlink_to(machine.checkout / "bootstrap.sh")
    assert remove(machine, "--state", "--yes").returncode == 0
    assert not machine.state.exists()
    assert not link.is_symlink()
    assert tree(machine.vault) == vault
    assert "Nothing of memem is left" in remove(machine, "--state", "--yes").stdout
    assert not machine.state.exists()


def test_all_that_memem_writes_in_use_is_known_to_its_uninstaller(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.save("Integration tests need Redis on port 6380, because 6379 is taken by the staging tunnel")
    home.start()
    home.prompt("why can the integration tests not reach redis?")
    for command in ("demo", "doctor", "status", "sync", "verify"):
        assert home.run(command).returncode == 0, command
    home.run("mine", str(ROOT / "memem/cli/sample/session.jsonl"))
    home.run("index", "rebuild")
    notes = tree(home.vault)
    done = home.run("uninstall", "--state", "--yes")
    assert done.returncode == 0, done
    assert not home.state.exists(), tree(home.state)
    assert tree(home.vault) == notes


def test_plugin_goes_through_the_client_and_without_it_the_commands_are_named(machine: Machine) -> None:
    used(machine)
    plugins = machine.home / ".claude/plugins"
    plugins.mkdir(parents=True)
    (plugins / "installed_plugins.json").write_text('{"plugins": {"memem@memem-marketplace": []}}')
    (plugins / "known_marketplaces.json").write_text('{"memem-marketplace": {}}')
    shown = remove(machine, "--dry-run").stdout
    assert "To be done by hand:\n  claude plugin uninstall memem@memem-marketplace\n  claude plugin market" in shown
    program(machine.programs / "claude", CLAUDE)
    assert remove(machine, "--yes").returncode == 0
    called = (machine.home / "claude-calls").read_text()
    assert called == "plugin uninstall memem@memem-marketplace\nplugin marketplace remove memem-marketplace\n"


def test_client_that_fails_is_told_and_the_rest_goes(machine: Machine) -> None:
    used(machine)
    plugins = machine.home / ".claude/plugins"
    plugins.mkdir(parents=True)
    (plugins / "installed_plugins.json").write_text('"memem@memem-marketplace"')
    program(machine.programs / "claude", "#!/bin/sh\necho 'no such plugin' >&2\nexit 1\n")
    done = remove(machine, "--state", "--yes")
    assert done.returncode == 4
    assert "memem@memem-marketplace: no such plugin" in done.stderr
    assert not machine.state.exists()


def test_nobody_is_taken_by_surprise(machine: Machine) -> None:
    used(machine)
    before = tree(machine.home)
    for arguments in ((), ("--state",), ("--all", "--yes")):
        done = remove(machine, *arguments)
        assert done.returncode == 2, arguments
    assert "add --yes" in remove(machine).stderr
    for answer, code in (("n\n", 0), ("\n", 0), ("y\n", 0)):
        assert tree(machine.home) == before
        ours, theirs = pty.openpty()
        os.write(ours, answer.encode())
        done = subprocess.run(
            machine.command("uninstall", "--state"),
            env=machine.variables, stdin=theirs, capture_output=True, text=True, timeout=SECONDS, cwd="/",
        )  # fmt: skip
        os.close(ours)
        os.close(theirs)
        assert done.returncode == code, done.stderr
    assert not machine.state.exists()


def test_what_memem_did_not_make_is_named_and_stays(machine: Machine) -> None:
    used(machine)
    other = machine.home / "other"
    other.mkdir()
    (other / "mine").touch()
    for name in ("notes.txt", "state.db.bak", "hook.conf.mine", "env/mine", "env/0123456789abcdef-old"):
        (machine.state / name).touch()
    (machine.state / "demo").mkdir()
    (machine.state / "demo/mine").touch()
    (machine.state / "index-v7.db").mkdir()
    (machine.state / "spool/waiting.md").write_text("a save")
    shutil.rmtree(machine.state / "pycache", ignore_errors=True)
    (machine.state / "pycache").symlink_to(other)
    (machine.environment / "link").symlink_to(other)
    done = remove(machine, "--state", "--yes")
    assert done.returncode == 0, done.stderr
    assert names(machine.state) == set(
        "notes.txt state.db.bak hook.conf.mine env demo index-v7.db spool pycache".split()
    )
    assert names(machine.state / "env") == {"mine", "0123456789abcdef-old"}
    assert (machine.state / "spool/waiting.md").read_text() == "a save"
    assert (other / "mine").exists()
    for name in ("notes.txt", "env/mine", "demo", "index-v7.db", "spool", "pycache"):
        assert f"{machine.state}/{name}   " in done.stdout.partition("This stays:")[2]


def test_strange_state_folders_are_refused(machine: Machine) -> None:
    used(machine)
    real = machine.home / "real"
    machine.state.rename(real)
    machine.state.symlink_to(real)
    (machine.vault / "hook.conf").touch()
    (machine.home / "hook.conf").touch()
    before = tree(machine.home)
    for folder, what in (
        (machine.state, "is a link"),
        (machine.home, "your home"),
        (Path("/"), "your home"),
        (machine.vault, "your vault"),
        (machine.vault / "memem", "your notes"),
    ):
        done = machine.run("uninstall", "--state", "--yes", MEMEM_DIR=str(folder))
        assert done.returncode == 2, folder
        assert what in done.stderr
    assert tree(machine.home) == before
    documents = machine.home / "documents"
    (documents / "env").mkdir(parents=True)
    (documents / "state.txt").touch()
    assert machine.run("uninstall", "--state", "--yes", MEMEM_DIR=str(documents)).returncode == 0
    assert names(documents) == {"env", "state.txt"}


def test_published_files_stay(machine: Machine) -> None:
    used(machine)
    write_state(machine.state)
    kept = {name: (machine.state / name).read_bytes() for name in (*STATE_FILES, "events.jsonl", "bootstrap.log")}
    assert remove(machine, "--state", "--yes").returncode == 0
    assert tree(machine.state) == kept


def test_a_broken_environment_and_a_broken_setting_are_no_reason_to_stay(machine: Machine) -> None:
    used(machine)
    shutil.rmtree(machine.environment / "lib")
    (machine.state / "config.toml").write_text("nonsense = 1\n")
    (machine.state / "hook.conf").unlink()
    calls = machine.uv_calls
    assert machine.run("uninstall", "--yes", MEMEM_PYTHON="").returncode == 10
    assert not [call for call in machine.uv_calls[len(calls) :] if "install" in call]  # no Python only to remove memem
    assert remove(machine, "--state", "--yes").returncode == 0
    assert not machine.state.exists()


def test_while_a_session_runs_nothing_is_removed(machine: Machine) -> None:
    used(machine)
    with machine.start() as server:
        assert server.stdout
        assert server.stdout.readline() == "ready\n"
        before = tree(machine.home)
        done = remove(machine, "--state", "--yes")
        assert done.returncode == 20
        assert "sessions with memem are running: end them first" in done.stderr
        assert tree(machine.home) == before
        assert "private environment" in remove(machine, "--dry-run").stdout
        server.communicate()
    assert remove(machine, "--state", "--yes").returncode == 0
    assert not machine.state.exists()


def test_backups_stay_even_when_the_state_goes(machine: Machine) -> None:
    used(machine)
    (machine.state / "backups").mkdir()
    (machine.state / "backups" / "memem-20300102T030405Z.zip").write_text("a backup")
    done = remove(machine, "--state", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"{machine.state}/backups   your backups" in done.stdout
    assert "backups" in names(machine.state)
