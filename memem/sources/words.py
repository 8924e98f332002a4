"""Whose words a text is: tells what a human typed from what the client, a hook, a model or memem itself put there."""

from __future__ import annotations

import re
from typing import NamedTuple

from memem.text import public

MACHINE, PROMPT, COMMAND, PLAN, INTERRUPT = "", "prompt", "command", "plan", "interrupt"
MINER = "memem-miner"  # the first word of every prompt that memem itself sends to a model

_SPANS = re.compile(
    r"<(ide_\w+|system-reminder|user-prompt-submit-hook)\b[^>]{0,200}>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
# Injected text may arrive without its first or last line: what has no beginning or no end goes as a whole.
_OURS = re.compile(r"<(memem-(?:recall|context))\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_OURS_END = re.compile(r"</memem-(?:recall|context)\s*>", re.IGNORECASE)
_MACHINE = re.compile(
    r"""</?(?:command-(?:name|message|args|contents)|local-command-\w+|bash-(?:input|stdout|stderr)|task-notification
      |ci-monitor-event|ide_\w+|system-\w+|user-prompt-submit-hook|persisted-output|channel|tick
      |(?:teammate|agent|cross-session)-message|[a-z]+(?:-[a-z]+)*-(?:event|notification|reminder|hook))[\s>]
    |\[Image:\ |\[SYSTEM\ NOTIFICATION|\{"task_id":
    |Operation\ stopped\ by\ hook|Stop\ hook\ feedback|Caveat:\ The\ messages\ below
    |Unknown\ (?:slash\ command|skill|command):|Base\ directory\ for\ this\ skill:
    |This\ session\ is\ being\ continued\ from\ a\ previous\ conversation
    |Continue\ from\ where\ you\ left\ off\.\Z|API\ Error\b|Warmup\Z
    """,
    re.VERBOSE,
)
_INTERRUPT = re.compile(r"\[Request interrupted by user")
_HANDED_OVER = re.compile(r"Implement the following plan:\s*")
_NAME = re.compile(r"<command-name>\s{0,20}/?(.{0,200}?)\s{0,20}</command-name>", re.DOTALL)
_ARGUMENTS = re.compile(r"<command-args>(.*?)(?:</command-args>|\Z)", re.DOTALL)
_SHELL = re.compile(r"<bash-input>(.*?)(?:</bash-input>|\Z)", re.DOTALL)
_SLASH = re.compile(r"/([a-z][\w:-]*)(?:\s+(.*))?\Z", re.DOTALL)
# Commands of the client itself: their arguments are settings, names and paths, not requests.
_OF_THE_CLIENT = frozenset(
    """
    add-dir agents bashes bug clear color compact config context copy cost doctor effort exit export extra-usage fast
    feedback help hooks ide install-github-app install-slack-app keybindings login logout mcp memory model output-style
    permissions plugin plugins privacy-settings quit release-notes reload-plugins remote-control remote-env rename
    resume rewind sandbox skills stats status statusline stickers tag tasks terminal-setup theme think todos upgrade
    usage vim voice
    """.split()
)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]{0,32}[A-Za-z]|\x1b\][^\x07\x1b]{0,500}(?:\x07|\x1b\\)?|\x1b.?")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
_REFUSED = re.compile(r"The user doesn't want to (?:proceed|take this action)|User rejected|The user rejected")
_SAID = re.compile(r"the user (?:said|provided the following reason[^:\n]*):\s*(.*)", re.DOTALL | re.IGNORECASE)
_SAID_END = re.compile(r"\n[^\S\n]{0,40}\n(?:Note: The user's next message|IMPORTANT:).*", re.DOTALL)
_ANSWERED = re.compile(r'"((?:[^"\\]|\\.){1,500})"="((?:[^"\\]|\\.){0,2000})"')
_OWN_COMMAND = re.compile(
    r"\bmemem(?:\.\w+|/bootstrap\.sh)?[\"']?\s+"
    r"(?:search|get|list|slice|timeline|transcripts|mine|stale|conflicts|demo|status)\b"
    r"|/memem/memories\b|/memem/(?:playbooks|narratives|sessions)(?![\w.])|/obsidian-brain/memem\b|/\.memem/"
)


