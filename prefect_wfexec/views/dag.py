"""The graph of a workflow laid out on a plane: what a step needs stands to the left of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from prefect_wfexec.definition.graph import Graph
from prefect_wfexec.definition.model import Step, Workflow

NODE_WIDTH = 168
NODE_HEIGHT = 40
_GAP_X = 44
_GAP_Y = 16
_MARGIN = 8


@dataclass(frozen=True, slots=True)
class Node:
    """A step's place: the upper left corner."""

    id: str
    name: str
    phase: str | None
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from a step to one that needs it, as the path of an SVG; dotted where it is taken on a condition."""

    above: str
    below: str
    path: str
    is_conditional: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Nodes in the order of the definition, edges, and how much room they take."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int


def layout(workflow: Workflow) -> Layout:
    """Where each step stands: in the column after the last of those it needs, and there in the definition's order."""
    graph = Graph.of(workflow.steps)
    column: dict[str, int] = {}
    for step_id in graph.order:
        column[step_id] = 1 + max((column[above] for above in graph.needs(step_id)), default=-1)
    rows: dict[int, int] = {}
    nodes: dict[str, Node] = {}
    for step in workflow.steps:
        place = column[step.id]
        row = rows[place] = rows.get(place, -1) + 1
        x, y = _MARGIN + place * (NODE_WIDTH + _GAP_X), _MARGIN + row * (NODE_HEIGHT + _GAP_Y)
        nodes[step.id] = Node(step.id, step.name, step.phase, x, y)
    edges = tuple(_edge(nodes, above, step) for step in workflow.steps for above in _drawn(step, workflow))
    width = 2 * _MARGIN + (max(column.values(), default=0) + 1) * (NODE_WIDTH + _GAP_X) - _GAP_X
    height = 2 * _MARGIN + (max(rows.values(), default=0) + 1) * (NODE_HEIGHT + _GAP_Y) - _GAP_Y
    return Layout(tuple(nodes.values()), edges, width, height)


def _drawn(step: Step, workflow: Workflow) -> tuple[str, ...]:
    """What a step needs; in a pipeline without what another of its needs stands for: phases would be a thicket."""
    if step.phase is None:
        return step.needs
    covered = {above for one in step.needs for above in workflow.step(one).needs}
    return tuple(name for name in step.needs if name not in covered)


def _edge(nodes: Mapping[str, Node], above: str, step: Step) -> Edge:
    start, end = nodes[above], nodes[step.id]
    x1, y1 = start.x + NODE_WIDTH, start.y + NODE_HEIGHT // 2
    x2, y2 = end.x, end.y + NODE_HEIGHT // 2
    bend = max(_GAP_X // 2, (x2 - x1) // 2)
    path = f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"
    return Edge(above, step.id, path, step.if_ is not None or step.when != "success")
