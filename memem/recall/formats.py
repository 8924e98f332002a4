"""Other shapes of what is found, made at the edge: the JSON that the published memem answers, and passages."""

from __future__ import annotations

import json
from typing import Any

from memem.active import ActiveSlice, Excluded, Item, Result
from memem.recall.render import quoted
from memem.recall.roles import ROLES
from memem.sources.search import Found
from memem.text import cut, one_line

_LONGEST = 4000
_ACTIVE = ("committed", "dry_run", "blocked", "rejected", "skipped", "not_run")


def slice_json(found: ActiveSlice, *, writeback: bool = False) -> str:
    """A slice as the published memem's JSON object; with `writeback` beside its results, as that one answered them."""
    document = slice_document(found)
    if writeback:
        document = {"slice": document, "delta_results": document["delta_results"]}
    return json.dumps(document, ensure_ascii=False, indent=2)


def slice_document(found: ActiveSlice) -> dict[str, Any]:
    """A slice in the published memem's fields."""
    task, change = found.task, found.continuity
    shown = {role.key: [_item(item) for item in found.items if item.role == role.key] for role in ROLES}
    return {
        "slice_id": found.id,
        "slice_kind": "active",
        "session_id": quoted(found.query.session),
        "scope_id": quoted(found.query.scope.id),
        "query": quoted(task.text),
        "input_goal": quoted(task.name or task.text),
        "generated_at": found.at,
        "environment": {name: quoted(value) for name, value in found.environment},
        **shown,
        "items": [item for members in shown.values() for item in members],
        "resolved_tensions": [_item(item) for item in found.resolved],
        "excluded_candidates": [_excluded(candidate) for candidate in found.excluded],
        "candidate_deltas": [_delta(result) for result in found.results],
        "delta_results": [_result(result, found.id) for result in found.results],
        "projection_hint": ", ".join(role.title for role in ROLES if shown[role.key]),
        "previous_slice_id": change.previous,
        "slice_diff": {
            "added": _names(change.added),
            "removed": _names(change.removed),
            "kept": _names(change.kept),
            "carried": _names(change.carried),
            "resolved": _names(change.resolved),
        },
        "carry_forward_summary": [quoted(item.title) for item in found.items if item.carried],
        "artifact_progression": [{"path": quoted(path), "status": state} for path, state in change.progression],
        "task_mode": task.mode,
        "writeback_summary": {
            status: count for status in _ACTIVE if (count := sum(result.status == status for result in found.results))
        },
        "candidate_count": found.considered,
        "recall_candidate_count": found.recalled,
        "should_emit_context": bool(found.items),
        "activation_mode": "llm" if found.judge else "heuristic",
        "confidence": round(found.confidence, 4),
        "warnings": [quoted(warning) for warning in found.warnings],
    }


def passages(found: Found) -> str:
    """What a search in transcripts found: a line about each place, then its words, as quoted data."""
    lines = [
        f"{quoted(place.at[:16])} {place.role}{' (human)' if place.human else ''}"
        f" · session {quoted(place.session[:36])} · {quoted(place.uuid[:8])}\n  {quoted(place.snippet)}"
        for place in found.passages
    ]
    if not lines:
        lines.append("No session of this project says so. Other words, or the sessions of all projects?")
    if not found.complete:
        only = "Besides the archived ones only" if found.indexed else "Only"
        lines.append(f"{only} the newest {found.files} sessions were searched ({found.bytes // 1_000_000} MB).")
    return "\n".join(lines)


def _item(item: Item) -> dict[str, Any]:
    memory = item.memory
    document: dict[str, Any] = {
        "memory_id": quoted(item.id),
        "role": item.role,
        "title": one_line(quoted(item.title)),
        "summary": cut(quoted(item.text), _LONGEST),
        "source_type": quoted(memory.source_type) if memory and item.origin == "memory" else item.origin,
        "score": round(item.score, 4),
        "why_activated": quoted("; ".join(item.why)),
    }
    if memory:
        document |= {
            "project": quoted(memory.project),
            "importance": memory.importance,
            "layer": memory.layer,
            "kind": memory.kind,
            "trust": memory.trust,
            "status": memory.status,
            "updated": quoted(memory.updated),
        }
    return document


def _excluded(candidate: Excluded) -> dict[str, str]:
    return {
        "memory_id": quoted(candidate.id),
        "title": one_line(quoted(candidate.title)),
        "reason": candidate.reason,
    }


def _delta(result: Result) -> dict[str, Any]:
    delta = result.delta
    return {
        "delta_id": delta.id,
        "delta_type": delta.type,
        "affected_memory_ids": _names(delta.memories),
        "content": quoted(delta.content),
        "reason": quoted(delta.reason),
        "confidence": delta.confidence,
        "commit_policy": result.policy,
    }


def _result(result: Result, slice_id: str) -> dict[str, Any]:
    delta = result.delta
    return {
        "delta_id": delta.id,
        "delta_type": delta.type,
        "status": result.status,
        "commit_policy": result.policy,
        "confidence": delta.confidence,
        "dry_run": result.status != "committed",
        "requires_user_confirmation": result.policy != "auto_safe",
        "source_slice_id": slice_id,
        "affected_memory_ids": _names(delta.memories),
        "validation_errors": [quoted(error) for error in result.errors],
        "warnings": [],
        "result_message": quoted(result.message),
    }


def _names(ids: tuple[str, ...]) -> list[str]:
    return [quoted(name) for name in ids]
