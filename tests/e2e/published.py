"""A vault and a state folder as the published memem (1.x and 2.x) leaves them behind."""

from __future__ import annotations

import sqlite3
from pathlib import Path

FIRST_MAJOR = """\
---
id: 3f0c2a54-6a4e-4b52-9a53-0c1f3f6c2b11
schema_version: 1
title: Invoices are numbered per calendar year
project: general
tags:
- mined
- a81bc81b
- general
related:
- 07b43ade
created: 2025-11-02
updated: 2025-11-02
source_type: mined
source_session: a81bc81b-dead-4e5d-abff-90865d1e13b1
importance: 4
status: active
valid_to: ''
layer: 2
---

Invoice numbers restart at 1 every calendar year and carry the year as a prefix, because the tax office asked for it.

## Related
- [[use-rs256-jwts-07b43ade]]
"""

SECOND_MAJOR = """\
---
id: 07b43ade-9c7b-4c79-9ccc-de9a79bc6d50
schema_version: 1
title: Use RS256 JWTs
project: general
tags: []
keys:
- json web token
- signing algorithm
related:
- 3f0c2a54
created: '2026-01-21T00:48:32.052091+00:00'
updated: '2026-01-21T00:48:32.052118+00:00'
source_type: user
source_session: ''
importance: 3
status: active
valid_to: ''
valid_at: '2026-01-21T00:48:32.052091+00:00'
last_accessed_at: '2026-01-21T00:48:32.052091+00:00'
access_count: 0
decay_immune: false

---

Use RS256 JWTs in production because the gateway verifies tokens without the signing key.
"""

NO_FENCE = """\
---
id: 9f1f7a5e-1f6a-4f0e-8b7e-3d2f1c0b9a88
title: Staging: reset on Mondays
project: general

The staging database is wiped every Monday at 04:00 UTC.
"""

_NOTES = {
    "memories/invoices-are-numbered-per-calendar-year-3f0c2a54.md": FIRST_MAJOR,
    "memories/use-rs256-jwts-07b43ade.md": SECOND_MAJOR,
    "memories/staging-reset-on-mondays-9f1f7a5e.md": NO_FENCE,
    "playbooks/general.md": "# general\n\n- Invoices restart.\n<!-- memem-source-hash:5d41402abc4b2a76 -->\n",
    "profiles/profile_user.md": "## Preferences\n- short answers\n",
    "_index.md": "- [[use-rs256-jwts-07b43ade]]\n",
}
_STATE_TEXTS = {
    ".miner-opted-in": "2026-01-20T10:00:00+00:00\n",
    ".installed_at": "1768903200\n",
    ".last-brief.json": '{"session_id": "a81bc81b", "keywords": ["jwt"], "timestamp": 1768903200}',
    ".mined_sessions": '{"session_id": "a81bc81b-dead-4e5d-abff-90865d1e13b1"}\n',
    ".mined_sessions.legacy": "",
    "telemetry.json": "{}",
    "relevance_scores.json": "{}",
    "quarantine/9d2f_broken-note.md": "---\nid: [\n",
    "miner-wrapper.pid": "999998\n",
    "miner.heartbeat": "1768903200",
    "session_recalls.json": "{}",
    "active-slices.jsonl": '{"slice_id": "s1"}\n',
    "delta-audit.jsonl": "",
    "topic-shifts.log": "shift\n",
    "miner.log": "2026-01-20 mined 1 session\n",
    "miner.pid": "999999\n",
    "search.db": "not the schema of this version",
    "graph.db": "not the schema of this version",
}
STATE_FILES = (*_STATE_TEXTS, "mined_sessions.db")
_EVENTS = '{"op": "save", "memory_id": "07b43ade-9c7b-4c79-9ccc-de9a79bc6d50"}\n'


def write_vault(root: Path) -> None:
    """Write the notes and the generated files below the folder `memem` of a vault."""
    for name, text in _NOTES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def write_state(folder: Path) -> None:
    """Write what the miner, the slices and the hooks of the published memem kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _STATE_TEXTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "events.jsonl").write_text(_EVENTS, encoding="utf-8")
    connection = sqlite3.connect(folder / "mined_sessions.db")
    with connection:
        connection.execute("CREATE TABLE mined_sessions (session_id TEXT PRIMARY KEY, status TEXT, attempts INTEGER)")
        connection.execute("INSERT INTO mined_sessions VALUES ('a81bc81b', 'complete', 1)")
    connection.close()
