"""Project identity: a string that is the same for one repository on every machine and in every worktree.

In order: the normalised remote `host/owner/name`, the root commit `git:<id>`, the folder `local:<name>`. Git's files
are read directly, because the hook may start no subprocess; only the root commit needs git, and is remembered.
"""

from __future__ import annotations

import os

from memem.models import GENERAL, Scope
from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable

_GENERAL_WORDS = ("", GENERAL, "global", "none", "all")


class Checkout(Value):
    """A working tree: its top folder, its own git folder, and the one shared by all worktrees of the repository."""

    top: str
    private: str
    common: str


def scope_at(folder: str, aliases: str = "", root_commit: Callable[[str], str] | None = None) -> Scope:
    """The scope of a folder. The home folder, `/` and no folder at all belong to no project.

    `root_commit` finds (or remembers) the id of the first commit in a git folder, or answers "". It names memories
    from before the repository had a remote.
    """
    folder = os.path.realpath(folder) if folder else ""
    if not folder or folder in ("/", os.path.realpath(os.path.expanduser("~"))):  # noqa: PTH111
        return Scope()
    checkout = find_checkout(folder)
    top = checkout.top if checkout else folder
    names = [remote_identity(checkout)] if checkout else []
    if checkout and root_commit:
        commit = root_commit(checkout.common)
        names.append(f"git:{commit}" if commit else "")
    leafs = _leafs(checkout) if checkout else [os.path.basename(top)]  # noqa: PTH119
    # A memory keeps the name that was right when it was saved: the folder's before the first commit, the commit's
    # before there was a remote. A folder's name alone says too little to reach into a project with a remote.
    if not names or not names[0]:
        names += [f"local:{leaf}" for leaf in leafs]
    # The bare name is what the published memem wrote.
    names += [*leafs, os.path.basename(top)]  # noqa: PTH119
    names = [name for name in dict.fromkeys(names) if name]
    inside = folder[len(top) :].strip("/").split("/") if folder != top else []
    subs = [f"{names[0]}#{'/'.join(inside[: depth + 1])}" for depth in range(len(inside))]
    return Scope(id=names[0], names=(*_with_aliases([*names, *subs], aliases), GENERAL))


def scope_named(name: str, here: Scope, aliases: str = "") -> Scope:
    """The scope a caller named: `general`, a project, or `#sub/folder` of the project here."""
    name = name.strip()
    if name.lower() in _GENERAL_WORDS:
        return Scope()
    if name.startswith("#"):
        name = here.id + name
    if "#" in name and name.partition("#")[0] in here.names:
        return here.replace(id=name, names=tuple(dict.fromkeys((name, *here.names))))
    if name in here.names:
        return here
    normal = (normalise_remote(name) if "://" in name or "@" in name else "") or name
    if normal.count("/") >= 2:
        normal = normal.lower()
    return Scope(id=normal, names=(*_with_aliases(list(dict.fromkeys((normal, name))), aliases), GENERAL))


def find_checkout(folder: str) -> Checkout | None:
    """The git working tree around a folder, or None."""
    while True:
        marker = f"{folder}/.git"
        if os.path.isdir(marker):  # noqa: PTH112
            return Checkout(top=folder, private=marker, common=marker)
        target = _first_line(marker).removeprefix("gitdir: ")
        if target:
            git = os.path.normpath(os.path.join(folder, target))  # noqa: PTH118
            common = _first_line(f"{git}/commondir")
            return Checkout(top=folder, private=git, common=os.path.normpath(os.path.join(git, common)))  # noqa: PTH118
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            return None
        folder = parent


def branch_of(checkout: Checkout) -> str:
    """The branch that is checked out, or nothing when it is a commit."""
    head = _first_line(f"{checkout.private}/HEAD")
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""


def remote_identity(checkout: Checkout) -> str:
    """`host/owner/name` of the remote `origin`, else of the first remote, else nothing."""
    urls: dict[str, str] = {}
    section = ""
    for raw in _read(f"{checkout.common}/config").splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line
        elif section.startswith("[remote ") and line.partition("=")[0].strip() == "url":
            urls.setdefault(section.split('"')[1] if '"' in section else "", line.partition("=")[2].strip())
    chosen = urls.get("origin") or next(iter(urls.values()), "")
    return normalise_remote(chosen)


def normalise_remote(url: str) -> str:
    """`git@host:Owner/Name.git`, `https://user@host:443/Owner/Name/` → `host/owner/name`; "" if it is no remote."""
    scheme, found, rest = url.strip().strip('"').partition("://")
    if not found:
        host, colon, path = scheme.partition(":")
        if not colon or "/" in host or len(host) < 2 or path.startswith("\\"):
            return ""
        rest = f"{host}/{path}"
    elif scheme == "file":
        return ""
    host, _, path = rest.partition("/")
    host = host.rpartition("@")[2].partition(":")[0]
    path = path.strip("/").removesuffix(".git").strip("/")
    if not host or not path or any(char.isspace() or not char.isprintable() for char in host + path):
        return ""
    return f"{host}/{path}".lower()


def _leafs(checkout: Checkout) -> list[str]:
    """The folder's name, and also the git folder's where that lies apart: its worktrees know no other."""
    name, inside = _folder_name(checkout.common), checkout.common.startswith(f"{checkout.top}/")
    if inside or checkout.private != checkout.common or "/modules/" in checkout.common:
        return [name]
    return [os.path.basename(checkout.top), name]  # noqa: PTH119


def _folder_name(git: str) -> str:
    """The folder's name that all worktrees share: above `.git`, or the name of a bare or submodule repository."""
    name = os.path.basename(git)  # noqa: PTH119
    return os.path.basename(os.path.dirname(git)) if name.startswith(".") else name.removesuffix(".git")  # noqa: PTH119, PTH120


def _with_aliases(names: list[str], aliases: str) -> list[str]:
    for pair in aliases.split(","):
        old, _, new = pair.partition("=")
        if old.strip() and new.strip() in names:
            names.append(old.strip())
    return names


def _first_line(path: str) -> str:
    return _read(path).partition("\n")[0].strip()


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(200_000)
    except (OSError, ValueError):
        return ""
