"""A cleanup changes nothing while another run has the lock of the run that it cleans up after."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli.test_locks import Story
from tests.support.processes import wait_until
from tests.support.server import PrefectServer
from tests.support.web_server import Asked, Reply, WebServer
from tests.support.wfexec import Wfexec, user_environment

REACHES_US = {"PREFECT_INTEGRATIONS_WFEXEC_HTTP_ALLOW": "127.0.0.0/8"}
UNDONE = """
    version: 1
    name: undone
    inputs: {url: {type: string}, fails: {type: boolean, default: true}}
    concurrency: {key: tf/network}
    steps:
      - id: work
        run: if test "$FAILS" = true; then exit 1; fi; echo working >> lines; sleep 100
        env: {FAILS: "${{ inputs.fails }}"}
        cleanup: {uses: http.check, with: {url: "${{ inputs.url }}"}}
    cleanup: {attempts: 1}
"""


class Undoing(Story):
    """Runs that a request to a web server undoes; it is answered once that is let go."""

    def __init__(self, wfexec: Wfexec) -> None:
        super().__init__(wfexec)
        wfexec.write("undone.yaml", UNDONE)

    def answer(self, asked: Asked) -> Reply:
        with (self.folder / "lines").open("a") as lines:
            lines.write("undone\n")
        wait_until((self.folder / "go-undo").exists, "the end of what undoes")
        return Reply()


@pytest.fixture
def story(server: PrefectServer, tmp_path: Path) -> Iterator[Undoing]:
    story = Undoing(Wfexec(user_environment(server.environment, "jane") | REACHES_US, tmp_path))
    yield story
    story.stop()


@pytest.fixture
def url(story: Undoing) -> Iterator[str]:
    with WebServer(story.answer) as web:
        yield web.url


def test_the_cleanup_of_a_run_that_has_ended_asks_again_and_queues(story: Undoing, url: str) -> None:
    failed = story.wfexec("run", "undone.yaml", "-i", f"url={url}")
    assert failed.code == 1 and story.locks() == []
    second = story.start("b")
    story.until_line("start b")
    cleaning = story.wfexec.start("cancel", failed.run, "--cleanup")
    wait_until(lambda: len(story.locks()[0]["queue"]) == 1, "the cleanup in the queue")
    story.let_go("undo")
    story.let_go("b")
    assert second.end().code == 0
    assert cleaning.end().code == 0
    assert story.lines == ["start b", "end b", "undone"]
    assert story.wfexec.json("show", failed.run)["status"] == "Terminated"
    assert story.locks() == []


def test_a_cleanup_after_the_end_keeps_others_waiting(story: Undoing, url: str) -> None:
    failed = story.wfexec("run", "undone.yaml", "-i", f"url={url}")
    cleaning = story.wfexec.start("cancel", failed.run, "--cleanup")
    story.until_line("undone")
    second = story.start("b")
    second.until("waits for lock 'tf/network', held by")
    story.let_go("undo")
    story.let_go("b")
    assert cleaning.end().code == 0
    assert second.end().code == 0
    assert story.lines == ["undone", "start b", "end b"]


def test_a_cleanup_works_under_the_lock_that_its_run_still_holds(story: Undoing, url: str) -> None:
    going = story.wfexec.start("run", "undone.yaml", "-i", f"url={url}", "-i", "fails=false")
    story.until_line("working")
    second = story.start("b")
    story.until_waiting(second, going)
    assert story.wfexec("cancel", going.run, "--cleanup").code == 0
    story.until_line("undone")
    assert [(lock["holder"], lock["queue"]) for lock in story.locks()] == [(going.run, [second.run])]
    story.let_go("undo")
    story.let_go("b")
    assert going.end().code == 4
    assert second.end().code == 0
    assert story.lines == ["working", "undone", "start b", "end b"]


@pytest.mark.shows("status.termination-failed")
def test_a_cleanup_that_fails_fails_its_command(story: Undoing) -> None:
    failed = story.wfexec("run", "undone.yaml", "-i", "url=http://127.0.0.1:9/nothing-listens-here")
    cleaning = story.wfexec("cancel", failed.run, "--cleanup")
    assert cleaning.code == 1
    assert cleaning.out.startswith(f"{failed.run}: Termination Failed")
    assert story.locks() == []


def test_a_cleanup_that_waits_for_its_lock_keeps_reconcile_from_no_other_run(story: Undoing, url: str) -> None:
    failed = story.wfexec("run", "undone.yaml", "-i", f"url={url}")
    holder = story.start("b")
    story.until_line("start b")
    cleaning = story.wfexec.start("cancel", failed.run, "--cleanup")
    wait_until(lambda: len(story.locks()[0]["queue"]) == 1, "the cleanup in the queue")
    other = story.wfexec.start("run", "gated.yaml")
    other.until("waits for lock 'tf/network'")
    for going in (cleaning, other):
        going.signal(signal.SIGKILL)
        going.end()
    reconciling = story.wfexec.start("reconcile")
    reconciling.until(f"{other.run}: shown as ended")
    assert story.lines == ["start b"]
    story.let_go("undo")
    story.let_go("b")
    assert holder.end().code == 0
    reconciling.until(f"{failed.run}: cleaned up")
    assert reconciling.end().code == 0
    assert story.lines == ["start b", "end b", "undone"]
    assert story.wfexec.json("show", failed.run)["status"] == "Terminated"
