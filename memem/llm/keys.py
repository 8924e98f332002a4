"""Keys of models: `keys.env` in the state folder and the environment, kept out of configuration, logs and messages."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from memem import config as configuration
from memem.config import Config
from memem.errors import ModelUnusable
from memem.value import Value

KEYS_FILE = "keys.env"
_MOST_BYTES = 64_000


class Keys(Value):
    """The keys, each with the address it is for where one was given; never shown."""

    anthropic: str = ""
    anthropic_url: str = ""
    openai: str = ""
    openai_url: str = ""

    def __repr__(self) -> str:
        return "Keys(...)"


def gather(config: Config, environ: Mapping[str, str]) -> Keys:
    """The keys of the environment, else those of `keys.env`.

    Raises:
        ModelUnusable: the file can be read by others, or a key in it cannot be one.
    """
    found = _read(config.state_path(KEYS_FILE)) | configuration.keys(environ)
    for name, value in found.items():
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise ModelUnusable(f"{name} holds characters that no key has: set it again, without quotes or blanks.")
    return Keys(
        anthropic=found.get("ANTHROPIC_API_KEY", ""),
        anthropic_url=found.get("ANTHROPIC_BASE_URL", ""),
        openai=found.get("OPENAI_API_KEY", ""),
        openai_url=found.get("OPENAI_BASE_URL", ""),
    )


def _read(path: str) -> dict[str, str]:
    try:
        # Not blocking, or a pipe of that name would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ModelUnusable(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ModelUnusable(f"{path} is no file: remove it, and write the keys into a file of that name.")
        if about.st_mode & 0o077:
            raise ModelUnusable(f"{path} can be read by others: chmod 600 {path}, and renew the keys in it.")
        text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        value = value.strip()
        if value[:1] in "'\"" and value[-1:] == value[:1]:
            value = value[1:-1]
        if equals and value and name.strip() in configuration.KEYS:
            found[name.strip()] = value
    return found
