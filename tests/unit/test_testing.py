"""The helper for tests of step types."""

import pytest
from pydantic import ValidationError

from prefect_wfexec.errors import EngineError, StepFailed
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.testing import log_of, make_context, run_step


async def test_the_example_of_its_documentation(tmp_path) -> None:
    context = make_context("shell", run="echo hello", folder=tmp_path)
    result = await run_step(context)
    assert result.outputs["stdout"] == "hello\n"
    assert log_of(context).lines == [("stdout", "hello")]


async def test_a_step_that_takes_too_long_is_stopped(tmp_path) -> None:
    context = make_context("shell", run="echo begun; exec sleep 600", folder=tmp_path, timeout_seconds=1.0)
    with pytest.raises(StepFailed, match="longer than 1 s") as caught:
        await run_step(context)
    assert caught.value.type == "timeout"
    assert log_of(context).text("stdout") == "begun\n"


def test_an_unknown_step_type_and_a_wrong_with_are_refused() -> None:
    with pytest.raises(KeyError):
        make_context("no.such.type")
    with pytest.raises(ValidationError):
        make_context("shell", with_={"dirr": "x"})


async def test_a_claim_stands_once() -> None:
    context = make_context("wait", with_={"for": 0})
    await context.claim("apply abc")
    with pytest.raises(StepFailed) as caught:
        await context.claim("apply abc")
    assert not caught.value.retryable


async def test_blobs_come_back_and_unknown_ones_are_gone() -> None:
    context = make_context("wait", with_={"for": 0})
    ref = await context.blobs.put(b"plan")
    assert (await context.blobs.get(ref), ref.size) == (b"plan", 4)
    with pytest.raises(EngineError):
        await context.blobs.get(BlobRef("unknown", 1, "unknown"))
