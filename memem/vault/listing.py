"""The note files of a vault as they lie there: what a sync looks at, before any note is read. Cheap to import."""

from __future__ import annotations

import os
import stat

from memem.text import etag
from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GENERATED_FILES = ("_index.md",)


class File(Value):
    """One note file as listed: path relative to the memem folder, state, and why it cannot be read, if so.

    A folder that cannot be listed is told in the same way; its path ends in `/`.
    """

    path: str
    etag: str
    problem: str = ""


def differing(root: str, known: Mapping[str, str]) -> tuple[list[File], list[str]]:
    """The note files below a folder that do not have the etag by which they are known, and the paths of those that do.

    In no order. Hidden folders, links and special files are not followed. Raises OSError: the folder itself cannot be
    listed.
    """
    same: list[str] = []
    return list(_walk(root, "", known, same)), same


def is_note(path: str) -> bool:
    """Whether a regular file at a path would be listed; hidden ones are temporary, ours too."""
    *folders, name = path.split("/")
    shown = not name.startswith(".") and not any(folder.startswith(".") for folder in folders)
    return shown and name.endswith(".md") and name not in _GENERATED_FILES


def _walk(root: str, folder: str, known: Mapping[str, str], same: list[str]) -> Iterator[File]:
    try:
        folders, files = _listing(root, folder, known, same)
    except OSError as error:
        if not folder:
            raise
        yield File(path=_printable(folder), etag="", problem=f"cannot be listed ({error.strerror})")
        return
    yield from files
    for name in folders:
        yield from _walk(root, f"{folder}{name}/", known, same)


def _listing(root: str, folder: str, known: Mapping[str, str], same: list[str]) -> tuple[list[str], list[File]]:
    """The folders in a folder, and its notes but those that are as they are known, whose paths go to `same`.

    Relative to the folder's handle a stat costs a fifth less than by its path, and there are many.
    """
    handle = os.open(f"{root}/{folder}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    folders: list[str] = []
    files: list[File] = []
    try:
        for entry in sorted(os.scandir(handle), key=lambda entry: entry.name):
            name = entry.name
            if name.startswith("."):
                if name.endswith(".md.icloud"):
                    files.append(File(path=f"{folder}{name[1:-7]}", etag="placeholder", problem="not downloaded yet"))
            elif entry.is_dir(follow_symlinks=False):
                folders.append(name)
            elif name.endswith(".md") and name not in _GENERATED_FILES:
                file = _listed(entry, folder + name, known.get(folder + name))
                if file:
                    files.append(file)
                else:
                    same.append(folder + name)
    finally:
        os.close(handle)
    return folders, files


def _listed(entry: os.DirEntry[str], path: str, known: str | None) -> File | None:
    """A note as it is there, or None if it has the etag by which it is known."""
    if not path.isascii() and path != _printable(path):
        return File(path=_printable(path), etag="", problem="its name is no UTF-8: rename it")
    try:
        info = entry.stat(follow_symlinks=False)
    except OSError as error:
        return File(path=path, etag="", problem=f"cannot be read ({error.strerror})")
    tag = etag(info)
    if tag == known:
        return None
    if stat.S_ISREG(info.st_mode):
        return File(path=path, etag=tag)
    kind = "a link, which memem does not follow" if stat.S_ISLNK(info.st_mode) else "not a regular file"
    return File(path=path, etag=tag, problem=kind)


def _printable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
