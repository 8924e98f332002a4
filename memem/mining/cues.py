"""What marks a sentence as a lesson, or as noise: one table of cues with their weights."""

from __future__ import annotations

import re

from memem.value import Value


class Cue(Value):
    """A pattern, and what a sentence that holds it gains or loses: said by a human, written by an agent."""

    name: str
    human: float
    agent: float
    pattern: re.Pattern[str]


def _cue(name: str, human: float, agent: float, *patterns: str) -> Cue:
    return Cue(name=name, human=human, agent=agent, pattern=re.compile("|".join(patterns), re.IGNORECASE))


# Weights were set by hand on real sessions; a regression over the same signals did not beat them.
CUES: tuple[Cue, ...] = (
    # What lasts.
    _cue(
        "rule",
        2.0,
        1.2,
        r"\b(?:always|never|must(?: not|n['’]t)?|under no circumstances|at all times|every time|from now on|"
        r"by default)\b",
        r"\bwe (?:\w+ly )?(?:do not|don['’]t|never|only|always) \w+|\bi (?:\w+ly )?(?:never|always)\b",
        r"\bi (?:\w+ly )?(?:do not|don['’]t) (?:ever|want|like|need|use)\b",
        r"\b(?:do not|don['’]t) (?:ever |use|add|commit|push|touch|change|create|write|store|run|put|mock|rely|"
        r"include|skip)\b",
        r"\bno \w+(?: \w+)? (?:in here|here|in this (?:repo|project)|please|at all)\b|^(?:please )?stop \w+ing\b",
        # German, French, Spanish, Turkish, Korean, Japanese
        r"\b(?:immer|niemals|nie|muss|müssen|darf nicht|dürfen nicht|auf keinen fall|ab jetzt|"
        r"bitte (?:kein|nie|immer)\w*)\b",
        r"\b(?:toujours|jamais|il faut|il ne faut|ne pas|doit|doivent|désormais|interdit)\b",
        r"\b(?:siempre|nunca|jamás|hay que|debe[ns]?|no (?:uses|usar|hagas)|a partir de ahora|prohibido)\b",
        r"\b(?:her zaman|daima|asla|sakın|mutlaka|zorunlu\w*|gerek(?:ir|iyor|li)|\w+(?:mamalı|memeli|malı|"
        r"meli)(?:dır|dir|sın|sin|yız|yiz)?|kesinlikle)\b",
        r"항상|절대|반드시|하지 ?마|금지|해야 (?:합니다|한다|함|해)|앞으로는|必ず|常に|絶対|してはいけ|"
        r"しないで|禁止|べき|今後は|必须|不要|不得|不能|永远|始终|务必|一律|千万|从现在起",
        # Italian, Portuguese, Russian, Polish
        r"\b(?:sempre|nunca|всегда|никогда|нельзя|обязательно|должн\w+|zawsze|nigdy|musi)\b",
    ),
    _cue(
        "choice",
        2.2,
        0.7,
        r"\b(?:let['’]?s (?:use|keep|go with|stick|drop|not|have|call)|go(?:ing)? with|stick (?:to|with)|"
        r"instead of|rather than|in favou?r of|drop the|get rid of)\b|\buse \S+(?: \w+){0,4},? not \S",
        r"\b(?:stattdessen|(?:an)?statt|lieber)\b|\b(?:plutôt|au lieu de)\b|\b(?:en lugar de|en vez de|mejor)\b|"
        r"\byerine\b|대신|ではなく|代わりに|而不是|改用|вместо",
    ),
    _cue(
        "directive",
        1.2,
        0.8,
        r"\b(?:make sure|ensure|remember) (?:that |to |you |we |it )",
        r"\b(?:should(?:n['’]t| not)?|shall|have to|has to|needs? to|required?s?|mandatory|only (?:use|if|when|"
        r"ever|for|once)|at least)\b",
        r"\b(?:keep (?:the|it|them|using)|use \S+ (?:for|as|with|to|not)\b)",
        r"\b(?:we|i)(?:['’]d| would| explicitly| really| want to| just)* (?:want|prefer|rather|like|need|use|"
        r"chose|decided|settled)\b",
        r"\b(?:stattdessen|statt|sollte[ns]?|lieber|nimm|verwende|benutze|nutze)\b",
        r"\b(?:plutôt|au lieu de|utilise[rz]?|préfère)\b|\b(?:en lugar de|en vez de|usa|utiliza|prefiero|mejor)\b",
        r"\b(?:yerine|kullan(?:alım|ılmalı|ıyoruz|ın)?|tercih\w*|sadece|yalnızca)\b",
        r"대신|사용(?:하|해|합)|로 (?:통일|유지)|ではなく|代わりに|使って|使う|ようにして",
    ),
    _cue(
        "preference",
        1.5,
        0.2,
        r"\bi(?:['’]d| would)? (?:strongly |really )?(?:prefer|rather|like(?: it)? (?:when|better|to have)|hate|"
        r"dislike)\b",
        r"\bmy preference\b|\bplease (?:always|never|don['’]t|do not|stop|only|keep|use)\b",
        r"\bunacceptable\b|\bich (?:mag|will|bevorzuge)\b|\bje (?:préfère|veux)\b|\bprefiero\b|\bistemiyorum\b|"
        r"싫|좋겠|嫌",
    ),
    _cue(
        "reason",
        1.2,
        1.2,
        r"\b(?:because|otherwise|so that|due to|since (?:the|we|it|this|that|our|they)|the reason|in order to|"
        r"to avoid|thus|hence|therefore)\b|, so (?:the|that|it|we|they|a|an|\w+ing|no|each|every)\b",
        r"\b(?:which|that) (?:means|breaks|causes|is why|would (?:break|cause|lead))\b|\bthat['’]s why\b",
        r"\b(?:weil|da sonst|sonst|damit|wegen|deshalb)\b|\b(?:parce que|car|sinon|afin de|à cause)\b|"
        r"\b(?:porque|ya que|si no|para que|debido)\b",
        r"\b(?:çünkü|yoksa|bu yüzden|nedeniyle|sebeb\w*|dolayı|olduğu için|diye)\b|"
        r"때문|왜냐|그래서|위해|であるため|ので|なぜなら|理由|因为|否则|以免|由于|потому что|иначе",
    ),
    _cue(
        "cause",
        1.0,
        2.2,
        r"\b(?:root cause|(?:the |real |actual )(?:cause|culprit|bug|problem|issue) (?:is|was|here|comes)|"
        r"was caused by|is caused by)\b",
        r"\b(?:found (?:it|the)|turns out|the fix(?: is|:| was)|would (?:break|fail|lose|overwrite)|"
        r"fails? (?:when|because|if|on|with|to)|breaks? (?:when|if|out|the))\b",
        r"\b(?:does(?:n['’]t| not) (?:match|support|work|handle|exist|propagate|survive|trigger|apply)|"
        r"overwrit(?:es|ten)|silently|clobber\w*)\b",
        r"\b(?:ursache|liegt daran|la cause|la causa|sorun|neden(?:i|iyle)|kaynaklan\w+|kök neden|reddet\w+|"
        r"süresi dol\w+)\b|원인|문제(?:는|:)|실패|유실|原因",
    ),
    _cue(
        "decision",
        1.3,
        1.2,
        r"\b(?:decided|decision|we(?:['’]ve)? (?:chose|settled|went with|agreed|picked)|settled (?:on|that)|"
        r"deferred?|rejected|ruled out|trade-?off)\b",
        r"\b(?:stays?|remains?) (?:the same|as|on|in|`?\w+`?$)",
        r"\bentschieden|\bdécidé|\bdecidi\w+|\bkarar\w*|\bgeç(?:iyoruz|elim|ildi)\b|결정|채택|보류|決定|採用",
    ),
    _cue(
        "change",  # true until the next one
        0.9,
        1.0,
        r"\b(?:renamed?|moved?|switch(?:ed)?|migrat\w+) (?:\S+ ){0,5}(?:to|from)\b",
    ),
    _cue(
        "environment",
        0.9,
        0.9,
        r"\b(?:port \d{2,5}|listens? on|runs? on|requires? \S+ \d|version \d|v?\d+\.\d+\.\d+|pinned|"
        r"env(?:ironment)? var\w*|read-?only|lives? (?:in|at|under))\b",
        r"\b(?:belongs? to|points? (?:at|to)|is (?:stored|configured|defined|set|generated|derived|"
        r"published) (?:in|by|on|from|with|to|at))\b",
        r"\b(?:on (?:macos|windows|linux)|in (?:ci|production|staging)|sandbox|headless|non-?interactive\w*|"
        r"protected|rate.limit)\b",
        r"\b(?:korumalı|sürüm\w*|ayar\w*)\b|보호|버전|환경",
    ),
    _cue(
        "constraint",
        0.9,
        1.3,
        r"\b(?:cannot|can['’]t (?:be|push|use|write|read|access|see|detect|override|determine|tell|know|run|"
        r"reach|load|rely|share)|can never|only works?|"
        r"not (?:possible|allowed|supported|safe|atomic|available))\b",
        r"\b(?:falls? back to|supports? (?:\S+ ){0,3}only|only (?:on|in|by|from|when|if|at|once|after))\b",
        r"\b(?:there (?:is|are) no|no (?:way|hook|hooks|api|support)|has no|is (?:safe|unsafe|required|"
        r"deterministic|idempotent|random|atomic))\b",
        r"\b(?:mümkün değil|desteklem\w+|çalışm\w+|edilemed\w+)\b|불가|안 (?:됨|됩니다)|できない",
    ),
    _cue(
        "correction",
        1.5,
        0.4,
        r"^(?:no|nope|wait|not)\b[, !]",
        r"\b(?:that['’]?s|this is|is|was|told you) (?:not (?:right|true|correct|what)|wrong|incorrect)\b",
        r"\b(?:actually|change (?:in|of) plan|correction|i meant|not what i|no longer|we settled|as i said|"
        r"remember that|how (?:can|could) you)\b",
        r"\b(?:is|are|was) (?:just |only |actually )?\S+,? not (?:a |an |the )?\S+",
        r"^(?:nein|non|hayır|아니)\b|\b(?:falsch|yanlış|incorrecto|faux)\b|틀렸|違う",
    ),
    _cue(
        "proposal",
        0.9,
        0.0,
        r"\b(?:i think|i(?:['’]m| am) (?:thinking|wondering)|i wonder|can(?:['’]t| not)? we|could we|"
        r"couldn['’]t we|shouldn['’]t|why (?:not|don['’]t)|what if|idea was|maybe we|how about|i['’]?d say|"
        r"might want|we (?:could|might)|i feel like)\b",
    ),
    _cue(
        "identity",
        1.2,
        0.4,
        r"\b(?:is|are) (?:our|my|a|an|the) [\w -]{0,40}\b(?:service|app|application|library|tool|cli|plugin|"
        r"framework|package|platform|site|website|api|sdk|project|extension|product)\b",
        r"\b(?:tech )?stack(?: is|:)",
    ),
    _cue(
        "fact",
        0.7,
        0.3,
        r"\b(?:our|my team|the team|we) (?:\w+ ){0,2}(?:is|are|have|has|had|use|run|ship|deploy|host|support|"
        r"target|work)s?\b",
        r"\b(?:is|are) (?:our|the) \w+|\b(?:delivers|promises|guarantees|expects|returns|starts|stores|converts|"
        r"truncates|manages)\b",
    ),
    # What passes.
    _cue(
        "request",
        -0.9,
        0.0,
        r"^(?:(?:ok|okay|yes|now|and|so|also|great|good|then|please|hi|hey|well|cool|perfect|"
        r"thanks)[,.!]?\s+)*(?:please\s+)?(?:can|could|would|will) you\b",
        r"^(?:(?:ok|okay|yes|now|and|so|also|great|then|please)[,.!]?\s+)*(?:please\s+)?(?:commit|push|run|show|"
        r"tell|give|write|create|add|fix|check|look|read|"
        r"review|update|merge|rebase|implement|continue|proceed|open|explain|summari[sz]e|list|find|investigate|"
        r"analy[sz]e|generate|rename|try|do it|apply)\b",
        r"^(?:(?:ok|okay|yes|now|and|so|also|great|then|please|but)[,.!]?\s+)*(?:let['’]s|"
        r"lets) (?:\w+ )?(?:summari[sz]e|write|add|commit|push|merge|see|look|try|continue|proceed|do|create|"
        r"update|check|research|fix|review|start|run|open|move on)\b",
        r"\b(?:and then|then|first) let['’]s\b|^(?:next|last|one more|another|final) (?:thing|one|task|question|"
        r"point)\b|\bone more:|\btemporary\b",
        r"\b(?:i['’]d like to|(?:we|you|i) should(?: also)?|i want (?:you )?to|i would like to) (?:update|add|"
        r"change|create|fix|remove|write|explain|review|test|improve|make|have a)\b|\bdo the \w+ \w+ first\b",
        r"\b(?:help me|let me know|take a look|have a look|tell me|show me|i['’]d like (?:you )?to (?:generate|"
        r"see|know|add|ask|understand))\b",
        r"^(?!.*(?:항상|반드시|절대|앞으로|必ず|常に|絶対|今後)).*(?:해 ?주세요|해줘|확인해|진행해|"
        r"してください|して下さい)|\b(?:devam|"
        r"kannst du|könntest du|peux-tu|pouvez-vous|puedes|"
        r"podrías)\b",
    ),
    _cue(
        "one-off",
        -1.2,
        -0.8,
        r"(?<![\w&])#\d+\b|\b(?:PR|pull request|issue|ticket) ?#?\d+",
        r"\b(?:tweet|this (?:time|session|pr|branch|commit)|for now|right now|quick task|şu an|지금|aktuell|"
        r"today|yesterday|no newer (?:release|version)s?|yet|"
        r"tomorrow|tonight|this morning)\b",
        r"\b(?:fewer|less) than \d+ (?:lines|words)\b",
    ),
    _cue(
        "hedge",
        -0.7,
        -1.0,
        r"\b(?:i bet|i guess|probably|perhaps|maybe|might|not sure|i suspect|presumably|seems? (?:like|to)|"
        r"i don['’]t know|for sure|could be|possibly|looks like|likely|unclear|i assume|hypothes\w+)\b",
        r"\b(?:vielleicht|wahrscheinlich|peut-être|quizás|tal vez|belki|galiba|sanırım|muhtemelen|"
        r"ya (?:\S+ ){2,14}ya da)\b|\b(?:it['’]s|is|be) either\b|"
        r"아마|かもしれ|たぶん",
    ),
    _cue(
        "narration",
        -0.2,
        -2.5,
        r"^(?:now,? |ok(?:ay)?,? |good[.,]? |great[.,]? |perfect[.,!]? |first,? |next,? |alright,? )*(?:let me|"
        r"let['’]s|i['’]ll|i will|i['’]m (?:going|now)|i am (?:going|now)|"
        r"i need to|i should|i want to|now i|now we|going to|time to|starting|checking|reading|looking|running|"
        r"updating|writing|adding|fixing|moving|verifying|searching|creating)\b",
        r"\bi (?:see|found|have|read|ran|added|updated|changed|fixed|removed|created|checked|verified|wrote|"
        r"left|confirmed|replaced|moved|committed|pushed|missed|meant|was)\b",
        r"^(?:now (?!that)\w+|plan:|note\b|worth |one (?:more|thing|leftover|caveat)\b|(?:two|three|a few|"
        r"some) (?:minor|"
        r"small|more|other|things)\b|reverted)|\bi \w+ed\b|\bi caught\b",
        r"\blet me\b|\bi (?:don['’]t|do not|can|had to|also|just|still) \w+|\bi['’]ve\b|\b(?:şimdi|bakıyorum|"
        r"geçiyorum|alıyorum|yapıyorum|başlatıyorum|ediyorum|çıkarıyorum|doğruluyorum|koşturuyorum)\b",
        r"(?:진행|확인|수정|검증|추가|적용|준비|실행)(?:합니다|하겠습니다|하겠음|\.| 완료| 진행| 필요)",
    ),
    _cue(
        "outcome",
        -1.0,
        -1.6,
        r"\b(?:all|\d+(?:/\d+)?|the) (?:\w+ )?(?:tests?|checks?) (?:\w+ )?(?:pass(?:es|ed|ing)?|fail(?:s|ed|"
        r"ing)?|green)\b|\b\d+ (?:passed|failed)\b",
        r"\b(?:lint (?:is )?clean|all clean|all green|all done|is done|done\.|works (?:now|fine)|"
        r"builds? (?:and tests? )?(?:clean|passes|"
        r"succeeds|succeeded)|succeeds with|is (?:green|merged|pushed|committed|ready|complete|live))\b",
        r"\b(?:(?:was|were|been|got|is now|are now|now) (?:updated|added|removed|committed|pushed|merged|"
        r"created|fixed|renamed|deployed))\b|^(?:updated|added|removed|committed|pushed|created|fixed|done|"
        r"applied|changed|wrote|implemented|renamed|confirmed|verified)\b",
        r"^in summary\b|\b(?:ticked|task \d|so far|no (?:\w+ )?needed|is recorded in|should now|uncommitted|"
        r"working tree|"
        r"still open|open items|unchanged|as you asked|next steps?|remaining|"
        r"left to do|todo)\b|\b(?:(?:güncel|düzelt|ek|doğru|ekle)\w*(?:lendi|ildi|landı|ndi)|yeşil|geçti|tamam|"
        r"yayında|açıldı)\b|통과|완료|성공",
    ),
    _cue(
        "offer",
        -0.5,
        -3.0,
        r"\b(?:want me to|would you like|shall i|should i|let me know|do you want|if you['’]?d? (?:like|want|"
        r"prefer)|i can (?:also|either|do|flip|add|make|help)|happy to|your call|which (?:one|option|approach|"
        r"do you)|ok to proceed|(?:just )?say (?:so|the word)|i['’]ll \w+|i(?:['’]d| would) (?:suggest|"
        r"recommend|lean|start|go|propose|pick))\b",
        r"진행할까요|알려주세요|실행하세요|\bister misin\b|\bistersen\b|\bsoll ich\b|\bsouhaitez-vous\b",
    ),
    _cue(
        "option",
        -0.4,
        -2.0,
        r"^[\"“]|^(?:would need|consider|deferring)\b",
        r"^(?:\(?[a-dA-D][).:]|option \w\b|approach \w\b|alternative(?:ly)?\b|pros?\b|cons?\b|downside|upside|"
        r"choice \w\b|plan [a-d]\b|step \d|phase \d|task \d|commit [0-9a-f]{7})",
        r"\b(?:my (?:pick|recommendation|take)|recommended|two options|a few (?:options|approaches)|"
        r"either (?:way|could|works)|one potential|could (?:also|use|work|do|either|add|have|make))\b",
    ),
    _cue(
        "deixis",  # words that point into the conversation
        0.0,
        -2.0,
        r"\byour (?:point|question|idea|concern|suggestion|approach|call|proposal|plan|message|screenshot|branch|"
        r"(?:first|second|last|other) \w+)\b",
        r"\b(?:we(?:['’]ve)?|i(?:['’]ve)?|you(?:['’]ve)?) (?:just|already) \w+|\bjust (?:fixed|added|made|"
        r"pushed|did)\b",
        r"\b(?:above|below|earlier|aforementioned|this (?:session|conversation|round|turn|diff|run|time))\b",
        r"\bto recap\b|\bin (?:concrete|other) (?:terms|words)\b|\bas (?:you|i|we) (?:said|noted|saw|discussed)\b",
        r"\b(?:comment|finding|item|point|question|round) \d+\b|\bthat['’]s the\b|\[Image\b",
    ),
    _cue(
        "chat",
        -1.5,
        -1.5,
        r"\b(?:lol|haha|lunch|coffee|weekend|morning!|good (?:morning|night|job|work|question|catch|idea|point|"
        r"call|instinct)|thank(?:s| you)|awesome|excited|mind-?blowing|fascinating|interesting|enjoy|sorry|apolog\w+|"
        r"you['’]re (?:absolutely )?right|my (?:bad|fault))\b",
    ),
    _cue(
        "prompt",
        -3.0,
        -0.5,
        r"^you are (?:a|an|the|now)\b|\brespond (?:only )?(?:with|in) json\b|\byour task is\b|\boutput format\b",
    ),
    _cue(
        "retraction",
        -3.0,
        0.0,
        r"\b(?:forget|ignore|scratch|disregard|never ?mind)\b.{0,12}(?:`|\bthat\b|\bwhat i\b|\bit\b)|"
        r"\bi told you wrong\b",
    ),
)
