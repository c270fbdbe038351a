"""Whatever is given, the loader answers with diagnostics or a workflow."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_wfexec.definition.diagnostics import DefinitionError
from prefect_wfexec.definition.loader import check_definition, check_text, load_text
from prefect_wfexec.definition.model import Workflow
from prefect_wfexec.definition.schema import json_schema
from prefect_wfexec.steps.registry import catalog

FILES = Path(__file__).parents[2] / "definitions"
TEXTS = [path.read_text() for path in sorted((FILES / "valid").glob("*.yaml"))] + [
    path.read_bytes().decode("utf-8", "replace") for path in sorted((FILES / "invalid").glob("*.yaml"))
]
KEYS = """
version name description inputs environment concurrency triggers defaults steps phases outputs id uses with run env
needs if when timeout retry attempts delay backoff on allow_skip on_failure cleanup matrix environments type enum
default pattern key on_conflict cron interval timezone secret build deploy
""".split()  # noqa: SIM905
WORDS = """
a b plan 1 0 -1 1.5 true yes no ~ 3:30 30s 1h '' shell approval terraform.plan terraform.apply wait string integer
github schedule always ask ${{ ${{inputs.a}} ${{steps.a.outputs.b}} ${{secrets.x}} *x &x !t {{x}} [] {} | > - ? : # %
""".split()  # noqa: SIM905
STEP_KEYS = [*KEYS[KEYS.index("id") : KEYS.index("retry") + 1], "cleanup", "matrix", "outputs", "on_failure"]


def answers(text: str) -> None:
    found = check_text(text, None, catalog())
    errors = [one for one in found if one.severity == "error"]
    try:
        workflow = load_text(text, None, catalog())
    except DefinitionError as error:
        assert errors
        assert list(error.diagnostics) == found
    else:
        assert isinstance(workflow, Workflow)
        assert not errors
    for one in found:
        assert one.line >= 1
        assert one.column >= 1
        assert one.message
        assert "\n" not in str(one)


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(raw)
    check_definition(path, catalog())


@given(st.text(max_size=300) | st.text(alphabet=st.characters(), max_size=40))
def test_any_text(text: str) -> None:
    answers(text)


SCALARS = st.sampled_from([None, True, False, 0, 1, -1, 1.5, *KEYS, *WORDS]) | st.text(max_size=8)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=30,
)


def as_yaml(value: object) -> str:
    import json

    return json.dumps(value)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(KEYS), TREES, max_size=8))
def test_any_tree_of_known_words(tree: dict[str, object]) -> None:
    answers(as_yaml({"version": 1, "name": "x", **tree}))


@settings(max_examples=150)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(STEP_KEYS),
            TREES,
            max_size=6,
        ),
        max_size=5,
    )
)
def test_any_steps(steps: list[dict[str, object]]) -> None:
    answers(as_yaml({"version": 1, "name": "x", "steps": steps}))


@settings(max_examples=400)
@given(st.data())
def test_definitions_with_something_changed(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(st.sampled_from([*WORDS, "\n", "  ", ""]) | st.text(max_size=4)) + text[end:]
    answers(text)


LARGE = {
    "steps": "steps:\n" + "- {}\n" * 50_000,
    "nulls": "steps:\n" + "-\n" * 100_000,
    "keys": "steps:\n- id: a\n  run: x\n" + "".join(f"  k{n}: 1\n" for n in range(22_000)),
    "needs": "steps:\n" + "".join(f"- {{id: step_{n}, run: x, needs: [stap_{n}]}}\n" for n in range(1_900)),
    "circles": "steps:\n" + "".join(f"- {{id: s{n}, run: x, needs: [s{n ^ 1}]}}\n" for n in range(1_900)),
    "phases": "phases:\n  build:\n"
    + "".join(f"  - {{id: a{n}, run: x, needs: []}}\n" for n in range(1_000))
    + "  deploy:\n"
    + "".join(f"  - {{id: b{n}, run: x, needs: []}}\n" for n in range(1_000)),
    "expressions": 'steps:\n- {id: a, run: x, env: {A: "' + "".join(f"${{{{a{n}}}}}" for n in range(25_000)) + '"}}\n',
    "zones": "triggers:\n"
    + "".join(f"- {{id: a{n}, type: schedule, cron: '* * * * *', timezone: Europe/Brln{n}}}\n" for n in range(2_400)),
    "enum": "inputs: {a: {enum: [" + "".join(f"a{n}," for n in range(30_000)) + "]}}\n",
    "matrix": "steps:\n- {id: a, run: x, matrix: {a: [" + "".join(f"{n}," for n in range(40_000)) + "]}}\n",
    "combinations": "steps:\n- id: a\n  run: x\n  matrix:\n" + "".join(f"    k{n}: [1, 2]\n" for n in range(12_000)),
    "braces": "a: " + "{" * 250_000,
    "pattern": 'inputs: {a: {pattern: "(a+)+$", default: "' + "a" * 100_000 + 'b"}}\nsteps: [{id: a, run: x}]\n',
    "id": "steps:\n- {id: " + "a" * 200_000 + ", run: x}\n",
    "number": "steps:\n- {id: a, run: x, timeout: " + "1" * 200_000 + "}\n",
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", LARGE)
def test_large_nonsense_is_answered_soon(name: str) -> None:
    answers(f"version: 1\nname: x\n{LARGE[name]}")


def test_the_schema_is_made_from_the_real_step_types() -> None:
    assert json_schema(catalog())["$defs"]["with.terraform.plan"]["properties"]["dir"]
