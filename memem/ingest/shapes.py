"""Tokens and key blocks that show by their own form what they are: our table of patterns, and detect-secrets'."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from memem.errors import NotReady
from memem.ingest.judging import is_token
from memem.ingest.page import Page, Span
from memem.install import why_missing

# Not used of detect-secrets: keyword, npm, jwt and openai, whose patterns are quadratic or worse (46 s for 20 kB of
# "secret_"); entropy, which takes git hashes; and patterns with groups, which tell a part or too much of the token.
DETECTORS = "aws discord mailchimp pypi_token sendgrid slack square_oauth stripe telegram_token twilio"

# A rule, then its patterns; an indented line goes on. Publishable keys (pk_…) and plain ids are no secrets.
SHAPES = r"""
anthropic    sk-ant-[\w-]{24,}
openai       sk-(?:proj|svcacct|admin|None)-[\w-]{24,} sk-[A-Za-z0-9]{32,}
llm          sk-or-v1-[a-f0-9]{40,} sk-lf-[\w-]{36} gsk_\w{40,} xai-\w{40,} pplx-\w{40,} r8_\w{37} hf_\w{30,}
             api_org_\w{30,} nvapi-[\w-]{40,} tvly-[\w-]{30,} lsv2_(?:pt|sk)_\w{40,} pcsk_\w{40,} fw_\w{24}
             jina_\w{40,}
github       gh[pousr]_[A-Za-z0-9]{36,255} github_pat_\w{36,}
gitlab       gl[a-z]{2,6}-[\w-]{20,}(?:\.[0-9a-z]{2}\.[0-9a-z]{7,9})? GR1348941[\w-]{20,}
google       AIza[\w-]{35} ya29\.[\w-]{20,} GOCSPX-[\w-]{28} 1//0[\w-]{40,}
aws          ABSK[A-Za-z0-9+/]{100,}={0,2} bedrock-api-key-[\w+/=-]{30,}
azure        [\w.~-]{3}\dQ~[\w.~-]{31,34}
slack        xoxe?(?:\.xox[bp]|[abeprs])?-\d-\w{40,} xox[abeoprs]-\d{6,}-[\w-]{12,} xapp-\d-\w+-\d+-[a-f0-9]{32,}
stripe       [rs]k_(?:live|test|prod)_\w{16,} whsec_[\w+/=]{24,}
registry     npm_[A-Za-z0-9]{36} rubygems_[a-f0-9]{48} CLOJARS_[a-z0-9]{60} oy2[a-z0-9]{43} dckr_[op]at_[\w-]{20,}
             cio\w{32}
artifactory  AKCp[A-Za-z0-9]{64,} cmVmd[A-Za-z0-9]{59}
atlassian    AT[AC]TT3[\w=-]{60,} ATBB\w{32}
hashicorp    hv[bs]\.[\w-]{24,} \w{14}\.atlasv1\.[\w=-]{60,} ATATT\w{20,}
             s\.(?<![\w.]s\.)(?=[A-Za-z]{0,23}\d)[A-Za-z0-9]{24}(?!\.?\w)
hosting      do[opr]_v1_[a-f0-9]{64} dapi[a-f0-9]{32} pul-[a-f0-9]{40} fm[12][ar]?_[\w+/=-]{60,} fo1_[\w-]{43}
             HRKU-[\w-]{36,} sbp_[a-f0-9]{40} sb_secret_[\w-]{20,} pscale_(?:tkn|pw|oauth)_[\w.=-]{30,} rnd_\w{28,}
             nfp_\w{36,} vc[prk]_\w{24,} v1\.0-[a-f0-9]{24}-[a-f0-9]{100,} tskey-[a-z]+-[\w-]{20,}
             cf(?:k|ut|at)_[A-Za-z0-9]{40,} rpa_[A-Z0-9]{40,} vercel_blob_rw_\w{24,}
             LTAI[A-Za-z0-9]{16,} sha256~[\w-]{43} 4b1d[A-Za-z0-9]{38} scw[a-z]-\w{32,} napi_\w{40,}
