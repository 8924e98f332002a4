"""Settings of the five programs that memem continues: which option honours each, or what took its place."""

from __future__ import annotations

from collections.abc import Iterable

from memem.config import SWITCHES, options
from memem.value import Value

MEMEM, CALLMEM, OPENCODE, MEMMAN = "memem", "callmem", "opencode-memory", "memman"
_MODEL = "The settings `llm`, `llm_model` and `llm_url` choose a model; spending needs `memem miner spend --allow`."
_SERVICE = "`memem miner start` mines settled sessions in the background; it waits and retries by itself."
_NO_PORT = "Nothing listens on a port: clients start memem themselves, over stdio."
_BY_PROJECT = "Only this project's notes and general ones are injected; `memem search` finds the others after them."
_EVIDENCE = "A prompt gets a note above a floor of evidence, which is fixed and measured, or nothing."
_INJECTION = "`injection_mode` and `session_start_limit` say what a session begins with."
_SEARCH = "Search works by words and needs no embedding model."
_CLAUDE = "Sessions of Claude Code are read from `claude_dir` and `extra_session_dirs`."
_NO_OPENCODE = "Sessions of OpenCode are not read yet."
_NO_FILE_IN_REPOSITORY = "Nothing is written into your repository; a session begins with a block of notes instead."

# Program, then its variables or keys of its file, then what took their place. An option that reads the variable
# itself (`config.Config`) has the last word over this table.
ROWS: tuple[tuple[str, str, str], ...] = (
    (MEMEM, "MEMEM_DIR MEMEM_OBSIDIAN_VAULT MEMEM_VAULT CORTEX_DIR CORTEX_OBSIDIAN_VAULT", ""),
    (MEMEM, "MEMEM_INJECTION_MODE MEMEM_SHOW_BANNER MEMEM_SKIP_SYNC MEMEM_EXTRA_SESSION_DIRS", ""),
    (MEMEM, "MEMEM_EXCLUDED_SESSION_PROJECTS CORTEX_EXCLUDED_SESSION_PROJECTS", ""),
    (MEMEM, "MEMEM_SESSION_START_LIMIT MEMEM_COMPACT_INDEX_LIMIT MEMEM_SESSION_START_PROMPT_BUDGET", ""),
    (MEMEM, "MEMEM_PYTHON", "Read by bootstrap.sh: the interpreter to use."),
    (MEMEM, "MEMEM_HOOK_DISABLE", "Read by the hooks: any value silences them."),
    (MEMEM, "MEMEM_PRETOOL_GATING MEMEM_TOPIC_SHIFT_THRESHOLD MEMEM_MINER_SETTLE_SECONDS MEMEM_HAIKU_TIMEOUT", ""),
    (
        MEMEM,
        "MEMEM_DAEMON_CMD MEMEM_BACKOFF_INITIAL MEMEM_MINER_HARD_RETRY_CAP MEMEM_ALLOW_TEST_MINER MEMEM_DREAM_AUTO",
        _SERVICE,
    ),
    (
        MEMEM,
        "MEMEM_SUBPROCESS_PROMPT_PREFIXES",
        "memem's own calls are recognised without prefixes.",
    ),
    (MEMEM, "MEMEM_RERANK_MODEL", _MODEL),
    (MEMEM, "MEMEM_HOOK_TASK_MODE", "Name the mode with each slice: `--task-mode`; prompts have none."),
    (MEMEM, "MEMEM_ACTIVE_SLICE_TRANSCRIPTS", "`memem slice --include-transcripts` takes them in."),
    (MEMEM, "MEMEM_SESSION_START_FULL", "Notes of layer 0 begin a session in full; move a note with `layer: 0`."),
    (MEMEM, "MEMEM_SESSION_START_PROJECT", "The project is known by its git remote; see `project_aliases`."),
    (MEMEM, "MEMEM_CROSS_PROJECT_PENALTY MEMEM_CROSS_PROJECT_EVICT_THRESHOLD", _BY_PROJECT),
    (MEMEM, "MEMEM_RECALL_MIN_ITEM_SCORE", _EVIDENCE),
    (MEMEM, "MEMEM_WRITEBACK_ENABLED", "A slice writes nothing unless it is asked with `--auto-commit-safe`."),
    (MEMEM, "MEMEM_FSYNC", "Notes always reach the disk before a save is called done."),
    (MEMEM, "MEMEM_FRONTMATTER_STRICT", "Damaged notes stay where they are; `memem conflicts` names them."),
    (MEMEM, "MEMEM_EVAL_CAPTURE MEMEM_TELEMETRY_SOURCE", "Only counts are kept, on this machine: `memem stats`."),
    (CALLMEM, "llm.backend llm.model llm.api_base", _MODEL),
    (CALLMEM, "ui.host ui.port", _NO_PORT),
    (CALLMEM, "adapters.opencode", _NO_OPENCODE),
    (CALLMEM, "adapters.claude_code", _CLAUDE),
    (CALLMEM, "adapters.claude_code_poll_interval adapters.claude_code_idle_timeout", _SERVICE),
    (CALLMEM, "briefing.max_tokens", "`session_start_budget` bounds what a session begins with."),
    (CALLMEM, "briefing.auto_write_session_summary briefing.session_summary_filename", _NO_FILE_IN_REPOSITORY),
    (CALLMEM, "extraction.batch_size", "A session is mined as a whole."),
    (
        OPENCODE,
        "OPENCODE_MEMORY_HOST OPENCODE_MEMORY_PORT OPENCODE_MEMORY_API_KEY OPENCODE_MEMORY_RATE_LIMIT",
        _NO_PORT,
    ),
    (OPENCODE, "HF_HUB_OFFLINE TRANSFORMERS_OFFLINE", _SEARCH),
    (
        OPENCODE,
        "GITLAB_TOKEN identity.user identity.instance",
        "GitLab is never asked; `!12` and `#3` are plain words.",
    ),
    (
        OPENCODE,
        "boot.identity boot.active_sessions boot.hot_items boot.unresolved_blockers boot.recent_decisions "
        "boot.max_hot_items",
        _INJECTION,
    ),
    (OPENCODE, "ingestion.watch_paths ingestion.db_poll_interval", _NO_OPENCODE),
    (OPENCODE, "ingestion.llm_extraction", _MODEL),
    (OPENCODE, "ingestion.working_directory", "The project is known from the session's own folder."),
    (OPENCODE, "storage.path", "`vault` is where the notes are, MEMEM_DIR where the index is."),
    (MEMMAN, "MEMMAN_STORE", "One vault holds all; another one is another `MEMEM_OBSIDIAN_VAULT`."),
    (MEMMAN, "OPENROUTER_API_KEY VOYAGE_API_KEY", f"{_MODEL} `memem config set-key` would keep a key."),
)
_SECTIONS = ("CALLMEM_", "LLM_MEM_")


