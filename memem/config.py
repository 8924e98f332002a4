"""Configuration: one frozen value, every option on one line; the only reader of the environment.

The order is environment, then `config.toml` in the state folder, then the default. The prompt hook cannot afford
to parse TOML, so the bootstrap compiles the file into a flat snapshot (`hook.conf`) that `load_snapshot` reads.
"""

from __future__ import annotations

import os
import sys

from memem.errors import BadInput
from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    Fit = tuple[str, Callable[[Any], bool]]  # what fits, in words, and whether a value does

SNAPSHOT = "hook.conf"
CONFIG_FILE = "config.toml"
KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL")
COMPLETE = "_MEMEM_COMPLETE"
PREFIXES = ("MEMEM_", "CORTEX_", "CALLMEM_", "LLM_MEM_", "OPENCODE_MEMORY_", "MEMMAN_")
SWITCHES = ("MEMEM_MINER", "MEMEM_HOOK_DISABLE", "MEMEM_PYTHON")  # read by the shell: no options
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")


class Option(Value):
    """One setting: its default, variables that set it (first wins), what it does, what fits, where no path may lie."""

    default: Any
    env: tuple[str, ...]
    help: str
    choices: tuple[str, ...] = ()
    fits: Fit | None = None
    outside: tuple[str, ...] = ()


def option(default: Any, env: str, help: str, choices: tuple[str, ...] = (), **bounds: Any) -> Any:
    """Declare an option; `env` may name several variables separated by spaces."""
    return Option(default=default, env=tuple(env.split()), help=help, choices=choices, **bounds)


def _number(least: int, most: float = float("inf")) -> Fit:
    words = f"{least} or more" if most == float("inf") else f"a number from {least} to {most}"
    return words, lambda value: least <= value <= most


_ADDRESS: Fit = ("an http(s) address", lambda text: not text or text.lower().startswith(("http://", "https://")))
_PAIRS: Fit = (
    "pairs such as old=new, separated by commas",
    lambda text: all("=" in pair.strip("= ") for pair in text.split(",") if pair.strip()),
)
_BLOCK = _number(0, 9500)  # the host replaces what is longer by a reference to a file


