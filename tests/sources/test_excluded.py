"""Excluded projects: their sessions are neither archived nor mined nor searched, by whichever name they are given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from memem import consent
from memem.app import Memem
from memem.background import queue
from memem.config import Config, resolve
from memem.consent import Consent
from memem.daemon.settle import settle
from memem.errors import BadInput
from memem.miner import Miner
from memem.sources.excluded import Excluded
from memem.state.jobs import SESSION
from tests.sources.transcripts import agent, user, write

RULE = "From now on always run the tests with uv run poe test, because bare pytest truncates the {} database."
SLUG = "-home-dana-harbor"


@pytest.mark.parametrize(
    ("setting", "excluded"),
    [
        (SLUG, True),
        (f"other:{SLUG}", True),
        (f" other , {SLUG} ", True),
        ("/home/dana/harbor", True),
        ("/home/dana/harbor/", True),
        ("", False),
        ("none", False),
        ("false", False),
        ("-home-dana", False),
        ("/home/dana", False),
        ("harbor", False),
        ("projects", False),
    ],
)
def test_a_project_is_known_by_the_name_of_its_sessions_or_its_folder(setting: str, excluded: bool) -> None:
    projects = Excluded(setting)
    assert projects.holds_path(Path("/h/.claude/projects", SLUG, "one.jsonl")) is excluded
    assert projects.holds_path(Path("/h/.claude/projects", SLUG, "one", "subagents", "agent-a.jsonl")) is excluded
    assert projects.holds_folder("/home/dana/harbor") is excluded
    assert not projects.holds_folder("")


def test_a_project_is_known_by_links_to_its_folder(tmp_path: Path) -> None:
    folder, link = tmp_path / "real" / "harbor", tmp_path / "link"
    folder.mkdir(parents=True)
    link.symlink_to(folder)
    named = str(folder).replace("/", "-").replace("_", "-")
    assert Excluded(str(link)).holds_folder(str(folder))
    assert Excluded(str(link)).holds_path(Path("/h/.claude/projects", named, "one.jsonl"))
    assert Excluded(str(folder)).holds_folder(str(link))
    assert not Excluded(str(link)).holds_folder(str(folder.parent))


@pytest.fixture
def with_setting(home: Config, checkout: str) -> Callable[[str], Memem]:
    """Memem over a home with a session in each of two projects."""
    for slug, folder, name in ((SLUG, "/home/dana/harbor", "harbor"), ("-home-dana-yard", "/home/dana/yard", "yard")):
        path = Path(home.session_dirs[0], slug, f"{name}.jsonl")
        write(
            path, user(RULE.format(name), cwd=folder), agent("Understood, I will follow that from now on.", cwd=folder)
        )
    Path(home.dir).mkdir(mode=0o700)
    consent.write(home.dir, Consent(capture=True, mining=True, history=True))
    environ = {"HOME": str(Path(home.dir).parent)}

    def opened(setting: str) -> Memem:
        config = resolve(environ | {"MEMEM_EXCLUDED_SESSION_PROJECTS": setting}, {})[0]
        return Memem(config, checkout, environ=environ)

    return opened


def _folders(memem: Memem, question: str) -> set[str]:
    return {passage.folder for passage in memem.transcripts(question, everywhere=True).passages}


@pytest.mark.parametrize("setting", [SLUG, "/home/dana/harbor"])
def test_an_excluded_session_is_neither_queued_archived_mined_nor_found(
    with_setting: Callable[[str], Memem], setting: str
) -> None:
    memem = with_setting(setting)
    folder = memem.config.session_dirs[0]
    assert settle(memem.config, queue(memem), ended=True).queued == 1
    assert [Path(grown.path).stem for grown in memem.archive([folder], opted_in=True)] == ["yard"]
    assert [Path(mined.path).stem for mined in Miner(memem).mine([folder])] == ["yard"]
    assert all("harbor" not in item.memory.body for item in memem.memories("*"))
    with pytest.raises(BadInput, match="excludes"):
        list(Miner(memem).mine([f"{folder}/{SLUG}/harbor.jsonl"]))
    assert _folders(memem, "truncates the database") == {"/home/dana/yard"}
    memem.close()


def test_what_was_archived_and_queued_before_is_left_alone_and_comes_back(with_setting: Callable[[str], Memem]) -> None:
    before = with_setting("")
    list(before.archive([before.config.session_dirs[0]], opted_in=True))
    settle(before.config, queue(before), ended=True)
    before.close()
    memem = with_setting(SLUG)
    jobs = queue(memem)
    while job := jobs.claim(SESSION):
        Miner(memem).run(job, jobs, None)
    assert jobs.counts(SESSION)["done"] == 2
    assert all("harbor" not in item.memory.body for item in memem.memories("*"))
    question = "truncates the database"
    assert _folders(memem, question) == {"/home/dana/yard"}
    memem.close()
    again = with_setting("")
    assert _folders(again, question) == {"/home/dana/yard", "/home/dana/harbor"}
    again.close()
