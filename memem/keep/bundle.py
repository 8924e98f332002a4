"""The file of a backup: a zip archive whose manifest tells size and hash of everything in it.

It is written beside its name, read back whole, and only then given its name. It is read as what a stranger may have
made: names, counts and sizes are checked before anything is unpacked, and nothing is unpacked beyond what was declared.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from memem.errors import BadInput, Damaged, NotFound, Unavailable
from memem.text import one_line
from memem.value import Value
from memem.vault.store import sync_folder

MANIFEST = "manifest.json"
FORMAT = 1
MOST_ENTRIES = 80_000
MOST_NOTE = 32_000_000  # bytes; of a note the first million is read
_MOST_MANIFEST = 32_000_000
_MOST_DIRECTORY = 14_000_000  # bytes; each entry that is listed takes memory before it can be refused
# What may come out of an archive, going by its size: text packs to a quarter, a database of ids to a tenth.
_MOST_RATIO, _ALWAYS_ALLOWED = 100, 64_000_000
_PIECE = 1 << 20
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_LONGEST_PART, _LONGEST_NAME = 255, 1000
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError,
    OverflowError,
)  # fmt: skip


class Entry(Value):
    """One file in a backup."""

    name: str
    size: int
    sha256: str


class Writer:
    """A backup in the making; without `finish` nothing is left of it."""

    def __init__(self, path: Path, now: float) -> None:
        self.path, self._now = path, now
        self._temp = path.with_name(f".{path.name}.{os.getpid()}.partial")
        self._entries: dict[str, Entry] = {}
        try:
            self._file = open(os.open(self._temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "r+b")  # noqa: SIM115
        except OSError as error:
            raise _unwritable(path, error) from error
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError, ValueError):  # a full disk says so once more
            self._zip.close()
        with contextlib.suppress(OSError):
            self._file.close()
        self._temp.unlink(missing_ok=True)

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        """Put a file in.

        Raises:
            BadInput: there are too many, or no archive can hold its name.
            Unavailable: there is no space.
        """
        if not is_safe(name):
            raise BadInput(f"{one_line(name)!r} is no name for a file in a backup: rename it.")
        if len(self._entries) >= MOST_ENTRIES:
            raise BadInput(f"more than {MOST_ENTRIES} files: move what is no note out of the vault's memem folder.")
        digest, size = hashlib.sha256(), 0
        try:
            with self._zip.open(self._about(name), "w", force_zip64=True) as file:
                for piece in pieces:
                    digest.update(piece)
                    size += len(piece)
                    file.write(piece)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._entries[name] = Entry(name=name, size=size, sha256=digest.hexdigest())

    def finish(self, facts: Mapping[str, Any]) -> list[Entry]:
        """Write the manifest, make all durable, read it back, and give the file its name; answers what is in it.

        Raises:
            Unavailable: there is no space, or a file of that name appeared meanwhile.
            Damaged: what was read back is not what was written.
        """
        files = {entry.name: {"bytes": entry.size, "sha256": entry.sha256} for entry in self._entries.values()}
        document = {"format": FORMAT, **facts, "files": files}
        try:
            self._zip.writestr(self._about(MANIFEST), json.dumps(document, ensure_ascii=False, indent=1))
            self._zip.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            with Bundle(self._temp) as written:
                written.check()
            os.link(self._temp, self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return list(self._entries.values())

    def _about(self, name: str) -> zipfile.ZipInfo:
        year = min(max(time.gmtime(self._now).tm_year, 1980), 2107)  # all that the format can say
        info = zipfile.ZipInfo(name, (year, *time.gmtime(self._now)[1:6]))
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        return info


class Bundle:
    """A backup that is read.

    Raises:
        NotFound, Damaged: there is no such file; it is no backup of memem's, or a hostile one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")  # noqa: SIM115
        except FileNotFoundError as error:
            raise NotFound(f"there is no file {path}: name a backup that memem made.") from error
        except OSError as error:
            raise Unavailable(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
        try:
            size = _bounded(self._file)
            self._zip = zipfile.ZipFile(self._file)
            self._infos = _checked(self._zip.infolist(), size)
            self.facts = self._manifest()
            self.entries = self._entries()
        except _BROKEN as error:
            self._file.close()
            raise self._damaged(str(error)) from error

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def check(self) -> None:
        """Read everything and compare it with the manifest.

        Raises:
            Damaged: something is not as it was written.
        """
        for entry in self.entries.values():
            for _ in self.pieces(entry.name):
                pass

    def pieces(self, name: str) -> Iterator[bytes]:
        """The content of a file, piece by piece; the last one is given only when all of it is right.

        Raises:
            Damaged: it is not as it was written.
        """
        entry = self.entries[name]
        digest, left, held = hashlib.sha256(), entry.size, b""
        try:
            with self._zip.open(self._infos[name]) as file:
                while left >= 0 and (piece := file.read(min(_PIECE, left + 1))):
                    left -= len(piece)
                    digest.update(piece)
                    if held:
                        yield held
                    held = piece
        except _BROKEN as error:
            raise self._damaged(f"{name}: {error}") from error
        if left or digest.hexdigest() != entry.sha256:
            raise self._damaged(f"{name} is not as it was written")
        if held:
            yield held

    def read(self, name: str) -> bytes:
        """The content of a file that fits into memory, as notes do."""
        return b"".join(self.pieces(name))

    def _manifest(self) -> dict[str, Any]:
        info = self._infos.pop(MANIFEST, None)
        if info is None:
            raise ValueError(f"it has no {MANIFEST}")
        with self._zip.open(info) as file:
            data = file.read(_MOST_MANIFEST + 1)
        if len(data) > _MOST_MANIFEST:
            raise ValueError("its manifest is too large")
        try:
            found = json.loads(data)
        except RecursionError as error:
            raise ValueError("its manifest is nested too deeply") from error
        if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
            raise ValueError("its manifest is none")
        if found.get("format") != FORMAT:
            raise ValueError(f"its format is {str(found.get('format'))[:20]!r}, and this one knows {FORMAT}")
        return found

    def _entries(self) -> dict[str, Entry]:
        """What the manifest lists, which must be what is there."""
        found: dict[str, Entry] = {}
        for name, about in self.facts.pop("files").items():
            size, sha256 = (about.get("bytes"), about.get("sha256")) if isinstance(about, dict) else (None, None)
            if name not in self._infos or not isinstance(size, int) or not isinstance(sha256, str):
                raise ValueError(f"its manifest lists {one_line(name)[:200]!r}, which is not there")
            if size != self._infos[name].file_size:
                raise ValueError(f"{name} has another size than the manifest says")
            found[name] = Entry(name=name, size=size, sha256=sha256)
        if self._infos.keys() - found.keys():
            raise ValueError("it holds files that its manifest does not list")
        return found

    def _damaged(self, why: str) -> Damaged:
        return Damaged(f"{self.path} is no whole backup ({one_line(why)[:300]}); nothing was changed. Use another one.")


def is_safe(name: str) -> bool:
    """Whether a name can neither leave the folder it is put into nor hide in it, on any system."""
    parts = name.split("/")
    if len(name) > _LONGEST_NAME or "\\" in name or not name.isprintable():
        return False
    return all(
        part
        and not part.startswith(".")
        and part.strip() == part
        and len(part.encode("utf-8", "replace")) <= _LONGEST_PART
        for part in parts
    )


def _checked(infos: list[zipfile.ZipInfo], size: int) -> dict[str, zipfile.ZipInfo]:
    """The entries by name.

    Raises:
        ValueError: names, kinds or sizes are none that memem writes.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for info in infos:
        name = info.filename
        if not is_safe(name) or name in found:
            raise ValueError(f"it names a file {one_line(name)[:200]!r}")
        if info.flag_bits & 0x1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is packed in a way that memem does not use")
        total += info.file_size
        found[name] = info
    if total > _ALWAYS_ALLOWED + _MOST_RATIO * size:
        raise ValueError(f"{total} bytes would come out of {size}")
    return found


def _bounded(file: BinaryIO) -> int:
    """The size of the archive, once its directory is known to be of a size that can be read at all.

    Raises:
        ValueError: it is no zip archive as memem writes it, or lists too many files.
    """
    size = file.seek(0, os.SEEK_END)
    if size < _END.size:
        raise ValueError("it is no zip archive")
    file.seek(size - _END.size)
    mark, _, _, _, count, length, _, comment = _END.unpack(file.read(_END.size))
    if mark != b"PK\x05\x06" or comment:
        raise ValueError("it is no zip archive, or is cut short")
    if (count == 0xFFFF or length == 0xFFFFFFFF) and size >= _END.size + _LOCATOR.size:
        file.seek(size - _END.size - _LOCATOR.size)
        mark, _, place, _ = _LOCATOR.unpack(file.read(_LOCATOR.size))
        if mark == b"PK\x06\x07" and place <= size - _END64.size:
            file.seek(place)
            count, length = _END64.unpack(file.read(_END64.size))[7:9]
    if count > MOST_ENTRIES + 1 or length > _MOST_DIRECTORY:
        raise ValueError(f"it lists {count} files, more than memem ever writes")
    return size


def _unwritable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(f"the backup {path} cannot be written ({error.strerror}): choose another place.")
