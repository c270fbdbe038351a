"""The rules of a gate: what its step says, and the policies over it. Where they differ the stricter wins. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prefect_wfexec.definition.durations import parse_duration
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.approvals.people import find_person, person_key
from prefect_wfexec.errors import EngineError, UsageError, join_names

REASON = "rules"


class RulesError(EngineError):
    """The rules of a gate can't be kept by anybody, or are none."""

    code = REASON


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides a gate.

    Attributes:
        approvers: Who may decide; empty: anyone, recorded as unverified.
        quorum: How many different people have to approve.
        allow_self: Whether who started the run may.
        is_governed: Whether who decides has to be among the approvers, and to prove it.
        expires: Seconds the gate stays open, None for ever.
        on_expire: reject, fail or cancel.
        hold: Seconds a process waits for a decision before it leaves; None for the setting's.
        notify: Whom to tell, as `definition.notify.Notify` in JSON.
        reuse: Whether an earlier approval of the same gate may cover this one.
    """

    approvers: tuple[str, ...] = ()
    quorum: int = 1
    allow_self: bool = True
    is_governed: bool = False
    expires: float | None = None
    on_expire: str = "reject"
    hold: float | None = None
    notify: tuple[Mapping[str, JSON], ...] = ()
    reuse: bool = True


def rules_of(inputs: Mapping[str, JSON], policies: Sequence[Mapping[str, Any]] = (), *, is_protected: bool) -> Rules:
    """The rules of a gate.

    Args:
        inputs: The gate's `with`, rendered and validated.
        policies: The fields of the policies over it, the environment's first.
        is_protected: Whether the run's environment is protected.

    Raises:
        RulesError: nobody could open the gate by these rules.
    """
    sources = [*policies, inputs]
    approvers = _approvers(sources)
    quorum = max(_number(source.get("quorum")) for source in sources)
    is_governed = bool(approvers or policies or is_protected)
    if is_governed and not approvers:
        why = "its environment is protected" if is_protected else "it has a policy"
        raise RulesError(
            f"{why}, and nobody is named who may approve",
            hint="name approvers in the step, in its policy, or in the policy of its environment",
        )
    if approvers and quorum > len(approvers):
        raise RulesError(
            f"it takes {quorum} people to approve, and only {join_names(list(approvers))} may",
            hint="name more approvers, or lower the quorum",
        )
    return Rules(
        approvers=approvers,
        quorum=quorum,
        allow_self=_allows_self(inputs, policies, is_governed=is_governed),
        is_governed=is_governed,
        expires=min(_seconds(sources, "expires"), default=None),
        on_expire=next((str(found["on_expire"]) for found in sources if found.get("on_expire")), "reject"),
        hold=next(iter(_seconds(policies, "hold")), None),
        notify=_notify(sources),
        reuse=all(source.get("reuse") != "never" for source in policies),
    )


def _approvers(sources: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Those whom every source names that names any."""
    found: tuple[str, ...] | None = None
    for source in sources:
        named = tuple(str(name) for name in source.get("approvers") or ())
        if not named:
            continue
        if found is not None and not any(find_person(name, named) for name in found):
            raise RulesError(
                f"its rules name {join_names(list(found))} and {join_names(list(named))}, and nobody twice",
                hint="name only people whom the policies name too: a decision counts where all rules agree",
            )
        found = named if found is None else tuple(name for name in found if find_person(name, named))
    unique = {person_key(name): name for name in reversed(found or ())}
    return tuple(name for name in found or () if unique[person_key(name)] == name)


def _allows_self(inputs: Mapping[str, JSON], policies: Sequence[Mapping[str, Any]], *, is_governed: bool) -> bool:
    said = inputs.get("allow_self")
    if policies:
        return said is not False and all(policy.get("allow_self") is True for policy in policies)
    return said is True if is_governed else said is not False


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1


def _seconds(sources: Iterable[Mapping[str, Any]], key: str) -> list[float]:
    found = []
    for source in sources:
        value = source.get(key)
        if value in (None, ""):
            continue
        try:
            found.append(parse_duration(value))
        except UsageError as error:
            raise RulesError(f"its '{key}' can't be read: {error.message}", hint=error.hint) from None
    return found


def _notify(sources: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, JSON], ...]:
    found: list[Mapping[str, JSON]] = []
    for source in sources:
        for one in source.get("notify") or ():
            kept = {key: value for key, value in dict(one).items() if value is not None}
            if kept not in found:
                found.append(kept)
    return tuple(found)
