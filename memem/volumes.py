"""Folders that are no place for a write-ahead log: on a network file system, or kept alike by a sync program.

SQLite's log needs memory that all its users share, which two machines do not have; a program that copies files while
they change copies halves.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_MOUNTINFO = "/proc/self/mountinfo"
_MOUNT_SECONDS = 2
_NETWORK = frozenset(
    """
    9p acfs afpfs afs beegfs ceph cifs coda davfs drvfs fakeowner gfs gfs2 gpfs grpcfuse lustre macfuse moosefs
    ncpfs nfs nfs4 ocfs2 orangefs osxfuse osxfs panfs prl_fs smb3 smbfs vboxsf virtiofs vmhgfs webdav
    """.split()
)
# These only encrypt or show a local folder. The cache may lie outside of it, so moving an index would lay it bare.
_LOCAL_FUSE = ("cryfs", "ecryptfs", "encfs", "gocryptfs", "securefs", "bindfs", "ntfs-3g")
# The name of a folder, and the program that keeps all below it alike on several machines.
_SYNCED_NAMES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("Dropbox", re.compile(r"Dropbox( \(.*\))?")),
    ("OneDrive", re.compile(r"OneDrive( ?-.*)?")),
    ("Google Drive", re.compile(r"Google ?Drive.*|My Drive")),
    ("iCloud Drive", re.compile(r"Mobile Documents|iCloud ?Drive")),
    ("a cloud drive", re.compile(r"CloudStorage")),
    ("Nextcloud", re.compile(r"Nextcloud\d*")),
    ("ownCloud", re.compile(r"ownCloud")),
    ("pCloud", re.compile(r"pCloud ?Drive")),
    ("MEGA", re.compile(r"MEGA(sync)?")),
)
# What a program leaves in the folder that it syncs.
_SYNCED_MARKS = (
    (".stfolder", "Syncthing"), (".dropbox.cache", "Dropbox"),
    (".sync/ID", "Resilio Sync"), (".nextcloudsync.log", "Nextcloud"), (".owncloudsync.log", "ownCloud"),
)  # fmt: skip


def shared_by(folder: str, mounts: str | None = None) -> str:
    """What makes a folder no place for a write-ahead log ("an nfs4 file system", "Syncthing"), or nothing.

    `mounts` stands in for the system's table, in the form of Linux's mountinfo or of what `mount` prints.
    """
    folder = os.path.realpath(folder)
    found = _file_system(folder, mount_table() if mounts is None else mounts)
    kind = found.removeprefix("fuse.")
    if found in _NETWORK or (kind != found and kind not in _LOCAL_FUSE):
        return f"a file system of type {kind}"
    return _synced_by(folder)


def mount_table() -> str:
    """The mounted file systems as the system lists them; nothing when it does not."""
    if sys.platform == "linux":
        try:
            with open(_MOUNTINFO, encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except OSError:
            return ""
    import subprocess

    try:
        done = subprocess.run(
            ["/sbin/mount"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_MOUNT_SECONDS, check=False
        )
        return os.fsdecode(done.stdout)
    except (OSError, subprocess.SubprocessError):
        return ""


def _file_system(folder: str, mounts: str) -> str:
    """The type of the file system that a folder is on."""
    best, kind = "", ""
    for point, found in _mounted(mounts):
        inside = folder == point or folder.startswith(f"{point.rstrip('/')}/")
        if inside and len(point) >= len(best):  # of two at one place the later one is on top
            best, kind = point, found
    return kind


def _mounted(mounts: str) -> Iterator[tuple[str, str]]:
    """Mount points and types."""
    for line in mounts.splitlines():
        about, dash, kind = line.partition(" - ")
        fields = about.split(" ")
        if dash and len(fields) > 4:
            yield re.sub(r"\\(\d{3})", lambda escape: chr(int(escape[1], 8)), fields[4]), kind.split(" ", 1)[0]
        elif listed := re.match(r".* on (/.*) \(([\w.]+)", line):
            yield listed[1], listed[2]


def _synced_by(folder: str) -> str:
    """The program that syncs a folder, going by the names of those around it and by what it left in them."""
    for place in (Path(folder), *Path(folder).parents):
        by_name = (program for program, pattern in _SYNCED_NAMES if pattern.fullmatch(place.name))
        by_mark = (program for mark, program in _SYNCED_MARKS if os.path.lexists(place / mark))
        if found := next(by_name, "") or next(by_mark, ""):
            return found
    return ""
