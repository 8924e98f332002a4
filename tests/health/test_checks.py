"""What doctor and status say, and that every line which is not well names its fix."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from memem import health
from memem.health import DEGRADED, FAILING, OK, Check
from memem.state import copies

from ..home import Home
from ..sources.transcripts import record, user, write


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.save("Integration tests need Redis on port 6380, because 6379 is taken")
    return made


def checks(home: Home) -> dict[str, Check]:
    memem = home.open()
    found = {check.name: check for check in health.run(memem)}
    memem.close()
    for check in found.values():
        assert check.level in health.VERDICTS
        assert check.text
        assert bool(check.fix) == (check.level != OK), check
    return found


def verdict(home: Home) -> str:
    return health.verdict(list(checks(home).values()))


def test_fresh_home_is_healthy_and_nothing_is_left_behind(home: Home) -> None:
    before = sorted(home.root.rglob("*"))
    assert {check.name for check in checks(home).values() if check.level != OK} == set()
    assert sorted(home.root.rglob("*")) == before


def test_worst_level_is_the_verdict() -> None:
    levels = {level: Check(name=level, level=level, text="x") for level in (OK, DEGRADED, FAILING)}
    assert health.verdict([]) == OK
    assert health.verdict([levels[OK], levels[DEGRADED]]) == DEGRADED
    assert health.verdict([levels[FAILING], levels[DEGRADED]]) == FAILING


def test_missing_vault_fails_and_says_how_to_go_on(home: Home) -> None:
    shutil.rmtree(home.vault)
    assert checks(home)["vault"].level == FAILING
    assert "MEMEM_OBSIDIAN_VAULT" in checks(home)["vault"].fix
    assert not home.vault.exists()


def test_state_folder_open_to_others_is_a_warning(home: Home) -> None:
    home.state.chmod(0o755)
    assert checks(home)["permissions"].level == DEGRADED
    assert "chmod go= " in checks(home)["permissions"].fix


def test_keys_that_others_can_read_are_a_warning(home: Home) -> None:
    (home.state / "keys.env").write_text("A_KEY=x\n", encoding="utf-8")
    (home.state / "keys.env").chmod(0o640)
    found = checks(home)["permissions"]
    assert found.level == DEGRADED
    assert "keys.env" in found.fix


def test_unwritable_state_folder_is_a_warning(home: Home) -> None:
    (home.root / "file").write_text("", encoding="utf-8")
    home.environ["MEMEM_DIR"] = str(home.root / "file" / "state")
    assert checks(home)["state folder"].level == DEGRADED
    assert "MEMEM_DIR" in checks(home)["state folder"].fix


def test_unreadable_notes_are_named(home: Home) -> None:
    (home.notes / "link.md").symlink_to("/nowhere")
    (home.notes / "bytes.md").write_bytes(b"---\ntitle: x\n---\n\n\xff\xfe\n")
    found = checks(home)["notes"]
    assert found.level == DEGRADED
    assert "memories/link.md" in found.text
    assert "memories/bytes.md" in found.text


def spoilt(path: Path) -> None:
    for one in path.parent.glob("state.db-*"):
        one.unlink()
    path.write_bytes(b"\x07no database" * 300)


def test_damaged_state_without_a_good_copy_fails_until_it_is_moved_away(home: Home) -> None:
    spoilt(home.state / "state.db")
    found = checks(home)["state database"]
    assert found.level == FAILING
    assert "state.db is damaged" in found.text and "state.db*" in found.fix
    told = home.run("doctor", "--json")
    assert (told.returncode, json.loads(told.stdout)["verdict"]) == (1, "FAILING")
    home.save("Berth exports are semicolon separated")  # goes on meanwhile
    away = home.root / "away"
    away.mkdir()
    for one in home.state.glob("state.db*"):
        one.rename(away / one.name)
    assert checks(home)["state database"].level == OK


def test_damaged_state_that_a_copy_replaced_is_a_warning_until_the_old_one_is_deleted(home: Home) -> None:
    memem = home.open()
    assert memem.state and copies.keep(memem.state.connection, str(home.state), 9e9)
    memem.close()
    spoilt(home.state / "state.db")
    found = checks(home)["state database"]
    assert found.level == DEGRADED and "state.db.damaged-" in found.text and "delete it" in found.text
    for one in home.state.glob(copies.ASIDE):
        one.unlink()
    assert checks(home)["state database"].level == OK


def test_saves_that_wait_are_counted(home: Home) -> None:
    home.vault.rename(home.root / "away")
    home.save("Berth exports are semicolon separated")
    found = checks(home)["spool"]
    assert found.level == DEGRADED
    assert found.text.startswith("1 saves wait")
    (home.root / "away").rename(home.vault)
    assert checks(home)["spool"].level == OK


def test_interpreter_that_is_gone_is_a_warning(home: Home) -> None:
    home.welcomed()
    assert checks(home)["hooks"].level == OK
    (home.state / "hook.conf").write_text("/nowhere/python3\n", encoding="utf-8")
    assert "/nowhere/python3" in checks(home)["hooks"].text


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"\n"])
def test_damaged_snapshot_does_not_break_the_doctor(home: Home, content: bytes) -> None:
    (home.state / "hook.conf").write_bytes(content)
    assert "hooks" in checks(home)


def test_failures_of_the_hook_are_a_warning(home: Home) -> None:
    home.shim("UserPromptSubmit", '{"broken')
    assert checks(home)["hooks"].level == DEGRADED
    assert "hook-failures.log" in checks(home)["hooks"].fix


def test_outcomes_are_counted_from_what_the_hooks_left(home: Home) -> None:
    home.welcomed()
    home.prompt("why can the integration tests not reach redis?")
    home.prompt("write a limerick about penguins")
    memem = home.open()
    found = health.status(memem)
    memem.close()
    assert found["outcomes"] == {
        "sessions": 0,
        "prompts": 2,
        "served": 1,
        "silent": 1,
        "injected": 1,
        "deleted": 0,
    }
    assert (found["memories"], found["here"], found["history"]) == (1, 1, 0)
    json.dumps(found)


def test_missing_git_is_a_warning(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home.root))
    assert checks(home)["git"].level == DEGRADED
    assert verdict(home) == DEGRADED


def test_notes_deleted_by_a_human_are_counted(home: Home) -> None:
    (note,) = home.notes.glob("*.md")
    note.unlink()
    memem = home.open()
    memem.sync()
    assert health.status(memem)["outcomes"]["deleted"] == 1
    memem.close()


def test_trials_leave_nothing_and_touch_no_vault(
    home: Home, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = {path: path.stat().st_mtime_ns for path in home.vault.rglob("*.md")}
    found = checks(home)
    assert [found[name].level for name in ("round trip", "hook answer", "hook latency")] == [OK, OK, OK]
    assert "× the bare interpreter" in found["hook latency"].text
    assert list(scratch.iterdir()) == []
    assert {path: path.stat().st_mtime_ns for path in home.vault.rglob("*.md")} == before


def test_trial_that_has_no_place_is_a_warning(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(home.root / "nowhere"))
    found = checks(home)["round trip"]
    assert found.level == DEGRADED
    assert "TMPDIR" in found.fix


def test_hook_that_says_nothing_fails(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, told in (("", "said nothing"), ("echo hi", "no JSON"), ("echo '{\"hookSpecificOutput\": 1}'", "no JSON")):
        shim = tmp_path / "plugin" / "hooks" / "memem.sh"
        shim.parent.mkdir(parents=True, exist_ok=True)
        shim.write_text(f"{text}\n", encoding="utf-8")
        monkeypatch.setattr("memem.health.trial.ROOT", str(tmp_path / "plugin"))
        found = checks(home)["hook answer"]
        assert found.level == FAILING
        assert told in found.text


def test_package_without_plugin_is_no_fault(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memem.health.trial.ROOT", str(tmp_path))
    assert "no plugin" in checks(home)["hook answer"].text


@pytest.mark.parametrize(
    ("says", "level", "told"),
    [
        ("2.1.197 (Claude Code)", OK, "within those tested"),
        ("2.1.250", OK, "within those tested"),
        ("2.1.9", DEGRADED, "older than those tested"),
        ("2.10.0", OK, "newer than those tested"),
        ("nonsense", OK, "no claude here"),
    ],
)
def test_client_is_compared_with_those_tested(
    home: Home, monkeypatch: pytest.MonkeyPatch, says: str, level: str, told: str
) -> None:
    program = home.root / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    found = checks(home)["client"]
    assert found.level == level
    assert told in found.text


def test_records_that_nobody_knows_are_counted_and_named(home: Home) -> None:
    assert "no sessions" in checks(home)["records"].text
    folder = home.root / ".claude" / "projects" / "x"
    folder.mkdir(parents=True)
    known = [user(f"question {number}") for number in range(40)]
    write(folder / "a.jsonl", *known, record("hologram\x1b[2J"))
    assert checks(home)["records"].level == OK
    write(folder / "b.jsonl", *(record("hologram\x1b[2J") for _ in range(9)))
    found = checks(home)["records"]
    assert found.level == DEGRADED
    assert "hologram" in found.text
    assert "\x1b" not in found.text


def test_variable_that_means_nothing_is_named_with_what_replaced_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMEM_RERANK_MODEL", "x")
    found = checks(home)["variables"]
    assert found.level == OK
    assert "MEMEM_RERANK_MODEL means nothing now" in found.text
    monkeypatch.setenv("MEMEM_PROMT_LIMIT", "4")
    found = checks(home)["variables"]
    assert found.level == DEGRADED
    assert "MEMEM_PROMT_LIMIT" in found.text


def test_setting_that_does_not_fit_fails_and_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMEM_PROMPT_LIMIT", "many")
    found = checks(home)["configuration"]
    assert found.level == FAILING
    assert "MEMEM_PROMPT_LIMIT" in found.text


def test_full_disk_is_a_warning(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memem.health.folders._LEAST_FREE_BYTES", 1 << 80)
    assert checks(home)["space"].level == DEGRADED


def test_a_key_beside_what_it_locks_is_named(home: Home) -> None:
    home.environ |= {"MEMEM_DIR": str(home.root / ".config" / "memem")}
    found = checks(home)["sealed secrets"]
    assert found.level == DEGRADED
    assert "must lie outside" in found.text
