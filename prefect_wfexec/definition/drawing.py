"""The graph of a workflow for people: a text list, JSON, and a mermaid diagram."""

from collections.abc import Mapping

from prefect_wfexec.definition.graph import Graph
from prefect_wfexec.definition.model import JSON, Step, Workflow

_SHAPES = {"approval": ("{{", "}}")}


def mermaid(workflow: Workflow) -> str:
    """The workflow as a mermaid flowchart; phases are subgraphs, gates hexagons, conditional edges dotted."""
    lines = ["flowchart TD"]
    phases = list(dict.fromkeys(step.phase for step in workflow.steps))
    for phase in phases:
        nodes = [_node(step) for step in workflow.steps if step.phase == phase]
        if phase is None:
            lines += [f"    {node}" for node in nodes]
        else:
            lines += [f"    subgraph phase_{phase}[{phase}]", *(f"        {node}" for node in nodes), "    end"]
    needs = {step.id: step.needs for step in workflow.steps}
    for step in workflow.steps:
        lines += [f"    s_{above} {_arrow(step)} s_{step.id}" for above in _direct(step, needs)]
    return "\n".join(lines) + "\n"


def graph_json(workflow: Workflow) -> dict[str, JSON]:
    """The shape `wfexec graph --json` prints."""
    return {
        "workflow": workflow.name,
        "steps": [
            {
                "id": step.id,
                "name": step.name,
                "uses": step.uses,
                "phase": step.phase,
                "needs": list(step.needs),
                "if": step.if_,
                "when": step.when,
            }
            for step in workflow.steps
        ],
    }


def text_graph(workflow: Workflow) -> str:
    """The steps in the order they can start, one a line, each with what it needs.

    A step stands one place to the right of the deepest step it needs, so steps in one column may run side by side.
    """
    graph = Graph.of(workflow.steps)
    steps = {step.id: step for step in workflow.steps}
    depth: dict[str, int] = {}
    for step_id in graph.order:
        depth[step_id] = 1 + max((depth[above] for above in graph.needs(step_id)), default=-1)
    number = {step_id: place for place, step_id in enumerate(graph.ids)}
    ordered = sorted(graph.order, key=lambda one: (depth[one], number[one]))
    lines = [workflow.name, *(f"{'  ' * min(depth[one] + 1, 20)}{_line(steps[one])}" for one in ordered)]
    return "\n".join(lines) + "\n"


def _line(step: Step) -> str:
    parts = [f"{step.id} ({step.uses})"]
    if step.phase:
        parts.append(f"phase {step.phase}")
    if step.needs:
        parts.append(f"needs {', '.join(step.needs)}")
    if step.if_ is not None:
        parts.append(f"if {' '.join(step.if_.split())}")
    if step.when != "success":
        parts.append(f"when {step.when}")
    return " · ".join(parts)


def _direct(step: Step, needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What the step needs; across phases without what another of its needs stands for."""
    if step.phase is None:
        return step.needs
    covered = {above for one in step.needs for above in needs[one]}
    return tuple(name for name in step.needs if name not in covered)


def _node(step: Step) -> str:
    opening, closing = _SHAPES.get(step.uses, ("[", "]"))
    return f's_{step.id}{opening}"{_escape(step.name)}<br/>{_escape(step.uses)}"{closing}'


def _arrow(step: Step) -> str:
    if step.when != "success":
        return f"-. {step.when} .->"
    return "-.->" if step.if_ is not None else "-->"


def _escape(text: str) -> str:
    """Text inside a quoted mermaid label: every character with a meaning there as a number."""
    return "".join(letter if letter.isalnum() or letter in " ._-" else f"#{ord(letter)};" for letter in text)
