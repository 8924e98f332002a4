"""The command line as people and programs run it: arguments and stdin, output and exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from memem import __version__
from memem.cli.main import run
from memem.recall.ranking import SIGNALS

from ..home import ROOT, SECONDS, Home

REDIS = "Integration tests need Redis on port 6380, because 6379 is taken by the staging tunnel"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def redis(home: Home) -> Home:
    """A home whose project remembers one lesson."""
    home.save(REDIS)
    return home


def test_version_is_told(home: Home) -> None:
    assert __version__ in home.run("--version").stdout


def test_saved_memory_is_found_listed_shown_and_on_disk(home: Home) -> None:
    saved = home.run("save", REDIS, "--key", "cache", "--tag", "infra", "--kind", "quirk", "--importance", "4")
    assert saved.returncode == 0
    path = Path(saved.stdout.splitlines()[-1])
    assert REDIS in path.read_text(encoding="utf-8")
    (note,) = json.loads(home.run("list", "--json").stdout)
    assert (note["kind"], note["importance"], note["tags"], note["keys"]) == ("quirk", 4, ["infra"], ["cache"])
    assert note["id"][:8] in saved.stdout
    assert REDIS in home.run("search", "redis").stdout
    explained = home.run("search", "redis", "--explain").stdout
    assert all(f"{signal.name} " in explained for signal in SIGNALS)
    assert REDIS in home.run("get", note["id"][:8]).stdout
    assert note["id"][:8] in home.run("list").stdout
    assert f"→ {note['created'][:10]}" in home.run("timeline", note["id"]).stdout


def test_json_of_every_command_is_one_document(redis: Home) -> None:
    (note,) = json.loads(redis.run("list", "--json").stdout)
    for arguments in (
        ("save", "Berth exports are semicolon separated", "--json"),
        ("save", "Harbour exports have a BOM", "--json", "--dry-run"),
        ("search", "redis", "--json"),
        ("search", "nothing like it", "--json"),
        ("get", note["id"], "--json"),
        ("slice", "redis", "--json"),
        ("list", "--all", "--history", "--json"),
        ("status", "--json"),
        ("doctor", "--json"),
        ("stats", "--json"),
        ("stale", "--json"),
        ("timeline", note["id"], "--json"),
        ("config", "show", "--json"),
        ("config", "get", "vault", "--json"),
        ("sync", "--json"),
    ):
        done = redis.run(*arguments)
        assert done.returncode == 0, done
        json.loads(done.stdout)


def test_dry_run_writes_nothing(home: Home) -> None:
    done = home.run("save", REDIS, "--dry-run")
    assert "nothing was written" in done.stdout
    assert not list(home.notes.glob("*.md"))


def test_known_memory_is_not_saved_twice(redis: Home) -> None:
    done = redis.run("save", REDIS)
    assert done.returncode == 0
    assert "already exists" in done.stdout
    assert len(list(redis.notes.glob("*.md"))) == 1


def test_correction_replaces_and_history_keeps(redis: Home) -> None:
    (old,) = json.loads(redis.run("list", "--json").stdout)
    done = redis.run("save", "Integration tests reach Redis on port 6390 now", "--supersedes", old["id"][:8])
    assert f"Replaces {old['id'][:8]}" in done.stdout
    assert len(json.loads(redis.run("list", "--json").stdout)) == 1
    assert len(json.loads(redis.run("list", "--history", "--json").stdout)) == 2


def test_text_comes_from_standard_input(home: Home) -> None:
    assert home.run("save", "-", stdin=REDIS.encode()).returncode == 0
    assert REDIS in home.run("slice", "--query-file", "-", stdin=b"redis port").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (("save", "short"), 2, "at least 10 characters"),
        (("save", "x" * 5001), 2, "at most 5000"),
        (("save", ""), 2, "at least 10 characters"),
        (("save", "-"), 2, "at least 10 characters"),
        (("save", REDIS, "--kind", "poem"), 2, "'decision'"),
        (("save", REDIS, "--layer", "9"), 2, "0<=x<=3"),
        (("save", REDIS, "--supersedes", "00000000"), 3, "a search shows"),
        (("search", ""), 2, "say what you are looking for"),
        (("search", "x", "--limit", "0"), 2, "1<=x<=50"),
        (("get", "00000000"), 3, "memem list"),
        (("get", "abc"), 3, "memem list"),
        (("get",), 2, "--help"),
        (("timeline", "00000000"), 3, "a search shows"),
        (("slice",), 2, "--query-file"),
        (("slice", "--query-file", "/nowhere"), 2, "No such file"),
        (("remember", "x"), 2, "--help"),
        (("--nonsense",), 2, "--help"),
    ],
    ids=str,
)
def test_bad_input_is_answered_with_the_next_step(home: Home, arguments: tuple[str, ...], code: int, hint: str) -> None:
    done = home.run(*arguments)
    assert done.returncode == code
    assert hint in done.stderr
    assert done.stdout == ""


def test_missing_id_does_not_hide_those_that_exist(redis: Home) -> None:
    (note,) = json.loads(redis.run("list", "--json").stdout)
    done = redis.run("get", note["id"][:8], "00000000")
    assert done.returncode == 3
    assert REDIS in done.stdout
    assert "00000000" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("save", b"Redis \xff\xfe on port 6380 \x80"),
        ("search", b"\xff"),
        ("get", b"\xff" * 8),
        ("list", "--scope", b"\xff"),
        ("save", REDIS, "--supersedes", b"\xff" * 8),
        ("save", REDIS, "--tag", b"\xff", "--scope", b"x\xff"),
        ("timeline", b"\xff" * 9),
        ("slice", b"\xff", "--current-file", b"\xff"),
    ],
    ids=ascii,
)
def test_arguments_that_are_no_text_end_in_words(redis: Home, arguments: tuple[str, ...]) -> None:
    assert redis.run(*arguments).returncode in (0, 2, 3)


def test_input_that_is_no_text_ends_in_words(home: Home) -> None:
    for text, codec, encoding in (("Redis on port 6380", "utf-16", "UTF-16"), ("Straßen", "cp1252", "WINDOWS-1252")):
        done = home.run("save", "-", stdin=text.encode(codec))
        assert (done.returncode, done.stdout) == (2, "")
        assert "is no UTF-8" in done.stderr and f"iconv -f {encoding}" in done.stderr
    assert not list(home.notes.glob("*.md"))
    assert home.run("slice", "--query-file", "-", stdin=b"\xff").returncode in (0, 2)


def test_reader_that_leaves_early_gets_no_complaint(home: Home) -> None:
    memem = home.open()
    for number in range(300):
        text = f"---\ntitle: Lesson {number}\nproject: general\n---\n\n{'word ' * 200}{number}\n"
        (home.notes / f"{number}.md").write_text(text, encoding="utf-8")
    memem.close()
    script = f'"{sys.executable}" -m memem list --all --json | head -c 10'
    environ = home.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", script], env=environ, cwd=home.project, capture_output=True, timeout=SECONDS)
    assert (done.returncode, len(done.stdout), done.stderr) == (0, 10, b"")


def test_first_command_makes_the_vault(home: Home) -> None:
    done = home.run("list")
    assert done.returncode == 0
    assert "memem save" in done.stdout
    assert home.notes.is_dir()
    assert home.state.stat().st_mode & 0o777 == 0o700


def test_vault_that_went_away_is_neither_made_anew_nor_forgotten(redis: Home) -> None:
    redis.vault.rename(redis.root / "unmounted")
    found = redis.run("search", "redis")
    assert REDIS in found.stdout
    assert "missing now" in found.stderr
    kept = redis.run("save", "Berth exports are semicolon separated")
    assert "not in the vault yet" in kept.stdout
    assert not redis.vault.exists()
    assert redis.run("doctor").returncode == 1
    assert redis.run("sync").returncode == 4
    (redis.root / "unmounted").rename(redis.vault)
    assert "semicolon" in redis.run("search", "exports").stdout


def test_unwritable_state_folder_leaves_reading_and_saving(home: Home) -> None:
    home.save(REDIS)
    (home.root / "file").write_text("", encoding="utf-8")
    state = {"MEMEM_DIR": str(home.root / "file" / "state")}
    found = home.run("search", "redis", **state)
    assert found.returncode == 0
    assert REDIS in found.stdout
    assert "MEMEM_DIR" in found.stderr
    assert home.run("save", "Berth exports are semicolon separated", **state).returncode == 0
    assert home.run("doctor", **state).returncode == 0
    assert "semicolon" in home.run("search", "exports").stdout


def test_bad_setting_is_named_and_ends_with_usage(home: Home) -> None:
    done = home.run("list", MEMEM_PROMPT_LIMIT="many")
    assert done.returncode == 2
    assert "MEMEM_PROMPT_LIMIT" in done.stderr
    home.state.mkdir()
    (home.state / "config.toml").write_text("promt_limit = 3", encoding="utf-8")
    done = home.run("list")
    assert done.returncode == 2
    assert "promt_limit" in done.stderr


def test_damaged_index_is_rebuilt_and_said_so(redis: Home) -> None:
    for path in redis.state.glob("index-*"):
        path.write_bytes(b"not a database" * 500)
    done = redis.run("search", "redis")
    assert done.returncode == 0
    assert REDIS in done.stdout


def test_projects_are_kept_apart_until_all_are_asked_for(redis: Home) -> None:
    assert redis.run("save", "The lighthouse lamp needs LED drivers", "--scope", "local:lighthouse").returncode == 0
    assert "lamp" not in redis.run("list").stdout
    assert "lamp" in redis.run("list", "--all").stdout
    assert "lamp" in redis.run("search", "lamp").stdout
    assert "LED" not in redis.run("search", "lamp", "--strict").stdout
    assert "Redis" not in redis.run("list", "--scope", "local:lighthouse").stdout


def test_status_tells_counts_and_places(redis: Home) -> None:
    text = redis.run("status").stdout
    assert text.startswith("[memem] 1 memories · 1 for local:harbor")
    assert str(redis.vault) in text
    assert str(redis.state) in text


def test_doctor_is_healthy_in_a_fresh_home(home: Home) -> None:
    done = home.run("doctor")
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith("HEALTHY")


def test_demo_shows_the_whole_loop_and_leaves_the_vault_alone(redis: Home) -> None:
    before = sorted(redis.vault.rglob("*"))
    done = redis.run("demo")
    assert done.returncode == 0
    assert "<memem-context>" in done.stdout
    assert "<memem-recall>" in done.stdout
    assert "(silence: nothing is injected)" in done.stdout
    assert sorted(redis.vault.rglob("*")) == before
    assert redis.run("demo").stdout.count("added") == done.stdout.count("added") > 0


def test_terminal_escapes_of_a_note_do_not_reach_the_terminal(home: Home) -> None:
    home.write_note("evil", "Redis \x1b[31mred\x1b]0;t\x07", title="Evil \x1b[2J\u202e title", project="local:harbor")
    (note,) = json.loads(home.run("list", "--json").stdout)
    for arguments in (("list",), ("search", "evil"), ("get", note["id"]), ("slice", "evil"), ("timeline", note["id"])):
        text = home.run(*arguments).stdout
        assert "Evil" in text
        assert not {"\x1b", "\u202e", "\x07"} & set(text)


def test_words_of_another_encoding_survive(home: Home) -> None:
    assert home.run("save", "決済サービスのタイムアウトは30秒に設定されている 😀", LC_ALL="C", LANG="C").returncode == 0
    assert "決済" in home.run("search", "決済", LC_ALL="C").stdout
    assert home.run("search", "決済", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0").returncode == 0


def test_closed_standard_input_is_no_crash(home: Home) -> None:
    script = f'"{sys.executable}" -m memem list <&-'
    environ = home.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", script], env=environ, cwd=home.project, capture_output=True, timeout=SECONDS)
    assert done.returncode == 0
    script = f'"{sys.executable}" -m memem save - <&-'
    done = subprocess.run(["sh", "-c", script], env=environ, cwd=home.project, capture_output=True, timeout=SECONDS)
    assert done.returncode == 2
    assert b"standard input" in done.stderr


def test_deleted_working_folder_is_no_crash(redis: Home) -> None:
    gone = redis.root / "gone"
    gone.mkdir()
    script = f'rmdir "{gone}"; exec "{sys.executable}" -m memem search redis'
    environ = redis.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", script], env=environ, cwd=gone, capture_output=True, timeout=SECONDS)
    assert done.returncode == 0
    assert b"6380" in done.stdout


def test_list_in_a_terminal_is_a_table_of_titles_as_they_are(home: Home) -> None:
    home.save("Use [bold]uv[/bold], not pip, in [all] scripts")
    leader, follower = os.openpty()
    environ = home.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120", "TERM": "dumb"}
    command = [sys.executable, "-m", "memem", "list"]
    done = subprocess.run(command, env=environ, cwd=home.project, stdout=follower, stderr=subprocess.PIPE, timeout=60)
    os.close(follower)
    text = os.read(leader, 100_000).decode("utf-8")
    os.close(leader)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "[bold]uv[/bold]" in text


def test_demo_leaves_a_folder_that_is_not_its_own_alone(home: Home) -> None:
    stranger = home.state / "demo" / "mine.txt"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("keep me")
    done = home.run("demo")
    assert done.returncode == 2
    assert "left alone" in done.stderr
    assert stranger.read_text() == "keep me"


@pytest.mark.parametrize("arguments", [("list", "--all", "--json"), ("list", "--all"), ("get", "00000000")])
def test_answers_of_an_index_that_is_being_built_say_so_beside_the_answer(home, monkeypatch, capsys, arguments):
    home.notes.mkdir(parents=True)
    for number in range(401):
        (home.notes / f"{number}.md").write_text(f"Zebra {number} lives in enclosure {number}\n")
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("memem.stores._BUILDING_SECONDS", -1.0)
    monkeypatch.setattr("memem.app.PATIENT_SECONDS", -1.0)
    monkeypatch.setattr("memem.sync._FIRST_BATCH", 200)
    with pytest.raises(SystemExit):
        run(list(arguments))
    assert capsys.readouterr().err.count("is being built") == 1


def test_answers_name_nothing_that_only_an_agent_can_type(redis: Home) -> None:
    said = redis.run("save", "Integration tests of the importer need Redis as well, on port 6390, with TLS")
    assert "supersedes=" not in said.stdout
    said = redis.run("transcripts", "zebra")
    assert "everywhere" not in said.stdout