class Config(Value):
    """All settings of one process. Build it with `load` or `load_snapshot`, then pass it on."""

    dir: str = option("~/.memem", "MEMEM_DIR CORTEX_DIR", "State folder: index, state, logs, private environment.")
    vault: str = option(
        "~/obsidian-brain",
        "MEMEM_OBSIDIAN_VAULT MEMEM_VAULT CORTEX_OBSIDIAN_VAULT",
        "Obsidian vault; notes live in its folder `memem/`.",
    )
    cache_dir: str = option(
        "",
        "MEMEM_CACHE_DIR XDG_CACHE_HOME",
        "Local folder for the index when the state folder is on a network or synced file system (empty: `~/.cache`, "
        "on macOS `~/Library/Caches`).",
    )
    injection_mode: str = option(
        "auto",
        "MEMEM_INJECTION_MODE",
        "`auto` injects on session start and on prompts, `tool` only answers tools, `off` disables the hooks.",
        choices=("auto", "tool", "off"),
    )
    show_banner: bool = option(False, "MEMEM_SHOW_BANNER", "Begin the session start block with a status line.")
    session_start_limit: int = option(
        50, "MEMEM_SESSION_START_LIMIT MEMEM_COMPACT_INDEX_LIMIT", "Most index lines in the session start block."
    )
    session_start_budget: int = option(
        8000,
        "MEMEM_SESSION_START_BUDGET MEMEM_SESSION_START_PROMPT_BUDGET",
        "Size of the session start block, in UTF-16 units (at most 9500; 0 for none).",
        fits=_BLOCK,
    )
    holdout: int = option(
        0,
        "MEMEM_HOLDOUT",
        "Percent of sessions, chosen by their id, in which the hooks inject nothing but note what they would have, so "
        "that `memem stats` can compare.",
        fits=_number(0, 100),
    )
    prompt_limit: int = option(3, "MEMEM_PROMPT_LIMIT", "Most memories injected for one prompt.")
    prompt_budget: int = option(
        4000, "MEMEM_PROMPT_BUDGET", "UTF-16 units that one prompt injects (at most 9500; 0 for none).", fits=_BLOCK
    )
    pretool_gating: bool = option(
        False, "MEMEM_PRETOOL_GATING", "Before a file is read, inject the notes that concern it."
    )
    topic_shift_threshold: float = option(
        0.3,
        "MEMEM_TOPIC_SHIFT_THRESHOLD",
        "Memories may be shown again when less than this share of what a prompt is about was a topic of the session's "
        "last four prompts; 0 for never.",
        fits=_number(0, 1),
    )
    project_aliases: str = option(
        "", "MEMEM_PROJECT_ALIASES", "Other names of projects: `old=new`, separated by commas.", fits=_PAIRS
    )
    claude_dir: str = option(
        "~/.claude", "CLAUDE_CONFIG_DIR", "Folder of Claude Code; sessions are in its `projects/`."
    )
    miner_settle_seconds: int = option(
        300, "MEMEM_MINER_SETTLE_SECONDS", "Seconds of quiet before a session that did not end is mined."
    )
    extra_session_dirs: str = option(
        "", "MEMEM_EXTRA_SESSION_DIRS", "More folders of sessions to read, separated by colons."
    )
    excluded_projects: str = option(
        "",
        "MEMEM_EXCLUDED_SESSION_PROJECTS CORTEX_EXCLUDED_SESSION_PROJECTS",
        "Projects whose sessions are neither archived, mined nor searched, separated by colons: the folder you work "
        "in, or the name of theirs below `projects/`.",
    )
    llm: str = option(
        "none",
        "MEMEM_LLM",
        "Model for mining: `claude`, `anthropic`, `openai`, `ollama`, or `auto`: the first ready one. Spends tokens.",
        choices=("none", "auto", "claude", "anthropic", "openai", "ollama"),
    )
    llm_model: str = option(
        "", "MEMEM_LLM_MODEL", "Name of the model; `claude` and `anthropic` use a Haiku, the others need one."
    )
    llm_url: str = option(
        "", "MEMEM_LLM_URL", "Address of the model's API, such as `http://127.0.0.1:8000/v1`.", fits=_ADDRESS
    )
    llm_concurrency: int = option(
        2, "MEMEM_LLM_CONCURRENCY", "Most model calls at once, over all processes.", fits=_number(1)
    )
    llm_timeout: int = option(
        120, "MEMEM_LLM_TIMEOUT MEMEM_HAIKU_TIMEOUT", "Seconds that one model call may take.", fits=_number(1)
    )
    daily_usd: float = option(1.0, "MEMEM_DAILY_USD", "Most US dollars for models in a day; mining waits beyond it.")
    daily_tokens: int = option(
        1_000_000, "MEMEM_DAILY_TOKENS", "Most tokens for models in a day, read and written; mining waits beyond it."
    )
    archive_days: int = option(
        0, "MEMEM_ARCHIVE_DAYS", "Days that an archived session is kept after it last grew; 0 keeps it for ever."
    )
    session_off: bool = option(
        False, "MEMEM_SESSION_OFF", "memem leaves the sessions started with this alone, as `memem off` does for one."
    )
    secrets_store: str = option(
        "file",
        "MEMEM_SECRETS_STORE",
        "Where the key of redacted secrets is, which are kept encrypted: `file`, the system's `keyring`, or `off`: "
        "they are kept nowhere.",
        choices=("file", "keyring", "off"),
    )
    secrets_key_file: str = option(
        "~/.config/memem/secrets.key",
        "MEMEM_SECRETS_KEY_FILE",
        "File of that key (0600); it must lie outside of the state folder and the vault.",
        outside=("dir", "vault"),
    )
    redact_personal: bool = option(
        False,
        "MEMEM_REDACT_PERSONAL",
        "Redact mail addresses, phone, card, account and id numbers as well; authors of commits stay.",
    )
    tool_profile: str = option(
        "core",
        "MEMEM_TOOL_PROFILE",
        "Tools that the agent is offered: `core`, or `full` with lists, import and the graph. Schemas cost context.",
        choices=("core", "full"),
    )
    skip_sync: bool = option(
        False, "MEMEM_SKIP_SYNC", "The bootstrap does not install or update dependencies (for development)."
    )

    @property
    def memory_root(self) -> str:
        """The folder inside the vault that holds everything of memem."""
        return f"{self.vault}/memem"

    @property
    def session_dirs(self) -> tuple[str, ...]:
        """The folders that hold transcripts."""
        return (f"{self.claude_dir}/projects", *filter(None, self.extra_session_dirs.split(":")))

    def state_path(self, name: str) -> str:
        """Path of a file or folder of ours in the state folder."""
        return f"{self.dir}/{name}"


