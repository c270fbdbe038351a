"""Which events a trigger takes, and why not the others."""

from typing import Any

import pytest

from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.steps.registry import catalog
from prefect_wfexec.triggers.event import Event
from prefect_wfexec.triggers.matching import why_not
from prefect_wfexec.triggers.reading import read
from tests.unit.triggers.support import TRIGGERS, payload, sent, trigger

WORKFLOW = load_text("version: 1\nname: network\nsteps: [{id: a, run: x}]", None, catalog())


KINDS = ("push", "pull_request", "release", "workflow_run", "ping", "create", "delete", "issues")


def event_of(name: str) -> Event:
    service, _, rest = name.partition("_")
    way = {"github": "github", "gitlab": "gitlab-token"}.get(service, service)
    kind = next((one for one in KINDS if rest.startswith(one)), "")
    return read(sent(way, payload(name), x_github_event=kind), TRIGGERS[way])


def reason(name: str, kind: str = "github", **options: Any) -> str | None:
    return why_not(trigger(kind, **options), event_of(name), WORKFLOW)


EVENTS = [
    ("github_push", ["push"], None),
    ("github_push", ["release", "push"], None),
    ("github_push", ["release"], "the event is 'push', and the trigger takes release"),
    ("github_push_tag", ["push"], None),
    ("github_ping", ["push"], "ping: the webhook is set up"),
    ("github_push_deleted", ["push"], "the branch 'feature/wider' was deleted"),
    ("github_pull_request_opened", ["pull_request"], None),
    ("github_pull_request_synchronize", ["pull_request"], None),
    (
        "github_pull_request_closed",
        ["pull_request"],
        "the event is 'pull_request.closed', and 'pull_request' takes only 'opened', 'synchronize' and 'reopened'",
    ),
    ("github_pull_request_closed", ["pull_request.closed"], None),
    (
        "github_pull_request_opened",
        ["pull_request.closed"],
        "the event is 'pull_request.opened', and the trigger takes pull_request.closed",
    ),
    ("github_release_published", ["release"], None),
    (
        "github_release_published",
        ["release.edited"],
        "the event is 'release.published', and the trigger takes release.edited",
    ),
    ("github_workflow_run_completed", ["workflow_run"], None),
    ("github_issues_opened", ["issues"], None),
    ("github_issues_opened", ["issues.opened"], None),
    ("github_create_tag", ["push"], "the event is 'create', and the trigger takes push"),
    ("github_delete_branch", ["delete"], None),
    ("gitlab_push", ["push"], None),
    ("gitlab_tag_push", ["tag_push"], None),
    ("gitlab_tag_push", ["push"], None),
    ("gitlab_push", ["tag_push"], "the event is 'push', and the trigger takes tag_push"),
    ("gitlab_merge_request_open", ["merge_request"], None),
    ("gitlab_merge_request_open", ["pull_request"], None),
    ("gitlab_merge_request_open", ["merge_request.open"], None),
    ("gitlab_merge_request_update", ["pull_request"], None),
    (
        "gitlab_merge_request_merge",
        ["merge_request"],
        "the event is 'merge_request.merge', and 'merge_request' takes only 'opened', 'synchronize' and 'reopened'",
    ),
    ("gitlab_merge_request_merge", ["pull_request.closed"], None),
    ("gitlab_release_create", ["release"], None),
    ("gitlab_pipeline_success", ["pipeline"], None),
    (
        "gitlab_pipeline_success",
        ["pipeline.failed"],
        "the event is 'pipeline.success', and the trigger takes pipeline.failed",
    ),
    ("gitlab_note", ["note"], None),
    ("pagerduty_incident_triggered", ["incident.triggered"], None),
    ("pagerduty_incident_triggered", ["incident"], None),
    ("pagerduty_incident_responder_added", ["incident"], None),
    ("pagerduty_incident_resolved", None, None),
    ("pagerduty_ping", None, "ping: the webhook is set up"),
    ("alertmanager_resolved", ["alert.firing"], "the event is 'alert.resolved', and the trigger takes alert.firing"),
    ("alertmanager_firing", None, None),
    ("alertmanager_firing", ["firing"], None),
    ("alertmanager_resolved", ["firing"], "the event is 'alert.resolved', and the trigger takes firing"),
    ("pagerduty_incident_responder_added", ["incident.responder.added"], None),
]


@pytest.mark.parametrize(("name", "events", "expected"), EVENTS)
def test_events(name: str, events: list[str] | None, expected: str | None) -> None:
    assert reason(name, **({} if events is None else {"events": events})) == expected


