"""The front door of the command line: help, hints, flags of before, completion; and that it opens quickly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from memem import __version__
from memem.__main__ import main
from memem.cli.former import OLD_FLAGS, OTHER_WORDS, READS
from memem.cli.group import FILES, group
from memem.cli.main import COMMANDS, EXAMPLES

from ..home import ROOT, Home

REDIS = "Integration tests need Redis on port 6380, because 6379 is taken by the staging tunnel"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_help_lists_every_command_with_examples_and_the_exit_codes(home: Home) -> None:
    done = home.run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name in FILES:
        assert f"\n  {name} " in done.stdout
    assert "\nExamples\n" in done.stdout
    assert "Exit codes: 0 done" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120
    assert home.run("-h").stdout == done.stdout
    assert not home.state.exists()


def test_help_asks_for_no_library(home: Home) -> None:
    script = "import sys; from memem.cli.main import run; run(['--help']); print('click' in sys.modules)"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=home.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_dependency_that_is_missing_is_left_to_the_bootstrap(home: Home) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom memem.cli.main import run\nrun(['--help'])\n"
        "try: run(['list'])\nexcept ModuleNotFoundError as error: print(error.name)"
    )
    command = [sys.executable, "-I", "-S", "-c", script]
    done = subprocess.run(command, env=home.environ, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "click", done


def test_search_loads_nothing_that_it_does_not_need(home: Home) -> None:
    home.save(REDIS)
    script = (
        "import sys; from memem.cli.main import run\n"
        "try: run(['search', 'redis'])\n"
        "except SystemExit: print(*(name for name in sys.modules))"
    )
    command = [sys.executable, "-c", script]
    environ = home.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environ, cwd=home.project, capture_output=True, text=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert "memem.app" in loaded, done
    slow = {"rich", "yaml", "rapidfuzz", "detect_secrets", "watchdog", "subprocess", "memem.ingest.secrets"}
    assert not {name for name in loaded if name in slow or name.startswith("memem.mining.")}


def test_table_and_commands_agree() -> None:
    for _, rows in COMMANDS:
        for name, _, text in rows:
            command = group.get_command(None, name)  # type: ignore[arg-type]
            assert command is not None
            assert command.name == name
            assert text.endswith(".")
    assert list(FILES) == group.list_commands(None)  # type: ignore[arg-type]


def test_every_command_has_help_with_its_own_words(home: Home) -> None:
    for name in FILES:
        assert f"Usage: memem {name}" in home.run(name, "--help").stdout


@pytest.mark.parametrize("text", [*OLD_FLAGS.values(), *OTHER_WORDS.values(), *EXAMPLES.splitlines()])
def test_hints_name_commands_that_exist(text: str) -> None:
    for part in text.split("`")[1::2] if "`" in text else [text]:
        words = part.split()
        if words and words[0] == "memem" and words[1:] and words[1] != "without":
            assert words[1] in FILES, part


@pytest.mark.parametrize("flag", [*OLD_FLAGS])
def test_flag_of_before_is_answered_with_its_replacement(home: Home, flag: str) -> None:
    done = home.run(flag, "whatever")
    assert (done.returncode, done.stdout) == (2, "")
    assert OLD_FLAGS[flag] in done.stderr
    assert not home.state.exists()


def test_misspelt_command_is_answered_with_the_nearest(home: Home) -> None:
    assert "Did you mean `memem search`?" in home.run("serch", "redis").stderr
    assert "`memem --help` lists them." in home.run("xyzzy").stderr
    assert home.run("serch").returncode == 2


def test_flags_of_before_that_only_read_are_run(home: Home) -> None:
    home.save(REDIS)
    assert home.run("--status").stdout == home.run("status").stdout
    assert "HEALTHY" in home.run("--doctor").stdout
    assert "6380" in home.run("--compact-index").stdout
    assert "6380" in home.run("--active-slice", "redis port", "--scope", "local:harbor", "--no-llm").stdout
    assert home.run("--integrity-check").returncode == 0
    assert {words[0] for words in READS.values()} <= set(FILES)


def test_slice_takes_the_flags_of_before(home: Home) -> None:
    home.save(REDIS)
    before = ("slice", "redis port", "--session-id", "s", "--cwd", str(home.project), "--task-mode", "coding")
    assert "6380" in home.run(*before, "--json", "--no-llm").stdout
    assert set(json.loads(home.run(*before, "--writeback-preview", "--json").stdout)) == {"slice", "delta_results"}


def test_word_of_another_program_is_answered_with_ours(home: Home) -> None:
    done = home.run("remember", "x")
    assert done.returncode == 2
    assert "memem save" in done.stderr
    assert "memem --help" in done.stderr


def test_server_module_answers_the_old_way_of_asking(home: Home) -> None:
    command = [sys.executable, "-m", "memem.server", "--version"]
    done = subprocess.run(command, env=home.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"memem, version {__version__}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_printed(home: Home, shell: str) -> None:
    done = home.run("completion", shell)
    assert done.returncode == 0
    assert f"_MEMEM_COMPLETE={shell}_complete" in done.stdout


def test_completion_answers_without_a_terminal(home: Home) -> None:
    asked = {"_MEMEM_COMPLETE": "bash_complete", "COMP_WORDS": "memem st", "COMP_CWORD": "1"}
    done = home.run(**asked)
    assert done.stdout.split() == ["plain,status", "plain,stats", "plain,stale"]
    asked |= {"COMP_WORDS": "memem config s", "COMP_CWORD": "2"}
    assert home.run(**asked).stdout.split() == ["plain,set", "plain,set-key", "plain,show"]


def test_bash_completes_with_the_printed_script(home: Home) -> None:
    folder = home.root / "bin"
    folder.mkdir()
    (folder / "memem").write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m memem "$@"\n')
    (folder / "memem").chmod(0o755)
    script = (
        'eval "$(memem completion bash)"; COMP_WORDS=(memem doc); COMP_CWORD=1\n'
        '_memem_completion memem; echo "${COMPREPLY[@]}"'
    )
    environ = home.environ | {"PATH": f"{folder}:/usr/bin:/bin"}
    if not os.access("/bin/bash", os.X_OK):
        pytest.skip("no bash here")
    done = subprocess.run(["/bin/bash", "-c", script], env=environ, capture_output=True, text=True)
    assert done.stdout.split() == ["doctor"], done


def test_interrupt_before_a_command_has_begun_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("memem.cli.main.run", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["list"])
    assert ended.value.code == 130
