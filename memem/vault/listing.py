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


def differing(root: str, known: Mapping[str, str]) -> tuple[list[File], dict[str, str]]:
    """The note files below a folder that do not have the etag by which they are known, and what of `known` is not so.

    In no order. Hidden folders, links and special files are not followed. Raises OSError: the folder itself cannot be
    listed.
    """
    unmet = dict(known)
    return list(_walk(root, "", unmet)), unmet


def is_note(path: str) -> bool:
    """Whether a regular file at a path would be listed; hidden ones are temporary, ours too."""
    *folders, name = path.split("/")
    shown = not name.startswith(".") and not any(folder.startswith(".") for folder in folders)
    return shown and name.endswith(".md") and name not in _GENERATED_FILES


def _walk(root: str, folder: str, unmet: dict[str, str]) -> Iterator[File]:
    try:
        # Without the slash at its end a folder that became a link meanwhile is refused, not followed.
        handle = os.open(f"{root}/{folder}".rstrip("/"), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            found = _unlike(handle, folder, os.listdir(handle), unmet)  # noqa: PTH208 - pathlib knows no handles
            listed = [_listed(handle, folder, name) for name in sorted(found)]
        finally:
            os.close(handle)
    except OSError as error:
        if not folder:
            raise
        yield File(path=_printable(folder), etag="", problem=f"cannot be listed ({error.strerror})")
        return
    yield from (file for file in listed if isinstance(file, File))
    for name in listed:
        if isinstance(name, str):
            yield from _walk(root, f"{folder}{name}/", unmet)


def _unlike(handle: int, folder: str, names: list[str], unmet: dict[str, str]) -> list[str]:
    """The names in a folder but those of notes that are as they are known, which are no longer `unmet`.

    Of all notes at every sync: a stat relative to the folder's handle costs a third less than by its path, and what
    has the etag that is known of a note need not be asked what it is.
    """
    stat_ = os.stat
    found: list[str] = []
    for name in names:
        path = folder + name
        tag = unmet.get(path)
        if tag is not None:
            try:
                if etag(stat_(name, dir_fd=handle, follow_symlinks=False)) == tag:
                    del unmet[path]
                    continue
            except OSError:
                pass  # gone by now, or not to be read: told like all others
        found.append(name)
    return found


def _listed(handle: int, folder: str, name: str) -> File | str | None:
    """What a name in a folder is: a note as it is there, another folder by its name, or nothing of ours."""
    path = folder + name
    if name.startswith("."):
        if not name.endswith(".md.icloud"):
            return None
        return File(path=f"{folder}{name[1:-7]}", etag="placeholder", problem="not downloaded yet")
    try:
        info = os.stat(name, dir_fd=handle, follow_symlinks=False)
    except OSError as error:
        return File(path=path, etag="", problem=f"cannot be read ({error.strerror})") if is_note(name) else None
    if stat.S_ISDIR(info.st_mode):
        return name
    if not is_note(name):
        return None
    if path != _printable(path):
        return File(path=_printable(path), etag="", problem="its name is no UTF-8: rename it")
    if stat.S_ISREG(info.st_mode):
        return File(path=path, etag=etag(info))
    kind = "a link, which memem does not follow" if stat.S_ISLNK(info.st_mode) else "not a regular file"
    return File(path=path, etag=etag(info), problem=kind)


def _printable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
