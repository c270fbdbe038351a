"""Whether what was approved covers a later plan, so that a retry after a partial apply asks nobody twice."""

from collections.abc import Iterator, Mapping
from typing import Any

TAINTED = "replace_because_tainted"


def uncovered(
    approved: Mapping[str, Any], later: Mapping[str, Any], *, after_own_apply: bool = False, own_lineage: str = ""
) -> list[str]:
    """Why an approval does not cover a later plan, one reason a change; empty when it does.

    A later plan is covered when it changes nothing that was not approved: the same action on the same address, every
    value known at approval still the same, and every other value one that was unknown then. Fewer changes are covered.

    Args:
        approved: The change set that was approved, as JSON.
        later: The change set of the later plan, as JSON.
        after_own_apply: Whether the run has begun to apply what was approved: what it created and left unfinished is
            then replaced, which counts as the creation that was approved.
        own_lineage: The lineage of the state that the run's own apply wrote; an approval for a state that did not exist
            yet holds for that one.
    """
    lineage = approved.get("lineage") or own_lineage
    if lineage != later.get("lineage"):
        return ["the plan is for another state"]
    by_address = {_name(change): change for change in approved.get("changes", ())}
    reasons = []
    for change in later.get("changes", ()):
        before = by_address.get(_name(change))
        reason = _difference(before, change, after_own_apply=after_own_apply) if before else "was not to change"
        if reason:
            reasons.append(f"{change['address']} {reason}")
    return reasons


def _name(change: Mapping[str, Any]) -> tuple[str, str]:
    return str(change["kind"]), str(change["address"])


def _difference(before: Mapping[str, Any], change: Mapping[str, Any], *, after_own_apply: bool) -> str | None:
    action, planned = before["action"], change["action"]
    is_unfinished = after_own_apply and change.get("reason") == TAINTED and (action, planned) == ("create", "replace")
    if action != planned and not is_unfinished:
        return f"was to {action}, and is now to {planned}"
    return next(_other_values(before, change), None)


def _other_values(before: Mapping[str, Any], change: Mapping[str, Any]) -> Iterator[str]:
    known, open_then = before["known"], set(before["unknown"])
    for pointer, digest in known.items():
        if change["known"].get(pointer) != digest:
            yield f"has another value at {pointer}"
    for pointer in [*change["known"], *change["unknown"]]:
        if pointer not in known and not _is_within(pointer, open_then):
            yield f"has a value that was not there, at {pointer}"


def _is_within(pointer: str, places: set[str]) -> bool:
    """Whether a leaf stands at or below one of these places."""
    parts = pointer.split("/")
    return any("/".join(parts[:length]) in places for length in range(2, len(parts) + 1))
