"""Pure text functions: search terms, folding, cleaning, cutting. No regular expressions: the hook pays for them."""

from __future__ import annotations

from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

_JOINERS = "_-./"
_SEPARATORS: dict[int, str | None] = {
    code: " " for code in range(128) if not chr(code).isalnum() and chr(code) not in _JOINERS
} | {ord("'"): None, ord("’"): None}
_LONGEST_TERM = 64
_MEMO_SIZE = 50_000

# Scripts written without spaces, or with endings glued on: found by pairs of characters.
_GRAM_SCRIPTS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # Han extension A
    (0x4E00, 0x9FFF),  # Han
    (0xAC00, 0xD7AF),  # Hangul
    (0xF900, 0xFAFF),  # Han compatibility
    (0x20000, 0x323AF),  # Han extensions B and later
)

# Words that say nothing about the topic; those of other languages only where they are no English topic word.
STOP_WORDS = frozenset(
    """
    a about above actually after again all also although always am an and another any anyone anything are arent as
    ask at away back be because been before being below between both but by came can cannot cant come could couldnt
    did didnt do does doesnt doing done dont down during each else ever every everything few for from further get
    gets getting give go goes going gonna got had has hasnt have havent having he hello help her here hers hey hi him
    his how however i id if ill im in instead into is isnt it its itself ive just keep kind know let lets like little
    look lot make makes many may maybe me might mine more most much must my need needs never next no nor not nothing
    now of off ok okay on once one only or other our ours out over own per please put quite rather really right said
    same say see seem seems shall she should shouldnt show since so some something still such sure take tell than
    thank thanks that thats the their them then there these they thing things think this those though through to
    together too took toward tried try trying two under until up upon us use used uses using very via want wants was
    wasnt way we well went were werent what whats when where whether which while who whole whom whose why will with
    within without wont would wouldnt yes yet you youre your yours
    aber als auch auf aus bei bin bis bitte da das dass dein dem den der des die dies diese doch du durch ein eine
    einen einer eines er es euch fur haben habe hat ich ihr im ist ja kann kein keine man mein mich mir mit nach
    nicht noch nur oder schon sein sich sie sind soll uber um und uns unter vom von vor wann warum was wenn wer werden
    wie wir wird wo zu zum zur
    au aux avec ce ces cette comment comme dans de des donc dois du elle en est et etre faire faut ici il ils je la le
    les leur lui ma mais mes moi mon ne nos notre nous ou par pas peut plus pour pourquoi qu quand que quel quelle qui
    quoi sa sans ses si son sont sur ta te tes toi ton tout tu un une vos votre vous
    al algo como con cual cuando del donde el ella ellos eres esa ese eso esta estan este esto estoy fue ha hacer hay
    hola las lo los mas me mi mis muy nada no nos nosotros nuestro o para pero por porque puede puedo quiero ser si
    sobre solo son su sus tambien te tengo tiene todo tu una uno y ya yo
    ao aos com dos ela ele eles essa esse estou eu fazer foi isso isto mais meu minha nao nas no nos num numa os pela
    pelo posso quem seu sua tem uma voce
    alla alle anche che cosa cui dal dalla della delle dello devo di ed fare gli gia ho i il lei mio nei nel nella
    noi non per perche piu quale questa questo qui sei sia sono sul sulla suo tra tutto
    我们 你们 他们 什么 怎么 如何 可以 一个 这个 那个 使用 需要 是否 为什 没有 请问 帮我
    니다 습니 하는 해야 합니 세요 하고 에서 으로 어떻 떻게 무엇 인가 나요 해줘 까요
    aan ben bij dan dat deze dit een geen haar heb heeft het hij hoe ik kan maar mijn moet naar niet om onze ook op te
    uit van voor waar wat welke wij ze zijn
    """.split()
)

# Words of almost every coding prompt: a match on them alone is no evidence that a memory is about the prompt.
COMMON_WORDS = frozenset(
    """
    add added adding app application bug build change changed changes check class clean code command commit
    connect continue correct create data debug default delete describe develop edit error errors example explain
    extend fail failed failing fails feature file files find fix fixed fixing folder format function functions
    github gitlab good http https implement implementation import improve install issue item js jsx lib line
    lines list load logic main method mode module move name net new number object old open option org output
    package page part path plan possible print problem project push py question read refactor remove rename repo
    repository result return review rule run running save script send set setup short simple small src start
    step stop string support switch system test tested testing tests text time today tomorrow ts tsx type update
    upgrade user users value variable version view work working works write writing wrong www yesterday
    """.split()
)


# Soft hyphen, marks of direction, spaces of no width, fillers that look like nothing, non-characters.
_UNSEEN = frozenset(
    (0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180E, 0x200B, 0x200E, 0x200F,
     0x2800, 0x3164, 0xFEFF, 0xFFA0, 0xFFFE, 0xFFFF)
)  # fmt: skip
_JOINING = ("\u200c", "\u200d", "\ufe0e", "\ufe0f")
PRIVATE = "[private]"


