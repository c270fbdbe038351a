"""An approval covers a later plan only when nothing new would happen."""

from typing import Any

import pytest

from prefect_wfexec.steps.terraform.coverage import uncovered


def change(action: str = "create", address: str = "a.b", kind: str = "resource", **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "address": address,
        "action": action,
        "reason": "",
        "known": {"/after/input": "1"},
        "unknown": ["/after/id"],
        **more,
    }


def changes(*items: dict[str, Any], lineage: str = "l") -> dict[str, Any]:
    return {"version": 1, "lineage": lineage, "changes": list(items)}


def test_the_same_and_less_is_covered() -> None:
    approved = changes(change(), change("update", "a.c"))
    assert uncovered(approved, approved) == []
    assert uncovered(approved, changes(change("update", "a.c"))) == []
    assert uncovered(approved, changes()) == []


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (change("delete"), "a.b was to create, and is now to delete"),
        (change(address="a.c"), "a.c was not to change"),
        (change(kind="output"), "a.b was not to change"),
        (change(known={"/after/input": "2"}), "a.b has another value at /after/input"),
        (change(known={}), "a.b has another value at /after/input"),
        (
            change(known={"/after/input": "1", "/after/more": "2"}),
            "a.b has a value that was not there, at /after/more",
        ),
        (change(unknown=["/after/idle"]), "a.b has a value that was not there, at /after/idle"),
        (change(known={}, unknown=["/after/input"]), "a.b has another value at /after/input"),
    ],
)
def test_anything_new_is_not(later: dict[str, Any], reason: str) -> None:
    assert uncovered(changes(change()), changes(later)) == [reason]


def test_what_was_unknown_may_be_known_now() -> None:
    later = change(known={"/after/input": "1", "/after/id": "2"}, unknown=[])
    assert uncovered(changes(change()), changes(later)) == []
    deeper = change(known={"/after/input": "1", "/after/id/0/x": "2"}, unknown=["/after/id/1"])
    assert uncovered(changes(change()), changes(deeper)) == []


def test_replacing_what_our_own_apply_left_unfinished() -> None:
    tainted = changes(change("replace", reason="replace_because_tainted"))
    assert uncovered(changes(change()), tainted) != []
    assert uncovered(changes(change()), tainted, after_own_apply=True) == []
    assert uncovered(changes(change()), changes(change("replace")), after_own_apply=True) != []
    assert uncovered(changes(change("update")), tainted, after_own_apply=True) != []


def test_lineages() -> None:
    new = changes(change(), lineage="")
    assert uncovered(new, new) == []
    assert uncovered(new, changes(change())) == ["the plan is for another state"]
    assert uncovered(new, changes(change()), own_lineage="l") == []
    assert uncovered(changes(change(), lineage="k"), changes(change()), own_lineage="l") != []