class Predecessor(Value):
    """One setting of another program: the option of ours that honours it, or a sentence about what took its place."""

    program: str
    name: str
    option: str
    says: str


def table() -> list[Predecessor]:
    """Every setting of the others, in order."""
    readers = {variable: option for option, spec in options() for variable in spec.env}
    return [
        Predecessor(program=program, name=name, option=readers.get(name, ""), says="" if name in readers else says)
        for program, names, says in ROWS
        for name in names.split()
    ]


def answer_for(name: str) -> str:
    """What to say to somebody who sets this name of another program; empty when no program knows it."""
    key = _as_key(name)
    found = next((row for row in table() if row.name in (name, key)), None)
    if found is None:
        return ""
    return found.says or f"It sets `{found.option}`."


def meaningless(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Of variables that are set: those that mean nothing any more with what took their place, and unknown ones."""
    known = {variable for _, spec in options() for variable in spec.env} | {*SWITCHES, "HOME"}
    left = sorted(set(names) - known)
    answered = {name: answer_for(name) for name in left}
    ours = [name for name in left if not answered[name] and name.startswith("MEMEM_")]
    return {name: answer for name, answer in answered.items() if answer}, ours


def _as_key(name: str) -> str:
    """callmem's `CALLMEM_UI__PORT` (and its older prefix) as the key of its file."""
    for prefix in _SECTIONS:
        if name.startswith(prefix):
            return name.removeprefix(prefix).lower().replace("__", ".", 1)
    return name
