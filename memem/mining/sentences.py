"""From the text of a turn to its own sentences: without code, tables, logs, quotes and the marks of markdown."""

from __future__ import annotations

import re

from memem.text import STOP_WORDS, one_line, terms
from memem.value import Value

LONGEST_OWN = 1800  # of a longer turn only the first and the last paragraph are the human's words
_LONGEST, _SHORTEST = 420, 12
_MOST_TEXT = 20_000
_FENCE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\((?:https?:|[\w./#@-])[^)\s]{0,2000}\)")
_ONLY_LINK = re.compile(r"^\s*(?:[-*]\s+)?\[[^\]\n]*\]\([^)\n]*\)\s*$")
_DOCUMENT = re.compile(r"^[ \t]{0,3}#{1,4} \S|^[ \t]{0,40}\*\*[^*\n]+\*\*|^[ \t]{0,40}\|.*\|[ \t]*$", re.MULTILINE)
# What people seldom type at a prompt: it was copied from a page, a review or a reply.
_MODEL_MARKS = re.compile(r"\*\*|\s—\s|→|[“”’]|^[ \t]{0,40}#{1,4} |^\S+\([^)\n]{0,400}\)\S* \w+ ", re.MULTILINE)
_EMPHASIS = re.compile(r"\*\*\*?|(?<!\w)__|__(?!\w)|(?<![\w*/])\*(?=\S)|(?<=\S)\*(?![\w*/.])")
_ITEM = re.compile(r"^\s*(?:[-*•+–—]|✅|❌|☐|☑|\d{1,2}[.)]|[-*]\s+\[[ xX]\])\s+")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+|^\s*\*\*[^*]{1,80}\*\*:?\s*$")
_BOLD_LEAD = re.compile(r"^\s*(?:[-*•+]\s+|\d{1,2}[.)]\s+)?\*\*[^*\n]{3,90}\*\*")
_SYMBOLS = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf\ufe0f]+ ?")
_END = re.compile(
    r"(?:(?<=[.!?])|"
    r"(?<=[.!?][\"”)]))(?<!\.\.\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)(?<!\betc\.)(?<!\bcf\.)(?<![\s(]\d\.)\s+(?=\S)|(?<=[。！？])\s*|(?<=\s[:;][)D])\s+"
)
# What programs print. A human's sentence seldom begins with a time, a prompt sign or the name of an exception.
_LOG = re.compile(
    r"""^\s*(?:
        \[?\d{4}-\d\d-\d\d[T ]\d|\d\d:\d\d:\d\d|\[\w[\w:.-]*\]\s|[❯$%»]\s|[~/][\w./-]*\s{0,3}[$%#]\s|\w+@[\w.-]+[:~]
        |at\s[\w.$<>]+\(|File\s"|Traceback\s
        |(?:remote|fatal|hint|warning|error|npm\s\w+|info|debug|go|panic|make|usage|author|date|commit|from|to)\s?:\s?\S
        |E\s{2,}|\w*(?:Error|Exception|Warning)(?::|\s*$)|Error\b.{0,30}:|[+-]{3}\s|@@|diff\s--git|create\smode|\d+\sfiles?\schanged
        |Exit\scode|[✓✗✔✘✖⚠⎿●⏺⏵╭╰│├└┌]|=>|->|\#\d+\s|(?:GET|POST|PUT|DELETE|HTTP)\s/?|commit\s[0-9a-f]{7,}
        |\d+\.\d+\s\w|(?:Auto-)?(?:merging|Fetching|Downloading|Installing|Resolving|Counting|Compressing)\b
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_CODE = re.compile(
    r"[{};]\s*$|^\s*(?:import|from|def|class|func|const|let|var|return|public|private|SELECT)\s.*[=({;:]|"
    r"^\s*<\w+[^<>]*>|</\w+>|^\s*\|"
)
_FOREIGN = re.compile(
    r"\b(?:co-?worker|colleague|bot|reviewer|copilot|coderabbit|chatgpt|gemini|codex|he|she|they|someone|"
    r"review(?:er)?)\b"
    r"[^.:\n]{0,40}\b(?:said|says|wrote|writes|commented|comment|suggest(?:s|ed)|told|asks?|asked|reported|"
    r"question)\b[^\n]{0,40}:\s*$"
    r"|\b(?:got (?:a|this)|comment|feedback|review|question|issue|message|finding)\b[^.\n]{0,40}:\s*$",
    re.IGNORECASE,
)
_ERROR_LINE = re.compile(
    r"\b(?:error|fatal|failed|denied|exception|cannot|unknown|not found|"
    r"refused)\b",
    re.IGNORECASE,
)
_HASH = re.compile(r"(?<![\w-])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}(?![\w-])")
_HASHES = re.compile(rf"(?<!\bcommit )(?<!\()(?:{_HASH.pattern})")  # without them such a sentence has holes
_PLACE = re.compile(r"\s{0,20}\((?:at )?lines? [\d–, -]+\)|(?<=\.\w\w):\d+(?:-\d+)?\b|(?<=\.\w\w\w):\d+(?:-\d+)?\b")
_SPAN = re.compile(r"(`[^`\n]*`)")
_TERMINAL = re.compile(r"\b(?:at|commit|tree|sha) [0-9a-f]{7,40}\b|~/?\S*\s+[$%#]\s\w", re.IGNORECASE)
_URL = re.compile(r"https?://\S{60,}|\[(?:Image|Pasted text) #\d+[^\]]*\]")
_WORD = re.compile(r"[^\W_]", re.UNICODE)


class Sentence(Value):
    """A sentence with its place. `bold` tells that it begins with bold words: what an agent wants to be seen."""

    text: str
    line: int
    bold: bool = False
    item: bool = False
    heading: str = ""
    pasted: bool = False  # in a human's turn, but with the marks of a model's writing


class Turn(Value):
    """A human's turn, taken apart: own sentences, and the error line of what was pasted."""

    own: tuple[Sentence, ...]
    error: str = ""


def human(text: str) -> Turn:
    """The human's own sentences. What follows "a coworker said:" or looks like output is another's."""
    whole = _without_code(text)
    paragraphs = [part for part in re.split(r"\n\s*\n", whole) if part.strip()]
    if len(_DOCUMENT.findall(whole)) >= 3:
        paragraphs = paragraphs[:1]
    elif len(whole) > LONGEST_OWN and len(paragraphs) > 2:
        paragraphs = [paragraphs[0], paragraphs[-1]]
    own: list[Sentence] = []
    error, foreign, marked, number = "", False, False, 0
    for paragraph in paragraphs:
        quoted, foreign = foreign, False
        headed = marked and paragraph is not paragraphs[-1]
        marked = headed or bool(_MODEL_MARKS.search(paragraph))
        lines = [line for line in paragraph.split("\n") if line.strip()]
        pasted = sum(map(_is_pasted, lines)) * 2 >= len(lines)
        for line in lines:
            number += 1
            if pasted or _is_pasted(line):
                error = error or (plain(line)[:160] if _ERROR_LINE.search(line) else "")
            elif not quoted and not line.lstrip().startswith(">"):
                own += [sentence.replace(pasted=marked) for sentence in _split(line, number)]
                foreign = bool(_FOREIGN.search(line))
                quoted = foreign and not paragraph.rstrip().endswith(line.rstrip())
    return Turn(own=tuple(own), error=error)


def agent(text: str) -> list[Sentence]:
    """The sentences of an agent's prose, with the heading above them."""
    found: list[Sentence] = []
    heading = ""
    for number, line in enumerate(_without_code(text).split("\n")):
        if _HEADING.match(line):
            heading = plain(line.lstrip("# ")).rstrip(":")
        elif (
            line.strip()
            and not line.lstrip().startswith((">", "|"))
            and not (_is_output(line) or _ONLY_LINK.match(line))
        ):
            found += [sentence.replace(heading=heading) for sentence in _split(line, number)]
    return found


def plain(text: str) -> str:
    """Without emphasis, links, symbols, hashes, line numbers and long addresses, on one line."""
    parts = _SPAN.split(_LINK.sub(r"\1", text))
    text = "".join(part if part.startswith("`") else _SYMBOLS.sub("", _EMPHASIS.sub("", part)) for part in parts)
    return (
        one_line(_PLACE.sub("", _URL.sub("", _HASH.sub("", text))))
        .replace(" ``", "")
        .replace("``", "")
        .replace(" ()", "")
    )


def words(text: str) -> frozenset[str]:
    """The words that carry a topic, with a plural s cut off."""
    return frozenset(_stem(term) for term in terms(text) if len(term) > 1 and term not in STOP_WORDS)


def length(text: str) -> int:
    """Characters; those of scripts that write a word in one or two count double."""
    return len(text) + sum("\u2e80" <= char <= "\uffdc" for char in text)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _without_code(text: str) -> str:
    if len(text) > _MOST_TEXT:  # what matters stands at the ends, and a pattern may not run over megabytes
        text = f"{text[: _MOST_TEXT // 2]}\n\n{text[-_MOST_TEXT // 2 :]}"
    return _FENCE.sub("\n", text.replace("\r\n", "\n"))


def _is_output(line: str) -> bool:
    return bool(_LOG.match(line) or _CODE.search(_SPAN.sub("", line))) or len(line) > 1500


def _is_pasted(line: str) -> bool:
    return _is_output(line) or bool(_TERMINAL.search(line))


def _split(line: str, number: int) -> list[Sentence]:
    bold, item = bool(_BOLD_LEAD.match(line)), bool(_ITEM.match(line))
    found: list[Sentence] = []
    for part in _END.split(_ITEM.sub("", line)):
        text = "" if _HASHES.search(part) else plain(part)
        if _SHORTEST <= length(text) <= _LONGEST and _WORD.search(text):
            found.append(Sentence(text=text, line=number, bold=bold and not found, item=item))
    return found
