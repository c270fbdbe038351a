"""Log lines, the pinned definition, lost engines, the audit."""

import os

import pytest

from prefect_wfexec.engine.host import host_id, process_started
from prefect_wfexec.journal.facts import Kind
from prefect_wfexec.views.load import is_cleaning, lost_engine, pinned_workflow
from prefect_wfexec.views.logs import Line, Stream
from tests.unit.journal.support import at, closed, entered, fact, folded, opened, requested

TEXT = "version: 1\nname: hello\nsteps:\n  - {id: say, run: echo hello}\n"


@pytest.mark.parametrize(
    ("stream", "wanted"),
    [("all", ["stdout", "stderr", "system"]), ("output", ["stdout"]), ("errors", ["stderr"])],
)
def test_streams_and_search(stream: Stream, wanted: list[str]) -> None:
    lines = [Line(at(0), "say", 1, kind, "Hello World") for kind in ("stdout", "stderr", "system")]
    assert [line.stream for line in lines if line.is_wanted(stream, None)] == wanted
    assert [line.stream for line in lines if line.is_wanted(stream, "hello w")] == wanted
    assert not any(line.is_wanted(stream, "absent") for line in lines)


def test_a_line_as_json() -> None:
    assert Line(at(1), "say", 2, "stderr", "oh").as_json() == {
        "time": "2030-01-01T12:00:01Z",
        "step": "say",
        "attempt": 2,
        "stream": "stderr",
        "level": "WARNING",
        "message": "oh",
    }
    assert Line(at(1), "say", 2, "stdout", "oh").level == "INFO"


def test_a_run_shows_the_definition_it_was_opened_with() -> None:
    found = pinned_workflow(folded(opened(definition=TEXT, path="/srv/hello.yaml")))
    assert found is not None
    assert (found.name, [step.id for step in found.steps], str(found.path)) == ("hello", ["say"], "/srv/hello.yaml")
    assert pinned_workflow(folded()) is None
    assert pinned_workflow(folded(opened(definition="version: 99\n"))) is None


def test_a_run_that_is_being_cleaned_up_after_needs_no_engine_of_its_own() -> None:
    asked = requested("cancel", cleanup=True)
    handed_over = [opened(), entered(), asked, fact(Kind.CLEANUP_STARTED, engine="e1", run="r", name="wfr_c", plan={})]
    assert not is_cleaning(folded(opened(), entered()))
    assert is_cleaning(folded(*handed_over))
    assert not is_cleaning(folded(*handed_over, fact(Kind.CLEANUP_FINISHED, run="r", status="Succeeded")))


def test_an_engine_that_is_gone_is_told() -> None:
    mine = {"host": host_id(), "pid": os.getpid(), "pid_started": process_started(os.getpid())}
    gone = {**mine, "pid_started": "1"}
    assert lost_engine(folded(opened())) == ""
    assert lost_engine(folded(opened(), entered(**mine))) == ""
    assert f"pid {os.getpid()}" in lost_engine(folded(opened(), entered(**gone)))
    assert lost_engine(folded(opened(), entered(**{**gone, "host": "elsewhere"}))) == ""
    assert lost_engine(folded(opened(), entered(**gone), closed())) == ""
    assert lost_engine(folded(opened(), entered(**gone), fact(Kind.SUPERSEDED, engine="e1"))) == ""