def options() -> Iterator[tuple[str, Option]]:
    """All options by field name, in order of declaration."""
    return ((name, spec) for name, spec in Config.__defaults__.items() if isinstance(spec, Option))


def resolve(
    environ: Mapping[str, str], file_values: Mapping[str, Any], *, lenient: bool = False
) -> tuple[Config, dict[str, str]]:
    """The configuration, and for each field where its value came from.

    Raises:
        BadInput: a value does not fit its option; names the variable or key. With `lenient` its default stands in.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, spec in options():
        value, origin = spec.default, "default"
        if name in file_values:
            value, origin = file_values[name], CONFIG_FILE
        for variable in spec.env:
            if environ.get(variable):
                value, origin = environ[variable], variable
                break
        try:
            values[name], origins[name] = _coerce(name, spec, value, origin), origin
        except BadInput:
            if not lenient:
                raise
            values[name], origins[name] = spec.default, "default"
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - pathlib is too dear on the hook path
    values["cache_dir"] = values["cache_dir"] or ("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")
    for name in ("dir", "vault", "cache_dir", "claude_dir", "secrets_key_file"):
        values[name] = _absolute(values[name], home)
    extra = values["extra_session_dirs"].split(":")
    values["extra_session_dirs"] = ":".join(_absolute(path.strip(), home) for path in extra if path.strip())
    for name, spec in options():
        # A default that lies inside is told by doctor: it must not stop everything else.
        if origins[name] != "default" and any(_lies_in(values[name], values[folder]) for folder in spec.outside):
            if not lenient:
                folders = " and of ".join(values[folder] for folder in spec.outside)
                raise BadInput(f"{origins[name]} sets {name} to {values[name]!r}: use a file outside of {folders}.")
            values[name], origins[name] = _absolute(spec.default, home), "default"
    return Config(**values), origins


def load(environ: Mapping[str, str] | None = None) -> Config:
    """The configuration from the environment and `config.toml`."""
    environ = os.environ if environ is None else environ
    return resolve(environ, read_file(environ))[0]


def load_leniently(environ: Mapping[str, str] | None = None) -> Config:
    """The configuration for those who tell what is wrong with it: what does not fit is as the hooks see it."""
    environ = os.environ if environ is None else environ
    try:
        return load(environ)
    except BadInput:
        return load_snapshot(environ)


def load_snapshot(environ: Mapping[str, str]) -> Config:
    """The configuration as the hook reads it: environment, then the compiled snapshot, no TOML.

    A value that does not fit is dropped for its default: a hook has nobody to complain to.
    """
    folder = resolve({k: environ[k] for k in ("HOME", "MEMEM_DIR", "CORTEX_DIR") if k in environ}, {})[0].dir
    values: dict[str, Any] = {}
    try:
        with open(f"{folder}/{SNAPSHOT}", encoding="utf-8") as file:
            for line in file.read().splitlines()[1:]:
                name, _, value = line.partition("=")
                values[name] = value
    except (OSError, ValueError):
        pass
    return resolve(environ, values, lenient=True)[0]


def keys(environ: Mapping[str, str]) -> dict[str, str]:
    """The keys of models in the environment. They are no options, so that nothing that shows options shows them."""
    return {name: environ[name].strip() for name in KEYS if environ.get(name, "").strip()}


def completing(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a shell asks for completions: it starts `memem` without arguments then, and without a terminal."""
    return COMPLETE in (os.environ if environ is None else environ)


