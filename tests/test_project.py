"""One repository is one project: on every machine, in every worktree, under every spelling of its remote."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memem.models import Scope
from memem.project import find_checkout, normalise_remote, scope_at, scope_named

from .home import Home

NAME = "github.com/dana/harbor"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("HOME", str(tmp_path))
    return Home(tmp_path)


@pytest.fixture
def repository(home: Home) -> Path:
    """A repository with one commit and no remote."""
    home.git("init", "-q")
    home.git("commit", "-q", "--allow-empty", "-m", "first")
    return home.project


def scope(folder: Path, aliases: str = "", commit: str = "") -> Scope:
    return scope_at(str(folder), aliases, lambda _: commit)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/dana/harbor.git",
        "https://github.com/dana/harbor",
        "https://github.com/Dana/Harbor/",
        "https://dana:token@github.com:443/dana/harbor.git",
        "http://github.com/dana/harbor.git/",
        "git@github.com:dana/harbor.git",
        "github.com:dana/harbor",
        "git@github.com:/dana/harbor.git",
        "ssh://git@github.com:22/dana/harbor.git",
        "ssh://git@github.com/dana/harbor",
        "git://github.com/dana/harbor.git",
        "git+ssh://git@github.com/dana/harbor.git",
        '  "https://github.com/dana/harbor.git"  ',
    ],
)
def test_spellings_of_a_remote_are_one_project(url: str) -> None:
    assert normalise_remote(url) == NAME


@pytest.mark.parametrize(
    "url",
    ["", "/srv/git/harbor.git", "../harbor", "file:///srv/harbor.git", "C:\\harbor", "C:/harbor", "https://", "x"],
)
def test_path_is_no_remote(url: str) -> None:
    assert normalise_remote(url) == ""


@given(st.text(max_size=60))
def test_any_text_may_stand_as_a_remote(url: str) -> None:
    name = normalise_remote(url)
    assert name == name.lower()
    assert "\n" not in name


def test_token_in_a_remote_is_no_part_of_the_name(repository: Path, home: Home) -> None:
    home.git("remote", "add", "origin", "https://x-access-token:s3cret@github.com/dana/harbor.git")
    assert scope(repository).id == NAME
    assert "s3cret" not in repr(scope(repository))


def test_origin_names_the_project_and_another_remote_does_without_it(repository: Path, home: Home) -> None:
    home.git("remote", "add", "upstream", "https://github.com/upstream/harbor.git")
    assert scope(repository).id == "github.com/upstream/harbor"
    home.git("remote", "add", "origin", "git@github.com:dana/harbor.git")
    assert scope(repository).id == NAME


def test_remote_root_commit_and_folder_name_are_all_names(repository: Path, home: Home) -> None:
    home.git("remote", "add", "origin", "git@github.com:dana/harbor.git")
    found = scope(repository, commit="abc123")
    assert found.names[:3] == (NAME, "git:abc123", "harbor")
    assert found.holds("general")
    assert found.holds("harbor")  # what the published memem wrote
    assert not found.holds("lighthouse")


def test_without_remote_the_root_commit_names_the_project(repository: Path, home: Home) -> None:
    memem = home.open()
    memem.sync()
    commit = home.git("rev-list", "--max-parents=0", "HEAD")[:12]
    assert memem.scope().id == f"git:{commit}"
    home.git("commit", "-q", "--allow-empty", "-m", "second")
    assert memem.scope().id == f"git:{commit}"
    memem.close()


def test_without_a_commit_the_folder_names_the_project(home: Home) -> None:
    assert scope(home.project).id == "local:harbor"
    home.git("init", "-q")
    assert scope(home.project).id == "local:harbor"


def test_worktrees_are_the_project_of_their_repository(repository: Path, home: Home) -> None:
    home.git("remote", "add", "origin", "git@github.com:dana/harbor.git")
    home.git("worktree", "add", "-q", "../elsewhere/feature")
    worktree = repository.parent / "elsewhere" / "feature"
    found = scope(worktree, commit="abc123")
    assert found.id == NAME
    assert {"git:abc123", "harbor", "feature"} <= set(found.names)
    checkouts = [find_checkout(str(folder)) for folder in (repository, worktree)]
    assert checkouts[0] and checkouts[1]
    assert checkouts[0].common == checkouts[1].common


def test_worktrees_without_remote_and_commit_share_the_folder_name(home: Home) -> None:
    bare = home.root / "src" / "harbor.git"
    home.git("init", "-q", "--bare", str(bare))
    home.git("clone", "-q", str(bare), "seed", cwd=home.root)
    home.git("commit", "-q", "--allow-empty", "-m", "first", cwd=home.root / "seed")
    home.git("push", "-q", "origin", "HEAD:main", cwd=home.root / "seed")
    home.git("worktree", "add", "-q", str(home.root / "one"), "main", cwd=bare)
    assert scope(home.root / "one").names[:2] == ("local:harbor", "harbor")


def test_a_git_folder_that_lies_apart_does_not_name_the_project(home: Home) -> None:
    home.git("init", "-q", f"--separate-git-dir={home.root / 'knots.git'}")
    assert scope(home.project).id == "local:harbor"
    assert {"local:knots", "knots"} <= set(scope(home.project).names)  # under which its memories were saved once


def test_submodule_is_a_project_of_its_own(repository: Path, home: Home) -> None:
    home.git("remote", "add", "origin", "git@github.com:dana/harbor.git")
    library = home.root / "library"
    library.mkdir()
    home.git("init", "-q", cwd=library)
    home.git("commit", "-q", "--allow-empty", "-m", "first", cwd=library)
    home.git("submodule", "--quiet", "add", str(library), "libs/knots")
    found = scope(repository / "libs" / "knots")
    assert found.id == "local:knots"
    assert "modules" not in "".join(found.names)
    home.git("remote", "set-url", "origin", "git@github.com:dana/knots.git", cwd=repository / "libs" / "knots")
    assert scope(repository / "libs" / "knots").id == "github.com/dana/knots"


def test_folder_below_the_top_belongs_to_the_project_and_its_parts(repository: Path, home: Home) -> None:
    home.git("remote", "add", "origin", "git@github.com:dana/harbor.git")
    (repository / "packages" / "web").mkdir(parents=True)
    found = scope(repository / "packages" / "web")
    assert found.id == NAME
    assert {f"{NAME}#packages", f"{NAME}#packages/web"} <= set(found.names)
    assert not scope(repository).holds(f"{NAME}#packages/web")


def test_link_to_a_checkout_is_the_checkout(repository: Path, home: Home) -> None:
    link = home.root / "link"
    link.symlink_to(repository)
    assert scope(link) == scope(repository)


def test_home_root_and_nothing_are_no_project(home: Home, tmp_path: Path) -> None:
    for folder in (str(tmp_path), f"{tmp_path}/", "/", ""):
        assert scope_at(folder).id == "general"
    (tmp_path.parent / f"link-{tmp_path.name}").symlink_to(tmp_path)
    assert scope_at(str(tmp_path.parent / f"link-{tmp_path.name}")).id == "general"


def test_folder_that_is_gone_is_known_by_its_name(home: Home) -> None:
    assert scope_at(str(home.root / "gone")).id == "local:gone"


def test_alias_gives_a_project_its_old_name(repository: Path, home: Home) -> None:
    home.git("remote", "add", "origin", "git@github.com:dana/harbor.git")
    assert scope(repository, f"marina={NAME}, x = y ,=,z").holds("marina")
    assert not scope(repository, "marina=github.com/dana/other").holds("marina")


@pytest.mark.parametrize(
    "config",
    [
        "",
        "[remote",
        '[remote "origin"]\nurl',
        '[remote "origin"]\nurl =',
        "\x00\x01",
        '[remote "origin"]\n\turl = \u202e\n',
        "[remote]\nurl = x",
    ],
)
def test_broken_git_config_falls_back_to_the_folder(repository: Path, config: str) -> None:
    (repository / ".git" / "config").write_text(config, encoding="utf-8")
    assert scope(repository).id == "local:harbor"


@pytest.mark.parametrize("marker", ["", "gitdir: ", "gitdir: /nowhere/.git/worktrees/x", "\x00", "junk"])
def test_broken_git_file_is_no_error(home: Home, marker: str) -> None:
    (home.project / ".git").write_text(marker, encoding="utf-8")
    assert scope(home.project).id.startswith("local:")


@pytest.mark.parametrize("name", ["", "general", "GENERAL", "global", " none ", "all"])
def test_words_for_no_project(name: str) -> None:
    assert scope_named(name, Scope(id=NAME, names=(NAME, "general"))) == Scope()


def test_project_is_named_by_remote_identity_or_legacy_name(repository: Path, home: Home) -> None:
    home.git("remote", "add", "origin", "git@github.com:dana/harbor.git")
    here = scope(repository)
    for name in (NAME, "harbor"):
        assert scope_named(name, here) == here
    for name in ("git@github.com:Dana/Other.git", "https://github.com/dana/other", "GitHub.com/dana/Other"):
        assert scope_named(name, here).id == "github.com/dana/other"
    assert scope_named("Lighthouse", here).names == ("Lighthouse", "general")


def test_part_of_the_project_here_is_named_by_its_folder(repository: Path, home: Home) -> None:
    home.git("remote", "add", "origin", "git@github.com:dana/harbor.git")
    (repository / "web").mkdir()
    inside = scope_named("#web", scope(repository / "web"))
    assert inside.id == f"{NAME}#web"
    assert inside.holds(NAME)
    assert scope_named("#web", scope(repository)).id == f"{NAME}#web"


def test_memories_survive_the_first_remote(repository: Path, home: Home) -> None:
    saved = home.save("The crane needs the old driver until spring")
    home.git("remote", "add", "origin", "git@github.com:dana/harbor.git")
    memem = home.open()
    assert memem.scope().id == NAME
    assert [item.memory.id for item in memem.memories()] == [saved.id]
    memem.close()


def test_memories_from_before_the_first_commit_are_found_after_it(repository: Path, home: Home) -> None:
    saved_under = scope(repository).id
    assert scope(repository, commit="abc123").holds(saved_under)


def test_a_folder_of_the_same_name_does_not_reach_into_a_project_with_a_remote(repository: Path, home: Home) -> None:
    home.git("remote", "add", "origin", "git@github.com:dana/harbor.git")
    assert not scope(repository, commit="abc123").holds("local:harbor")


def test_sub_scope_named_from_the_top_folder_keeps_the_projects_own_notes(repository: Path) -> None:
    here = scope(repository)
    sub = scope_named("#web", here)
    assert sub.id == f"{here.id}#web"
    assert sub.holds(here.id)
