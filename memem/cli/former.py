"""Flags and commands that people know from the published memem and its relatives, and what does their work now."""

from __future__ import annotations

# Pure reads are run as what replaced them.
READS = {
    "--status": ("status",),
    "--doctor": ("doctor",),
    "--compact-index": ("list", "--all"),
    "--recall": ("slice",),
    "--active-slice": ("slice",),
    "--assemble-context": ("slice",),
    "--integrity-check": ("verify",),
}
_MINING = "`memem mine PATH` mines the sessions that you name; `memem mine --dry-run PATH` shows what it would save."
_INDEX = "Use `memem index rebuild`."
_SERVICE = "Use `memem miner start|stop|status`; it is off until you start it."
_RECALLS = "`memem stats` shows how often recall spoke."
OLD_FLAGS = {
    "--mine-session": _MINING,
    "--mine-all": "Use `memem miner history`: it shows a count and an estimate first.",
    "--miner-opt-in": _SERVICE,
    "--miner-opt-out": _SERVICE,
    "--miner-start": _SERVICE,
    "--miner-stop": _SERVICE,
    "--miner-status": _SERVICE,
    "--install-cron": _SERVICE,
    "--purge-mined": "Use `memem forget --origin mined`: it shows first what would go.",
    "--purge-contaminated": "Mined notes are yours: `memem list --json` shows them, delete the files you do not want.",
    "--rebuild-index": _INDEX,
    "--rebuild-search-index": _INDEX,
    "--rebuild-transcript-index": "The index of the archive is derived: delete `transcripts-v3.db`, it is built anew.",
    "--rebuild-playbooks": "The miner lets playbooks grow; delete one and mine again to begin it anew.",
    "--migrate-schema": "Old notes are read as they are; nothing has to be migrated.",
    "--migrate-layers": "Old notes are read as they are; change `layer:` in a note to move it.",
    "--eval": _RECALLS,
    "--analyze-recalls": _RECALLS,
    "--events": _RECALLS,
    "--consolidate": "`memem conflicts` and `memem stale` list what needs a decision; nothing is merged unasked.",
    "--dream": "`memem conflicts` and `memem stale` list what needs a decision; nothing is merged unasked.",
    "--record-lesson": 'Use `memem save "…"`.',
}
# Commands of relatives (and words that come to mind first) → what to type.
OTHER_WORDS = {
    "remember": 'memem save "…"',
    "store": 'memem save "…"',
    "add": 'memem save "…"',
    "recall": 'memem search "…"',
    "find": 'memem search "…"',
    "show": "memem get ID",
    "ls": "memem list",
    "briefing": 'memem slice "…"',
    "context": 'memem slice "…"',
    "history": "memem list --history",
    "delete": "memem forget ID",
    "re-extract": "memem mine PATH",
    "reindex": "memem index rebuild",
    "rebuild": "memem index rebuild",
    "embed": "memem index rebuild (search needs no embeddings)",
    "link": "memem graph connect ID related ID",
    "insights": "memem stats",
    "settings": "memem config show",
    "setup": "bootstrap.sh setup in the plugin folder",
    "init": "bootstrap.sh setup in the plugin folder",
    "install": "claude plugin install memem@memem-marketplace",
    "serve": "memem without arguments, started by the client",
    "log": "memem stats",
}
