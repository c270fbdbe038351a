"""The shape of a workflow."""

from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.engine.outline import Outline
from tests.unit.engine.oracle import steps_above
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import unhurried

DIAMOND = Outline(
    workflow(step("end", "left", "right"), step("left", "begin"), step("right", "begin"), step("begin"), step("apart"))
)


def test_who_waits_for_whom() -> None:
    assert DIAMOND.dependants == {
        "begin": ("left", "right"),
        "left": ("end",),
        "right": ("end",),
        "end": (),
        "apart": (),
    }


def test_ancestors_come_in_the_order_of_the_definition() -> None:
    assert DIAMOND.ancestors_among("end", ["begin", "right", "left", "end", "apart", "unknown"]) == [
        "left",
        "right",
        "begin",
    ]
    assert DIAMOND.ancestors_among("begin", ["end", "left"]) == []
    assert DIAMOND.in_order({"apart", "begin", "unknown"}) == ["begin", "apart"]


def test_a_step_for_cancelled_runs_holds_up_nobody() -> None:
    outline = Outline(
        workflow(
            step("build"),
            step("tidy", "build", when="cancelled"),
            step("more", "tidy", when="cancelled"),
            step("deploy", "more", "build"),
        )
    )
    assert outline.needs["deploy"] == ("build",)
    assert outline.dependants["build"] == ("tidy", "more", "deploy")
    assert [one.id for one in outline.on_cancel] == ["tidy", "more"]
    assert [one.id for one in outline.others] == ["build", "deploy"]
    assert outline.ancestors_among("deploy", ["build"]) == ["build"]


def test_only_gates_and_waits_are_carried_on_by_another_engine() -> None:
    outline = Outline(workflow(step("a"), step("b", uses="approval"), step("c", uses="terraform.apply")))
    assert "b" in outline.resumable
    assert not {"a", "c"} & outline.resumable


@unhurried
@given(st.data())
def test_any_graph(data: st.DataObject) -> None:
    names = [f"s{number}" for number in range(data.draw(st.integers(1, 9)))]
    drawn = [
        step(
            name,
            *data.draw(st.lists(st.sampled_from(names[:place]), max_size=3, unique=True) if place else st.just([])),
        )
        for place, name in enumerate(names)
    ]
    one = workflow(*data.draw(st.permutations(drawn)))
    outline = Outline(one)
    places = {name: place for place, name in enumerate(outline.order)}
    assert sorted(outline.order) == sorted(names)
    for name in names:
        assert all(places[need] < places[name] for need in outline.steps[name].needs)
        assert set(outline.ancestors_among(name, names)) == steps_above(one, name)
        assert {other for other in names if name in outline.dependants[other]} == set(outline.needs[name])
