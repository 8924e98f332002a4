"""Settings: where each comes from, and what is said about those that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from memem.config import Config, keys, load, load_snapshot, options, read_file, resolve, write_snapshot
from memem.errors import BadInput


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def write(environ: dict[str, str], text: str) -> None:
    folder = Path(environ["HOME"]) / ".memem"
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(text, encoding="utf-8")


def test_environment_wins_over_the_file_and_the_file_over_the_default(environ: dict[str, str]) -> None:
    assert load(environ).prompt_limit == 3
    write(environ, "prompt_limit = 5")
    assert load(environ).prompt_limit == 5
    environ["MEMEM_PROMPT_LIMIT"] = "7"
    assert load(environ).prompt_limit == 7
    environ["MEMEM_PROMPT_LIMIT"] = ""
    assert load(environ).prompt_limit == 5


def test_origin_of_each_value_is_told(environ: dict[str, str]) -> None:
    write(environ, 'injection_mode = "tool"')
    environ["MEMEM_VAULT"] = "/v"
    _, origins = resolve(environ, read_file(environ))
    assert origins["injection_mode"] == "config.toml"
    assert origins["vault"] == "MEMEM_VAULT"
    assert origins["prompt_limit"] == "default"
    assert set(origins) == {name for name, _ in options()} == set(Config.__fields__)


@pytest.mark.parametrize(("name", "spec"), list(options()))
def test_every_variable_sets_its_option(environ: dict[str, str], name: str, spec: object) -> None:
    value = {
        "dir": "/x",
        "vault": "/x",
        "cache_dir": "/x",
        "injection_mode": "off",
        "project_aliases": "a=b",
        "claude_dir": "/x",
        "extra_session_dirs": "/x:/y",
        "llm": "claude",
        "tool_profile": "full",
        "daily_usd": "0.5",
        "secrets_store": "off",
        "secrets_key_file": "/x",
        "llm_url": "http://127.0.0.1:8000/v1",
    }.get(name, "1")
    for variable in spec.env:  # type: ignore[attr-defined]
        assert str(getattr(resolve({**environ, variable: value}, {})[0], name)) in (value, "True", "1.0")


BEYOND = (
    ("MEMEM_HOLDOUT", "101"),
    ("MEMEM_SESSION_START_BUDGET", "9501"),
    ("MEMEM_PROMPT_BUDGET", "9501"),
    ("MEMEM_TOPIC_SHIFT_THRESHOLD", "1.01"),
    ("MEMEM_LLM_CONCURRENCY", "0"),
    ("MEMEM_LLM_TIMEOUT", "0"),
    ("MEMEM_LLM_URL", "javascript:x"),
    ("MEMEM_PROJECT_ALIASES", "x"),
    ("MEMEM_PROJECT_ALIASES", "old=new,=x"),
    ("MEMEM_SECRETS_KEY_FILE", "~/.memem/k"),
    ("MEMEM_SECRETS_KEY_FILE", "~/obsidian-brain/.keys/k"),
)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MEMEM_PROMPT_LIMIT", "many"),
        ("MEMEM_PROMPT_LIMIT", "-1"),
        ("MEMEM_PROMPT_LIMIT", "1.5"),
        ("MEMEM_PROMPT_LIMIT", "٣"),
        ("MEMEM_PROMPT_LIMIT", "9" * 5000),
        ("MEMEM_SHOW_BANNER", "maybe"),
        ("MEMEM_INJECTION_MODE", "never"),
        ("MEMEM_LLM", "gpt"),
        ("MEMEM_DAILY_USD", "nan"),
        ("MEMEM_DAILY_USD", "-1"),
        ("MEMEM_DAILY_USD", "1e9"),
        ("MEMEM_OBSIDIAN_VAULT", "  "),
        ("MEMEM_DIR", " "),
        *BEYOND,
    ],
)
def test_value_that_does_not_fit_is_named_with_its_variable(environ: dict[str, str], variable: str, value: str) -> None:
    with pytest.raises(BadInput, match=variable):
        load({**environ, variable: value})


@pytest.mark.parametrize(
    "text",
    [
        "prompt_limit = 'many'",
        "daily_usd = inf",
        "prompt_limit = 1.5",
        "vault = ['/v']",
        "vault = 7",
        "show_banner = 2",
        "dir = ''",
    ],
)
def test_value_that_does_not_fit_is_named_with_its_file(environ: dict[str, str], text: str) -> None:
    write(environ, text)
    with pytest.raises(BadInput, match=r"config\.toml"):
        load(environ)


def test_unknown_key_is_named_with_those_that_exist(environ: dict[str, str]) -> None:
    write(environ, "promt_limit = 3")
    with pytest.raises(BadInput, match=r"promt_limit.*prompt_limit"):
        load(environ)


@pytest.mark.parametrize("text", ["prompt_limit = ", "\x00", "[", "prompt_limit = 1\nprompt_limit = 2"])
def test_file_that_is_no_toml_is_named(environ: dict[str, str], text: str) -> None:
    write(environ, text)
    with pytest.raises(BadInput, match=r"config\.toml cannot be read"):
        load(environ)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("Yes", True), ("ON", True), ("0", False), ("off", False)])
def test_switch_is_read_in_any_spelling(environ: dict[str, str], text: str, value: bool) -> None:
    assert load({**environ, "MEMEM_SHOW_BANNER": text}).show_banner is value


def test_budget_is_read_as_a_number_from_everywhere(environ: dict[str, str]) -> None:
    assert load({**environ, "MEMEM_DAILY_USD": "0.25"}).daily_usd == 0.25
    write(environ, "daily_usd = 2\nllm = 'claude'")
    write_snapshot(load(environ), read_file(environ), "/usr/bin/python3")
    assert load(environ).daily_usd == load_snapshot(environ).daily_usd == 2.0


def test_keys_of_models_are_read_but_are_no_options(environ: dict[str, str]) -> None:
    given = {**environ, "OPENAI_API_KEY": " sk-1 ", "ANTHROPIC_API_KEY": "", "OTHER_API_KEY": "x"}
    assert keys(given) == {"OPENAI_API_KEY": "sk-1"}
    assert "sk-1" not in repr(load(given))


def test_choice_is_read_in_any_case(environ: dict[str, str]) -> None:
    assert load({**environ, "MEMEM_INJECTION_MODE": "OFF"}).injection_mode == "off"


def test_folders_are_absolute(environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load({**environ, "MEMEM_DIR": "~/s", "MEMEM_OBSIDIAN_VAULT": "notes/../vault"})
    assert config.dir == f"{tmp_path}/s"
    assert config.memory_root == f"{tmp_path}/vault/memem"
    assert config.state_path("x") == f"{tmp_path}/s/x"


def test_snapshot_is_read_as_the_file_it_was_compiled_from(environ: dict[str, str], tmp_path: Path) -> None:
    write(
        environ,
        f'vault = "{tmp_path}/a = b"\nshow_banner = true\nprompt_limit = 4\nproject_aliases = "x=y,z=w"\n'
        'injection_mode = "tool"\n',
    )
    write_snapshot(load(environ), read_file(environ), "/usr/bin/python3")
    assert load_snapshot(environ) == load(environ)
    assert (tmp_path / ".memem" / "hook.conf").read_text(encoding="utf-8").startswith("/usr/bin/python3\n")
    changed = {**environ, "MEMEM_PROMPT_LIMIT": "9"}
    assert load_snapshot(changed) == load(changed)
    assert not list((tmp_path / ".memem").glob("hook.conf.*"))


def test_snapshot_takes_no_second_line_from_a_value(environ: dict[str, str]) -> None:
    write(environ, 'project_aliases = "a=b\\ninjection_mode=off"')
    write_snapshot(load(environ), read_file(environ), "/usr/bin/python3")
    assert load_snapshot(environ).injection_mode == "auto"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"/usr/bin/python3\nno value\n=\nunknown=1\nprompt_limit=x\n"])
def test_damaged_snapshot_means_defaults(environ: dict[str, str], tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".memem").mkdir()
    (tmp_path / ".memem" / "hook.conf").write_bytes(content)
    assert load_snapshot(environ) == load(environ)


def test_one_bad_value_costs_no_other_setting_of_the_hook(environ: dict[str, str]) -> None:
    environ |= {"CORTEX_DIR": "/state", "MEMEM_VAULT": "/vault", "MEMEM_INJECTION_MODE": "off"}
    good = load_snapshot(environ)
    assert load_snapshot({**environ, "MEMEM_PROMPT_LIMIT": "many"}) == good
    assert (good.dir, good.vault, good.injection_mode) == ("/state", "/vault", "off")


@pytest.mark.parametrize(("variable", "value"), BEYOND)
def test_value_beyond_its_bounds_is_its_default_for_the_hook(
    environ: dict[str, str], variable: str, value: str
) -> None:
    assert load_snapshot({**environ, variable: value}) == load_snapshot(environ)


def test_a_key_file_is_seen_inside_of_the_state_folder_through_links(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(load(environ).dir)
    with pytest.raises(BadInput, match="outside of"):
        load({**environ, "MEMEM_SECRETS_KEY_FILE": str(tmp_path / "link" / "k")})


def test_a_default_key_file_inside_of_the_state_folder_stops_nothing(environ: dict[str, str]) -> None:
    assert load({**environ, "MEMEM_DIR": "~/.config/memem"}).secrets_key_file.endswith("/.config/memem/secrets.key")


def test_a_mark_before_the_first_line_of_the_file_is_read_over(environ: dict[str, str]) -> None:
    write(environ, "\ufeffprompt_limit = 4")
    assert load(environ).prompt_limit == 4


def test_every_option_says_what_it_does() -> None:
    for name, spec in options():
        assert spec.env, name
        assert spec.help.endswith("."), name


@pytest.mark.parametrize(("value", "share"), [("0", 0.0), ("0.25", 0.25), (".5", 0.5), (" 1 ", 1.0)])
def test_share_is_a_number_from_0_to_1(environ: dict[str, str], value: str, share: float) -> None:
    assert load({**environ, "MEMEM_TOPIC_SHIFT_THRESHOLD": value}).topic_shift_threshold == share


@pytest.mark.parametrize("value", ["nan", "inf", "-0.1", "1e-3", "0.3.1", ".", "many", "٣", "0" * 5000])
def test_what_is_no_share_is_refused(environ: dict[str, str], value: str) -> None:
    with pytest.raises(BadInput, match="MEMEM_TOPIC_SHIFT_THRESHOLD"):
        load({**environ, "MEMEM_TOPIC_SHIFT_THRESHOLD": value})
