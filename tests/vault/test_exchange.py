"""Two files change places, or nothing happens."""

import errno

import pytest

from memem.vault import exchange as module
from memem.vault.exchange import exchange


@pytest.fixture
def files(tmp_path):
    one, other = tmp_path / "one", tmp_path / "ötheŕ name"
    one.write_text("1")
    other.write_text("2")
    return one, other


def test_files_change_places_or_stay(files):
    one, other = files
    inodes = (one.stat().st_ino, other.stat().st_ino)
    if not exchange(one, other):
        pytest.skip("this file system cannot exchange files")
    assert (one.read_text(), other.read_text()) == ("2", "1")
    assert (other.stat().st_ino, one.stat().st_ino) == inodes


def test_a_missing_file_is_an_error_and_makes_nothing(files):
    one, other = files
    other.unlink()
    if module._call() is None:
        pytest.skip("this system cannot exchange files")
    with pytest.raises(FileNotFoundError):
        exchange(one, other)
    assert (one.read_text(), other.exists()) == ("1", False)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_it_is_told_from_a_failure(files, monkeypatch, number):
    monkeypatch.setattr(module, "_call", lambda: lambda *_: number)
    assert not exchange(*files)
    monkeypatch.setattr(module, "_call", lambda: lambda *_: errno.ENOSPC)
    with pytest.raises(OSError, match="No space"):
        exchange(*files)


def test_a_system_without_it_says_so(files, monkeypatch):
    monkeypatch.setattr(module, "_call", lambda: None)
    assert not exchange(*files)
    assert files[0].read_text() == "1"
