"""Other shapes of what is found, made at the edge: the JSON that the published memem answers, and passages."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from memem.models import Candidate, Slice
from memem.recall.render import SECTIONS, index_line, quoted, sections
from memem.sources.search import Found
from memem.text import cut

_KEYS = {
    "Goals": "goals",
    "Constraints": "constraints",
    "Decisions": "decisions",
    "Failure Patterns": "failure_patterns",
    "Open Tensions": "open_tensions",
    "Preferences": "preferences",
    "Active Background": "active_background",
}


def slice_json(found: Slice) -> str:
    """A slice as the published memem's JSON object."""
    filled = sections(found)
    items = [_item(candidate, title) for title, members in filled.items() for candidate in members]
    document: dict[str, Any] = {
        "slice_id": str(uuid.uuid4()),
        "slice_kind": "active",
        "session_id": found.query.session,
        "scope_id": found.query.scope.id,
        "query": found.query.text,
        "generated_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "items": items,
    }
    for title, _ in SECTIONS:
        document[_KEYS[title]] = [_item(candidate, title) for candidate in filled.get(title, [])]
    document |= {
        "candidate_count": len(items),
        "should_emit_context": bool(items),
        "warnings": list(found.warnings),
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def passages(found: Found) -> str:
    """What a search in transcripts found: a line about each place, then its words, as quoted data."""
    lines = [
        f"{quoted(place.at[:16])} {place.role}{' (human)' if place.human else ''}"
        f" · session {quoted(place.session[:36])} · {quoted(place.uuid[:8])}\n  {quoted(place.snippet)}"
        for place in found.passages
    ]
    if not lines:
        lines.append("No session of this project says so. Other words, or all projects (everywhere)?")
    if not found.complete:
        only = "Besides the archived ones only" if found.indexed else "Only"
        lines.append(f"{only} the newest {found.files} sessions were searched ({found.bytes // 1_000_000} MB).")
    return "\n".join(lines)


def _item(candidate: Candidate, role: str) -> dict[str, Any]:
    memory = candidate.memory
    return {
        "memory_id": memory.id,
        "role": _KEYS[role],
        "title": quoted(memory.title),
        "summary": cut(quoted(memory.body), 4000),
        "index_line": index_line(memory),
        "source_type": memory.source_type,
        "kind": memory.kind,
        "trust": memory.trust,
        "project": memory.project,
        "importance": memory.importance,
        "layer": memory.layer,
        "score": round(candidate.score, 4),
        "why_activated": "; ".join(candidate.reasons),
    }
