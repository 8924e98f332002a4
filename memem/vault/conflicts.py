"""Signs that others are at work in the vault: conflict copies of sync programs, and git in the middle of something."""

from __future__ import annotations

import re
from pathlib import Path

from memem.project import find_checkout

_DATE = r"\d{4}-?\d{2}-?\d{2}"
# Program, and the pattern of the stem of its copies; the first group is the stem of the note that was copied.
_COPIES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("Syncthing", re.compile(r"^(.+)\.sync-conflict-\d{8}-\d{6}(?:-\w{7})?$")),
    ("Seafile", re.compile(r"^(.+) \(SFConflict [^)]*\)$")),
    ("Obsidian Sync", re.compile(r"^(.+) \(Conflicted copy [^)]*\d{12}\)$")),
    ("Dropbox or Nextcloud", re.compile(rf"^(.+) \((?:[^()]*(?:'s |’s ))?conflicted copy(?: {_DATE})?[^)]*\)$", re.I)),
    ("ownCloud", re.compile(rf"^(.+)_conflict-{_DATE}[-\d]*$")),
    ("Resilio Sync", re.compile(r"^(.+)\.[Cc]onflict$")),
    ("pCloud or MEGA", re.compile(r"^(.+?) ?[\[(]conflict(?:ed)?[\])]$", re.I)),
    ("OneDrive", re.compile(r"^(.+-[0-9a-f]{8})-(?:DESKTOP|LAPTOP|PC|WIN|[A-Z][A-Z0-9]*)-?[A-Z0-9]{3,}$")),
    ("Google Drive", re.compile(r"^(.+-[0-9a-f]{8}) ?\(\d{1,2}\)$")),
    ("iCloud", re.compile(r"^(.+-[0-9a-f]{8}) \d{1,2}$")),
)
_GIT_STATES = (
    ("index.lock", "command"), ("MERGE_HEAD", "merge"), ("rebase-merge", "rebase"), ("rebase-apply", "rebase"),
    ("CHERRY_PICK_HEAD", "cherry-pick"), ("REVERT_HEAD", "revert"),
)  # fmt: skip
_GIT_MARKERS = ("<<<<<<< ", "=======", ">>>>>>> ")


def copied_by(path: str) -> tuple[str, str]:
    """The program whose conflict copy this is and the path of the note it was copied from, or two empty strings."""
    folder, slash, name = path.rpartition("/")
    stem = name.removesuffix(".md")
    for program, pattern in _COPIES:
        match = pattern.match(stem)
        if match:
            return program, f"{folder}{slash}{match[1]}.md"
    return "", ""


def has_git_markers(text: str) -> bool:
    """Whether git left both versions of a conflict in the text."""
    at = 0
    for marker in _GIT_MARKERS:
        at = text.find(marker, at)
        if at < 0 or (at > 0 and text[at - 1] != "\n"):
            return False
    return True


def git_at_work(folder: str) -> str:
    """What git is in the middle of in the repository around a folder ("merge", "rebase" …), or nothing."""
    checkout = find_checkout(folder)
    if checkout is None:
        return ""
    return next((state for name, state in _GIT_STATES if Path(checkout.private, name).exists()), "")
