"""Settings as people change them: `config.toml` line by line, and `keys.env`, which is written but never shown."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from memem.config import (
    CONFIG_FILE,
    SNAPSHOT,
    Config,
    checked,
    load_leniently,
    options,
    read_file,
    resolve,
    settings_of,
    write_snapshot,
)
from memem.errors import BadInput, NotFound, StateUnavailable
from memem.predecessors import answer_for
from memem.value import Value

KEYS_FILE = "keys.env"
_NEW_FILE = "# Settings of memem; `memem config show` lists them all. Environment variables win over this file.\n"
# A setting on one line: what stands before the value, the value, and what follows it.
_LINE = re.compile(r"""^(\s*(?:"%s"|'%s'|%s)\s*=\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^#\s]+)(\s*(?:#.*)?)$""")
_PLACES = ("vault", "claude_dir", "secrets_key_file")
_KEY_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class Setting(Value):
    """One option as it is now: its value, where that came from, and what it does."""

    name: str
    value: Any
    origin: str
    variable: str
    help: str


def show() -> list[Setting]:
    """Every option with its value and origin.

    Raises:
        BadInput: a value does not fit, or `config.toml` cannot be read; names the place.
    """
    environ = settings_of()
    config, origins = resolve(environ, read_file(environ))
    return [
        Setting(name=name, value=getattr(config, name), origin=origins[name], variable=spec.env[0], help=spec.help)
        for name, spec in options()
    ]


def get(name: str) -> Setting:
    """One option by its name or by one of its variables.

    Raises:
        NotFound: no option has that name; says what replaced it, or which there are.
    """
    wanted = option_name(name)
    return next(setting for setting in show() if setting.name == wanted)


def change(name: str, value: str | None) -> Setting:
    """Write one option to `config.toml`, or with None take it out, and tell the hooks. Other lines stay as they are.

    Raises:
        NotFound: no such option. BadInput: the value does not fit or is a secret. StateUnavailable: cannot be written.
    """
    name = option_name(name)
    if name == "dir":
        raise BadInput("where the state folder is can only be said by the environment: set MEMEM_DIR.")
    if value is not None and not value.isprintable():
        raise BadInput(f"the value of {name} has characters that cannot be seen: give it on one line.")
    if value is not None and _hides_a_secret(f"{name} = {value}"):
        raise BadInput(f"this looks like a secret, and {CONFIG_FILE} is no place for one: memem config set-key NAME")
    if value is not None and name in _PLACES and not value.startswith("~"):
        value = os.path.abspath(value)  # noqa: PTH100 - it is read from other folders than this one
    path, text = _text()
    before = _parsed(path, text)
    after = {key: kept for key, kept in before.items() if key != name}
    if value is not None:
        after[name] = checked(name, value, "the command line")
    changed = _with_line(text or _NEW_FILE, name, after.get(name))
    if _parsed(path, changed) != after:
        raise BadInput(f"the line of {name} in {path} is beyond me: change it with memem config edit.")
    _accept(path, changed)
    return get(name)


def accept(text: str) -> None:
    """Take a whole `config.toml` as a human edited it; one that does not fit is kept beside it, and the old one stays.

    Raises:
        BadInput: it is not valid; names the line or key, and where the text was kept.
    """
    path, _ = _text()
    try:
        if _hides_a_secret(text):
            raise BadInput("it holds what looks like a secret, which goes elsewhere: memem config set-key NAME.")
        _accept(path, text)
    except BadInput as error:
        aside = path.with_name(f"{path.name}.invalid")
        from memem.ingest.secrets import redact

        _replace(aside, redact(text).text)
        raise BadInput(f"{error} Your text is in {aside}; {path} is as it was.") from error


def text() -> str:
    """`config.toml` as it is, or what a new one begins with."""
    return _text()[1] or _NEW_FILE + "".join(f"# {name} = {_literal(spec.default)}\n" for name, spec in options())


def set_key(name: str, key: str | None) -> Path:
    """Keep a model's key in `keys.env`, readable by its owner only, or with None take it out; answers the file.

    Raises:
        BadInput: the name is no variable's, or the key is empty or not on one line.
    """
    if not _KEY_NAME.fullmatch(name):
        raise BadInput(f"{name!r} is no name of a key: use capitals, digits and _, as in ANTHROPIC_API_KEY.")
    path = Path(load_leniently().state_path(KEYS_FILE)).resolve()
    lines = [line for line in _kept(path) if line.partition("=")[0].strip() != name]
    if key is not None:
        key = key.strip()
        if not key or not key.isprintable() or not key.isascii() or " " in key:
            raise BadInput(f"a key is one word of plain characters: memem config set-key {name} <FILE")
        lines.append(f"{name}={key}")
    _replace(path, "".join(f"{line}\n" for line in lines))
    return path


def option_name(name: str) -> str:
    """The option that a name or variable means.

    Raises:
        NotFound: none; says what replaced it, or which there are.
    """
    known = dict(options())
    for option, spec in known.items():
        if name.lower() == option or name in spec.env:
            return option
    replaced = answer_for(name)
    raise NotFound(f"{name} is no option. {replaced or 'Options: ' + ', '.join(known) + '.'}")


def _hides_a_secret(text: str) -> bool:
    from memem.ingest.secrets import redact  # its tables load slowly, and most commands only read

    return bool(redact(text).found)


def _text() -> tuple[Path, str]:
    """Where `config.toml` is, through links, and what it says."""
    path = Path(load_leniently().state_path(CONFIG_FILE))
    try:
        return path.resolve(), path.read_bytes().decode("utf-8-sig")  # line ends as they are
    except FileNotFoundError:
        return path.resolve(), ""
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}. Mend or remove it.") from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise BadInput(f"{path} is not TOML: {error}. Mend it with memem config edit.") from error


