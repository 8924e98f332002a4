"""Changing settings: other lines stay, what does not fit is refused, and a secret has its own file."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from memem import settings
from memem.config import load, load_snapshot
from memem.errors import BadInput, NotFound, StateUnavailable


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("MEMEM_DIR", str(folder))
    monkeypatch.delenv("MEMEM_OBSIDIAN_VAULT")
    return folder


def write(state: Path, text: str) -> Path:
    path = state / "config.toml"
    path.write_bytes(text.encode())
    return path


def a_key() -> str:
    return "sk-ant-" + "api03-" + secrets.token_urlsafe(48)


def test_change_is_written_and_known_to_tools_and_hooks(state: Path) -> None:
    changed = settings.change("prompt_limit", "5")
    assert (changed.value, changed.origin) == (5, "config.toml")
    assert load().prompt_limit == 5
    assert load_snapshot({"HOME": "/", "MEMEM_DIR": str(state)}).prompt_limit == 5
    assert settings.change("MEMEM_SHOW_BANNER", "yes").value is True
    assert settings.change("project_aliases", 'a "quoted"=b\\c').value == 'a "quoted"=b\\c'
    assert settings.change("prompt_limit", None).origin == "default"
    assert sorted(path.name for path in state.iterdir()) == ["config.toml", "hook.conf"]
    assert {path.stat().st_mode & 0o777 for path in state.iterdir()} == {0o600}


def test_other_lines_stay_byte_for_byte(state: Path) -> None:
    path = write(
        state, '# mine\r\n\r\n  "prompt_limit" = 4   # few\r\nvault = """\r\n/v"""\r\nproject_aliases = \'a=b\''
    )
    settings.change("prompt_limit", "6")
    settings.change("show_banner", "1")
    assert path.read_bytes() == (
        b'# mine\r\n\r\n  "prompt_limit" = 6   # few\r\nvault = """\r\n/v"""\r\nproject_aliases = \'a=b\'\n'
        b"show_banner = true\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        'vault = """\nprompt_limit = 7\n"""\nprompt_limit = 4\n',  # the first such line is part of a text
        "prompt_limit = 4_0\n",
        "prompt_limit = 0x4 # four\n",
        'vault = "#not a comment" # one\nprompt_limit = 4 # "two"',
    ],
)
def test_change_is_right_or_refused(state: Path, text: str) -> None:
    path = write(state, text)
    try:
        settings.change("prompt_limit", "9")
    except BadInput as error:
        assert "memem config edit" in str(error)
        assert path.read_text(encoding="utf-8") == text
    else:
        assert load().prompt_limit == 9


def test_interpreter_of_the_hooks_stays(state: Path) -> None:
    (state / "hook.conf").write_text("/usr/bin/python3.12\nprompt_limit=3\n", encoding="utf-8")
    settings.change("prompt_limit", "5")
    assert (state / "hook.conf").read_text(encoding="utf-8") == "/usr/bin/python3.12\nprompt_limit=5\n"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("prompt_limit", "many", "whole number"),
        ("injection_mode", "loud", "auto, tool, off"),
        ("show_banner", "maybe", "1 or 0"),
        ("vault", "a\nb", "one line"),
        ("vault", "\ud800", "one line"),
        ("dir", "/elsewhere", "MEMEM_DIR"),
        ("holdout", "101", "from 0 to 100"),
        ("session_start_budget", "99999", "from 0 to 9500"),
        ("llm_timeout", "0", "1 or more"),
        ("llm_url", "javascript:x", "http"),
        ("project_aliases", "x", "old=new"),
        pytest.param("project_aliases", a_key(), "set-key", id="a key"),
    ],
)
def test_value_that_does_not_fit_is_refused(state: Path, name: str, value: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        settings.change(name, value)
    assert list(state.iterdir()) == []


def test_key_file_beside_what_it_locks_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="outside of"):
        settings.change("secrets_key_file", str(state / "k"))
    monkeypatch.chdir(state)
    with pytest.raises(BadInput, match="outside of"):
        settings.change("secrets_key_file", "k")
    assert list(state.iterdir()) == []


def test_change_beside_a_mark_before_the_first_line(state: Path) -> None:
    path = write(state, "\ufeffprompt_limit = 4 # mine\nshow_banner = true\n")
    settings.change("prompt_limit", "5")
    assert path.read_text(encoding="utf-8") == "prompt_limit = 5 # mine\nshow_banner = true\n"


def test_folder_is_kept_as_seen_from_here(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings.change("vault", "notes").value == f"{tmp_path}/notes"
    assert f'"{tmp_path}/notes"' in (state / "config.toml").read_text(encoding="utf-8")
    settings.change("vault", "~/notes")
    assert '"~/notes"' in (state / "config.toml").read_text(encoding="utf-8")


def test_link_to_a_file_of_settings_stays_a_link(state: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles.toml"
    kept.write_text("prompt_limit = 4\n", encoding="utf-8")
    (state / "config.toml").symlink_to(kept)
    settings.change("prompt_limit", "5")
    assert (state / "config.toml").is_symlink()
    assert kept.read_text(encoding="utf-8") == "prompt_limit = 5\n"


def test_unknown_name_is_answered_with_what_replaced_it_or_what_there_is(state: Path) -> None:
    with pytest.raises(NotFound, match="over stdio"):
        settings.get("ui.port")
    with pytest.raises(NotFound, match="prompt_limit"):
        settings.change("promt_limit", "3")


def test_broken_file_is_neither_read_over_nor_lost(state: Path) -> None:
    path = write(state, "prompt_limit = \n")
    with pytest.raises(BadInput, match="memem config edit"):
        settings.change("prompt_limit", "3")
    assert path.read_text(encoding="utf-8") == "prompt_limit = \n"
    assert settings.text() == "prompt_limit = \n"
    settings.accept("prompt_limit = 4\n")
    assert load().prompt_limit == 4


@pytest.mark.parametrize("text", ["prompt_limit = ", "promt_limit = 3", "prompt_limit = 'many'", "dir = '/x'"])
def test_edit_that_does_not_fit_keeps_the_old_file_and_the_new_text(state: Path, text: str) -> None:
    path = write(state, "prompt_limit = 4\n")
    with pytest.raises(BadInput, match=r"config\.toml\.invalid"):
        settings.accept(text)
    assert path.read_text(encoding="utf-8") == "prompt_limit = 4\n"
    assert (state / "config.toml.invalid").read_text(encoding="utf-8") == text


def test_secret_in_an_edit_reaches_no_file(state: Path) -> None:
    key = a_key()
    with pytest.raises(BadInput, match="set-key"):
        settings.accept(f'project_aliases = "{key}"\n')
    assert all(key.encode() not in path.read_bytes() for path in state.iterdir())


def test_first_text_to_edit_lists_every_option_and_is_valid(state: Path) -> None:
    settings.accept(settings.text().replace("# prompt_limit = 3", "prompt_limit = 8"))
    assert load().prompt_limit == 8


def test_keys_are_kept_for_the_owner_only(state: Path) -> None:
    path = settings.set_key("A_KEY", "one\n")
    settings.set_key("B_KEY", "two")
    settings.set_key("A_KEY", "three")
    assert path.read_text(encoding="utf-8") == "B_KEY=two\nA_KEY=three\n"
    assert path.stat().st_mode & 0o777 == 0o600
    settings.set_key("A_KEY", None)
    assert path.read_text(encoding="utf-8") == "B_KEY=two\n"


@pytest.mark.parametrize(("name", "key"), [("a_key", "x"), ("A KEY", "x"), ("A=B", "x"), ("", "x")])
def test_name_that_is_none_is_refused(state: Path, name: str, key: str) -> None:
    with pytest.raises(BadInput, match="no name of a key"):
        settings.set_key(name, key)
    assert list(state.iterdir()) == []


@pytest.mark.parametrize("key", ["", " \n", "one\ntwo", "one two", "schl\u00fcssel", "\x00"])
def test_key_that_is_none_is_refused_without_repeating_it(state: Path, key: str) -> None:
    with pytest.raises(BadInput) as caught:
        settings.set_key("A_KEY", key)
    assert not key.strip() or key not in str(caught.value)
    assert list(state.iterdir()) == []


def test_state_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("MEMEM_DIR", str(tmp_path / "file" / "state"))
    with pytest.raises((StateUnavailable, BadInput), match="state"):
        settings.change("prompt_limit", "5")


def test_keys_that_cannot_be_read_are_not_written_over(state: Path) -> None:
    path = state / "keys.env"
    path.write_bytes(b"A_KEY=\xff\n")
    with pytest.raises(StateUnavailable, match="not changed"):
        settings.set_key("B_KEY", "two")
    assert path.read_bytes() == b"A_KEY=\xff\n"