ONLY_BRANCHES = "it is about the tag 'v1.2.0', and the trigger takes only branches"
ONLY_TAGS = "it is about the branch 'main', and the trigger takes only tags"
REFS = [
    ("github_push", {"branches": ["main"]}, None),
    ("github_push", {"branches": ["dev", "release/**"]}, "branch 'main' did not match dev, release/**"),
    ("github_push", {"branches": ["**", "!main"]}, "branch 'main' did not match **, !main"),
    ("github_push_tag", {"branches": ["**"]}, ONLY_BRANCHES),
    ("github_push", {"tags": ["**"]}, ONLY_TAGS),
    ("github_push_tag", {"tags": ["v1.*"]}, None),
    ("github_push_tag", {"tags": ["v2.*"]}, "tag 'v1.2.0' did not match v2.*"),
    ("github_push", {"branches": ["main"], "tags": ["v1.*"]}, None),
    ("github_push_tag", {"branches": ["main"], "tags": ["v1.*"]}, None),
    ("github_push_tag", {"branches": ["main"], "tags": ["v2.*"]}, "tag 'v1.2.0' did not match v2.*"),
    ("github_create_tag", {"branches": ["main"]}, ONLY_BRANCHES),
    ("github_delete_branch", {"branches": ["main"]}, "branch 'feature/wider' did not match main"),
    # of a pull request the base is meant
    ("github_pull_request_opened", {"branches": ["main"]}, None),
    ("github_pull_request_opened", {"branches": ["feature/**"]}, "branch 'main' did not match feature/**"),
    ("github_pull_request_opened", {"tags": ["v1.*"]}, None),
    ("github_release_published", {"branches": ["dev"]}, None),
    ("github_release_published", {"tags": ["v2.*"]}, "tag 'v1.2.0' did not match v2.*"),
    ("github_workflow_run_completed", {"branches": ["dev"]}, "branch 'main' did not match dev"),
    ("github_issues_opened", {"branches": ["dev"]}, None),
    ("gitlab_tag_push", {"branches": ["main"]}, ONLY_BRANCHES),
    ("gitlab_merge_request_open", {"branches": ["dev"]}, "branch 'main' did not match dev"),
    ("gitlab_pipeline_success", {"tags": ["v1.*"]}, ONLY_TAGS),
]


@pytest.mark.parametrize(("name", "options", "expected"), REFS)
def test_branches_and_tags(name: str, options: dict[str, Any], expected: str | None) -> None:
    assert reason(name, **options) == expected


def test_a_push_to_neither_a_branch_nor_a_tag_is_told() -> None:
    received = sent("github", payload("github_push") | {"ref": "refs/notes/commits"}, x_github_event="push")
    event = read(received, TRIGGERS["github"])
    assert why_not(trigger("github", branches=["**"]), event) == "it is about neither a branch nor a tag"
    assert why_not(trigger("github"), event) is None


PATHS = [
    ("github_push", ["infra/**"], None),
    ("github_push", ["docs/**"], None),
    ("github_push", ["app/**", "lib/**"], "no changed file matched app/**, lib/**"),
    ("github_push", ["**", "!infra/**", "!docs/**"], "no changed file matched **, !infra/**, !docs/**"),
    # not all files are known, or the event is not about files
    ("github_push_new_branch", ["app/**"], None),
    ("github_push_forced", ["app/**"], None),
    ("github_push_tag", ["app/**"], None),
    ("github_pull_request_opened", ["app/**"], None),
    ("gitlab_push", ["app/**"], "no changed file matched app/**"),
    ("gitlab_push_cut_short", ["app/**"], None),
]


@pytest.mark.parametrize(("name", "paths", "expected"), PATHS)
def test_paths(name: str, paths: list[str], expected: str | None) -> None:
    assert reason(name, paths=paths) == expected


def test_many_patterns_are_shown_in_part() -> None:
    found = reason("github_push", branches=[f"b{number}" for number in range(20)])
    assert found is not None
    assert found.endswith("b7 and 12 more")


CONDITIONS = [
    ("trigger.payload.pusher.name == 'jane-doe'", None),
    ("trigger.branch == 'main' && trigger.tag == null", None),
    ("trigger.pull_request == null && workflow.name == 'network'", None),
    ("trigger.event == 'push' && trigger.type == 'github'", None),
    ("!trigger.message.contains('range')", "the condition 'if' is false: !trigger.message.contains('range')"),
    ("trigger.payload.nothing.at_all == 1", "'trigger.payload' has no 'nothing'"),
    ("trigger.tag.startsWith('v')", "can't be evaluated"),
    ("trigger.branch", "a condition is true or false"),
    (True, None),
    (False, "the condition 'if' is false"),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS)
def test_conditions(condition: str | bool, expected: str | None) -> None:
    found = reason("github_push", **{"if": condition})
    assert (found is None) == (expected is None)
    assert expected is None or expected in (found or "")


def test_what_is_asked_first_is_told_first() -> None:
    options = {"events": ["release"], "branches": ["dev"], "paths": ["app/**"], "if": "false"}
    assert "the event is" in (reason("github_push", **options) or "")
    assert "branch 'main'" in (reason("github_push", **options | {"events": ["push"]}) or "")
