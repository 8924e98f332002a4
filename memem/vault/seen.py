"""Which vaults were ever there: so that an unmounted one is never mistaken for a new one."""

from __future__ import annotations

import os
from pathlib import Path

from memem.errors import VaultUnavailable
from memem.vault.store import MEMORIES, Vault

SEEN_FILE = ".vault-seen"


def open_vault(root: str, state_folder: str) -> Vault:
    """The vault at a memem folder, made when it never existed, and remembered in the state folder.

    Raises:
        VaultUnavailable: it was there once and is missing now, or cannot be made.
    """
    vault = Vault(root)
    if vault.exists():
        if not (vault.root / MEMORIES).is_dir():
            vault.make()
        remember(root, state_folder)
    elif was_seen(root, state_folder):
        raise VaultUnavailable(
            f"the vault was in {root} and is missing now. Mount it or set MEMEM_OBSIDIAN_VAULT; "
            f"to really begin a new one: mkdir -p {root}"
        )
    else:
        vault.make()
        remember(root, state_folder)
    return vault


def was_seen(root: str, state_folder: str) -> bool:
    """Whether this vault was in use before."""
    try:
        return root in (Path(state_folder) / SEEN_FILE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return False


def remember(root: str, state_folder: str) -> None:
    """Note that this vault exists. Without a writable state folder nothing can be remembered, which is no error."""
    if was_seen(root, state_folder):
        return
    try:
        with open(os.open(f"{state_folder}/{SEEN_FILE}", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "a") as file:
            file.write(root + "\n")
    except OSError:
        return
