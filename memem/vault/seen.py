"""Which vaults were ever there: so that an unmounted one is never mistaken for a new one. Cheap to import."""

from __future__ import annotations

import os

SEEN_FILE = ".vault-seen"


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