def _with_line(text: str, name: str, value: Any) -> str:
    """The text with one setting on its line, at its end when it was nowhere, or without it for None."""
    pattern = re.compile(_LINE.pattern % ((re.escape(name),) * 3))
    lines = text.splitlines(keepends=True)
    for at, line in enumerate(lines):
        ending = line[len(line.rstrip("\r\n")) :]
        match = pattern.match(line.rstrip("\r\n"))
        if match:
            lines[at] = "" if value is None else f"{match[1]}{_literal(value)}{match[3]}{ending}"
            return "".join(lines)
    if value is None:
        return text
    gap = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{gap}{name} = {_literal(value)}\n"


def _literal(value: Any) -> str:
    """A value as TOML writes it: JSON's forms of texts, numbers and switches are TOML's too."""
    return json.dumps(value, ensure_ascii=False)


def _accept(path: Path, text: str) -> None:
    """Write a text that is valid as a whole, and compile it for the hooks."""
    values = _parsed(path, text)
    known = dict(options())
    for name in values:
        if name not in known:
            raise BadInput(f"{name!r} is no option. {answer_for(name) or 'memem config show lists them.'}")
        if name == "dir":
            raise BadInput("where the state folder is can only be said by the environment: set MEMEM_DIR.")
        checked(name, values[name], CONFIG_FILE)
    places = {"HOME", *(variable for name in ("dir", "vault") for variable in known[name].env)}
    resolve({name: value for name, value in settings_of().items() if name in places}, values)  # one beside the other
    _replace(path, text)
    config = load_leniently()
    write_snapshot(config, values, _interpreter(config))


def _interpreter(config: Config) -> str:
    """The one that the hooks use already, which need not be ours."""
    try:
        with open(config.state_path(SNAPSHOT), encoding="utf-8", errors="replace") as file:
            return file.readline().strip() or sys.executable
    except OSError:
        return sys.executable


def _kept(path: Path) -> list[str]:
    """The lines of a file whose other lines must survive: only one that is not there has none."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeError) as error:
        raise StateUnavailable(f"{path} cannot be read ({error}), so it was not changed: mend or remove it.") from error


def _replace(path: Path, text: str) -> None:
    """Replace a file as a whole, or not at all; nobody else may read it."""
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(temp, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temp, path)
    except (OSError, UnicodeError) as error:
        temp.unlink(missing_ok=True)
        raise StateUnavailable(f"{path} cannot be written ({error}): check its folder's permissions.") from error
