"""Where keys of models come from, and that they go nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memem import config as configuration
from memem.config import Config
from memem.errors import ModelUnusable
from memem.llm.keys import KEYS_FILE, Keys, gather


@pytest.fixture
def file(home: Config) -> Path:
    """The file of keys, readable for its owner only."""
    path = Path(home.state_path(KEYS_FILE))
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)
    return path


def test_no_keys_anywhere_are_no_error(home: Config) -> None:
    assert gather(home, {}) == Keys()


def test_file_is_read_as_a_shell_would(home: Config, file: Path) -> None:
    file.write_text(
        "# mine\nexport ANTHROPIC_API_KEY='sk-a'\n OPENAI_API_KEY = \"sk-o\" \nOPENAI_BASE_URL=http://h/v1\n"
        "UNKNOWN=x\nnonsense\nANTHROPIC_BASE_URL=\n"
    )
    assert gather(home, {}) == Keys(anthropic="sk-a", openai="sk-o", openai_url="http://h/v1")


def test_environment_wins_over_the_file(home: Config, file: Path) -> None:
    file.write_text("ANTHROPIC_API_KEY=file\nOPENAI_API_KEY=file\n")
    found = gather(home, {"ANTHROPIC_API_KEY": "environment", "OPENAI_API_KEY": " "})
    assert (found.anthropic, found.openai) == ("environment", "file")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_file_that_others_can_use_is_refused(home: Config, file: Path, mode: int) -> None:
    file.write_text("ANTHROPIC_API_KEY=sk-secret\n")
    file.chmod(mode)
    with pytest.raises(ModelUnusable, match="chmod 600") as caught:
        gather(home, {})
    assert "sk-secret" not in str(caught.value)


def test_pipe_of_that_name_is_not_waited_for(home: Config, file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)
    with pytest.raises(ModelUnusable, match="no file"):
        gather(home, {})


@pytest.mark.parametrize("value", ["sk-ä", "two words", "tab\there", "nul\0"])
def test_key_that_no_header_can_hold_is_refused_unseen(home: Config, value: str) -> None:
    with pytest.raises(ModelUnusable, match="OPENAI_API_KEY holds") as caught:
        gather(home, {"OPENAI_API_KEY": value})
    assert value not in str(caught.value)


def test_keys_are_not_shown_and_no_part_of_the_configuration(home: Config) -> None:
    keys = Keys(anthropic="sk-secret")
    assert "sk-secret" not in f"{keys} {keys!r}"
    names = {variable for _, spec in configuration.options() for variable in spec.env}
    assert not names & set(configuration.KEYS)
