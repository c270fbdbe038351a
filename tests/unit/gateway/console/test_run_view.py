"""One execution as its page shows it."""

from html.parser import HTMLParser
from typing import Any

import pytest

from prefect_wfexec.gateway.console.run_view import RunView, tab_of
from prefect_wfexec.gateway.signin.identity import Identity, Role
from prefect_wfexec.journal.facts import Fact
from tests.unit.engine.support import step, workflow
from tests.unit.journal.support import closed, entered, finished, opened, started
from tests.unit.views.support import execution

OPERATOR = Identity("ann", frozenset({Role.OPERATOR}), "token")
VIEWER = Identity("vera", frozenset({Role.VIEWER}), "token")
EVIL = '<script>alert("x")</script>'
WORKFLOW = workflow(step("a", name="First"), step("b", "a", name=EVIL, allow_skip=True), step("c", "b", name="Last"))


class Tags(HTMLParser):
    """The tags of a part, and its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: dict[str, str] = {}
        self._href = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a":
            self._href = dict(attrs).get("href") or ""

    def handle_data(self, data: str) -> None:
        if self._href:
            self.links[data.strip()] = self._href
            self._href = ""


def failed(**more: Any) -> list[Fact]:
    error = {"type": "exit", "message": f"boom {EVIL}\x1b[31m", "exit_code": 3, "tail": ""}
    return [
        opened(),
        entered(),
        started("a"),
        finished("a"),
        started("b"),
        finished("b", status="Failed", error=error),
        closed(status="Failed", reason=f"step 'b': {EVIL}"),
    ]


def view(*facts: Fact, person: Identity = OPERATOR, has_deployment: bool = True) -> RunView:
    return RunView(execution(WORKFLOW, *facts), person, "http://prefect/runs/x", has_deployment)


def test_text_from_outside_is_text() -> None:
    parts = view(*failed()).parts()
    assert not any("script" in Tags(html).tags for html in parts.values())
    assert "&lt;script&gt;" in parts["failure"] and "\x1b" not in parts["failure"]


def test_every_step_has_a_node_and_a_row() -> None:
    parts = view(opened(), entered(), started("a")).parts()
    assert {name for name in parts if name.startswith("node")} == {"node-0", "node-1", "node-2"}
    assert "Running" in parts["step-0"] and "▶" in parts["node-0"] and "Waiting" in parts["step-1"]


def test_what_can_be_done_about_a_failed_step() -> None:
    parts = view(*failed()).parts()
    links = Tags(parts["failure"]).links
    assert {"View full log", "Retry step", "Retry from here", "Skip step"} <= set(links)
    assert links["Retry step"].endswith("/retry?step=b")
    assert set(Tags(parts["step-0"]).links) == {"Log", "Retry from here"}
    assert set(Tags(parts["step-1"]).links) == {"Log", "Retry step", "Retry from here", "Skip"}
    assert set(Tags(parts["step-2"]).links) == {"Log"}
    assert "Retry" in Tags(parts["head"]).links


@pytest.mark.parametrize(("person", "has_deployment"), [(VIEWER, True), (OPERATOR, False)])
def test_who_may_not_or_can_not_finds_no_button(person: Identity, has_deployment: bool) -> None:
    parts = view(*failed(), person=person, has_deployment=has_deployment).parts()
    links = {name for html in parts.values() for name in Tags(html).links}
    assert links <= {"View full log", "Log", "Open in Prefect"}
    assert ("wfexec retry" in parts["failure"]) is (not has_deployment)


def test_a_run_that_goes_on_can_be_stopped() -> None:
    shown = view(opened(), entered(), started("a"))
    assert {"Cancel", "Cancel with cleanup"} <= set(Tags(shown.parts()["head"]).links)
    assert not shown.is_over


def test_a_run_whose_definition_can_not_be_read_is_shown_all_the_same() -> None:
    shown = RunView(execution(None, *failed()), OPERATOR, "http://prefect", has_deployment=True)
    assert "Failed" in shown.parts()["head"]
    assert shown.steps == () and "<table" not in shown.structure({})


@pytest.mark.parametrize("tab", ["outputs", "approvals", "reports", "attempts"])
def test_tabs_of_a_run_that_has_nothing_say_so(tab: str) -> None:
    assert "quiet" in tab_of(view(opened(), entered()), tab, None)


def test_attempts_are_listed_with_their_errors() -> None:
    html = tab_of(view(*failed()), "attempts", None)
    assert "boom" in html and "script" not in Tags(html).tags


def test_what_parts_are_put_into_does_not_change_with_them() -> None:
    before, after = view(opened(), entered()), view(*failed())
    assert before.structure({}) == after.structure({})
    assert 'id="node-2"' in before.structure({}) and 'id="step-2"' in before.structure({})
    assert before.step_options("b") != before.step_options()