commerce     sq0[a-z]{3}-[\w-]{22,} EAAA[\w-]{60} shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32} EZ[AT]K[A-Za-z0-9]{54}
             FLWSECK(?:_TEST)?-\w{12,} shippo_(?:live|test)_[a-f0-9]{40} duffel_(?:live|test)_[\w=-]{43}
             access_token\$(?:production|sandbox)\$\w{16}\$[a-f0-9]{32}
facebook     EAA[A-Za-z0-9]{50,}
monitoring   glsa_\w{32}_[a-fA-F0-9]{8} glc_[A-Za-z0-9+/]{32,}={0,3} sntry[su]_[\w+/=-]{40,} NR[AI][KQ]-[\w-]{27,}
             NRJS-[a-f0-9]{19} dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64} dnkey-[\w=-]{60,}
             sgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40} sq[apu]_[a-f0-9]{40} phx_\w{40,}
             ico-[A-Za-z0-9]{32}(?!\.\w)
mail         key-[0-9a-f]{32} xkeysib-[a-f0-9]{64}-\w{16} re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,} mlsn\.[a-f0-9]{60,}
             xsmtpsib-[a-f0-9-]{60,}
work         lin_(?:api|oauth)_\w{32,} secret_[A-Za-z0-9]{43} ntn_\w{40,} figd_[\w-]{40,}
             pat[A-Za-z0-9]{14}\.[a-f0-9]{64} pat-[a-z]{2}\d-[a-f0-9-]{36} PMAK-[a-f0-9]{24}-[a-f0-9]{34}
             CFPAT-[\w-]{43} tfp_[\w.=-]{50,} rdme_[a-z0-9]{70} dp\.[a-z]{2,5}\.[\w.]{40,} API-[A-Z0-9]{25,26}
             p8e-[a-zA-Z0-9]{32} pnu_[a-z0-9]{36} fio-u-[\w=-]{64} waka_[a-f0-9-]{36} apify_api_\w{30,}
             sm_[aps]at_\w{16} s-s4t2(?:ud|af)-[a-f0-9]{64} \w{6}_\w{29}_mmk tk_[a-z0-9]{29}
vault        ops_eyJ[\w+/=-]{60,} A3-[A-Z0-9]{6}-[A-Z0-9-]{20,} AGE-SECRET-KEY-1[0-9A-Z]{58}
webhook      discord(?:app)?\.com/api/webhooks/\d{5,20}/[\w-]{40,} hooks\.slack\.com/\w+/T\w{5,}/\w{5,}/\w{16,}
             webhook\.office\.com/webhookb2/[\w@/-]{60,}
signed-url   (?<=[?&])sig=[\w%+/=-]{32,} X-Amz-Signature=[a-f0-9]{64}
jwt          (?<![A-Za-z0-9_-])eyJ[\w-]{10,}+={0,2}\.[\w-]{10,}+(?:={0,2}\.[\w=-]++){0,3}
             (?<=\\n)eyJ[\w-]{10,2000}\.eyJ[\w-]{10,}\.[\w-]+
"""

PEM_BEGIN = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----|(?<=\n)Private-Lines: \d{1,4}(?=\s)"
)
# What programs that print files put before each line: its number, or its file and number.
NUMBERED = r"(?:[ \t]{0,8}(?:[\w./-]{1,120}[:-])?\d{1,6}[ ]?[\t→:|│-])?"
PEM_BODY = re.compile(
    rf"""[\s\\nrt"'`+,>#*|]{{0,80}}{NUMBERED}[ \t"'+]{{0,20}}(?:[A-Z][\w-]{{2,20}}: |[A-Za-z0-9+/=]{{16}})"""
)
PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,60}-----|(?<=\n)Private-MAC: [0-9a-f]{20,128}")
PEM_LINE = re.compile(NUMBERED + r"[ \t>#*+|]{0,20}[A-Za-z0-9+/=]{32,80}[ \t\r]{0,4}")
PEM_LAST = re.compile(NUMBERED + r"[ \t>#*+|]{0,20}[A-Za-z0-9+/=]{1,80}[ \t\r]{0,4}")
WORD = re.compile(r"[\w-]*")
LITERAL = re.compile(r"\\.|([A-Za-z0-9_/~=-]+)(?![?*+])")
QUANTITY = re.compile(r"\{[\d,]*\}")
INNER = re.compile(r"\((?:[^()]|\([^()]*\))*\)|\[[^]]*\]")


