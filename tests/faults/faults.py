"""Faults to inject, and processes to inject them into."""

import os
import subprocess
import sys
from pathlib import Path

from ..home import ROOT

REDIS = "Redis must run on 6380"


OPEN = """
import os, sys
from memem.app import Memem
from memem.config import resolve
from memem.errors import MememError
from memem.models import Draft
memem = Memem(resolve({'HOME': sys.argv[1]}, {})[0], sys.argv[2], environ={})
"""


def child(code, home, checkout, *arguments, **options):
    command = [sys.executable, "-c", code, str(Path(home.dir).parent), checkout, *arguments]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(command, cwd=ROOT, env={"HOME": "/nonexistent"}, **options)


def temporary(root):
    return [path for path in Path(root).rglob("*") if path.name.endswith(".tmp")]


def failing(real, number, times=10**9):
    left = iter(range(times))

    def fail(*args, **kwargs):
        if next(left, None) is None:
            return real(*args, **kwargs)
        raise OSError(number, os.strerror(number))

    return fail


def only_in(folder, real, number):
    """The call fails for the vault and works elsewhere, as on a file system that is full."""

    def fail(path, *args, **kwargs):
        target = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else str(path)
        if target.startswith(str(folder)) and (isinstance(path, int) or ".tmp" in target):
            raise OSError(number, os.strerror(number))
        return real(path, *args, **kwargs)

    return fail