class Terms(Value):
    """Search terms of a text: `words` carry evidence, `compounds` (joined identifiers) only sharpen ranking."""

    words: tuple[str, ...]
    compounds: tuple[str, ...] = ()
    characters: tuple[str, ...] = ()  # indexed only, so that a question of one Han character finds its word


def fold(text: str) -> str:
    """Lower case without diacritics, in composed form; scripts other than Latin, Greek and Cyrillic stay whole."""
    if text.isascii():
        return text.lower()
    from unicodedata import normalize

    decomposed = normalize("NFKD", text.casefold())
    return normalize("NFC", "".join(char for char in decomposed if not "\u0300" <= char <= "\u036f"))


_memo: dict[str, Terms] = {}


def terms(text: str) -> list[str]:
    """All index terms of a text, with repetitions."""
    return index_text(text).split()


class Memo(dict[str, str]):
    """What `make` makes of a word, remembered: most words of a vault were met before, and then no Python is called."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[str], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, word: str) -> str:
        if len(self) >= _MEMO_SIZE:
            self.clear()
        self[word] = made = self._make(word)
        return made


def _index_terms(chunk: str) -> str:
    if word := _one_word(chunk):
        return word
    known = _expand(chunk)
    return " ".join((*known.words, *known.compounds, *known.characters))


_indexed = Memo(_index_terms)


def index_text(text: str) -> str:
    """All index terms of a text as one text; for whole vaults, so no loop of Python's."""
    return " ".join(map(_indexed.__getitem__, text.translate(_SEPARATORS).split()))


def query_terms(text: str, limit: int = 40) -> Terms:
    """The distinct topic terms of a question in order, without stop words."""
    words: dict[str, None] = {}
    compounds: dict[str, None] = {}
    for chunk in dict.fromkeys(text.translate(_SEPARATORS).split()):
        known = _memo.get(chunk) or _expand(chunk)
        for word in known.words:
            if word not in STOP_WORDS and not _says_nothing(word):
                words[word] = None
        for word in known.compounds:
            compounds[word] = None
        if len(words) >= limit:
            break
    return Terms(words=tuple(words)[:limit], compounds=tuple(compounds)[:limit])


def _says_nothing(word: str) -> bool:
    # Hiragana alone is grammar in most pairs (particles, endings), as stop words are elsewhere.
    return not word or (word[0] >= "\u3040" and all("\u3040" <= char <= "\u309f" for char in word))


def _expand(chunk: str) -> Terms:
    """Terms of one whitespace-free chunk: `getUserName` → get user name + get_user_name getusername."""
    word = _one_word(chunk)
    known = Terms(words=(word,)) if word else _taken_apart(chunk)
    if len(_memo) >= _MEMO_SIZE:
        _memo.clear()
    _memo[chunk] = known
    return known


def _one_word(chunk: str) -> str:
    """The term of a chunk that is one word, as most are, or nothing."""
    plain = chunk.strip(_JOINERS)
    if plain.isascii() and plain.isalnum() and (plain[1:].islower() or plain.islower() or plain.isupper()):
        return plain.lower()[:_LONGEST_TERM]
    return ""


def _taken_apart(chunk: str) -> Terms:
    words: list[str] = []
    compounds: list[str] = []
    for segment in chunk.split("/"):
        parts = [piece for part in _alnum_runs(segment) for piece in _camel_parts(part)]
        # Cut before folding as well: one character may decompose into eighteen.
        folded = [fold(part[: 4 * _LONGEST_TERM])[:_LONGEST_TERM] for part in parts]
        for part in folded:
            words += _grams(part)
        if 1 < len(folded) <= 6 and all(part.isascii() for part in folded):
            compounds.append("_".join(folded)[:_LONGEST_TERM])
            if len(folded) <= 3:
                compounds.append("".join(folded)[:_LONGEST_TERM])
    characters = {char for word in words if not word.isascii() for char in word if _is_gram_char(char)}
    return Terms(words=tuple(words), compounds=tuple(compounds), characters=tuple(characters - set(words)))


def _alnum_runs(segment: str) -> list[str]:
    if segment.isalnum():
        return [segment]
    return "".join(char if char.isalnum() or _is_mark(char) else " " for char in segment).split()


def _is_mark(char: str) -> bool:
    # Vowel signs of Indic and South-East Asian scripts, and combining accents, belong to their letter.
    if char < "\u0300":
        return False
    from unicodedata import category

    return category(char)[0] == "M"


def _camel_parts(word: str) -> list[str]:
    if not word.isascii() or word.islower() or word.isupper() or word.isdigit():
        return [word]
    cuts = [0]
    for at in range(1, len(word)):
        before, char = word[at - 1], word[at]
        # The second test cuts HTTPServer before its last capital but leaves the plural in JWTs alone.
        if char.isupper() and (before.islower() or (before.isupper() and word[at + 1 : at + 3].islower())):
            if before.isupper() and len(word[at + 1 :]) < 2:
                continue
            cuts.append(at)
    return [word[start:end] for start, end in zip(cuts, [*cuts[1:], len(word)], strict=True)]


