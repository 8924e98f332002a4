"""What doctor and status say, and that every line which is not well names its fix."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from memem import health
from memem.health import DEGRADED, FAILING, OK, Check

from .home import Home


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
    assert checks(home)["state folder"].level == DEGRADED
    assert "chmod 700" in checks(home)["state folder"].fix


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
    assert found["outcomes"] == {"sessions": 0, "prompts": 2, "served": 1, "injected": 1}
    assert (found["memories"], found["here"], found["history"]) == (1, 1, 0)
    json.dumps(found)


def test_damaged_event_log_is_counted_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    assert health.outcomes(str(log))["prompts"] == 0
    good = b'{"at": 1, "event": "prompt", "served": 2}\n'
    log.write_bytes(b'ut off"}\n\xff\xfe\n[]\n7\n{"event": "prompt"}\n{"event": "prompt", "served": null}\n' + good)
    assert health.outcomes(str(log)) == {"sessions": 0, "prompts": 1, "served": 1, "injected": 2}
    log.write_bytes(good * 100_000)
    assert 0 < health.outcomes(str(log))["prompts"] < 100_000


def test_missing_git_is_a_warning(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home.root))
    assert checks(home)["git"].level == DEGRADED
    assert verdict(home) == DEGRADED
