"""What was exchanged between two versions of a sentence: its value, so that one is over, or its subject.

"The cache lives for 5 minutes" and "… for 9 minutes" cannot both be true, "Mock the clock in tests of the cache" and
"… of the scheduler" can. A memory that is hidden wrongly is worse than two that stand beside each other, so a value is
only what one of the rules below knows for one; everything else counts as a subject. Words are those of English;
numbers, places and marks of change carry most of what is said in other languages.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from memem.ingest.statements import COLON, END
from memem.text import STOP_WORDS
from memem.value import Value


class Swap(Value):
    """One exchange: the words before and behind it in its clause, which both texts share, and what was exchanged.

    Words are folded and without plural; `written` holds the old and new words, `rest` those behind, as written.
    """

    before: tuple[str, ...]
    old: tuple[str, ...]
    new: tuple[str, ...]
    after: tuple[str, ...]
    written: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    told: bool = False  # the new text says that something changed


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ARTICLES = _words("the our a an this that these those its their my your der die das le la les el los")
_COPULAS = _words("is are was were be been being stay stays remain remains become becomes ist sind war est sont es son")
_MODALS = _words("has have had must should shall may might can could will would does do need needs")
# What has one value at a time. A sentence about one of these names its value behind "is".
_ATTRIBUTES = _words(
    """
    address algorithm amount approver backend base branch broker budget champion color colour contact convention
    count currency date deadline default depth directory domain encoding endpoint engine environment font format
    formatter frequency framework hash hashing header host hostname icon id image interval language layout lead
    leader level license licence lifetime limit linter locale location maintainer manager maximum max method minimum
    min mode name namespace order orm owner password path period platform port prefix primary priority protocol rate
    region registry retention role root rule runtime schedule schema scope separator size standard start status
    strategy style suffix syntax tag target template theme threshold timeout timezone toolchain topic transport type
    unit url user vendor version width zone
    """
)
# Verbs and participles that say where or with whom something is: what follows "in", "on" or "to" is their value.
_PLACED = _words(
    """
    bind bound cached caught checked computed done collected come configured contained declared defined deployed
    documented edited escalated exposed file filed found go goe goes handled hosted installed kept keep land lie
    listen lives live located logged maintained managed measured merged mounted move moved pinned published push
    pushed put reached read rendered reported route routed run saved save scheduled send sent serve served set
    shipped sit stand start store stored track tracked upload uploaded write written wait
    """
)
_PLACES = _words("in on to from at into onto under behind")
# "Formatted with black": how something is done, of which there is one way at a time.
_MEANS = _words("by with as via through using like mit als par avec con como")
_NOUNS = _words("branch channel endpoint file folder host port server table version")  # that a name may follow
_BOUNDS = _words("below above over than until till after every within per")
# What follows says when or what for a rule holds, so another one is another rule.
_SCOPES = _words("for before after when if while during of about on in from unless without against between among")
_JOINING = (_PLACES | _MEANS | _SCOPES | _BOUNDS) - {"like"}
_CONDITIONS = _words("if when whenever unless while once after before wenn falls si quand cuando")
# Verbs whose object is a choice when the purpose stays: use X for dates, ask X for access.
_CHOICES = _words(
    "use using ask prefer choose chose pick picked call contact ping email take took select import install adopt want"
)
# Whoever does these to something is its one and only.
_ROLES = _words(
    "own owns lead leads maintain maintains manage manages approve approves handle handles review reviews head"
)
_PREDICATES = _COPULAS | _MODALS | _PLACED | _MEANS | _PLACES | _CHOICES | _BOUNDS | {COLON}
_DOING = _COPULAS | _MODALS | _PLACED | _CHOICES | _ROLES | _words("i we you they it") | {COLON}
_IDENTIFIES = _words("the our what where who how which when required used needed recommended installed")
_COUNTING = _words("retry keep wait allow limit set run start hold show send raise lower pin need require")
_NUMBERS = _words(
    """
    zero one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty fifty hundred thousand
    half once twice single double ein eine zwei drei vier fünf deux trois quatre cinq dos tres cuatro cinco
    """
)
_COMPARED = _words("< > <= >= = == != ~ ^ - ≤ ≥ ≠")
_UNITS = _words(
    """
    second minute hour day week month quarter year sec min ms mb gb tb kb percent euro euros dollar time beginning
    middle end start column pixel an a
    """
)
_DATES = _words(
    """
    january february march april may june july august september october november december jan feb mar apr jun jul
    aug sep oct nov dec monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun today
    yesterday tomorrow spring summer autumn fall winter q1 q2 q3 q4 night morning noon midnight daily weekly monthly
    yearly hourly nightly montag dienstag mittwoch donnerstag freitag samstag sonntag
    """
)
_DATING = _words("since until from till")  # and "as of"
# A number after one of these is a name, not a value.
_NUMBERED = _words(
    """
    issue ticket bug pr mr task story epic step phase stage sprint milestone chapter tenant customer account shard
    worker replica job error code migration case rule section question line http cron status server node service
    partner team
    """
)
_PLACE = re.compile(r"\w[./:@\\-]\w|^[/~.]\w|[()=#]|_|[a-z][A-Z]|\d")
_NUMBER = re.compile(r"^v?\d[\d.,:x/%-]*[a-z%]{0,3}$", re.IGNORECASE)


def is_value(swap: Swap) -> bool:
    """Whether what was exchanged is the value of the statement, so that both cannot be true."""
    if not any(map(_tells, (*swap.before, *swap.after))):
        return False  # nothing that both share says what they are about
    if _before_predicate(swap):
        return _identified(swap) or (_at_front(swap) and is_amount(swap) and swap.old[0] in _NUMBERS)
    return any(rule(swap) for rule in VALUES)


def is_date(swap: Swap) -> bool:
    """Whether only the time changed since which it holds: "As of March …". What was in March stays so in April."""
    dated = [word for word in (*swap.old, *swap.new) if _tells(word) and word not in _DATING]
    led = (*swap.before[-2:], *swap.old[:1])
    since = not _DATING.isdisjoint(led[-2:]) or ("as", "of") in pairwise(led)
    return bool(dated) and since and all(map(is_time, dated))


def is_amount(swap: Swap) -> bool:
    """Whether both are numbers, with their units, or times."""
    return _is_amount(swap.old) and _is_amount(swap.new)


def is_time(word: str) -> bool:
    """Whether a word is a number, a date or a part of one."""
    return word in _DATES or bool(_NUMBER.match(word))


def is_count(word: str) -> bool:
    """Whether a word is a number, written in digits or letters, or a date."""
    return word in _NUMBERS or is_time(word)


def joins(words: tuple[str, ...]) -> bool:
    """Whether words tell how something belongs to a statement: where, when, for what."""
    return not _JOINING.isdisjoint(words)


def names_another(swap: Swap) -> bool:
    """Whether what was exchanged lies before all that can be a verb, so that it names what the statement is about.

    "Soft delete is the rule for …" names the value there.
    """
    if any(verb in _COPULAS and says in _IDENTIFIES for verb, says in pairwise(swap.after)):
        return False
    # "The team meets on …" has a verb that no list knows; "On Mondays …" has none yet.
    placed = not _PLACES.isdisjoint(swap.before) and any(map(_tells, swap.before)) and _DOING.isdisjoint(swap.after)
    return _DOING.isdisjoint(swap.before) and not placed and not is_date(swap)


def in_subject(swap: Swap) -> bool:
    """Whether what was exchanged lies in what the statement is about, by all that is known."""
    return _verbless(swap) and _PREDICATES.isdisjoint((*swap.old, *swap.new)) and not is_value(swap)


def _tells(word: str) -> bool:
    return word not in STOP_WORDS and word not in (END, COLON)


def _is_amount(words: tuple[str, ...]) -> bool:
    """Whether words are a number with its unit, or a time."""
    if words and _COMPARED.issuperset(words):
        return True
    rest = [word for word in words if word not in _UNITS and word not in _COMPARED]
    return all(is_time(word) or word in _NUMBERS for word in rest) and (bool(rest) or not _UNITS.isdisjoint(words))


def _last(swap: Swap) -> str:
    """The word that the exchanged part belongs to: "go to the file X" as "go to X"."""
    return next((word for word in reversed(swap.before) if word not in _ARTICLES and word not in _NOUNS), "")


def _at_front(swap: Swap) -> bool:
    return all(word in _ARTICLES for word in swap.before)


def _before_predicate(swap: Swap) -> bool:
    """Whether "is" or "must" follows and none came before: "The meeting with X is …"."""
    known = _COPULAS | _MODALS
    return swap.after[:1] != () and swap.after[0] in known and known.isdisjoint(swap.before)


def _alike(swap: Swap) -> bool:
    """Whether both may answer one question: no place, purpose or count stands for a name."""
    if any(word in _JOINING for word in (*swap.old, *swap.new)):
        return False
    counted = [not _NUMBERS.isdisjoint(words) for words in (swap.old, swap.new)]
    definite = [words[0] in _ARTICLES for words in (swap.old, swap.new)]
    return counted[0] == counted[1] and definite[0] == definite[1]


def _verbless(swap: Swap) -> bool:
    """Whether nothing before the exchange can be a predicate: it lies in the subject then."""
    return _PREDICATES.isdisjoint(swap.before)


def _denied(swap: Swap) -> bool:
    """Whether it lies in a rule of what not to do: "never log in the …" says where, not what."""
    return not {"not", "never", "dont", "no", "avoid"}.isdisjoint(swap.before[:2])


# Rules: each knows one way in which a sentence names a value.


def _amounts(swap: Swap) -> bool:
    """Another number, length or time behind what it is of."""
    if not is_amount(swap):
        return False
    if _at_front(swap):
        return bool(swap.after) and swap.old[0] in _NUMBERS
    if len(swap.before) <= 2 and _verbless(swap):  # a number that belongs to a name: "Chrome 120 breaks …"
        counts = not swap.after or swap.after[0] in _UNITS or swap.before[0] in _COUNTING
        return counts and swap.before[-1] not in _NUMBERED
    return swap.before[-1] not in _NUMBERED or len(swap.before) > 2


def _identified(swap: Swap) -> bool:
    """ "X is the rule for …", "X is what we run": the value stands in front."""
    front = swap.after[:2]
    return _verbless(swap) and len(front) == 2 and front[0] in _COPULAS and front[1] in _IDENTIFIES


def _role(swap: Swap) -> bool:
    """ "X owns the parser": whoever it is, there is one."""
    return len(swap.before) <= 1 and bool(swap.after) and swap.after[0] in _ROLES and len(swap.after) > 1


def _named(swap: Swap) -> bool:
    """What stands directly behind "is" or a colon, if the subject has one value or it is written like a name."""
    if not swap.before or (swap.after and _tells(swap.after[0]) and swap.after[0] not in _SCOPES):
        return False
    last = swap.before[-1] if swap.before[-1] not in ("now", "still") else swap.before[-2:][0]
    if last not in _COPULAS and last != COLON and _last(swap) not in _COPULAS:
        return False
    if not _alike(swap):
        return False  # two predicates: "is cached for an hour" and "is computed in cents" may both hold
    subject = [word for word in swap.before if _tells(word) and word not in _COPULAS]
    named = sum(_like_a_name(word) for word in swap.written)
    if last == COLON:
        return len(subject) > 1 or (bool(subject) and not _ATTRIBUTES.isdisjoint(subject))
    return not _ATTRIBUTES.isdisjoint(subject) or named == len(swap.written) or swap.told


def _like_a_name(word: str) -> bool:
    return bool(_PLACE.search(word)) or word[:1].isupper()


def _means(swap: Swap) -> bool:
    """By, with, as, through, than: there is one way at a time, except in conditions and prohibitions."""
    if not _alike(swap):
        return False
    return _last(swap) in (_MEANS | {"than", "at"}) and _CONDITIONS.isdisjoint(swap.before) and not _denied(swap)


def _placed(swap: Swap) -> bool:
    """Where something is, goes or comes from."""
    if _last(swap) not in _PLACES or _denied(swap) or not _CONDITIONS.isdisjoint(swap.before):
        return False
    words = [word for word in swap.before if word not in _ARTICLES]
    held = words[:-1]
    if any(map(_tells, swap.after)) or not _alike(swap):
        return False
    done = held[-1:] and held[-1].endswith("ed") and all(map(_PLACE.search, swap.written))
    return bool(held) and (held[-1] in _COPULAS or not _PLACED.isdisjoint(held) or bool(done))


def _chosen(swap: Swap) -> bool:
    """The object of a choice whose purpose stays: "use X for dates", "ask X for access"; or what is the default."""
    rest = [word for word in swap.after if _tells(word)]
    if rest == ["default"]:
        return not _verbless(swap) or len(swap.before) > 1
    # Several tools may serve "for Python"; "for dates in the web app" there is one.
    broad = len(rest) == 1 and swap.rest[-1:] != () and swap.rest[-1][:1].isupper()
    whole = bool(rest) and (swap.after[0] in _JOINING or swap.after[0] == "to" or _PLACE.search(swap.written[0]))
    return bool(whole) and _last(swap) in _CHOICES and not broad and not _denied(swap)


def _announced(swap: Swap) -> bool:
    """The new text says that it is about a change, and the subject stays."""
    return swap.told and not _at_front(swap) and not _verbless(swap)


VALUES: tuple[Callable[[Swap], bool], ...] = (
    _amounts, _identified, _role, _named, _means, _placed, _chosen, _announced,
)  # fmt: skip