def _grams(word: str) -> list[str]:
    """The word itself, or for scripts without spaces its characters and pairs of characters."""
    if word.isascii():
        return [word]
    found: list[str] = []
    run = ""
    plain = ""
    for char in word + " ":
        if _is_gram_char(char):
            run += char
            if plain:
                found.append(plain)
                plain = ""
            continue
        if run:
            found += [run] if len(run) == 1 else [run[at : at + 2] for at in range(len(run) - 1)]
            run = ""
        if char != " ":
            plain += char
    if plain:
        found.append(plain)
    return found


def _is_gram_char(char: str) -> bool:
    code = ord(char)
    return code >= 0x0E00 and any(low <= code <= high for low, high in _GRAM_SCRIPTS)


def utf16_length(text: str) -> int:
    """Length in UTF-16 units, which is how the host counts what a hook injects."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, units: int) -> str:
    """The text within that many UTF-16 units, shortened at a word if one is near, with an ellipsis."""
    if utf16_length(text) <= units:
        return text
    if units < 2:
        return "…"[: max(units, 0)]
    kept = text.encode("utf-16-le", "surrogatepass")[: (units - 2) * 2].decode("utf-16-le", "ignore")
    at = max(kept.rfind(" "), kept.rfind("\n"))
    if at > len(kept) * 0.8:
        kept = kept[:at]
    return kept.rstrip() + " …"


def one_line(text: str) -> str:
    """The text with every run of white space, line breaks included, as one space."""
    return " ".join(text.split())


def clean(text: str) -> str:
    """Without what a reader cannot see: control characters, terminal escapes, bidi overrides, tag characters.

    Joiners stay (emoji and several scripts need them), and so do line breaks and tabs.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    text = (_without_escapes(text) if "\x1b" in text else text).translate(_unseen)
    return text if text.isascii() else _joined(text)


def _joined(text: str) -> str:
    """Joiners and the selectors of a variant only where they join or vary something: between and behind non-ASCII.

    Elsewhere they are how a text is hidden in another.
    """
    if not any(char in text for char in _JOINING):
        return text
    kept: list[str] = []
    for char, behind in zip(text, [*text[1:], ""], strict=True):
        before = kept[-1] if kept else ""
        if char in "\ufe0e\ufe0f":
            if (
                before in ("", *_JOINING)
                or before.isspace()
                or (before.isascii() and not before.isdigit() and before not in "#*")
            ):
                continue
        elif char in "\u200c\u200d" and (before in ("", "\u200c", "\u200d") or before.isascii() or behind <= "\x7f"):
            continue
        kept.append(char)
    return "".join(kept)


def public(text: str) -> str:
    """Without what stands in `<private>…</private>`; a block that does not end goes to the end of the text.

    A tag in backticks is a word about the tag. An end without a beginning, which was cut away, takes all before it.
    """
    folded = text.lower()
    if "private>" not in folded:
        return text
    folded = folded if len(folded) == len(text) else text
    kept: list[str] = []
    at = begun = depth = 0
    for place, opens in _private_tags(folded):
        if opens:
            begun = begun if depth else place
            depth += 1
            continue
        depth -= 1
        if depth <= 0:
            kept = [] if depth < 0 else [*kept, text[at:begun]]
            kept.append(PRIVATE)
            at, depth = place + len("</private>"), 0
    return "".join([*kept, text[at:begun], PRIVATE] if depth else [*kept, text[at:]])


def _private_tags(text: str) -> list[tuple[int, bool]]:
    """Where the tags begin, and whether each opens a block."""
    found: list[tuple[int, bool]] = []
    at = text.find("private>")
    while at >= 0:
        start = at - 2 if text[at - 2 : at] == "</" else at - 1
        if text[start : start + 1] == "<" and text[start - 1 : start] != "`":
            found.append((start, start == at - 1))
        at = text.find("private>", at + 1)
    return found


def _without_escapes(text: str) -> str:
    kept: list[str] = []
    inside = False
    for char in text:
        if char == "\x1b":
            inside = True
        elif inside:
            inside = not char.isalpha() and char != "\n"
        else:
            kept.append(char)
    return "".join(kept)


class _Seen(dict[int, int | None]):
    """What becomes of each character that was met: itself, or nothing where nobody sees it."""

    def __missing__(self, code: int) -> int | None:
        control = code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000
        unseen = (
            (control and code not in (9, 10))
            or code in _UNSEEN
            or 0x202A <= code <= 0x202E
            or 0x2060 <= code <= 0x206F
            or 0xFFF9 <= code <= 0xFFFB
            or 0xFE00 <= code <= 0xFE0D
            or 0xE0000 <= code <= 0xE0FFF
        )
        self[code] = seen = None if unseen else code
        return seen


_unseen = _Seen()


def etag(stat: os.stat_result) -> str:
    """A file's state as one string. Modification times repeat and can be set back; the change time cannot."""
    # Of all notes at every sync, where this form is twice as fast as an f-string.
    return "%x-%x-%x-%x" % (stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_ctime_ns)  # noqa: UP031
