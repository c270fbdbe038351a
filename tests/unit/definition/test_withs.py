"""A step's `with` against its step type, typed and rendered."""

import pytest

from prefect_wfexec.definition.catalog import Catalog
from prefect_wfexec.definition.withs import WithError, validate_with
from prefect_wfexec.errors import StepFailed
from tests.unit.definition.conftest import Language


@pytest.mark.parametrize(
    ("step", "codes"),
    [
        ("uses: call, with: {url: x}", []),
        ("uses: call, with: {}", ["missing-with-key"]),
        ("uses: call", ["missing-with-key"]),
        ("uses: call, with: {url: '${{ inputs.u }}', method: PUT}", ["bad-with-value"]),
        ("uses: call, with: {url: x, method: '${{ inputs.u }}'}", []),
        ("uses: call, with: {url: x, tries: '${{ inputs.u }}'}", []),
        ("uses: call, with: {url: x, tries: many}", ["bad-with-value"]),
        ("uses: call, with: {url: x, ulr: '${{ inputs.u }}'}", ["unknown-with-key"]),
        ("uses: call, with: {url: x, token: far-too-long-for-this}", ["bad-with-value"]),
        ("uses: call, with: {url: x, nested: [{quorum: 0}, {}]}", ["bad-with-value"]),
        ("uses: call, with: {url: x, nested: [{qurum: 1}]}", ["unknown-with-key"]),
        ("uses: call, with: {url: x, nested: [{quorum: '${{ inputs.u }}'}]}", []),
        ("uses: wait, with: {for: 10s}", []),
        ("uses: wait, with: {for_: 10s}", ["bad-with-value", "unknown-with-key"]),
        ("uses: wait, with: {for: soon}", ["bad-with-value"]),
        ("uses: wait, with: {for: 10s, until: x}", ["bad-with-value"]),
        ("uses: wait, with: {for: 10s, until: '${{ inputs.u }}'}", []),
        ("uses: wait, with: {for: '${{ inputs.u }}'}", []),
        ("uses: terraform.plan, with: {dir: x, lock: maybe}", ["bad-with-value"]),
        ("uses: terraform.plan, with: {dir: [x]}", ["bad-with-value"]),
        ("uses: terraform.plan, with: [dir]", ["wrong-type"]),
        ("uses: terraform.plan, with: ", ["wrong-type"]),
        ("uses: terraform.plan, run: x, with: {dir: x}", ["run-not-allowed"]),
    ],
)
def test_as_typed(language: Language, step: str, codes: list[str]) -> None:
    text = f"inputs: {{u: {{type: string, default: x}}}}\nsteps:\n  - {{id: a, {step}}}\n"
    assert sorted(language.codes(text)) == codes


def test_the_place_is_the_value_s(language: Language) -> None:
    (found,) = language.check(
        "steps:\n  - id: a\n    uses: call\n    with:\n      url: x\n      nested: [{quorum: 0}]\n"
    )
    assert (found.line, found.column) == (8, 25)
    assert found.message == "'quorum': this must be 1 or more"


def test_rendered_values_become_the_model(catalog: Catalog) -> None:
    found = validate_with(catalog.specs["wait"], {"for": "1m"})
    assert found.model_dump() == {"for_": 60.0, "until": None}


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("call", {}, "'url': this is missing"),
        ("call", {"url": 5}, "'url': this must be text"),
        ("call", {"url": "x", "tries": "s3cret-value"}, "'tries': this must be a whole number"),
        ("call", {"url": "x", "method": "s3cret-value"}, "'method': this must be 'GET' or 'POST'"),
        ("call", {"url": "x", "nested": [{}, {"quorum": 0}]}, "'quorum': this must be 1 or more"),
        ("call", {"url": "x", "s3cret-value": 1}, "this is not known"),
        ("call", {"url": "x", "token": "s3cret-value"}, "'token': the token … is too long"),
        ("wait", {"for": "s3cret-value"}, "'for': this is no duration"),
        ("wait", {}, "give exactly one of 'for' and 'until'"),
    ],
)
def test_a_misfit_is_told_in_plain_words_without_the_value(
    catalog: Catalog, name: str, values: dict[str, object], words: str
) -> None:
    with pytest.raises(WithError) as caught:
        validate_with(catalog.specs[name], values)
    error = caught.value
    assert isinstance(error, StepFailed)
    assert (error.type, error.retryable) == ("bad_with", False)
    assert words in error.message
    assert "pydantic" not in error.message
    assert "http" not in error.message
    if "s3cret-value" not in values:
        assert "s3cret-value" not in error.message


def test_every_misfit_is_told(catalog: Catalog) -> None:
    with pytest.raises(WithError) as caught:
        validate_with(catalog.specs["call"], {"tries": "x", "method": 1})
    assert all(f"'{name}'" in caught.value.message for name in ("url", "tries", "method"))


def test_an_apply_takes_a_saved_plan_only(language: Language) -> None:
    text = (
        "steps:\n  - {{id: plan, uses: terraform.plan, with: {{dir: x}}}}\n  - {{id: sh, run: x}}\n"
        "  - {{id: apply, uses: terraform.apply, with: {{plan: {}}}}}\n"
    )
    assert language.codes(text.format('"${{ steps.plan.outputs.plan }}"')) == []
    assert language.codes(text.format('"${{ steps.sh.outputs.plan }}"')) == ["plan-not-from-plan"]
    assert language.codes(text.format('"${{ steps.plan.outputs.counts }}"')) == ["plan-not-from-plan"]
    assert "plan-not-from-plan" in language.codes(text.format("tfplan"))
