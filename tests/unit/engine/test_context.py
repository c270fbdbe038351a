"""The reserved parameter: who or what started a run."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.objects import CreatedBy, FlowRun

from prefect_wfexec.engine.context import (
    LARGEST_CHARACTERS,
    RunContext,
    local_user,
    manual_context,
    read_context,
)
from prefect_wfexec.errors import UsageError
from prefect_wfexec.runtime.outside import refuse_unsafe
from prefect_wfexec.settings import USER
from prefect_wfexec.status import TriggerKind
from tests.unit.journal.support import unhurried


def run_of(**more: Any) -> FlowRun:
    return FlowRun(flow_id=uuid4(), name="wfr_test", **more)


@unhurried
@given(
    st.sampled_from(list(TriggerKind)),
    st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    st.dictionaries(st.sampled_from(["type", "id", "text"]), st.none() | st.integers() | st.text("abc é")),
)
def test_what_is_written_is_read(kind: TriggerKind, user: str | None, trigger: dict[str, Any]) -> None:
    context = RunContext(kind, user, trigger)
    assert read_context(context.as_text(), run_of()) == context


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "null",
        "[]",
        '"text"',
        "7",
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"triggered_by": "Nobody"}',
        '{"triggered_by": "manual"}',
        '{"triggered_by": []}',
        '{"triggered_by": {"a": 1}}',
        '{"triggered_by": 7}',
        '{"triggered_by": "Git", "user": 7}',
        '{"triggered_by": "Git", "user": ["jane"]}',
        '{"triggered_by": "Git", "trigger": "push"}',
        '{"triggered_by": "Git", "trigger": ["push"]}',
        '{"triggered_by": "Git", "trigger": null}',
        '{"triggered_by": "Git", "trigger": {"n": NaN}}',
        '{"triggered_by": "Git", "trigger": {"n": -Infinity}}',
        '{"triggered_by": "Git", "trigger": {"n": 1e999}}',
        '{"triggered_by": "Git", "trigger": {"t": "\\ud800"}}',
        '{"triggered_by": "Git", "trigger": {"t": "\\u0000"}}',
        '{"triggered_by": "Git", "trigger": {"\\u0000": 1}}',
        '{"triggered_by": "Git", "user": "a\\u0000"}',
        json.dumps({"x": "y" * LARGEST_CHARACTERS}),
    ],
)
def test_what_is_no_context_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_context(text, run_of())
    assert len(caught.value.message) < 200


def buried(value: Any, path: list[bool]) -> Any:
    for is_list in path:
        value = [0, value] if is_list else {"x": value}
    return value


@unhurried
@given(st.sampled_from(["__prefect_kind", "$ref"]), st.lists(st.booleans(), max_size=30), st.booleans())
def test_what_prefect_would_resolve_is_refused_at_any_depth(key: str, path: list[bool], is_alone: bool) -> None:
    value = buried({key: "x"} if is_alone else {"a": 1, key: None}, path)
    with pytest.raises(UsageError, match="is not allowed") as caught:
        refuse_unsafe(value)
    assert caught.value.code == "refused-key"
    with pytest.raises(UsageError):
        read_context(json.dumps({"triggered_by": "Git", "trigger": {"body": value}}), run_of())


@pytest.mark.parametrize("value", [None, True, 7, 1.5, "$ref", ["__prefect_kind"], {"ref": 1, "prefect_kind": "$ref"}])
def test_what_only_looks_like_it_is_taken(value: Any) -> None:
    refuse_unsafe(value)


def test_a_value_of_any_depth_is_looked_through() -> None:
    with pytest.raises(UsageError):
        refuse_unsafe(buried({"$ref": 1}, [True, False] * 50_000))


@pytest.mark.parametrize(
    ("more", "kind", "text"),
    [
        ({"auto_scheduled": True}, TriggerKind.SCHEDULE, "Schedule"),
        (
            {"created_by": CreatedBy(type="SCHEDULE", display_value="nightly")},
            TriggerKind.SCHEDULE,
            "nightly",
        ),
        (
            {"created_by": CreatedBy(type="AUTOMATION", display_value="on push")},
            TriggerKind.WEBHOOK,
            "on push",
        ),
        ({"parent_task_run_id": UUID(int=1)}, TriggerKind.WORKFLOW, "Workflow"),
        ({"deployment_id": UUID(int=1)}, TriggerKind.MANUAL, "Manual"),
    ],
)
def test_a_run_that_nobody_of_ours_made_tells_by_what_prefect_knows(
    more: dict[str, Any], kind: TriggerKind, text: str
) -> None:
    context = read_context("{}", run_of(**more))
    assert (context.triggered_by, context.user, context.trigger["text"]) == (kind, None, text)
    assert set(context.trigger) == {"type", "id", "text"}


def test_a_flow_called_here_is_started_by_who_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER.variable, "jane")
    context = read_context("{}", run_of())
    assert context == manual_context("jane") == manual_context()
    assert context.trigger == {"type": "manual", "id": None, "text": "Manual (jane)"}


def test_the_person_is_the_setting_or_the_login_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER.variable, " jane ")
    assert local_user() == "jane"
    monkeypatch.delenv(USER.variable)
    monkeypatch.setenv("LOGNAME", "joe")
    assert local_user() == "joe"
