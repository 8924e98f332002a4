"""Folders of vaults: which were ever there, so that an unmounted one is never taken for new. Cheap to import."""

# A server needs this before it answers, and pathlib takes longer than the rest of it.
# ruff: noqa: PTH102, PTH112, PTH120
from __future__ import annotations

import os

SEEN_FILE = ".vault-seen"
FOLDER_MODE = 0o775  # whoever can write here puts words before an agent: a careless umask does not let everybody


def make_folder(folder: str) -> None:
    """Make a folder of a vault and those around it that are missing; what is there stays as it is. Raises OSError."""
    if not os.path.isdir(folder):
        around = os.path.dirname(folder)
        if around != folder:
            make_folder(around)
        try:
            os.mkdir(folder, FOLDER_MODE)
        except FileExistsError:  # another process was quicker, or a file has its name
            if not os.path.isdir(folder):
                raise


def was_seen(root: str, state_folder: str) -> bool:
    """Whether the vault with this memem folder was in use before."""
    try:
        with open(f"{state_folder}/{SEEN_FILE}", encoding="utf-8", errors="surrogateescape") as file:
            return root in file.read().split("\n")
    except OSError:
        return False


def remember(root: str, state_folder: str) -> None:
    """Note that this vault exists. Without a writable state folder nothing can be remembered, which is no error."""
    if was_seen(root, state_folder):
        return
    try:
        handle = os.open(f"{state_folder}/{SEEN_FILE}", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        os.write(handle, f"{root}\n".encode("utf-8", "surrogateescape"))
        os.close(handle)
    except OSError:
        return
