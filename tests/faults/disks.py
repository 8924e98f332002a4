"""Real disks of a test's own: small ones, read-only ones and such that are unmounted, in a namespace of a process.

The process sees them, nobody else does, and they are gone with it. Where the system gives an ordinary user no
namespaces, such tests are skipped, saying so.
"""

import functools
import json
import subprocess
import sys

import pytest

from ..home import ROOT

BEGIN = f"""
import contextlib, errno, json, os, shutil, subprocess, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
root = Path(sys.argv[1])
said = []

def mount(folder, size="256k"):
    folder.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={{size}},mode=700", "none", str(folder))

def run(*command):
    subprocess.run(command, check=True, capture_output=True)

def remount(folder, how):
    run("mount", "-o", f"remount,{{how}}", str(folder))

def fill(folder):
    # To the very last byte.
    with open(folder / ".filler", "wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))

def free(folder):
    (folder / ".filler").unlink()

def start(state="state", vault="vault"):
    from memem.config import resolve
    from memem.app import Memem
    environ = {{"HOME": str(root), "MEMEM_DIR": str(root / state), "MEMEM_OBSIDIAN_VAULT": str(root / vault)}}
    (root / "work").mkdir(exist_ok=True)
    return Memem(resolve(environ, {{}})[0], str(root / "work"), environ=environ)

def command(*arguments):
    environ = {{"HOME": str(root), "PATH": "/usr/bin:/bin", "MEMEM_DIR": str(root / "state"),
                "MEMEM_OBSIDIAN_VAULT": str(root / "vault"), "PYTHONPATH": {str(ROOT)!r}}}
    done = subprocess.run([sys.executable, "-m", "memem", *arguments], env=environ, cwd=root / "work",
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return done

def notes():
    return sorted(path.name for path in (root / "vault").rglob("*.md"))

def temporary():
    return [str(path) for path in root.rglob("*.tmp")]

from memem.errors import MememError
from memem.models import Draft
"""
REDIS, DEPLOYS = "Redis must run on 6380", "Deploys happen on Friday"


@functools.cache
def _why_not():
    """Why no disks can be mounted here, or nothing."""
    probe = "mount -t tmpfs -o size=64k none /mnt"
    try:
        done = subprocess.run(["unshare", "-rm", "sh", "-c", probe], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return done.stderr.strip() if done.returncode else ""


def on_disks(root, code):
    """Run code in a namespace of its own; answers what it has put into `said`."""
    if _why_not():
        pytest.skip(f"no disks can be mounted in a namespace here: {_why_not()}")
    script = f"{BEGIN}\n{code}\nprint(json.dumps(said))\n"
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", script, str(root)],
        capture_output=True,
        text=True,
        timeout=240,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/nonexistent"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
