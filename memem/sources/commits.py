"""Commit messages in shell commands: `-m` given several times, here-documents, `-F -`."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LONGEST = 20_000
_MOST_CALLS = 20
# Bounded everywhere: a command is anybody's text, and may be made to take for ever.
_CALL = re.compile(
    r"\bgit(?:\s{1,20}(?:-[cC]\s{1,20}\S{1,500}|-(?![cC]\s)[\w-]{1,50}(?:=\S{1,500})?)){0,6}\s{1,20}commit(?![\w-])"
)
_CLUSTER = re.compile(r"-[apqsvne]*m(.*)\Z", re.DOTALL)
_HEREDOC = re.compile(r"<<-?[ \t]*(['\"]?)(\w+)\1[^\n]*\n(.*?)(?:\n[ \t]*\2\b|\Z)", re.DOTALL)
_SUBSTITUTED = re.compile(r"\$\(\s*cat\s*(?=<<)")
_TRAILERS = re.compile(
    r"(?im)^[^\w\n]*(?:(?:co-authored|signed-off|assisted|generated|reviewed)-by|change-id|claude-session)[ \t]*:.*$"
    r"|^[^\w\n]*generated (?:with|by) .*$"
)
_BLANKS = re.compile(r"\n{3,}")


def messages(command: str) -> list[str]:
    """The messages of the commits that a shell command makes, without the trailers that tools add."""
    if "commit" not in command:
        return []
    command = command[:_LONGEST]
    found = [
        _message(command, call.end()) for call, _ in zip(_CALL.finditer(command), range(_MOST_CALLS), strict=False)
    ]
    return [text for text in (_BLANKS.sub("\n\n", _TRAILERS.sub("", text)).strip() for text in found) if text]


def _message(command: str, at: int) -> str:
    paragraphs: list[str] = []
    words = _words(command, at)
    for word in words:
        if word.startswith("<<"):
            continue
        cluster = _CLUSTER.match(word)
        if word == "--message" or (cluster and not cluster[1]):
            paragraphs.append(next(words, ""))
        elif cluster:
            paragraphs.append(cluster[1])
        elif word.startswith("--message="):
            paragraphs.append(word.removeprefix("--message="))
        elif word in ("-F", "--file", "-F-", "--file=-") or re.fullmatch(r"-[aqsn]*F-?", word):
            document = _HEREDOC.search(command, at)
            if document and "\n" not in command[at : document.start()]:
                return document[3]
    # What only the shell knows is no message.
    return "\n\n".join(part.strip() for part in paragraphs if not part.startswith(("$(", "$", "`")))


def _words(text: str, at: int) -> Iterator[str]:
    """The words of one shell command from a position on, quotes and here-documents resolved."""
    while at < len(text):
        if text[at] in " \t":
            at += 1
        elif text.startswith("\\\n", at):
            at += 2
        elif text[at] in "\n;|&)":
            return
        else:
            word, at = _word(text, at)
            yield word


def _word(text: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while at < len(text) and text[at] not in " \t\n;|&)":
        if text[at] == "'":
            end = text.find("'", at + 1)
            end = len(text) if end < 0 else end
            parts.append(text[at + 1 : end])
            at = end + 1
        elif text[at] == '"':
            part, at = _quoted(text, at + 1)
            parts.append(part)
        elif text[at] == "\\":
            parts.append(text[at + 1 : at + 2])
            at += 2
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts), at


def _quoted(text: str, at: int) -> tuple[str, int]:
    """The inside of double quotes that opened before the position, and the position after them."""
    parts: list[str] = []
    while at < len(text) and text[at] != '"':
        inner = _SUBSTITUTED.match(text, at) if text[at] == "$" else None
        document = _HEREDOC.match(text, inner.end()) if inner else None
        if document:
            parts.append(document[3])
            close = text.find(")", document.end())
            at = len(text) if close < 0 else close + 1
        elif text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\", "$", "`", "\n"):
            parts.append(text[at + 1].strip("\n"))
            at += 2
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts), at + 1
