"""What compiles but can't be run yet."""

import pytest

from prefect_wfexec.definition.graph import unsupported
from tests.unit.definition.conftest import Language


def found(language: Language, text: str) -> list[str]:
    return [one.message for one in unsupported(language.load(text), language.catalog)]


def test_a_step_type_of_a_later_version_is_named(language: Language) -> None:
    (message,) = found(language, "steps: [{id: a, uses: deploy.later}]\n")
    assert "deploy.later" in message


@pytest.mark.parametrize(
    "text",
    [
        "steps: [{id: a, run: x}]",
        "phases: {build: [{id: a, run: x}], deploy: [{id: b, run: x, environments: [staging]}]}",
        "steps: [{id: a, run: x, matrix: {r: [1]}}]",
        "concurrency: {key: k, on_conflict: cancel_running}\nsteps: [{id: a, run: x}]",
        "triggers: [{id: t, type: manual}]\nsteps: [{id: a, run: x}]",
        "steps: [{id: a, uses: approval, with: {message: m, subject: s, expires: 4h, quorum: 1, approvers: []}}]",
        "steps: [{id: a, run: x, on_failure: ask}]",
        "steps: [{id: a, uses: approval, with: {approvers: [jane], quorum: 1, policy: p, fields: {}}}]",
        "steps: [{id: a, run: x, cleanup: {uses: call}, allow_skip: true, when: always, on_failure: continue}]",
    ],
)
def test_what_runs_is_not_listed(language: Language, text: str) -> None:
    assert found(language, text + "\n") == []


def test_they_are_diagnostics_at_the_step(language: Language) -> None:
    workflow = language.load("steps:\n  - {id: a, run: x}\n  - {id: b, uses: deploy.later}\n")
    (one,) = unsupported(workflow, language.catalog)
    assert (one.code, one.severity, one.line) == ("not-yet-supported", "error", 5)
