"""Whether an earlier approval of the same gate covers what it is asked again, and if not, what is new."""

import json
from collections.abc import Mapping
from typing import Any

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.approvals.gates import approvals_behind, is_plan_reference, subject_digest
from prefect_wfexec.engine.approvals.people import find_person, may_be_same, person_key
from prefect_wfexec.engine.approvals.rules import Rules
from prefect_wfexec.errors import EngineError
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.journal.state import Decision, ExecutionState, Gate
from prefect_wfexec.steps.base import BlobStore
from prefect_wfexec.steps.terraform.apply import LINEAGE_CLAIM
from prefect_wfexec.steps.terraform.coverage import uncovered

MOST_NEWS = 50


async def covering(
    step: str, subject: JSON, rules: Rules, state: ExecutionState, blobs: BlobStore
) -> tuple[int | None, tuple[str, ...]]:
    """The generation whose approval covers this, if one does; and what is new since the last approval otherwise.

    An approval covers fewer changes than were approved, never others. It is worth what its decisions are worth by the
    rules of today.
    """
    earlier = next((one for one in reversed(state.gates) if one.step == step and one.outcome == "approved"), None)
    if earlier is None or subject is None:
        return None, ()
    news = await _news(earlier, subject, state, blobs)
    if news:
        return None, tuple(news[:MOST_NEWS])
    is_reusable = rules.reuse and earlier.reuse and suffices(approvals_behind(earlier, state), rules, state)
    return (earlier.generation if is_reusable else None), ()


def suffices(decisions: tuple[Decision, ...], rules: Rules, state: ExecutionState) -> bool:
    """Whether these approvals would open the gate by the rules it has now."""
    starter = state.opened.user if state.opened else None
    people = set()
    for one in decisions:
        name = one.by.name
        is_listed = one.by.verified_by is not None and find_person(name, rules.approvers) is not None
        is_self = not rules.allow_self and starter is not None and may_be_same(name, starter)
        if (is_listed or not rules.is_governed) and not is_self:
            people.add(person_key(name))
    return len(people) >= rules.quorum


async def _news(earlier: Gate, subject: JSON, state: ExecutionState, blobs: BlobStore) -> list[str]:
    if subject_digest(subject) == earlier.subject_digest:
        return []
    if not (is_plan_reference(subject) and is_plan_reference(earlier.subject)):
        return ["what is decided on is not what was approved"]
    try:
        approved, later = [await _changes(one, blobs) for one in (earlier.subject, subject)]
    except (EngineError, ValueError, KeyError, TypeError):
        return ["what was approved can't be read any more"]
    sha256 = str(earlier.subject["plan"]["sha256"])
    claims = {claim for step in state.steps.values() if sha256 in step.claims for claim in step.claims}
    lineages = sorted(claim.removeprefix(LINEAGE_CLAIM) for claim in claims if claim.startswith(LINEAGE_CLAIM))
    own = later.get("lineage") if later.get("lineage") in lineages else ""
    return uncovered(approved, later, after_own_apply=bool(claims), own_lineage=str(own or ""))


async def _changes(subject: Mapping[str, Any], blobs: BlobStore) -> dict[str, Any]:
    found = json.loads(await blobs.get(BlobRef.from_json(subject["changes"])))
    if not isinstance(found, dict):
        raise ValueError("no change set")
    return found
