"""The plugin in the real Claude Code client: install, save, recall in a later session, commands, the first minute."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from . import published
from .client import Client, Terminal, snapshot
from .conftest import make_client
from .messages import MessagesStub, Use

pytestmark = pytest.mark.e2e

SAVE = "mcp__plugin_memem_memem__memory_save"
SEARCH = "mcp__plugin_memem_memem__memory_search"
SERVER = "plugin:memem:memem"
LESSON = "Prices are stored as integer cents, because floats lost a cent per thousand invoices in March."
TITLE = "Store prices as integer cents"
RELATED = "Which type should the new column for prices of invoices have?"
UNRELATED = "Explain how tides depend on the moon."


def save(content: str = LESSON, title: str = TITLE, **more: object) -> Use:
    """The turn in which the model saves a lesson."""
    return Use(SAVE, {"content": content, "title": title, **more})


def save_in(client: Client, *turns: Use) -> None:
    """A session in which the model saves lessons, one after the other."""
    session = client.run("That happened again.", [*(turns or [save()]), "Saved."])
    answers = [request.last_tool_result() for request in session.requests]
    assert len([text for text in answers if text.startswith("Memory saved")]) == len(turns or [1]), answers


def test_plugin_validates_clean(client: Client, plugin: Path) -> None:
    for path in (plugin, plugin / ".claude-plugin" / "plugin.json"):
        done = client.command("plugin", "validate", path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Validation passed\n" in done.stdout
        assert "with warnings" not in done.stdout


def test_plugin_installs_from_a_clone(installed: Client, plugin: Path) -> None:
    manifest = json.loads((plugin / ".claude-plugin" / "plugin.json").read_text(encoding="utf-8"))
    listed = installed.command("plugin", "list")
    assert "memem@memem-marketplace" in listed.stdout
    assert manifest["version"] in listed.stdout
    servers = installed.command("mcp", "list")
    assert SERVER in servers.stdout
    assert "Connected" in servers.stdout


def test_memory_of_one_session_reaches_the_next(installed: Client) -> None:
    save_in(installed)
    assert [LESSON in note for note in _notes(installed)] == [True]

    second = installed.run(RELATED)
    assert LESSON in second.first.context_of("UserPromptSubmit")

    third = installed.run(UNRELATED)
    assert third.first.context_of("UserPromptSubmit") == ""
    assert TITLE in third.first.context_of("SessionStart")


def test_first_session_need_not_wait_for_the_dependencies(program: str, plugin: Path, tmp_path: Path) -> None:
    bare = Client(program, tmp_path)
    bare.install(plugin)
    session = bare.run("That happened again.", [save(), "Done."])
    assert session.code == 0
    answer = session.requests[-1].last_tool_result()
    assert answer.startswith("Memory saved") or "about 20 seconds" in answer
    assert bare.memem(plugin, "status").returncode == 0  # waits for the installation that the session has begun
    save_in(bare, save("Deploys happen on Tuesdays only, because support is staffed then.", "Deploy on Tuesdays"))


def test_memory_is_not_shown_twice_in_a_session(installed: Client) -> None:
    save_in(installed)
    installed.run(RELATED)
    resumed = installed.run(RELATED, arguments=["--continue"])
    assert resumed.requests[-1].context_of("UserPromptSubmit").count(LESSON) <= 1


def test_memory_is_found_by_a_prompt_in_its_language(installed: Client) -> None:
    german = "Rechnungen gehen nur dienstags raus, weil die Bank montags wartet."
    japanese = "請求書の締め日は毎月二十五日です。経理部が翌日に集計するためです。"
    save_in(installed, save(german, "Rechnungsversand nur dienstags"), save(japanese, "請求書の締め日"))
    assert german in installed.run("An welchem Tag gehen die Rechnungen an die Kunden raus?").first.context_of(
        "UserPromptSubmit"
    )
    assert japanese in installed.run("請求書の締め日はいつですか").first.context_of("UserPromptSubmit")


def test_vault_and_state_of_the_published_memem_work_and_stay(client: Client, plugin: Path) -> None:
    root = client.notes.parent
    published.write_vault(root)
    published.write_state(client.state)
    vault, state = snapshot(root), snapshot(client.state, published.STATE_FILES)
    logs = {name: (client.state / name).read_bytes() for name in ("events.jsonl", "miner.log")}

    client.install(plugin)
    client.run("Hello.")  # the index is made while this session runs
    client.memem(plugin, "status")
    jwt = client.run("Which signing algorithm do our JWTs use in production?")
    assert "the gateway verifies tokens without the signing key" in jwt.first.context_of("UserPromptSubmit")
    invoices = client.run("How are invoice numbers built, and when do they restart?")
    assert "carry the year as a prefix" in invoices.first.context_of("UserPromptSubmit")
    found = client.run("Look it up.", [Use(SEARCH, {"query": "staging database wiped"}), "Found."])
    assert "9f1f7a5e" in found.requests[-1].last_tool_result()
    save_in(client)

    after = snapshot(root)
    assert {name: after.get(name) for name in vault} == vault
    now = snapshot(client.state, published.STATE_FILES)
    assert {name: now[name] for name in state if name not in logs} == {
        name: state[name] for name in state if name not in logs
    }
    for name, before in logs.items():  # one log goes on in the other
        assert (client.state / name).read_bytes().startswith(before)
    client.memem(plugin, "miner", "stop")  # its opt-in holds for capture


def test_status_command_brings_the_status_to_the_model(installed: Client) -> None:
    save_in(installed)
    asked = installed.run("/memem:memem-status")
    assert str(installed.notes.parent.parent) in asked.first.text
    assert asked.first.context_of("UserPromptSubmit") == ""


@pytest.mark.parametrize("command", ["memem", "memem-doctor"])
def test_command_reaches_the_model(installed: Client, command: str) -> None:
    asked = installed.run(f"/memem:{command}")
    assert "memory across sessions" in asked.first.text or "remembers lessons" in asked.first.text
    assert str(installed.home / "obsidian-brain") in asked.first.text


def test_commands_cost_no_context(installed: Client) -> None:
    listed = installed.run("Hello.").first.text
    assert "- memem:memory: " in listed
    assert "- memem:memem" not in listed


def test_two_sessions_at_once_share_one_state_folder(installed: Client) -> None:
    other = "The warehouse API allows five requests per second; the sixth gets code 429 and a ban of a minute."
    with MessagesStub([save(), "Saved."]) as one, MessagesStub([save(other, "Warehouse API limit"), "Saved."]) as two:
        running = installed.start("We lost cents again.", one), installed.start("We were banned.", two)
        answers = [run.finish().requests[-1].last_tool_result() for run in running]
    assert [text.startswith("Memory saved") for text in answers] == [True, True], answers
    assert LESSON in installed.run(RELATED).first.context_of("UserPromptSubmit")
    asked = installed.run("How many requests per second does the warehouse API allow?")
    assert other in asked.first.context_of("UserPromptSubmit")


def test_second_home_with_the_same_vault_recalls(
    installed: Client, plugin: Path, dependencies: Path, tmp_path: Path
) -> None:
    save_in(installed, save(scope_id="general"))
    second = make_client(installed.program, dependencies, tmp_path / "second")
    second.extra["MEMEM_OBSIDIAN_VAULT"] = str(installed.notes.parent.parent)
    second.install(plugin)
    second.run("Hello.")
    second.memem(plugin, "status")
    assert LESSON in second.run(RELATED).first.context_of("UserPromptSubmit")


def test_welcome_is_shown_once(installed: Client) -> None:
    first, second = installed.run("Hello."), installed.run("Hello again.")
    assert "consent" in first.first.context_of("SessionStart")
    assert "consent" not in second.first.text


def test_hooks_are_silent_in_calls_of_the_miner(installed: Client) -> None:
    save_in(installed)
    installed.extra["MEMEM_MINER"] = "1"
    asked = installed.run(RELATED).first
    assert asked.context_of("UserPromptSubmit") == ""
    assert asked.context_of("SessionStart") == ""


def test_uninstall_leaves_nothing_outside_vault_and_state(installed: Client) -> None:
    save_in(installed)
    for arguments in (("uninstall", "memem@memem-marketplace"), ("marketplace", "remove", "memem-marketplace")):
        done = installed.command("plugin", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    clients = (installed.home / ".claude", installed.home / ".cache" / "claude-cli-nodejs")
    ours = (installed.state, installed.notes.parent.parent, *clients)
    left = [path for path in installed.home.rglob("*memem*") if not any(path.is_relative_to(place) for place in ours)]
    assert left == []
    assert sorted(path.name for path in installed.project.iterdir()) == [".git", "shop.py"]
    assert "memem" not in json.dumps(installed.run("Hello.").first.body)


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
def test_first_minute_in_the_terminal(installed: Client, tmp_path: Path) -> None:
    script, allow = ["Here it is.", save(), "Saved it."], ("--allowedTools", SAVE)
    with MessagesStub(script) as stub, Terminal(installed, stub, tmp_path / "screens", allow) as terminal:
        terminal.wait_for("memem is ready")
        shown = [terminal.screen("start")]
        terminal.type("/mcp")
        assert "✔" in next(line for line in terminal.wait_for("✔", "✘").splitlines() if SERVER in line)
        shown.append(terminal.screen("servers"))
        terminal.key("Escape")
        terminal.wait_until_gone(SERVER)
        terminal.type("/memem:memem-status")
        terminal.wait_for("Here it is.")
        shown.append(terminal.screen("status"))
        terminal.type("Remember that prices are cents.")
        terminal.wait_for("Saved it.")
        shown.append(terminal.screen("saved"))
    assert not [line for text in shown for line in text.lower().splitlines() if "error" in line or "failed" in line]
    assert [LESSON in note for note in _notes(installed)] == [True]


def _notes(client: Client) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in client.notes.glob("*.md")]
