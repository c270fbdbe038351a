"""The change set: the same for the same plan, another one for any other, and never a clear value in it."""

import copy
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.steps.terraform.changes import action_of, change_set, counts_of_plan, load_json

KEY = b"key"


def plan_of(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resource_changes": list(changes), **more}


def resource(
    address: str = "terraform_data.x", actions: tuple[str, ...] = ("create",), **change: Any
) -> dict[str, Any]:
    return {
        "address": address,
        "mode": "managed",
        "type": "terraform_data",
        "name": "x",
        "change": {"actions": list(actions), **change},
    }


def digest(plan: dict[str, Any], **more: Any) -> str:
    return change_set(plan, KEY, **more).digest(KEY)


def test_known_and_unknown_leaves() -> None:
    plan = plan_of(
        resource(
            after={"input": {"a/b": [1, None], "empty": {}, "list": []}, "half": [None, "x"]},
            after_unknown={"id": True, "input": {"a/b": [False, True]}, "half": [True, False], "output": {"y": True}},
        )
    )
    (change,) = change_set(plan, KEY).changes
    assert sorted(change.known) == ["/after/half/1", "/after/input/a~1b/0", "/after/input/empty", "/after/input/list"]
    assert change.unknown == ("/after/half/0", "/after/id", "/after/input/a~1b/1", "/after/output/y")


def test_an_output_unknown_as_a_whole() -> None:
    plan = {"output_changes": {"id": {"actions": ["create"], "before": None, "after_unknown": True}}}
    (change,) = change_set(plan, KEY).changes
    assert (change.kind, change.address, change.unknown, change.known) == ("output", "id", ("/after",), {})


def test_what_is_destroyed_is_told_by_what_was() -> None:
    gone = plan_of(resource(actions=("delete",), before={"input": "old"}, after=None, after_unknown={}))
    (change,) = change_set(gone, KEY).changes
    assert list(change.known) == ["/before/input"]


@pytest.mark.parametrize(
    ("change", "previous", "action"),
    [
        ({"actions": ["no-op"]}, None, None),
        ({"actions": ["no-op"]}, "terraform_data.old", "move"),
        ({"actions": ["no-op"], "importing": {"id": "i"}}, None, "import"),
        ({"actions": ["update"], "importing": {"id": "i"}}, None, "update"),
        ({"actions": ["delete", "create"]}, None, "replace"),
        ({"actions": ["create", "delete"]}, None, "replace"),
        ({"actions": ["forget"]}, None, "forget"),
        ({"actions": ["read"]}, None, "read"),
    ],
)
def test_actions(change: dict[str, Any], previous: str | None, action: str | None) -> None:
    assert action_of(change, previous_address=previous) == action


def test_counts_leave_out_data() -> None:
    plan = plan_of(
        resource(),
        resource(actions=("delete", "create")),
        resource(actions=("update",)),
        {**resource(actions=("read",)), "mode": "data"},
        {**resource(actions=("create",)), "mode": "data"},
    )
    assert counts_of_plan(plan) == {"add": 2, "change": 1, "destroy": 1}


def test_lineage_address_action_and_key_all_count() -> None:
    plan = plan_of(resource(after={"input": 1}))
    plans = [
        digest(plan),
        digest(plan, lineage="l"),
        digest(plan_of(resource("terraform_data.y", after={"input": 1}))),
        digest(plan_of(resource(actions=("update",), after={"input": 1}))),
        change_set(plan, b"other").digest(b"other"),
        digest(plan_of(resource(after={"input": "1"}))),
        digest(plan_of(resource(after={"input": True}))),
        digest(plan_of()),
    ]
    assert len(set(plans)) == len(plans)


def test_long_decimals_are_not_rounded() -> None:
    one, two = [
        load_json(json.dumps(plan_of(resource(after={"n": 0}))).replace('"n": 0', f'"n": 0.1000000000000000000{last}'))
        for last in (1, 2)
    ]
    assert isinstance(one["resource_changes"][0]["change"]["after"]["n"], Decimal)
    assert digest(one) != digest(two)


def test_code_counts_where_provisioners_run_it() -> None:
    configuration = {"root_module": {"resources": [{"type": "terraform_data", "name": "x", "provisioners": [{}]}]}}
    nested = {"root_module": {"module_calls": {"m": {"module": configuration["root_module"]}}}}
    bare = plan_of(resource(after={}))
    for found in (configuration, nested):
        plan = plan_of(resource(after={}), configuration=found, variables={"v": {"value": 1}})
        assert digest(plan, code_digest="1") != digest(plan, code_digest="2")
        assert digest(plan) != digest({**plan, "variables": {"v": {"value": 2}}})
        unchanged = plan_of(resource(actions=("no-op",)), configuration=found)
        assert digest(unchanged, code_digest="1") == digest(unchanged, code_digest="2")
    assert digest(bare, code_digest="1") == digest(bare, code_digest="2")


def test_keys_inside_something_sensitive_are_hidden() -> None:
    plan = plan_of(
        resource(
            after={"input": {"secret-key": ["secret-value"]}, "open": 1},
            after_sensitive={"input": True},
            after_unknown={},
        )
    )
    text = change_set(plan, KEY).canonical().decode()
    assert "secret" not in text
    assert "/after/open" in text
    other = copy.deepcopy(plan)
    other["resource_changes"][0]["change"]["after"]["input"] = {"another-key": ["secret-value"]}
    assert digest(plan) != digest(other)


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(item) for key, item in reversed(value.items())}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


@given(values)
def test_order_of_keys_means_nothing(value: Any) -> None:
    one, two = (
        plan_of(resource(after={"a": value, "b": 1})),
        plan_of(resource(after={"b": 1, "a": reversed_keys(value)})),
    )
    assert digest(one) == digest(two)


def typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return [typed(item) for item in value] if isinstance(value, list) else (type(value).__name__, repr(value))


@given(values, values)
def test_any_other_value_is_another_digest(one: Any, two: Any) -> None:
    same = typed(one) == typed(two)
    assert (digest(plan_of(resource(after={"a": one}))) == digest(plan_of(resource(after={"a": two})))) is same


@given(values)
def test_no_value_stands_in_clear(value: Any) -> None:
    marked = json.loads(
        json.dumps(value), object_hook=lambda item: {f"key-{key}": inner for key, inner in item.items()}
    )

    def mark(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: mark(inner) for key, inner in item.items()}
        return [mark(inner) for inner in item] if isinstance(item, list) else f"clear-{item}"

    text = change_set(plan_of(resource(after=mark(marked))), KEY).canonical().decode()
    assert "clear-" not in text
    json.loads(text)


def test_invoked_actions_count() -> None:
    def invoking(payload: str, *, unknown: Any = None) -> dict[str, Any]:
        return {
            "action_invocations": [
                {
                    "address": "action.lambda.a",
                    "config_values": {"payload": payload},
                    "config_unknown": unknown or {},
                    "lifecycle_action_trigger": {"action_trigger_event": "AfterCreate"},
                }
            ]
        }

    (change,) = change_set(invoking("one"), KEY).changes
    assert (change.kind, change.action, change.reason) == ("action", "invoke", "AfterCreate")
    digests = [
        digest(invoking("one")),
        digest(invoking("two")),
        digest(invoking("one", unknown={"x": True})),
        digest({}),
    ]
    assert len(set(digests)) == 4
