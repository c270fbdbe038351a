"""What a run leaves: its outputs, and the summary of how it went."""

import re

import pytest

from tests.acceptance.product.conftest import Ran
from tests.support.wfexec import Wfexec


@pytest.mark.shows("outputs.tab")
def test_outputs(wfexec: Wfexec, good: Ran) -> None:
    assert wfexec.json("outputs", good.name) == good.view["outputs"] == {"count": "7"}


@pytest.mark.shows("good.summary", "view.header")
def test_the_execution_summary(good: Ran) -> None:
    lines = good.shown.splitlines()
    assert lines[0] == "Execution Summary"
    head = {key: value.strip() for key, _, value in (line.partition(":") for line in lines[1:6])}
    assert re.fullmatch(r"(\d+m )?\d+s", head.pop("Duration"))
    assert head == {
        "Workflow": "good-one",
        "Run ID": good.name,
        "Status": "Completed ✓",
        "Triggered": "Manual (jane)",
    }


@pytest.mark.shows("good.steps", "view.steps")
def test_the_step_list(good: Ran) -> None:
    assert re.search(r"^1\. Own +✓ \d+s\n +└─ \S", good.shown, re.MULTILINE)
    assert re.search(r"^2\. Talk A Little ✓ \d+s$", good.shown, re.MULTILINE)
