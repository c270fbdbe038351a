"""`deploy.script`: what it is told, and that nobody runs it again by itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.registry import find_step_type
from prefect_wfexec.testing import make_context, run_step

IMAGE = "registry.test/web@sha256:" + "c" * 64
TELL = 'echo "$IMAGE to $WFEXEC_ENVIRONMENT"; echo "url=https://x" >> "$WFEXEC_OUTPUT"'


async def test_the_script_is_told_what_and_where(tmp_path: Path) -> None:
    with_ = {"image": IMAGE, "environment": "staging"}
    result = await run_step(make_context("deploy.script", run=TELL, with_=with_, folder=tmp_path))
    assert result.outputs == {"exit_code": 0, "stdout": f"{IMAGE} to staging\n", "url": "https://x"}


async def test_the_environment_is_the_runs_when_none_is_named(tmp_path: Path) -> None:
    context = make_context("deploy.script", run=TELL, folder=tmp_path)
    result = await run_step(replace(context, environment="production"))
    assert result.outputs["stdout"] == " to production\n"


async def test_a_failure_is_never_tried_again_by_itself(tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as caught:
        await run_step(make_context("deploy.script", run="echo half way; exit 4", folder=tmp_path))
    assert (caught.value.exit_code, caught.value.retryable) == (4, False)
    assert find_step_type("deploy.script").spec.changes_infrastructure


async def test_it_does_not_start_without_the_runs_lock(tmp_path: Path) -> None:
    async def lost() -> None:
        raise StepFailed("the lock was taken away", type="lock_lost", retryable=False)

    mark = tmp_path / "mark"
    context = make_context("deploy.script", run=f"touch {mark}", folder=tmp_path)
    with pytest.raises(StepFailed, match="taken away"):
        await run_step(replace(context, check_lock=lost))
    assert not mark.exists()


@pytest.mark.parametrize("image", ["--privileged", "a\nb"])
def test_what_is_no_name_is_refused(image: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        make_context("deploy.script", run="true", with_={"image": image})


async def test_values_stay_values(tmp_path: Path) -> None:
    hostile = "x; touch pwned $(touch pwned)"
    context = make_context("deploy.script", run='printf %s "$IMAGE"', with_={"image": hostile}, folder=tmp_path)
    assert (await run_step(context)).outputs["stdout"] == hostile
    assert not list(tmp_path.iterdir())
