"""What is private, and sessions that are switched off, leave nothing behind."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memem.errors import BadInput
from memem.miner import Miner
from memem.models import Draft
from memem.off import is_off, stretches, turn_off, turn_on
from memem.text import PRIVATE, public

from .home import Home

SESSION = "0c9e2a0f-4915-4d0e-9929-c841008ea844"
NOTE = "Integration tests need Redis on port 6380, because 6379 is taken by the staging tunnel"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a <private>b</private> c", f"a {PRIVATE} c"),
        ("a <PRIVATE>b\nb</Private> c <private>d</private>", f"a {PRIVATE} c {PRIVATE}"),
        ("a <private>b <private>c</private> d</private> e", f"a {PRIVATE} e"),
        ("a <private>b", f"a {PRIVATE}"),
        ("b</private> c", f"{PRIVATE} c"),
        ("write `<private>` and `</private>` around it", "write `<private>` and `</private>` around it"),
        ("private> and <privates> are none", "private> and <privates> are none"),
    ],
)
def test_private_blocks_are_taken_out(text: str, left: str) -> None:
    assert public(text) == left


def test_time_of_many_tags_grows_with_their_number_only() -> None:
    assert public("<private>" * 50_000) == PRIVATE
    assert public("</private>" * 50_000) == PRIVATE


def transcript(home: Home, *prompts: str, session: str = SESSION) -> Path:
    folder = home.root / ".claude" / "projects" / "-harbor"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{session}.jsonl"
    records = [
        {"type": "user", "uuid": f"{at:08d}-0000-4000-8000-000000000000", "sessionId": session,
         "cwd": str(home.project), "timestamp": "2026-11-01T10:00:00.000Z",
         "message": {"role": "user", "content": prompt}}
        for at, prompt in enumerate(prompts)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def everything(home: Home) -> str:
    import gzip

    texts = []
    for path in home.root.rglob("*"):
        if path.is_file() and ".claude" not in path.parts:
            data = path.read_bytes()
            texts.append(data.decode("utf-8", "replace"))
            if data[:2] == b"\x1f\x8b":
                texts.append(gzip.decompress(data).decode("utf-8", "replace"))
    return "\n".join(texts).lower()


def test_private_words_reach_no_file(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.welcomed()
    path = transcript(
        home,
        "Always run the zebrafish tests with -x. <private>My salary at Quuxcorp is secretgarden</private> Thanks.",
        "From now on we deploy from the main branch only, <private>because of Quuxcorp",
    )
    memem = home.open()
    memem.save(Draft(content=f"{NOTE} <private>says Quuxcorp</private>", title="Redis <private>Quuxcorp</private>"))
    list(Miner(memem).mine([str(path)]))
    list(memem.archive([str(path)], opted_in=True))
    assert memem.transcripts("zebrafish").passages
    assert not memem.transcripts("secretgarden").passages
    assert not memem.transcripts("salary Quuxcorp").passages
    memem.close()
    home.prompt("which redis port? <private>Quuxcorp asks</private>")
    assert "zebrafish" in everything(home)
    assert not {"quuxcorp", "secretgarden", "salary"} & set(everything(home).replace("<", " ").split())
    assert "quuxcorp" not in everything(home)


def test_private_prompt_is_no_question(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.welcomed()
    home.save(NOTE)
    assert home.prompt("which redis port do the integration tests need?")
    assert not home.prompt("<private>which redis port do the integration tests need?</private>", session_id="other")


def test_session_that_is_off_is_left_alone_everywhere(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.welcomed()
    home.save(NOTE)
    path = transcript(home, "Always run the zebrafish tests with -x, because the rest hangs without it.")
    memem = home.open()
    assert memem.transcripts("zebrafish", everywhere=True).passages
    list(memem.archive([str(path)], opted_in=True))  # captured before it was switched off
    assert "off" in home.run("off", "--session", SESSION).stdout
    before = len(list(home.notes.glob("*.md")))
    assert not memem.transcripts("zebrafish", everywhere=True).passages
    assert not list(Miner(memem).mine([str(path)]))
    with pytest.raises(BadInput, match="off for this session"):
        memem.save(Draft(content="Something else about the harbor", source_session=SESSION))
    assert len(list(home.notes.glob("*.md"))) == before
    for output in (
        home.prompt("which redis port do the integration tests need?", session_id=SESSION),
        home.start(session_id=SESSION),
    ):
        assert output == ""
    assert home.run("off", "--undo", CLAUDE_CODE_SESSION_ID=SESSION).returncode == 0
    assert home.prompt("which redis port do the integration tests need?", session_id=SESSION)
    assert memem.transcripts("zebrafish", everywhere=True).passages
    memem.close()


def test_session_started_with_the_switch_stays_off(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.welcomed()
    home.save(NOTE)
    assert home.hook("SessionStart", {"session_id": SESSION, "cwd": str(home.project)}, MEMEM_SESSION_OFF="1") == ""
    assert is_off(str(home.state), SESSION)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a\0b", "x" * 200, "é"])
def test_session_without_an_id_is_never_a_path(tmp_path: Path, name: str) -> None:
    assert not turn_off(str(tmp_path), name) and not is_off(str(tmp_path), name) and not turn_on(str(tmp_path), name)
    assert not list(tmp_path.iterdir())


def test_what_was_said_while_a_session_was_off_stays_private(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.welcomed()
    said = ("Always run the zebrafish tests with -x.", "Always tell Quuxcorp first.", "Never push the giraffe branch.")
    path = transcript(home, *said)
    # One prompt an hour: the second lies between off and on.
    hours = [path.read_text().splitlines()[at].replace("T10:", f"T{10 + at}:") for at in range(3)]
    path.write_text("".join(f"{line}\n" for line in hours))
    at = datetime(2026, 11, 1, 10, 30, tzinfo=UTC).timestamp()
    memem = home.open()
    assert turn_off(str(home.state), SESSION, at)
    assert [grown.alone for grown in memem.archive([str(path)], opted_in=True)] == [True]
    assert not list(Miner(memem).mine([str(path)]))
    assert turn_off(str(home.state), SESSION, at + 1800)  # said twice: it is off since the first time
    assert turn_on(str(home.state), SESSION, at + 3600)
    list(memem.archive([str(path)], opted_in=True))
    list(Miner(memem).mine([str(path)]))
    assert memem.transcripts("zebrafish", everywhere=True).passages
    assert memem.transcripts("giraffe", everywhere=True).passages
    assert not memem.transcripts("Quuxcorp", everywhere=True).passages
    memem.close()
    assert "quuxcorp" not in everything(home)
    assert "giraffe" in everything(home)


def test_times_that_cannot_be_read_hide_the_whole_session(tmp_path: Path) -> None:
    assert turn_off(str(tmp_path), SESSION)
    (tmp_path / "off" / SESSION).write_text("")
    assert turn_on(str(tmp_path), SESSION, 5.0)
    assert stretches(str(tmp_path), SESSION) == [(0.0, 5.0)]
    (tmp_path / "off" / f"{SESSION}.times").write_text("nonsense\n")
    assert stretches(str(tmp_path), SESSION) == [(0.0, float("inf"))]
