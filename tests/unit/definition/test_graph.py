"""Who comes before whom."""

from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.definition.drawing import graph_json, mermaid, text_graph
from prefect_wfexec.definition.graph import Graph
from tests.unit.definition.conftest import Language


def needs(language: Language, text: str) -> dict[str, tuple[str, ...]]:
    return {step.id: step.needs for step in language.load(text).steps}


def test_a_plain_list_is_a_sequence(language: Language) -> None:
    text = "steps:\n  - {id: a, run: x}\n  - {id: b, run: x}\n  - {id: c, run: x}\n"
    assert needs(language, text) == {"a": (), "b": ("a",), "c": ("b",)}


def test_no_needs_and_empty_needs_differ(language: Language) -> None:
    steps = ("{id: a, run: x}", "{id: b, needs: [], run: x}", "{id: c, needs: a, run: x}", "{id: d, run: x}")
    text = "steps:\n" + "".join(f"  - {step}\n" for step in steps)
    assert needs(language, text) == {"a": (), "b": (), "c": ("a",), "d": ("c",)}


def test_a_need_named_twice_counts_once(language: Language) -> None:
    assert needs(language, "steps:\n  - {id: a, run: x}\n  - {id: b, needs: [a, a], run: x}\n")["b"] == ("a",)


def test_each_phase_needs_all_of_the_one_before(language: Language) -> None:
    text = """
phases:
  deploy:
    - {id: ship, run: x}
    - {id: tell, needs: [], run: x}
    - {id: check, needs: [compile], run: x}
    - {id: done, needs: [ship], run: x}
  build:
    - {id: compile, run: x}
    - {id: test, run: x}
    - {id: docs, needs: [], run: x}
  post_build: []
"""
    assert needs(language, text) == {
        "compile": (),
        "test": ("compile",),
        "docs": (),
        "ship": ("compile", "test", "docs"),
        "tell": ("compile", "test", "docs"),
        "check": ("compile", "test", "docs"),
        "done": ("ship",),
    }


def test_phases_come_in_their_own_order_whatever_the_file_s(language: Language) -> None:
    steps = language.load("phases:\n  deploy: [{id: b, run: x}]\n  source: [{id: a, run: x}]\n").steps
    assert [(step.id, step.phase) for step in steps] == [("a", "source"), ("b", "deploy")]


def test_ancestors_and_descendants() -> None:
    graph = Graph({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": []})
    assert graph.ancestors("d") == {"a", "b", "c"}
    assert graph.descendants("a") == {"b", "c", "d"}
    assert graph.dependants("a") == ("b", "c")
    assert graph.needs("d") == ("b", "c")
    assert graph.is_ancestor("a", of="d")
    assert not graph.is_ancestor("d", of="a")
    assert not graph.is_ancestor("d", of="d")
    assert graph.order == ("a", "e", "b", "c", "d")


def test_separate_circles_are_all_found_with_their_whole_path() -> None:
    graph = Graph({"a": ["c"], "b": ["a"], "c": ["b"], "x": ["y"], "y": ["x"], "down": ["a"], "free": []})
    assert graph.cycles() == [("a", "c", "b"), ("x", "y")]
    assert graph.order == ("free",)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=4), max_size=8))
def test_order_and_circles_agree(drawn: dict[str, list[str]]) -> None:
    graph = Graph(drawn)
    place = {step: number for number, step in enumerate(graph.order)}
    for step in graph.order:
        assert all(place[above] < place[step] for above in graph.needs(step))
        assert graph.ancestors(step) == {
            *graph.needs(step),
            *(one for up in graph.needs(step) for one in graph.ancestors(up)),
        }
    cycles = graph.cycles()
    assert bool(cycles) == (len(graph.order) < len(drawn))
    for cycle in cycles:
        assert all(cycle[(n + 1) % len(cycle)] in graph.needs(one) for n, one in enumerate(cycle))


def test_a_long_chain_needs_no_stack() -> None:
    chain = {f"s{n}": [f"s{n - 1}"] if n else [] for n in range(5000)}
    graph = Graph(chain)
    assert graph.is_ancestor("s0", of="s4999")
    chain["s0"] = ["s4999"]
    assert len(Graph(chain).cycles()[0]) == 5000


TEXT = """
steps:
  - {id: plan, uses: terraform.plan, with: {dir: infra}}
  - {id: gate, uses: approval, if: steps.plan.outputs.has_changes, name: 'Is "this" <right>?'}
  - {id: tell, when: failure, needs: [plan, gate], run: x}
"""


def test_mermaid_escapes_what_people_write(language: Language) -> None:
    lines = mermaid(language.load(TEXT)).splitlines()
    assert lines[0] == "flowchart TD"
    assert '    s_gate{{"Is #34;this#34; #60;right#62;#63;<br/>approval"}}' in lines
    assert "    s_plan -.-> s_gate" in lines
    assert "    s_gate -. failure .-> s_tell" in lines


def test_text_graph_and_json(language: Language) -> None:
    workflow = language.load(TEXT)
    assert text_graph(workflow).splitlines() == [
        "example",
        "  plan (terraform.plan)",
        "    gate (approval) · needs plan · if steps.plan.outputs.has_changes",
        "      tell (shell) · needs plan, gate · when failure",
    ]
    found = graph_json(workflow)
    assert [step["needs"] for step in found["steps"]] == [[], ["plan"], ["plan", "gate"]]


def test_phases_are_drawn_as_groups(language: Language) -> None:
    text = mermaid(language.load("phases:\n  build: [{id: a, run: x}, {id: b, run: x}]\n  deploy: [{id: c, run: x}]\n"))
    assert "    subgraph phase_build[build]" in text
    assert "    s_b --> s_c" in text
    assert "    s_a --> s_c" not in text
