"""Fetches the uv that uv.lock pins, verified by its hash there; only the binary is kept.

It runs on Python 3.8 and by its path (`python fetch_uv.py uv.lock FOLDER` prints where the binary is), because
bootstrap.sh needs uv to install a newer Python.
"""

from __future__ import annotations

import os
import re
import sys

_WHEEL = re.compile(r'url = "([^"]+\.whl)", hash = "sha256:([0-9a-f]{64})"')
_SECONDS = 300


class FetchFailed(Exception):
    """uv could not be had; `str()` is one line that says why."""


def pinned(lock: str) -> tuple[str, list[tuple[str, str]]]:
    """The version of uv in the text of a lock file, and (URL, sha256) of its wheels.

    Raises:
        FetchFailed: the lock file does not pin uv.
    """
    for block in lock.split("[[package]]"):
        head = re.match(r'\s*name = "uv"\s*version = "([0-9a-z.]+)"', block)
        if head:
            return head.group(1), _WHEEL.findall(block)
    raise FetchFailed("uv.lock does not pin uv")


def pick(wheels: list[tuple[str, str]], system: str, machine: str, glibc: tuple[int, ...]) -> tuple[str, str]:
    """The wheel for a platform: `sys.platform`, the machine, and the version of glibc (empty for musl).

    Raises:
        FetchFailed: there is none.
    """
    fits = []
    for url, digest in wheels:
        for tag in url.rpartition("/")[2][: -len(".whl")].split("-")[-1].split("."):
            kind, numbers, target = re.match(r"([a-z]+)((?:_\d+_\d+(?=_))?)_?(.*)", tag).groups()  # type: ignore[union-attr]
            needs = tuple(int(number) for number in numbers.split("_")[1:])
            if system == "linux" and target == machine:
                # The musl build is static and runs everywhere, so it is second best on glibc.
                rank = {"manylinux": 0 if glibc >= needs else 9, "musllinux": 1, "linux": 2}.get(kind, 9)
                fits.append((rank, needs, url, digest))
            elif (system == "darwin" and (kind, target) == ("macosx", machine)) or (system, tag) == ("win32", machine):
                fits.append((0, needs, url, digest))
    best = min(fits, default=(9, (), "", ""))
    if best[0] == 9:
        raise FetchFailed(f"there is no build of uv for {system} on {machine}")
    return best[2], best[3]


def this_platform() -> tuple[str, str, tuple[int, ...]]:
    """What `pick` wants to know of this machine."""
    import platform

    machine = platform.machine().lower()
    small = sys.maxsize < 2**32  # a 32-bit Python on a 64-bit kernel, as Raspberry Pi OS has it
    if sys.platform == "win32":
        return "win32", "win32" if small else f"win_{machine}", ()
    if sys.platform == "darwin":
        return "darwin", machine, ()
    machine = {"amd64": "x86_64", "arm64": "aarch64", "armv8l": "armv7l"}.get(machine, machine)
    if small:
        machine = {"x86_64": "i686", "aarch64": "armv7l"}.get(machine, machine)
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (OSError, ValueError):
        libc = ""
    return sys.platform, machine, tuple(int(number) for number in re.findall(r"\d+", libc)[:2])


def fetch(lock_path: str, folder: str) -> str:
    """Path of the pinned uv under `folder`, fetched unless it is there already.

    pip goes first, because it knows the user's mirror and proxy; without pip, the lock file's own URL.

    Raises:
        FetchFailed: no network, no build for this machine, or a file whose hash is not the pinned one.
    """
    import tempfile

    with open(lock_path, encoding="utf-8") as file:
        version, wheels = pinned(file.read())
    target = f"{folder}/uv-{version}/uv" + (".exe" if sys.platform == "win32" else "")
    if os.access(target, os.X_OK):
        return target
    os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120 - strings throughout
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as scratch:
        wheel, complaint = _with_pip(version, scratch)
        if not wheel:
            url, _ = pick(wheels, *this_platform())
            wheel = _with_urllib(url, scratch, complaint)
        _verify(wheel, {digest for _, digest in wheels})
        _unpack(wheel, target)
    return target


def _with_pip(version: str, folder: str) -> tuple[str, str]:
    import subprocess

    command = [
        sys.executable,
        "-I",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-cache-dir",
    ]
    command += ["--no-deps", "--only-binary", ":all:", "--retries", "1", "--dest", folder, f"uv=={version}"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"pip: {error}"
    found = [name for name in os.listdir(folder) if name.endswith(".whl")]  # noqa: PTH208
    if done.returncode == 0 and found:
        return f"{folder}/{found[0]}", ""
    return "", "pip: " + ((done.stderr.strip().splitlines() or ["it brought nothing"])[-1])


def _with_urllib(url: str, folder: str, complaint: str) -> str:
    import http.client
    import shutil
    import urllib.request

    path = f"{folder}/{url.rpartition('/')[2]}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, open(path, "wb") as file:  # noqa: S310 - a pinned URL
            shutil.copyfileobj(answer, file)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FetchFailed(f"uv could not be downloaded: {error} ({complaint})") from error
    return path


def _verify(path: str, digests: set[str]) -> None:
    import hashlib

    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    if digest not in digests:
        name = path.rpartition("/")[2]
        raise FetchFailed(f"{name} was refused: its sha256 {digest} is not in uv.lock")


def _unpack(wheel: str, target: str) -> None:
    import zipfile

    name = target.rpartition("/")[2]
    try:
        with zipfile.ZipFile(wheel) as archive:
            inside = [entry for entry in archive.namelist() if entry.endswith(f".data/scripts/{name}")]
            binary = archive.read(inside[0])
    except (IndexError, zipfile.BadZipFile) as error:
        raise FetchFailed(f"{wheel.rpartition('/')[2]} holds no uv") from error
    with open(f"{target}.{os.getpid()}", "wb") as file:
        file.write(binary)
    os.chmod(f"{target}.{os.getpid()}", 0o755)  # noqa: PTH101, S103 - a program
    os.replace(f"{target}.{os.getpid()}", target)


if __name__ == "__main__":
    try:
        print(fetch(sys.argv[1], sys.argv[2]))
    except (FetchFailed, OSError) as problem:
        sys.exit(f"memem: {problem}")
