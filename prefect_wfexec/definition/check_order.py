"""Checks of the order of steps; resolves what each needs."""

from prefect_wfexec.definition.diagnostics import shown, suggest
from prefect_wfexec.definition.draft import Draft, StepDraft
from prefect_wfexec.definition.graph import Graph
from prefect_wfexec.definition.raw import PHASES

MAX_NAMED = 50


def resolve_order(draft: Draft) -> None:
    """Resolve every step's `needs`, build the graph, report unknown names and cycles."""
    before: tuple[str, ...] = ()
    for phase in _groups(draft):
        _resolve_group(draft, phase, before)
        before = tuple(step.id for step in phase if step.id) or before
    draft.graph = Graph({step.id: step.needs for step in draft.steps if step.id})
    for cycle in draft.graph.cycles():
        _report_cycle(draft, cycle)


def _groups(draft: Draft) -> list[list[StepDraft]]:
    if not any(step.phase for step in draft.steps):
        return [draft.steps]
    return [[step for step in draft.steps if step.phase == phase] for phase in PHASES]


def _resolve_group(draft: Draft, steps: list[StepDraft], before: tuple[str, ...]) -> None:
    above: str | None = None
    own = {step.id for step in steps if step.id}
    for step in steps:
        if "needs" in step.keys:
            needs = _written_needs(draft, step)
            is_inside = any(name in own for name in needs)
            step.needs = needs if is_inside else tuple(dict.fromkeys((*before, *needs)))
        else:
            step.is_order_known = "needs" not in step.data
            step.needs = (above,) if above is not None else before
        above = step.id or above


def _written_needs(draft: Draft, step: StepDraft) -> tuple[str, ...]:
    written = step.raw.needs
    names = [written] if isinstance(written, str) else written
    sound = []
    for number, name in enumerate(names):
        path = (*step.path, "needs") if isinstance(written, str) else (*step.path, "needs", number)
        if step.id is not None and name == step.id:
            draft.report.error("self-need", f"{step.label} needs itself", path, "remove it")
        elif name not in draft.by_id:
            step.is_order_known = False
            if name in draft.faulty_ids:
                continue
            hint = suggest(name, draft.by_id, "the steps are")
            hint = "" if hint == f"did you mean '{step.id}'?" else hint
            draft.report.error("unknown-step", f"{step.label} needs {shown(name)}, which does not exist", path, hint)
        elif _is_later(draft.by_id[name], step):
            message = f"{step.label} needs '{name}', which is in the later phase '{draft.by_id[name].phase}'"
            draft.report.error(
                "later-phase", message, path, f"move one of the two; phases run in the order {PHASES[0]} … {PHASES[-1]}"
            )
        else:
            sound.append(name)
    return tuple(dict.fromkeys(sound))


def _is_later(other: StepDraft, step: StepDraft) -> bool:
    if other.phase is None or step.phase is None:
        return False
    return PHASES.index(other.phase) > PHASES.index(step.phase)


def _report_cycle(draft: Draft, cycle: tuple[str, ...]) -> None:
    first = draft.by_id[cycle[0]]
    named = cycle if len(cycle) <= MAX_NAMED else (*cycle[: MAX_NAMED - 1], "…", cycle[-1])
    circle = " → ".join((*named, cycle[0]))
    path = (*first.path, "needs") if "needs" in first.keys else first.path
    hint = "each needs the next; take one 'needs' out"
    if any("needs" not in draft.by_id[name].keys for name in cycle):
        hint += "; a step without 'needs' needs the step above it, one with 'needs: []' starts at once"
    draft.report.error("cycle", f"the steps need each other in a circle: {circle}", path, hint)
