"""A definition becomes the steps of a run."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.definition.expansion import MAX_STEPS, expand, expansion_faults
from prefect_wfexec.definition.instances import MAX_COMBINATIONS, value_fault
from prefect_wfexec.definition.model import Step, Workflow


def step(step_id: str, *needs: str, **more: Any) -> Step:
    return Step(id=step_id, name=step_id.title(), uses="shell", needs=needs, **more)


def workflow(*steps: Step) -> Workflow:
    return Workflow(name="example", steps=steps)


def ids(*steps: Step, **inputs: Any) -> list[str]:
    return [one.id for one in expand(workflow(*steps), inputs).steps]


def test_a_workflow_with_neither_stays_as_it_is() -> None:
    plain = workflow(step("a"), step("b", "a"))
    assert expand(plain, {}) is plain


def test_a_matrix_stands_side_by_side_and_what_follows_waits_for_all() -> None:
    made = expand(workflow(step("a"), step("b", "a", matrix={"r": ["eu", "us"], "n": [1, True]}), step("c", "b")), {})
    assert made.instances == {"b": ("b[eu,1]", "b[eu,true]", "b[us,1]", "b[us,true]")}
    assert {one.needs for one in made.steps[1:5]} == {("a",)}
    assert made.step("c").needs == made.instances["b"]
    first = made.step("b[eu,1]")
    assert first.name == "B [eu,1]"
    assert first.instance is not None
    assert (first.instance.of, first.instance.key, first.instance.matrix) == ("b", "eu,1", {"r": "eu", "n": 1})
    assert (first.matrix, first.environment) == (None, None)


def test_environments_come_one_after_the_other() -> None:
    made = expand(workflow(step("a"), step("b", "a", environments=("test", "live")), step("c", "b")), {})
    assert [(one.id, one.needs, one.environment) for one in made.steps] == [
        ("a", (), None),
        ("b[test]", ("a",), "test"),
        ("b[live]", ("b[test]",), "live"),
        ("c", ("b[test]", "b[live]"), None),
    ]


def test_a_list_comes_from_an_input() -> None:
    matrix = {"region": "${{ inputs.regions }}"}
    assert ids(step("a", matrix=matrix), regions=["eu", "us"]) == ["a[eu]", "a[us]"]
    assert expand(workflow(step("a", matrix=matrix)), {"regions": ["eu"]}).matrix_inputs == {"a": {"regions"}}


@pytest.mark.parametrize(
    ("regions", "words"),
    [
        ("eu", "is no list"),
        ([], "is empty"),
        ([["eu"]], "text, a number or a boolean"),
        ([None], "text, a number or a boolean"),
        (["a,b"], "can't name an instance"),
        (["a]"], "can't name an instance"),
        (["\x1b[1m"], "can't name an instance"),
        (["x" * 65], "too long"),
        ([1, "1"], "stands twice"),
        (list(range(MAX_COMBINATIONS + 1)), "are the most"),
    ],
)
def test_what_is_no_list_of_values_leaves_one_step_and_a_fault(regions: Any, words: str) -> None:
    one = workflow(step("a", matrix={"region": "${{ inputs.regions }}"}), step("b", "a"))
    [fault] = expansion_faults(one, {"regions": regions})
    assert fault.step == "a"
    assert words in fault.message
    assert [found.id for found in expand(one, {"regions": regions}).steps] == ["a", "b"]


def test_an_input_that_is_not_there_is_a_fault_too() -> None:
    [fault] = expansion_faults(workflow(step("a", matrix={"region": "${{ inputs.regions }}"})), {})
    assert "can't be worked out" in fault.message


def test_a_product_is_bounded_and_so_is_the_run() -> None:
    wide = {"a": list(range(20)), "b": list(range(20))}
    assert "400 combinations" in expansion_faults(workflow(step("a", matrix=wide)), {})[0].message
    most = {"a": list(range(MAX_COMBINATIONS))}
    many = workflow(*(step(f"s{number}", matrix=most) for number in range(8)))
    assert str(MAX_STEPS) in expansion_faults(many, {})[0].message
    assert len(expand(many, {}).steps) == 8


def test_a_pipeline_begins_with_validation() -> None:
    made = expand(workflow(step("a", phase="source"), step("b", "a", phase="build"), step("c", phase="source")), {})
    assert [(one.id, one.phase, one.needs) for one in made.steps] == [
        ("validation", "validation", ()),
        ("a", "source", ("validation",)),
        ("b", "build", ("a",)),
        ("c", "source", ("validation",)),
    ]


def test_what_is_expanded_stays_as_it_is() -> None:
    once = expand(workflow(step("a", phase="build", matrix={"r": [1, 2]}), step("b", "a", phase="deploy")), {})
    assert expand(once, {}) == once


def test_a_name_means_a_step_or_all_its_instances() -> None:
    made = expand(workflow(step("a", matrix={"r": [1, 2]}), step("b", "a")), {})
    assert made.steps_named("a") == ("a[1]", "a[2]")
    assert made.steps_named("a[2]") == ("a[2]",)
    assert made.steps_named("b") == ("b",)
    assert made.steps_named("c") == ()


VALUES = st.text(max_size=8) | st.integers() | st.booleans() | st.floats() | st.none() | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.lists(VALUES, max_size=5), min_size=1))
def test_every_matrix_is_taken_apart_or_has_a_fault(matrix: dict[str, list[Any]]) -> None:
    one = workflow(step("s", matrix=matrix))
    made = expand(one, {})
    faults = expansion_faults(one, {})
    assert bool(faults) is (not made.instances)
    assert len({found.id for found in made.steps}) == len(made.steps)
    if not faults:
        assert all(not value_fault(value)[0] for values in matrix.values() for value in values)