def find_pem(page: Page) -> Iterator[Span]:
    """Private key blocks as a whole; one without its end reaches to the end of the text, a mere mention is left."""
    text, at = page.text, 0
    if "PRIVATE KEY" not in text and "Private-Lines: " not in text:
        return
    while begin := PEM_BEGIN.search(text, at):
        at = begin.end()
        if PEM_BODY.match(text, at):
            end = PEM_END.search(text, at)
            at = end.end() if end else len(text)
            yield begin.start(), at, "private-key"
    if not at and "PRIVATE KEY-----" in text and (end := PEM_END.search(text)):
        # Its front was cut off: what stands before the end line by line, as long as it can be a part of the key.
        start = text.rfind("\n", 0, end.start()) + 1
        fits = PEM_LAST
        while start and fits.fullmatch(text, before := text.rfind("\n", 0, start - 1) + 1, start - 1):
            start, fits = before, PEM_LINE
        if fits is PEM_LINE and end.start() - start > 40:
            yield start, end.end(), "private-key"


def find_shapes(page: Page) -> Iterator[Span]:
    """Tokens that show by their own form what they are."""
    dense = page.dense
    if not dense:
        return
    for rule, needle, pattern in shapes():
        if needle in dense:
            for start, end in page.tokens(pattern):
                if is_token(page.text, start, end):
                    yield start, end, rule


def find_detected(page: Page) -> Iterator[Span]:
    """What detect-secrets finds, each grown to the end of its word: several of its patterns stop early."""
    dense = page.dense
    if not dense:  # nor is detect-secrets loaded, which takes longer than all the rest
        return
    for needle, pattern in detectors():
        if needle not in dense:
            continue
        end = 0
        for start, stop in page.tokens(pattern):
            word = WORD.match(page.text, stop) if start >= end else None
            if word and is_token(page.text, start, end := word.end()):
                yield start, end, "token"


def find_long(page: Page) -> Iterator[Span]:
    """Every word that is long enough to hold a token, whether or not it does."""
    return ((start, end, "unread") for start, end in page.long_words())


@cache
def detectors() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Patterns of detect-secrets, each with its needle.

    Raises:
        NotReady: detect-secrets is not installed yet.
    """
    # The patterns themselves are used, not analyze_string: that one drops the position and half of some tokens.
    try:
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    except ImportError:
        raise NotReady(f"secrets cannot be recognised: {why_missing('detect_secrets')}") from None
    wanted = DETECTORS.split()
    plugins: Collection[Any] = get_mapping_from_secret_type_to_class().values()
    chosen = (plugin for plugin in plugins if plugin.__module__.rpartition(".")[2] in wanted)
    patterns = (pattern for plugin in chosen for pattern in plugin.denylist if not pattern.groups)
    return tuple((needle_of(pattern), pattern) for pattern in patterns)


@cache
def shapes() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """Our own patterns, each with the rule it stands for and its needle."""
    rows = (row.split() for row in re.split(r"\n(?! )", SHAPES.strip()))
    found = ((rule, re.compile(pattern)) for rule, *patterns in rows for pattern in patterns)
    return tuple((rule, needle_of(pattern), pattern) for rule, pattern in found)


def needle_of(pattern: re.Pattern[str]) -> str:
    """Characters that every match holds, if that is plain to see: a text without them need not be searched."""
    plain = QUANTITY.sub("*", INNER.sub("\0", pattern.pattern))
    if pattern.flags & re.IGNORECASE or not {"|", "(", "["}.isdisjoint(plain):
        return ""
    return max((found[1] or "" for found in LITERAL.finditer(plain)), key=len, default="")
