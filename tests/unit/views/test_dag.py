"""Where the steps of a workflow stand."""

from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.views.dag import NODE_HEIGHT, NODE_WIDTH, layout
from tests.unit.engine.support import step, workflow


def test_what_a_step_needs_stands_to_its_left() -> None:
    found = layout(
        workflow(step("plan"), step("lint"), step("apply", "plan", "lint"), step("tell", "apply", when="always"))
    )
    at = {node.id: (node.x, node.y) for node in found.nodes}
    assert at["plan"][0] == at["lint"][0] < at["apply"][0] < at["tell"][0]
    assert at["plan"][1] < at["lint"][1]
    assert [(edge.above, edge.below, edge.is_conditional) for edge in found.edges] == [
        ("plan", "apply", False),
        ("lint", "apply", False),
        ("apply", "tell", True),
    ]


def test_phases_are_no_thicket() -> None:
    steps = [step("a", phase="source"), step("b", "a", phase="build"), step("c", "a", "b", phase="push")]
    assert [(edge.above, edge.below) for edge in layout(workflow(*steps)).edges] == [("a", "b"), ("b", "c")]


def test_nothing_has_a_place_too() -> None:
    found = layout(workflow())
    assert (found.nodes, found.edges) == ((), ())


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    count = draw(st.integers(1, 12))
    return workflow(
        *(
            step(f"s{number}", *draw(st.sets(st.sampled_from([f"s{one}" for one in range(number)]), max_size=3)))
            if number
            else step("s0")
            for number in range(count)
        )
    )


@given(workflows())
def test_no_two_steps_share_a_place_and_all_are_in_sight(one: Workflow) -> None:
    found = layout(one)
    places = {(node.x, node.y) for node in found.nodes}
    assert len(places) == len(one.steps)
    at = {node.id: node for node in found.nodes}
    for edge in found.edges:
        assert at[edge.above].x < at[edge.below].x
    for node in found.nodes:
        assert 0 <= node.x <= found.width - NODE_WIDTH and 0 <= node.y <= found.height - NODE_HEIGHT