def project_folder(environ: Mapping[str, str] | None = None) -> str:
    """The folder of the project that a command is run in, or nothing when it was deleted under us."""
    try:
        return (os.environ if environ is None else environ).get("CLAUDE_PROJECT_DIR") or os.getcwd()  # noqa: PTH109
    except OSError:
        return ""


def read_file(environ: Mapping[str, str]) -> dict[str, Any]:
    """The values of `config.toml`, or nothing when there is no such file.

    Raises:
        BadInput: the file is not TOML, or names an option that does not exist.
    """
    folder = resolve({k: environ[k] for k in environ if k in ("HOME", "MEMEM_DIR", "CORTEX_DIR")}, {})[0].dir
    path = f"{folder}/{CONFIG_FILE}"
    try:
        with open(path, encoding="utf-8-sig") as file:  # some editors put a mark before the first line
            text = file.read()
        import tomllib

        values = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}. Mend or remove it.") from error
    known = dict(options())
    if "dir" in values:  # the file would have to say where it is found itself
        raise BadInput(f"{path} sets 'dir', which only the environment can: use MEMEM_DIR.")
    for name in values:
        if name not in known:
            raise BadInput(f"{path} sets {name!r}, which is no option. Options: {', '.join(known)}.")
    return values


def checked(name: str, value: Any, origin: str) -> Any:
    """A value for an option, of the option's type.

    Raises:
        BadInput: it does not fit; names the origin and what would fit.
    """
    return _coerce(name, dict(options())[name], value, origin)


def settings_of(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of the environment that could be meant for memem or one of its predecessors."""
    environ = os.environ if environ is None else environ
    ours = {variable for _, spec in options() for variable in spec.env} | {"HOME"}
    return {name: environ[name] for name in environ if name in ours or name.startswith(PREFIXES)}


def write_snapshot(config: Config, file_values: Mapping[str, Any], interpreter: str) -> None:
    """Compile `config.toml` for the hook: the interpreter on the first line, then `name=value` lines.

    The environment is left out on purpose: the hook reads its own.
    """
    lines = [interpreter]
    for name, value in file_values.items():
        text = str(int(value)) if isinstance(value, bool) else str(value)
        lines.append(f"{name}={' '.join(text.splitlines())}")
    path, text = config.state_path(SNAPSHOT), "\n".join(lines) + "\n"
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except (OSError, ValueError):
        pass  # missing or damaged: write it anew
    temp = os.open(f"{path}.{os.getpid()}", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with open(temp, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.{os.getpid()}", path)


def _coerce(name: str, spec: Option, value: Any, origin: str) -> Any:
    typed = _typed(name, spec, value, origin)
    if spec.fits and not spec.fits[1](typed):
        raise BadInput(f"{origin} sets {name} to {typed!r}: use {spec.fits[0]}.")
    return typed


def _typed(name: str, spec: Option, value: Any, origin: str) -> Any:
    text = str(value).strip()
    if isinstance(spec.default, bool):
        if text.lower() in _TRUE or text.lower() in _FALSE:
            return text.lower() in _TRUE
        raise BadInput(f"{origin} sets {name} to {text!r}: use 1 or 0.")
    if isinstance(spec.default, int):
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        raise BadInput(f"{origin} sets {name} to {text!r}: use a whole number.")
    if isinstance(spec.default, float):
        if text.isascii() and text.replace(".", "", 1).isdigit() and len(text) < 10:
            return float(text)
        raise BadInput(f"{origin} sets {name} to {text!r}: use a number such as 0.5.")
    if spec.choices:
        if text.lower() not in spec.choices:
            raise BadInput(f"{origin} sets {name} to {text!r}: use {', '.join(spec.choices)}.")
        return text.lower()
    if not isinstance(value, str) or (spec.default and not text):
        raise BadInput(f"{origin} sets {name} to {value!r}: use a text.")
    return text


def _absolute(path: str, home: str) -> str:
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    return os.path.abspath(path)  # noqa: PTH100


def _lies_in(path: str, folder: str) -> bool:
    return f"{os.path.realpath(path)}/".startswith(f"{os.path.realpath(folder)}/")
