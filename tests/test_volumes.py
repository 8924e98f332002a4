"""Folders that are no place for a database, from the tables that Linux and macOS print."""

from __future__ import annotations

from pathlib import Path

import pytest

from memem.volumes import shared_by

LINUX = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /mnt/nfs\040home rw,relatime shared:5 - nfs4 server:/export rw,vers=4.2
31 22 0:41 / /mnt/ssh rw,nosuid - fuse.sshfs ann@server: rw,user_id=0
32 22 0:42 / /mnt/share rw - cifs //server/share rw
33 22 0:43 / /mnt/c rw - 9p drvfs rw
34 22 0:44 / /mnt/vault rw - fuse.gocryptfs /home/ann/.cipher rw
35 22 8:1 / /mnt/disk rw - fuseblk /dev/sdb1 rw
36 30 8:2 / /mnt/nfs\040home/local rw - xfs /dev/sdc1 rw
37 22 0:45 / /mnt/twice rw - nfs server:/a rw
38 37 8:3 / /mnt/twice rw - ext4 /dev/sdd1 rw
"""
MACOS = """
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
//ann@server/share on /Volumes/my share (smbfs, nodev, nosuid, mounted by ann)
server:/export on /Volumes/nfs (nfs, nodev, nosuid)
"""


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("/home/ann/.memem", ""),
        ("/mnt/nfs home/ann/.memem", "nfs4"),
        ("/mnt/nfs home/local/.memem", ""),
        ("/mnt/nfs home", "nfs4"),
        ("/mnt/nfs homes/.memem", ""),
        ("/mnt/ssh/.memem", "sshfs"),
        ("/mnt/share/a/b", "cifs"),
        ("/mnt/c/Users/ann/.memem", "9p"),
        ("/mnt/vault/.memem", ""),
        ("/mnt/disk/.memem", ""),
        ("/mnt/twice/.memem", ""),
    ],
)
def test_network_file_systems_of_linux_are_known(folder: str, reason: str) -> None:
    assert shared_by(folder, LINUX) == (f"a file system of type {reason}" if reason else "")


@pytest.mark.parametrize(
    ("folder", "reason"),
    [("/Users/ann/.memem", ""), ("/Volumes/my share/.memem", "smbfs"), ("/Volumes/nfs/x", "nfs"), ("/Volumes/usb", "")],
)
def test_network_file_systems_of_macos_are_known(folder: str, reason: str) -> None:
    assert shared_by(folder, MACOS) == (f"a file system of type {reason}" if reason else "")


@pytest.mark.parametrize(
    ("folder", "program"),
    [
        ("Dropbox", "Dropbox"),
        ("Dropbox (Acme Corp)/work", "Dropbox"),
        ("OneDrive - Acme", "OneDrive"),
        ("Library/CloudStorage/GoogleDrive-ann@example.test", "Google Drive"),
        ("Library/Mobile Documents/com~apple~CloudDocs", "iCloud Drive"),
        ("Nextcloud", "Nextcloud"),
        ("dropbox-backup", ""),
        ("My Documents", ""),
    ],
)
def test_folders_of_sync_programs_are_known_by_name(tmp_path: Path, folder: str, program: str) -> None:
    assert shared_by(f"{tmp_path}/{folder}/.memem", "") == program


def test_folders_of_sync_programs_are_known_by_what_these_leave_there(tmp_path: Path) -> None:
    assert shared_by(f"{tmp_path}/notes/.memem", "") == ""
    (tmp_path / ".stfolder").mkdir()
    assert shared_by(f"{tmp_path}/notes/.memem", "") == "Syncthing"


def test_a_link_into_a_synced_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "Dropbox" / "state").mkdir(parents=True)
    (tmp_path / ".memem").symlink_to(tmp_path / "Dropbox" / "state")
    assert shared_by(f"{tmp_path}/.memem", "") == "Dropbox"


def test_no_table_and_an_odd_one_say_nothing(tmp_path: Path) -> None:
    assert shared_by(str(tmp_path), "") == shared_by(str(tmp_path), "x\n - \n1 2 - nfs\n on / (") == ""
