"""How sentences stand to each other: what takes back, answers, agrees, leans on the one before, proves."""

from __future__ import annotations

import re

# Names that a human takes back.
RETIRED = (
    re.compile(r"\b(?:forget|ignore|scratch|disregard) (?:about )?`([^`]+)`", re.IGNORECASE),
    re.compile(
        r"\b(?:renamed?|moved?|switch(?:ed)?|migrat\w+|changed?) (?:[\w ]{0,40} )?from `?([\w./@:-]{4,})`? to\b",
        re.IGNORECASE,
    ),
    re.compile(r"`([^`]{4,})` (?:is|was) (?:wrong|gone|outdated|no longer)", re.IGNORECASE),
)

# That an earlier word of the same human no longer holds.
REVERSES = re.compile(
    r"\b(?:change (?:in|of) plans?|on second thoughts?|changed my mind|scratch that|forget (?:that|what i)|never ?mind|"
    r"after all|doch (?:nicht|lieber)|finalement|mejor dicho)\b|やっぱり|改成|算了",
    re.IGNORECASE,
)
SPECIFIC = re.compile(
    r"`[^`]{1,300}`|\b\w{1,100}\.(?:py|go|ts|tsx|js|md|ya?ml|toml|json|rs|sh|sql|cs|java|rb|lock|cfg|ini)\b|"
    r"(?<!\w)--?[a-z][\w-]+|\b[\w.-]{1,100}/[\w./*-]+"
    r"|\b[a-z]+[A-Z]\w+|\b[A-Z][a-z]+[A-Z]\w*|\b\w{1,100}_\w+\b|\bv?\d+\.\d+(?:\.\d+)?\b|\b[A-Z]{2,}[A-Z_0-9]*\b|"
    r"\b\d{3,5}\b"
)
AGREED = re.compile(
    r"\b(?:you['’]re (?:absolutely |totally |quite )?(?:right|correct|not wrong)|exactly|good (?:point|call|"
    r"catch|idea|instinct|find)|right[ ,.—-]|correct[.,—]|great point|agreed|makes sense|yes\b|fair)",
    re.IGNORECASE,
)
GO_AHEAD = re.compile(
    r"^\W*(?:y|yes|yep|yeah|ok|okay|sure|go|go ahead|do it|please|proceed|continue|sounds good|looks good|lgtm|"
    r"perfect|great|nice|lovely|cool|done|evet|tamam|ja|oui|si|sí|네|응|はい"
    r"|merge|commit|push|next|thanks?|[a-d]|\d)\b[\s\w,.!]{0,28}$",
    re.IGNORECASE,
)
REFUTES = re.compile(
    r"^(?:\W|(?:hmm+|ok|so|well|but|and|still|um|now)\b)*(?:no\b|nope|wrong|that(?:['’]s| is| was)? (?:not|"
    r"wrong|didn)|it (?:still|didn)|didn['’]t|doesn['’]t|still\b|not (?:true|right|the)|incorrect|same (?:error|"
    r"problem|issue)|are you sure|i don['’]t (?:think|want|like)|nein|hayır|아니)"
    r"|\b(?:still (?:fails?|failing|broken|the same|not|get|see|doesn)|did(?:n['’]t| not) (?:help|work|fix)|"
    r"same error|that['’]s (?:not|wrong)|look[s.…]* ?ancient)\b",
    re.IGNORECASE,
)
RULED_OUT = re.compile(
    r"\b(?:it is not|it['’]s not|is not the|isn['’]t the|was not the|wasn['’]t the|ruled out|not the (?:cause|"
    r"problem|issue)|was wrong|not (?:true|correct)|turned out (?:not|to be wrong)|i was (?:wrong|mistaken))\b",
    re.IGNORECASE,
)
PRONOUN = re.compile(
    r"^(?:it|this|that|these|those|they|he|she|which|there|then|but|and|so|also|because|otherwise|here|both|"
    r"same|such|bu|bunu|o|이|그|これ|それ|es|das|ça|esto|eso)\b",
    re.IGNORECASE,
)
# An agent's sentence that speaks of something named before it: "The flag is …", "or why …".
LEANING = re.compile(
    rf"(?i:{PRONOUN.pattern})|"
    r"^(?i:the|these|those|both|all)(?: (?:dependency|change|test|script|file|function|"
    r"method|approach|value|field|flag|option|command|commit|branch|code|step|error|failure|comment|section|class|"
    r"module|line|check|block|fix|fallback|solution|difference|first|second|former|latter|rest|others?|pattern|"
    r"sentence|"
    r"list|table|docs?|PR|reviewer|user|leg|answer|result|output|entry|job|hook|call)s?)"
    r" (?:is|are|was|were|has|have|had|do|does|did|can|cannot|could|will|would|should|must|needs?|now|still|also|"
    r"already|never|only|genuinely|just|fails?|works?|uses?|runs?|makes?)\b"
    r"|^\S+ (?:\S+ )?(?:it|them)\b"
    r"|^[A-Z][a-z]+ed\b|^Not \w"  # without a subject
    r"|^(?:or|with|of|to|while|when|if|as|not|than|where|who|whose|by|from)\b"
)
HEADLESS = re.compile(r"^(?:is|are|was|were|has|have)\b(?!.*\?)", re.IGNORECASE)  # the rest of a sentence cut in two
QUESTION = re.compile(
    r"[?？]\s*$|\bquestion of (?:why|how|whether)\b|"
    r"^(?:ok,? |so,? |and |but )*(?:what|why|how|where|when|which|who|is|are|does|do|did|can|could|would|"
    r"should|will|has|have|am i|wie|warum|was|wo|comment|pourquoi|cómo|qué|neden|nasıl)\b.*\?",
    re.IGNORECASE,
)
CAUSAL = re.compile(
    r"\b(?:root cause|the (?:real |actual )?(?:cause|culprit|bug|problem|issue) (?:is|was)|was caused by|"
    r"is caused by|found it|found the|turns out|the fix (?:is|was)|that['’]s why|(?:this|that) is why|ursache|"
    r"la cause|la causa|kök neden|sebebi)\b|원인|原因",
    re.IGNORECASE,
)
REMEDY = re.compile(
    r"^(?:the |a )?(?:fix|solution|remedy|workaround|way out|cure)\b|^(?:use|set|pass) `", re.IGNORECASE
)
BECAUSE = re.compile(
    r"\b(?:because|otherwise|so that|since|without|due to|instead of|rather than|to (?:avoid|prevent|keep|"
    r"ensure|make|let|allow)|when|causes?d?|fails?|never|now requires?|must|only|would|cannot|can['’]t|lost|"
    r"breaks?|broke)\b|때문|하여",
    re.IGNORECASE,
)
PASSED = re.compile(
    r"\b[1-9]\d* (?:passed|passing)\b|\btests? passed\b|^ok\s+\S+|\bPASS\b|\bBUILD SUCCESS|\bbuild succeeded\b|"
    r"\b0 (?:failed|failures|errors|issues)\b|\ball checks passed\b|test result: ok",
    re.IGNORECASE | re.MULTILINE,
)
FAILED = re.compile(
    r"\b[1-9]\d* (?:failed|failing|failures?|errors?)\b|\bFAIL(?:ED)?\b|"
    r"exit code [1-9]",
    re.IGNORECASE,
)
CHECKING = re.compile(
    r"\b(?:pytest|tox|jest|vitest|mocha|ctest|(?:npm|pnpm|yarn|bun)(?: run)? (?:test|lint|build|check|"
    r"typecheck)\S*|go (?:test|build|vet)|cargo (?:test|build|clippy)|make \w*(?:test|check|lint|build)\w*"
    r"|mise run \S+|dotnet (?:test|build)|gradlew? \S+|mvn \S+|ruff \S+|mypy|tsc|poe \w+|just \w+|rspec|phpunit|"
    r"golangci-lint run)\b"
)
