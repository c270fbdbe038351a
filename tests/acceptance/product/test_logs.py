"""The log of a run: by step and phase, filtered, searched, followed, kept and downloaded."""

import pytest

from tests.acceptance.product.conftest import Ran
from tests.support.wfexec import Wfexec

STAGES = """
    version: 1
    name: stages
    phases:
      source: [{id: fetch, run: "echo source >> order; echo fetched"}]
      pre_build: [{id: check, run: "echo pre_build >> order; echo checked"}]
      build: [{id: make, run: "echo build >> order; echo built"}]
      post_build: [{id: test, run: "echo post_build >> order; echo tested"}]
      push: [{id: publish, run: "echo push >> order; echo published"}]
      post_push: [{id: note, run: "echo post_push >> order; echo noted"}]
      deploy: [{id: release, run: "echo deploy >> order; echo released"}]
      post_deploy: [{id: smoke, run: "echo post_deploy >> order; echo smoked"}]
"""


@pytest.fixture(scope="module")
def stages(wfexec: Wfexec) -> str:
    """A pipeline of all phases that has ended."""
    return str(wfexec.json("run", wfexec.write("stages.yaml", STAGES))["name"])


@pytest.mark.shows("phase.post-build", "phase.post-push", "phase.post-deploy", "phase.pre-build")
def test_scripts_run_in_their_phase(wfexec: Wfexec, stages: str) -> None:
    order = (wfexec.folder / "order").read_text().split()
    assert order == [
        "source",
        "pre_build",
        "build",
        "post_build",
        "push",
        "post_push",
        "deploy",
        "post_deploy",
    ]
    view = wfexec.json("show", stages)
    assert [step["phase"] for step in view["steps"]] == ["validation", *order]


@pytest.mark.shows("logs.stages")
def test_stage_by_stage(wfexec: Wfexec, stages: str) -> None:
    whole = wfexec("logs", stages).out
    assert whole.index("── Source ──") < whole.index("fetched") < whole.index("── Pre-Build ──")
    only = wfexec("logs", stages, "--phase", "build").out
    assert "built" in only and "fetched" not in only and "tested" not in only


@pytest.mark.shows("logs.stored", "log.step")
def test_kept_and_told_by_step(wfexec: Wfexec, good: Ran) -> None:
    assert "to output" in wfexec("logs", good.name).out
    assert "to output" not in wfexec("logs", good.name, "--step", "own").out
    assert "to output" in wfexec("logs", good.name, "--step", "talk").out


@pytest.mark.shows("log.all", "log.output", "log.errors")
def test_streams(wfexec: Wfexec, good: Ran) -> None:
    def found(*stream: str) -> tuple[bool, bool]:
        text = wfexec("logs", good.name, "--step", "talk", *stream).out
        return "to output" in text, "to errors" in text

    assert found() == found("--stream", "all") == (True, True)
    assert found("--stream", "output") == (True, False)
    assert found("--stream", "errors") == (False, True)


@pytest.mark.shows("log.search")
def test_search(wfexec: Wfexec, good: Ran) -> None:
    text = wfexec("logs", good.name, "--search", "TO ERR").out
    assert "to errors" in text and "to output" not in text


@pytest.mark.shows("log.download")
def test_download(wfexec: Wfexec, good: Ran) -> None:
    assert wfexec("logs", good.name, "--download", "whole.log").code == 0
    text = (wfexec.folder / "whole.log").read_text()
    assert "to output" in text and "to errors" in text
