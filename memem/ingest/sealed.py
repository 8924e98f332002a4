"""The sealed store: what was redacted, encrypted, so that a human can look at it or say that it was no secret.

One file of lines in the state folder: first a proof of the key, then what was found, or a fingerprint that is allowed.
The key lies elsewhere, in a file of the user's settings or in the system's keyring, and is made once, with the store.
A store whose key is missing, wrong or open to others stays locked and says so: no new key ever takes its place. One
that is damaged is locked, too, and left as it is: what still can be read of it is shown.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from memem.config import Config
from memem.errors import BadInput, Locked, NotFound
from memem.install import why_missing
from memem.value import Value

FILE = "secrets.sealed"
OFF, IN_FILE, IN_KEYRING = "off", "file", "keyring"
_SERVICE, _ACCOUNT = "memem", "sealed store"
_PROOF = b"memem"
_MOST_BYTES, _LONGEST_SECRET = 20_000_000, 20_000
_SHORTEST_ID = 4


class Sealed(Value):
    """Something that was redacted: how it is named, which rule found it, where and when (seconds)."""

    id: str
    rule: str
    place: str
    at: float
    token: str


class SealedStore:
    """What was redacted. `problem` tells why nothing can be sealed now, if that is so."""

    def __init__(self, config: Config, now: Callable[[], float] = time.time) -> None:
        self.path = Path(config.state_path(FILE))
        self.where = config.secrets_store
        self.key_file = Path(config.secrets_key_file)
        self.now = now
        self.problem = ""
        self._secret = b""
        self._inside = [Path(config.dir), Path(config.vault)]
        self._known: tuple[tuple[int, int], list[dict[str, Any]]] = ((0, 0), [])
        self._damaged = False  # what is known of it

    def allows_some(self) -> bool:
        """Whether a human said of anything that it is no secret."""
        try:
            return self.allowed() > 0
        except Locked as error:
            self.problem = str(error)
            return False

    def allows(self, value: str) -> bool:
        """Whether a human said that this is no secret."""
        if not self.allows_some():
            return False
        try:
            name = self._fingerprint(value)
        except Locked as error:
            self.problem = str(error)
            return False
        return any(row.get("allow") == name for row in self._rows())

    def keep(self, found: Sequence[tuple[str, str]], place: str = "") -> None:
        """Seal what was found as (rule, value) at a place, each value once; or set `problem`. Never raises for a key.

        The caller has redacted it: what cannot be sealed is nowhere.
        """
        self.problem = ""
        if self.where == OFF or not found:
            return
        try:
            self._check_whole()
            self._check_key(create=True)
            known = {row.get("id") for row in self._rows()}
            new = {self._fingerprint(value)[:12]: (rule, value) for rule, value in found}
            rows = [
                {"id": name, "rule": rule, "place": place, "at": round(self.now()),
                 "sealed": self._fernet().encrypt(value[:_LONGEST_SECRET].encode("utf-8", "replace")).decode()}
                for name, (rule, value) in new.items() if name not in known
            ]  # fmt: skip
            self._append(rows)
        except (Locked, OSError) as error:
            self.problem = str(error)

    def items(self) -> list[Sealed]:
        """What is sealed, oldest first; needs no key."""
        return [
            Sealed(id=row["id"], rule=row["rule"], place=row["place"], at=float(row["at"]), token=row["sealed"])
            for row in self._rows()
            if "sealed" in row
        ]

    def allowed(self) -> int:
        """How many values a human has said to be no secrets."""
        return sum("allow" in row for row in self._rows())

    def reveal(self, name: str) -> str:
        """The secret of that id, or of what begins it.

        Raises:
            NotFound, BadInput: there is none, or several.
            Locked: the key is missing, wrong or open to others.
        """
        item = self._item(name)
        self._check_key()
        from cryptography.fernet import InvalidToken

        try:
            return str(self._fernet().decrypt(item.token.encode()).decode())
        except InvalidToken:
            raise Locked(f"{item.id} was sealed with another key, or is damaged: purge it.") from None

    def values(self, rule: str) -> list[str]:
        """What is sealed by a rule, as far as the key opens it; needs none when there is nothing."""
        found: list[str] = []
        with contextlib.suppress(Locked):
            found.extend(self.reveal(item.id) for item in self.items() if item.rule == rule)
        return found

    def stamp(self) -> tuple[int, int]:
        """What is another after the store has changed. Raises Locked when it cannot be read."""
        self._rows()
        return self._known[0]

    def allow(self, value: str) -> None:
        """Remember, by a fingerprint, that a value is no secret: it is not redacted again."""
        self._check_whole()
        self._check_key(create=True)
        name = self._fingerprint(value)
        if not any(row.get("allow") == name for row in self._rows()):
            self._append([{"allow": name, "at": round(self.now())}])

    def purge(self, names: Sequence[str] = ()) -> int:
        """Remove what is sealed, all of it without names; answers how many.

        What was allowed stays, unless the key is lost: then nothing can be told by it any more.
        """
        if names:
            self._check_whole()  # what cannot be read would go, too
        gone = {self._item(name).id for name in names} or {item.id for item in self.items()}
        useless = not names and not self._opens()
        with self._locked():
            rows = [row for row in self._rows() if row.get("id") not in gone]
            if useless or not any("id" in row or "allow" in row for row in rows):  # nothing needs no key either
                self.path.unlink(missing_ok=True)
                return len(gone)
            temp = self.path.with_suffix(".new")
            with open(os.open(temp, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temp, self.path)
        return len(gone)

    def check(self) -> None:
        """Raises Locked when there is a store and it is damaged, or its key does not open it."""
        self._check_whole()
        if self._rows():
            self._check_key()

    def _opens(self) -> bool:
        try:
            self.check()
        except Locked:
            return False
        return True

    def _check_whole(self) -> None:
        if self._is_damaged():
            with self._locked():  # where nobody is at writing a line
                self._known = (0, 0), []
                if self._is_damaged():
                    raise self._damage()

    def _is_damaged(self) -> bool:
        self._rows()
        return self._damaged

    def _damage(self) -> Locked:
        return Locked(f"{self.path} is damaged and stays as it is: bring a copy back, or move it away for a new one.")

    def _check_key(self, *, create: bool = False) -> None:
        if self.where == OFF:
            raise Locked("redacted secrets are kept nowhere: memem config set secrets_store file")
        proof = next((row["proof"] for row in self._rows() if "proof" in row), "")
        if not proof and self._damaged:
            raise self._damage()
        if not self._secret:
            self._secret = self._read_key()
        if not self._secret and (proof or self._rows() or not create):
            raise Locked(
                f"the key of the sealed secrets is missing ({self._place()}). Bring it back, or give the secrets up: "
                "memem secrets purge --all."
            )
        if not self._secret:
            self._secret = self._make_key()
        if not proof:
            with self._locked():
                if not self._rows():
                    self._write([{"proof": self._fernet().encrypt(_PROOF).decode()}])
            proof = next((row["proof"] for row in self._rows() if "proof" in row), "")
        from cryptography.fernet import InvalidToken

        try:
            fits = self._fernet().decrypt(proof.encode()) == _PROOF
        except (InvalidToken, ValueError):
            fits = False
        if not fits:
            self._secret = b""
            raise Locked(f"the key ({self._place()}) is not the one of {self.path}: bring the right one back.")

    def _place(self) -> str:
        return "in the system's keyring" if self.where == IN_KEYRING else str(self.key_file)

    def _read_key(self) -> bytes:
        if self.where == IN_KEYRING:
            return (_keyring().get_password(_SERVICE, _ACCOUNT) or "").encode()
        self.check_place()
        try:
            with open(self.key_file, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                key = file.read(200).strip()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise Locked(f"{self.key_file} cannot be read: {error.strerror}.") from error
        if mode & 0o077:
            raise Locked(f"{self.key_file} is open to others: chmod 600 {self.key_file}")
        return key

    def _make_key(self) -> bytes:
        key: bytes = _cryptography().Fernet.generate_key()
        if self.where == IN_KEYRING:
            _keyring().set_password(_SERVICE, _ACCOUNT, key.decode())
            return key
        self.key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            handle = os.open(self.key_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:  # another process was first
            return self._read_key()
        with open(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(key + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return key

    def check_place(self) -> None:
        """See that the key does not lie beside what it locks.

        Raises:
            Locked: it does, or would.
        """
        place = self.key_file
        if not place.is_absolute() or any(folder == place or folder in place.parents for folder in self._inside):
            raise Locked(f"{place} is no place for a key: it must lie outside of the state folder and the vault.")

    def _fernet(self) -> Any:
        try:
            return _cryptography().Fernet(self._secret)
        except ValueError:
            raise Locked(f"what is kept as the key ({self._place()}) is none: bring the right one back.") from None

    def _fingerprint(self, value: str) -> str:
        self._secret = self._secret or self._read_key()
        if not self._secret:
            raise Locked(f"the key of the sealed secrets is missing ({self._place()}).")
        return hmac.new(self._secret, value.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def _item(self, name: str) -> Sealed:
        found = [item for item in self.items() if len(name) >= _SHORTEST_ID and item.id.startswith(name)]
        if not found:
            raise NotFound(f"no sealed secret {name!r}: memem secrets list")
        if len(found) > 1:
            raise BadInput(f"{name!r} begins several ids; give more of it.")
        return found[0]

    def _rows(self) -> list[dict[str, Any]]:
        try:
            stat = self.path.stat()
            if self._known[0] != (stat.st_mtime_ns, stat.st_size):
                data = self.path.read_bytes()[: 2 * _MOST_BYTES]
                rows = [_parsed(line) for line in data.splitlines()]
                whole = [row for row in rows if row]
                proven = any("proof" in row for row in whole)
                self._damaged = not (proven and len(whole) == len(rows) and data.endswith(b"\n"))
                self._known = (stat.st_mtime_ns, stat.st_size), whole
        except (FileNotFoundError, NotADirectoryError):
            self._known, self._damaged = ((0, 0), []), False
        except OSError as error:
            raise Locked(f"{self.path} cannot be read: {error.strerror}. Fix its permissions.") from error
        return self._known[1]

    def _append(self, rows: list[dict[str, Any]]) -> None:
        if rows:
            with self._locked():
                self._write(rows)

    def _write(self, rows: list[dict[str, Any]]) -> None:
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW
        with open(os.open(self.path, flags, 0o600), "ab", buffering=0) as file:
            before = file.tell()
            if before > _MOST_BYTES:
                raise Locked(f"{self.path} is full: memem secrets purge")
            data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
            try:
                if file.write(data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)  # a line that is cut off would lock the store
                raise

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _parsed(line: bytes) -> dict[str, Any]:
    """The row of a line, or nothing where it is damaged."""
    try:
        row = json.loads(line)
        fits = all(isinstance(row[name], str) for name in ("proof", "allow", "sealed") if name in row)
        if "sealed" in row:
            fits = fits and all(isinstance(row[name], str) for name in ("id", "rule", "place")) and row["at"] >= 0
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return row if fits and isinstance(row, dict) else {}


def _cryptography() -> Any:
    try:
        from cryptography import fernet
    except ImportError:
        raise Locked(f"secrets cannot be sealed: {why_missing('cryptography')}") from None
    return fernet


def _keyring() -> Any:
    try:
        keyring, errors = import_module("keyring"), import_module("keyring.errors")
    except ImportError:
        raise Locked("the system's keyring needs the package keyring: memem config set secrets_store file") from None
    try:
        if keyring.get_keyring().priority < 1:
            raise Locked("this system has no keyring that is open: memem config set secrets_store file")
    except errors.KeyringError as error:
        raise Locked(f"the system's keyring does not answer ({type(error).__name__}).") from None
    return keyring
