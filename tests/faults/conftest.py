"""Fixtures of the fault tests: processes that permissions bind, folders that are locked for a while."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest


def obey_permissions():
    """Takes from root, for the program started next, the right to write where permissions forbid it."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.fixture
def unprivileged(tmp_path):
    """Options that start a process which permissions bind."""
    options = {"preexec_fn": obey_permissions if os.geteuid() == 0 else None}
    folder = tmp_path / "probe"
    folder.mkdir(mode=0o500)
    probe = f"open({str(folder / 'x')!r}, 'w')"
    if not subprocess.run([sys.executable, "-c", probe], capture_output=True, **options).returncode:
        pytest.skip("permissions do not bind this user, and that cannot be changed here")
    return options


@pytest.fixture
def locked():
    """Takes the write permission from folders and gives it back in the end."""
    folders = []

    def lock(folder):
        folders.append(Path(folder))
        Path(folder).chmod(0o500)

    yield lock
    for folder in folders:
        folder.chmod(0o700)