class Said(NamedTuple):
    """What the text of a user record is, and the part of it that matters."""

    kind: str
    text: str


def cleaned(text: str) -> str:
    """Without what memem injected, terminal escapes, control characters and halves of surrogate pairs."""
    text = public(text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    text = _INVISIBLE.sub("", text)
    if "memem-" in text:
        text = _OURS.sub("", text)
        ends = [match.end() for match in _OURS_END.finditer(text)]
        text = text[ends[-1] :] if ends else text
    return text.strip()


def injected(text: str) -> list[str]:
    """What memem put into a text: all that `cleaned` takes away of it."""
    found = [match[0] for match in _OURS.finditer(text)]
    rest = _OURS.sub("", text)
    ends = [match.end() for match in _OURS_END.finditer(rest)]
    return [*found, rest[: ends[-1]]] if ends else found


def said(raw: str) -> Said:
    """Whose words the text of a user record is, without what a client wrapped around a human's."""
    text = cleaned(_SPANS.sub("", raw) if "<" in raw else raw)
    if not text:
        return Said(MACHINE, "")
    if text.startswith(("<command-name>", "<command-message>")):
        name, arguments = _NAME.search(text), _ARGUMENTS.search(text)
        return _slash(name[1] if name else "", arguments[1].strip() if arguments else "")
    if shell := _SHELL.match(text):
        return Said(COMMAND, shell[1].strip())
    if _INTERRUPT.match(text):
        return Said(INTERRUPT, "interrupt")
    if plan := _HANDED_OVER.match(text):
        return Said(PLAN, text[plan.end() :])
    if _MACHINE.match(text):
        return Said(MACHINE, "")
    if text.startswith("/") and (slash := _SLASH.match(text)) and (not slash[2] or slash[1] in _OF_THE_CLIENT):
        return Said(MACHINE, "")
    return Said(PROMPT, text)


def queued(raw: str) -> Said:
    """The same for text that waited in the queue of the client, where a command is still as it was typed."""
    slash = _SLASH.match(raw.strip())
    return _slash(slash[1], (slash[2] or "").strip()) if slash else said(raw)


def _slash(name: str, arguments: str) -> Said:
    return Said(PROMPT if arguments and name not in _OF_THE_CLIENT else MACHINE, arguments)


def likeness(raw: str) -> str:
    """What stays the same of a text between the queue and the record that it becomes."""
    name = _NAME.search(raw[:2000])
    if name:
        arguments = _ARGUMENTS.search(raw)
        raw = f"/{name[1]} {arguments[1] if arguments else ''}"
    return " ".join(raw.split())[:2000]


def refusal(output: str) -> str | None:
    """What the human said when refusing a tool: None if this is no refusal, empty if nothing was said."""
    if not _REFUSED.match(output):
        return None
    found = _SAID.search(output)
    return cleaned(_SAID_END.sub("", found[1])) if found else ""


def answers(output: str) -> dict[str, str]:
    """Questions and answers from the text of a result, for records that do not hold them apart."""
    return dict(_ANSWERED.findall(output[:20_000]))


def is_of_memem(tool: str, argument: str = "") -> bool:
    """Whether a tool's output is what memem itself remembers: its MCP tools, its command line, its notes."""
    parts = tool.split("__")
    if len(parts) > 2 and parts[0] == "mcp":
        return "memem" in parts[1].split("_") or parts[1] == "memem"
    return "memem" in argument and _OWN_COMMAND.search(argument) is not None


def is_of_miner(text: str) -> bool:
    """Whether a first prompt was sent by memem itself."""
    return text.lstrip(" \n<[#").startswith(MINER) or f"<{MINER}" in text


def head(text: str, size: int) -> str:
    """The first characters of a text, at most `size`."""
    return text if len(text) <= size else text[: size - 1] + "…"


def ends(text: str, size: int) -> str:
    """Both ends of a text, at most `size` characters."""
    if len(text) <= size:
        return text
    half = (size - 3) // 2
    return f"{text[:half]}\n…\n{text[-half:]}"
