"""Definitions into workflows."""

import hashlib
import os
from pathlib import Path

import pytest

from prefect_wfexec.definition.catalog import Catalog
from prefect_wfexec.definition.diagnostics import DefinitionError
from prefect_wfexec.definition.loader import check_definition, load_definition, load_text
from prefect_wfexec.definition.model import Cleanup, Concurrency, Retry
from tests.unit.definition.conftest import Language

SMALL = "version: 1\nname: small\nsteps:\n  - {id: one, run: echo one}\n"


def test_a_file_becomes_a_workflow(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "any name.txt"
    path.write_text(SMALL)
    workflow = load_definition(path, catalog)
    assert (workflow.name, workflow.path, workflow.text) == ("small", path, SMALL)
    assert workflow.digest == hashlib.sha256(SMALL.encode()).hexdigest()
    assert workflow.step("one").uses == "shell"
    assert workflow.step("one").run == "echo one"
    assert workflow.step("one").line == 4
    with pytest.raises(KeyError):
        workflow.step("two")


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert check_definition(path, catalog) == []
    assert load_definition(path, catalog).text.startswith("version: 1\r\n")


def test_everything_a_step_can_say(language: Language) -> None:
    step = language.load(
        """
steps:
  - {id: plan, uses: terraform.plan, with: {dir: infra}}
  - id: apply
    name: Apply it
    uses: terraform.apply
    with: {plan: "${{ steps.plan.outputs.plan }}"}
    env: {A: 1, B: true, C: "${{ secrets.c }}"}
    if: "${{ steps.plan.outputs.has_changes }}"
    when: always
    timeout: 1h30m
    retry: {attempts: 1, delay: 10s, backoff: 2, on: [exit_code]}
    allow_skip: true
    on_failure: continue
    cleanup: {uses: call, with: {url: "${{ steps.apply.status }}"}}
    outputs: {has_changes: false}
"""
    ).step("apply")
    assert step.name == "Apply it"
    assert step.if_ == "steps.plan.outputs.has_changes"
    assert step.env == {"A": 1, "B": True, "C": "${{ secrets.c }}"}
    assert (step.when, step.timeout_seconds, step.allow_skip, step.on_failure) == ("always", 5400, True, "continue")
    assert step.retry == Retry(1, 10.0, 2.0, ("exit_code",))
    assert step.cleanup == Cleanup("call", {"url": "${{ steps.apply.status }}"})
    assert step.outputs == {"has_changes": False}


def test_what_is_left_out(language: Language) -> None:
    step = language.load("steps:\n  - {id: health_check, run: x, cleanup: {uses: call}}\n").steps[0]
    assert step.name == "Health Check"
    assert (step.if_, step.timeout_seconds, step.outputs, step.matrix, step.phase) == (None, None, None, None, None)
    assert step.retry == Retry()
    assert step.cleanup == Cleanup("call", None)


@pytest.mark.parametrize(("written", "kept"), [("false", "false"), ("true", "true"), ("inputs.x", "inputs.x")])
def test_a_condition_may_be_a_boolean(language: Language, written: str, kept: str) -> None:
    text = f"inputs: {{x: {{type: boolean, default: true}}}}\nsteps:\n  - {{id: a, run: x, if: {written}}}\n"
    assert language.load(text).steps[0].if_ == kept


def test_defaults_reach_every_step_but_no_gate_waits_less_and_no_change_is_made_twice(language: Language) -> None:
    workflow = language.load(
        """
defaults: {timeout: 30m, retry: {attempts: 3}, env: {A: d, B: d}, allow_skip: true, on_failure: continue}
steps:
  - {id: plan, uses: terraform.plan, with: {dir: x}, env: {B: own}, allow_skip: false, on_failure: fail}
  - {id: gate, uses: approval, with: {expires: 4h}}
  - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}, timeout: 1h}
"""
    )
    plan, gate, apply = workflow.steps
    assert plan.env == {"A": "d", "B": "own"}
    assert (plan.timeout_seconds, plan.retry.attempts, plan.allow_skip, plan.on_failure) == (1800, 3, False, "fail")
    assert (gate.timeout_seconds, gate.retry.attempts, gate.allow_skip) == (None, 1, True)
    assert (apply.timeout_seconds, apply.retry.attempts, apply.on_failure) == (3600, 1, "continue")


def test_the_top(language: Language) -> None:
    workflow = language.load(
        """
description: What it does.
inputs:
  zone: {type: string, enum: [eu, us], default: eu, description: Where., pattern: "[a-z]+"}
  count: {type: integer}
  nothing: {type: string, default: ""}
environment: ${{ inputs.zone }}
concurrency: {key: "lock/${{ inputs.zone }}"}
triggers:
  - {id: often, type: schedule, interval: 1h, inputs: {count: 2}}
steps: [{id: a, run: x}]
outputs: {text: "${{ steps.a.outputs.stdout }}", list: [1, "${{ run.status }}"]}
"""
    )
    zone, count, nothing = workflow.inputs
    assert (zone.enum, zone.default, zone.required, zone.pattern) == (("eu", "us"), "eu", False, "[a-z]+")
    assert (count.required, count.type) == (True, "integer")
    assert (nothing.default, nothing.required) == ("", False)
    assert workflow.environment == "${{ inputs.zone }}"
    assert workflow.concurrency == Concurrency("lock/${{ inputs.zone }}")
    assert workflow.triggers[0].options == {"interval": 3600.0, "inputs": {"count": 2}}
    assert workflow.outputs["list"] == [1, "${{ run.status }}"]


def test_warnings_do_not_stop_a_workflow(catalog: Catalog, language: Language) -> None:
    text = "inputs: {n: {type: number, default: 1.10}}\nsteps: [{id: a, run: x}]\n"
    assert [(found.code, found.severity) for found in language.check(text)] == [("number-changes", "warning")]
    assert language.load(text).inputs[0].default == 1.1


def test_every_fault_is_told_at_once_in_reading_order(language: Language) -> None:
    with pytest.raises(DefinitionError) as caught:
        language.load(
            "nmae: x\ninputs: {a-b: {type: sting}}\nsteps:\n"
            "  - {id: a, run: x, timeout: soon}\n"
            "  - {id: b, uses: terraform.pln, if: inputs.zz}\n"
            "  - {id: c, needs: [q], uses: call}\noutputs: {x: '${{ 1 + }}'}\n"
        )
    found = caught.value.diagnostics
    assert [one.code for one in found] == [
        "unknown-key",
        "bad-name",
        "bad-value",
        "bad-duration",
        "unknown-step-type",
        "unknown-input",
        "missing-with-key",
        "unknown-step",
        "expression-syntax",
    ]
    assert [(one.line, one.column) for one in found] == sorted((one.line, one.column) for one in found)


def test_files_that_can_t_be_read(tmp_path: Path, catalog: Catalog) -> None:
    def only(path: Path) -> tuple[str, int, int]:
        (found,) = check_definition(path, catalog)
        assert found.file == str(path)
        with pytest.raises(DefinitionError) as caught:
            load_definition(path, catalog)
        assert caught.value.diagnostics == (found,)
        return found.code, found.line, found.column

    assert only(tmp_path / "none.yaml") == ("file-not-found", 1, 1)
    assert only(tmp_path) == ("not-a-file", 1, 1)
    assert only(Path("a\0b")) == ("not-readable", 1, 1)
    assert only(tmp_path / ("x" * 5000)) == ("not-readable", 1, 1)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 300_000)
    assert only(large) == ("too-large", 1, 1)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: 1\nb: \xc3\xa4\xff\n")
    assert only(latin) == ("not-utf8", 2, 5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(SMALL)
    path.chmod(0)
    assert [found.code for found in check_definition(path, catalog)] == ["not-readable"]


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(SMALL + "#" * (256 * 1024 - len(SMALL)))
    assert check_definition(path, catalog) == []


def test_without_a_path_the_text_is_named(catalog: Catalog) -> None:
    with pytest.raises(DefinitionError) as caught:
        load_text("", None, catalog)
    assert str(caught.value.diagnostics[0]).startswith("<text>:1:1: error[empty]")


def test_more_than_a_thousand_faults_end_with_a_note(language: Language) -> None:
    found = language.check(
        "steps:\n  - id: a\n    run: x\n    env:\n" + "".join(f"      K{n}: []\n" for n in range(1500))
    )
    assert len(found) == 1001
    assert found[-1].code == "too-many"


@pytest.mark.parametrize(
    "text",
    [
        "steps:\n" + "".join(f"  - {{id: s{n}, run: x}}\n" for n in range(2001)),
        "inputs:\n" + "".join(f"  a{n}: {{default: x}}\n" for n in range(201)) + "steps: [{id: a, run: x}]\n",
    ],
)
def test_too_many_steps_or_inputs(language: Language, text: str) -> None:
    assert language.codes(text) == ["too-large"]


@pytest.mark.parametrize(
    ("where", "codes"),
    [
        ("if: steps.a.outputs.x == '' && true", []),
        ("if: has(steps.a.outputs.x)", []),
        ('if: \'steps["a"].status == "Failed"\'', []),
        ("if: steps.c.status == 'Failed'", ["not-an-ancestor"]),
        ("if: steps.d.status == 'Failed'", ["not-an-ancestor"]),
        ("if: steps.nothing.status == 'Failed'", ["unknown-step"]),
        ("if: size(steps) == 1", ["computed-name"]),
        ("if: 'steps[inputs.which].status == \"\"'", ["computed-name", "unknown-input"]),
        ('if: \'"steps.nothing" == ""\'', []),
        ("if: secrets.x == ''", ["secrets-not-allowed"]),
        ("if: env.A == ''", ["root-not-available"]),
        ("if: matrix.a == ''", ["root-not-available"]),
        ("if: run.status == 'x' && run.name != run.id", []),
        ("if: trigger.anything.at.all == 1", []),
        ("if: environment.name == 'x'", []),
        ("env: {A: '${{ secrets.x }}', B: '${{ steps.a.outputs.x }}'}", []),
        ("env: {A: '${{ env.B }}'}", ["root-not-available"]),
        ("env: {A: \"${{ 'secrets.NO' }}\"}", []),
        ("outputs: {anything: 1}", []),
        ("retry: {attempts: 51}", ["bad-retry"]),
        ("retry: {on: [Bad Word]}", ["bad-value"]),
        ("retry: {attempts: 2.5}", ["wrong-type"]),
        ("needs: [c, c]", ["self-need", "self-need"]),
        ("if: {}", ["wrong-type"]),
        ("if: ''", ["expression-syntax"]),
        ("name: ''", ["bad-value"]),
        ("with: {shell: bash, dir: '${{ inputs.zz }}'}", ["unknown-input"]),
        ("matrix: {r: [1, true]}", []),
        ("matrix: {r: '${{ inputs.zz }}'}", ["unknown-input"]),
        ("matrix: {R: [1]}", ["bad-name"]),
        ("matrix: {r: [1]}, env: {A: '${{ matrix.q }}'}", ["unknown-field"]),
        ("allow_skip: 'true'", ["yaml-boolean"]),
        ("env: {A: null}", ["wrong-type"]),
        ("env: {A: [1]}", ["wrong-type"]),
        ("when: true", ["bad-value"]),
        ("timeout: true", ["bad-duration"]),
        ("timeout: 0s", ["bad-duration"]),
        ("environments: [a]", ["environments-not-deploy"]),
        ("cleanup: terraform.destroy", ["wrong-type"]),
        ("cleanup: {uses: call, with: {}}", ["missing-with-key"]),
        ("cleanup: {uses: call, with: {url: '${{ steps.c.status }}${{ steps.d.status }}'}}", ["not-an-ancestor"]),
    ],
)
def test_what_one_step_may_say(language: Language, where: str, codes: list[str]) -> None:
    text = (
        f"steps:\n  - {{id: a, run: x}}\n  - {{id: b, run: x}}\n  - {{id: c, run: x, {where}}}\n  - {{id: d, run: x}}\n"
    )
    assert language.codes(text) == codes
