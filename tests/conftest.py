"""Fixtures of every test: a home in a temporary folder, memem over it, and a hand that edits notes like a human."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from memem.app import Memem
from memem.config import Config, resolve
from memem.models import Draft, Memory
from memem.vault.store import MEMORIES

settings.register_profile("memem", deadline=None, max_examples=150, derandomize=True, database=None)
settings.load_profile("memem")


@pytest.fixture(autouse=True)
def _no_real_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever reads the environment of this process finds a temporary home, never the real one."""
    folder = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("MEMEM_", "CORTEX_", "CLAUDE_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("MEMEM_DIR", str(folder / ".memem"))
    monkeypatch.setenv("MEMEM_OBSIDIAN_VAULT", str(folder / "obsidian-brain"))


@pytest.fixture
def home(tmp_path: Path) -> Config:
    """A configuration whose state folder and vault lie below `tmp_path`."""
    folder = tmp_path / "home"
    folder.mkdir()
    return resolve({"HOME": str(folder)}, {})[0]


@pytest.fixture
def checkout(tmp_path: Path) -> str:
    """A git repository with the remote github.com/acme/shop; git itself is not needed for it."""
    git = tmp_path / "work" / "shop" / ".git"
    git.mkdir(parents=True)
    (git / "config").write_text('[remote "origin"]\n\turl = git@github.com:acme/shop.git\n')
    return str(git.parent)


@pytest.fixture
def opened(home: Config, checkout: str) -> Iterator[Callable[[], Memem]]:
    """Opens memem over the home, as often as a test asks: every one of them stands for another process."""
    several: list[Memem] = []

    def open_one() -> Memem:
        several.append(Memem(home, checkout, environ={"HOME": home.dir.rpartition("/")[0]}))
        return several[-1]

    yield open_one
    for one in several:
        one.close()


@pytest.fixture
def memem(opened: Callable[[], Memem]) -> Memem:
    """The facade over the home."""
    return opened()


class VaultHand:
    """A human, or another program, at work in the vault's memem folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """The note of a file name, of a path below the memem folder, or of the first 8 characters of an id."""
        if name.endswith((".md", ".icloud")):
            return self.root / (name if "/" in name else f"{MEMORIES}/{name}")
        found = sorted(self.root.rglob(f"*-{name[:8]}.md"))
        assert found, f"no note of {name}"
        return found[0]

    def read(self, name: str) -> bytes:
        """The bytes of a note."""
        return self.path(name).read_bytes()

    def write(self, name: str, text: str | bytes) -> Path:
        """Put a file into the vault as it is."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def edit(self, name: str, *, body: str | None = None, **fields: str) -> Path:
        """Change a note by hand: another body, or other values of frontmatter lines that are there."""
        path = self.path(name)
        head, fence, text = path.read_text().removeprefix("---\n").partition("\n---\n")
        assert fence
        lines = [
            f"{line.partition(':')[0]}: {fields[line.partition(':')[0]]}" if line.partition(":")[0] in fields else line
            for line in head.split("\n")
        ]
        path.write_text("---\n" + "\n".join(lines) + fence + (text if body is None else f"\n{body}\n"))
        return path

    def snapshot(self) -> dict[str, bytes]:
        """Every file below the memem folder."""
        return {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def vault(home: Config) -> VaultHand:
    """A human's hand in the vault."""
    return VaultHand(Path(home.memory_root))


@pytest.fixture
def save(memem: Memem) -> Callable[..., Memory]:
    """Save a text in the project and answer the memory."""

    def save_one(content: str, **fields: object) -> Memory:
        return memem.save(Draft(content=content, **fields)).memory  # type: ignore[arg-type]

    return save_one
