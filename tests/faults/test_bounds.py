"""Names never leave their folders, files are the owner's alone, questions never fail, imports are bounded."""

import io
import json
import os
import random
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from memem.errors import BadInput, NotFound
from memem.models import Draft
from memem.state.store import State, _back_up, open_state
from tests.home import ROOT, Home

NAMES = (
    *("../../../etc/passwd", "../../../../../../../../etc/passwd", "/etc/passwd", "%2e%2e%2fpasswd", "..\\..\\x" * 3),
    *("' OR 1=1 --aaaa", "%%%%%%%%", "________", "*" * 12, "a\0bcdefgh", "\x1b[2Jabcdef", "[a-z]{8,}", "\ud800" * 9),
    *('"; DROP TABLE notes; --', "MATCH NEAR(a b)", "a" * 20_000, "🙂" * 9, "id:deadbeef", "deadbeef*"),
)


@pytest.fixture
def house(tmp_path: Path) -> Home:
    home = Home(tmp_path / "user")
    home.save("The harbor pier opens at nine in the morning")
    return home


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.name.endswith(("-wal", "-shm"))}


def test_m6_an_id_that_is_a_path_a_pattern_or_sql_is_not_found(house: Home) -> None:
    memem = house.open()
    before, notes = files(house.root.parent), memem.index.size()
    assert memem.get(list(NAMES))[0] == []
    for name in NAMES:
        with pytest.raises((NotFound, BadInput)):
            memem.timeline(name)
        with pytest.raises((NotFound, BadInput)):
            memem.save(Draft(content=f"A correction of the harbor pier {random.random()}", supersedes=(name,)))
    memem.close()
    assert memem is not None and files(house.root.parent) == before
    memem = house.open()
    assert memem.index.size() == notes
    memem.close()


@pytest.mark.parametrize("field", ["title", "project", "source_session", "source_type", "kind"])
@pytest.mark.parametrize("name", ["../../../../escaped", "/tmp/escaped", "a/../../escaped", "..", "con", "a\0b"])
def test_m6_no_name_in_a_save_leads_out_of_its_folder(house: Home, field: str, name: str) -> None:
    memem = house.open()
    before = files(house.root.parent) - files(house.vault) - files(house.state)
    try:
        memem.save(Draft(content="The harbor crane is red and very tall", **{field: name}))
    except BadInput:
        pass
    memem.close()
    assert files(house.root.parent) - files(house.vault) - files(house.state) - {house.root / ".config"} <= before
    assert all(path.parent == house.notes for path in house.vault.rglob("*.md"))


@pytest.mark.parametrize("session", ["../../escaped", "a/b", "\0", "x" * 10_000, "..", "é"])
def test_h6_a_session_that_is_a_path_writes_nothing(house: Home, session: str) -> None:
    house.welcomed()
    before = files(house.root.parent)
    house.prompt("when does the harbor pier open?", session_id=session)
    house.start(session_id=session)
    new = files(house.root.parent) - before
    assert {path.name for path in new} <= {"events.jsonl", "pycache"} | {
        path.name for path in new if "pycache" in path.parts
    }
    assert "escaped" not in str(new)


@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_files_of_the_state_are_the_owner_s_alone_whatever_the_umask(tmp_path: Path, umask: str) -> None:
    home = Home(tmp_path)
    code = f"""
import os, sys
os.umask(0o{umask})
sys.path.insert(0, {str(ROOT)!r})
from memem.config import load
from memem.app import Memem
from memem.models import Draft
memem = Memem(load(os.environ), folder={str(home.project)!r}, environ=os.environ)
memem.save(Draft(content="The deploy token of harbor is gh" + "p_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ6"))
memem.sync()
memem.close()
"""
    subprocess.run([sys.executable, "-c", code], env=home.environ, check=True, timeout=60)
    subprocess.run([sys.executable, "-m", "memem", "off", "--session", "s-1"], check=True, timeout=60, stdout=-3,
                   env=home.environ | {"PYTHONPATH": str(ROOT)}, umask=int(umask, 8))  # fmt: skip
    for path in [home.state, *home.state.rglob("*"), *(tmp_path / ".config" / "memem").rglob("*")]:
        if "pycache" not in path.parts:
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    for path in [home.vault, *home.vault.rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o002, path


def test_copy_of_the_state_is_never_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_state(str(tmp_path))
    assert isinstance(opened, State)
    seen: list[int] = []
    real = os.replace
    monkeypatch.setattr(
        os, "replace", lambda old, new: (seen.append(stat.S_IMODE(os.stat(old).st_mode)), real(old, new))
    )
    monkeypatch.delattr(os, "chmod")
    before = os.umask(0)
    try:
        _back_up(opened.connection, str(tmp_path / "copy"))
    finally:
        os.umask(before)
    opened.close()
    assert seen == [0o600]
    assert (tmp_path / "copy").read_bytes().startswith(b"SQLite")


def test_d9_ten_thousand_questions_without_an_error(house: Home) -> None:
    memem = house.open()
    draw = random.Random(9)
    pieces = [
        *(
            "harbor",
            "pier",
            '"',
            "'",
            "*",
            "(",
            ")",
            "NEAR/",
            "AND",
            "OR",
            "NOT",
            ":",
            "^",
            "-",
            "\0",
            "漢字",
            "🙂",
            "é",
        ),
        *("\u202e", "{", "}", "\\", "%", "_", "a" * 300, ";--", "\n", "\t", "\ud83d", "İ", "ﷺ", "0x", "col:", "+", "~"),
    ]
    for _ in range(10_000):
        text = "".join(draw.choice(pieces) + draw.choice(["", " "]) for _ in range(draw.randint(1, 12)))
        if text.strip():
            memem.search(text)
    assert memem.search("harbor pier").ids
    memem.close()


def bomb_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.md", b"a" * 50_000_000)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("deep.json", b"[" * 1_000_000),
        ("maps.json", b'{"memories":' * 100_000),
        ("number.json", b'{"content": ' + b"9" * 1_000_000 + b"}"),
        ("many.json", b"[" + b'{"content":"a harbor note"},' * 100_000 + b"{}]"),
        ("huge.json", b'[{"content":"' + b"a" * 5_000_000 + b'"}]'),
        ("zip.json", bomb_zip()),
        ("zip.md", bomb_zip()),
        ("aliases.md", b"---\na: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n---\n\nThe harbor pier is open.\n"),
    ],
)
def test_s5_an_import_that_is_a_bomb_is_refused_at_once(house: Home, name: str, data: bytes) -> None:
    path = house.root / name
    path.write_bytes(data)
    memem = house.open()
    began = time.process_time()
    try:
        found = list(memem.import_from(str(path)))
        assert len(found) <= 1
    except BadInput as error:
        assert "more than" in str(error)
    assert time.process_time() - began < 2
    memem.close()
    assert json.loads(house.run("list", "--json").stdout)
