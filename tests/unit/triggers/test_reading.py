"""What deliveries say, from payloads as the services send them."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.status import TriggerKind
from prefect_wfexec.triggers.event import Event, Unreadable
from prefect_wfexec.triggers.git import FACTS
from prefect_wfexec.triggers.reading import read
from prefect_wfexec.triggers.received import Received
from tests.unit.journal.support import unhurried
from tests.unit.triggers.support import PAYLOADS, TRIGGERS, payload, sent, signed, trigger

COMMIT = "9049f1265b7d61be4a8904a9a27120d2064dab3b"
BEFORE = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
NOON = datetime(2030, 1, 1, 11, 0, tzinfo=UTC)
NOTHING = object()


def github(value: Any, event: str, **headers: str) -> Event:
    return read(sent("github", value, x_github_event=event, **headers), TRIGGERS["github"])


def gitlab(value: Any, **headers: str) -> Event:
    return read(sent("gitlab-token", value, **headers), TRIGGERS["gitlab-token"])


def incident(name: str) -> Event:
    way = "pagerduty" if name.startswith("pagerduty") else "alertmanager"
    return read(sent(way, payload(name)), TRIGGERS[way])


GITHUB = [
    ("push", "push", "Git Push (main @ 9049f12)", "main", None),
    ("push_tag", "push", "Git Tag (v1.2.0 @ 9049f12)", None, "v1.2.0"),
    ("pull_request_opened", "pull_request.opened", "Pull Request #12 opened (feature/wider → main)", "main", None),
    (
        "pull_request_synchronize",
        "pull_request.synchronize",
        "Pull Request #12 synchronize (feature/wider → main)",
        "main",
        None,
    ),
    ("pull_request_closed", "pull_request.closed", "Pull Request #12 closed (feature/wider → main)", "main", None),
    ("release_published", "release.published", "Release v1.2.0 published", None, "v1.2.0"),
    (
        "workflow_run_completed",
        "workflow_run.completed",
        "Workflow Run test success (main @ 9049f12)",
        "main",
        None,
    ),
    ("create_tag", "create", "Tag v1.2.0 created", None, "v1.2.0"),
    ("delete_branch", "delete", "Branch feature/wider deleted", "feature/wider", None),
    ("issues_opened", "issues.opened", "GitHub issues opened", None, None),
]
GITLAB = [
    ("push", "push", "Git Push (main @ 9049f12)", "main", None),
    ("tag_push", "tag_push", "Git Tag (v1.2.0 @ 9049f12)", None, "v1.2.0"),
    (
        "merge_request_open",
        "merge_request.open",
        "Merge Request !12 opened (feature/wider → main)",
        "main",
        None,
    ),
    ("merge_request_merge", "merge_request.merge", "Merge Request !12 closed (feature/wider → main)", "main", None),
    ("release_create", "release.create", "Release v1.2.0 published", None, "v1.2.0"),
    ("pipeline_success", "pipeline.success", "Pipeline #31 success (main @ 9049f12)", "main", None),
    ("note", "note.create", "GitLab note create", None, None),
]


@pytest.mark.parametrize(("name", "called", "text", "branch", "tag"), GITHUB, ids=[row[0] for row in GITHUB])
def test_what_github_says(name: str, called: str, text: str, branch: str | None, tag: str | None) -> None:
    event = github(payload(f"github_{name}"), called.partition(".")[0])
    assert (event.name, event.text, event.branch, event.tag) == (called, text, branch, tag)
    assert (event.triggered_by, event.idle) == (TriggerKind.GIT, "")
    assert set(event.facts) == set(FACTS)
    assert (event.facts["repository"], event.facts["branch"], event.facts["tag"]) == ("acme/network", branch, tag)
    assert event.user == ("mallory" if "synchronize" in name else "jane-doe")
    json.dumps(dict(event.facts), allow_nan=False)


@pytest.mark.parametrize(("name", "called", "text", "branch", "tag"), GITLAB, ids=[row[0] for row in GITLAB])
def test_what_gitlab_says(name: str, called: str, text: str, branch: str | None, tag: str | None) -> None:
    event = gitlab(payload(f"gitlab_{name}"))
    assert (event.name, event.text, event.branch, event.tag) == (called, text, branch, tag)
    assert (event.triggered_by, event.idle) == (TriggerKind.GIT, "")
    assert event.user == (None if name == "release_create" else "jdoe")
    assert set(event.facts) == set(FACTS)
    assert event.facts["repository"] == "acme/network"


@pytest.mark.parametrize("event", [github(payload("github_push"), "push"), gitlab(payload("gitlab_push"))])
def test_a_push_says_which_commit_it_is_about(event: Event) -> None:
    facts = event.facts
    assert (facts["commit"], facts["short_commit"], facts["before"]) == (COMMIT, "9049f12", BEFORE)
    assert (facts["author"], facts["author_email"]) == ("Jane Doe", "jane@example.com")
    assert facts["message"] == "widen the range"
    assert facts["url"].endswith(COMMIT)
    assert "/compare/" in facts["compare"]


def test_the_files_of_all_commits_of_a_push_are_known() -> None:
    assert github(payload("github_push"), "push").paths == ("docs/old.md", "infra/network.tf", "infra/subnet.tf")
    assert gitlab(payload("gitlab_push")).paths == ("infra/network.tf", "infra/subnet.tf")


@pytest.mark.parametrize("name", ["push_new_branch", "push_forced", "push_tag"])
def test_files_that_github_does_not_name_are_unknown(name: str) -> None:
    assert github(payload(f"github_{name}"), "push").paths is None


def test_files_of_a_list_that_may_be_cut_are_unknown() -> None:
    push = payload("github_push")
    many = push | {"commits": push["commits"] * 1024}
    assert github(many, "push").paths is None
    files = push["head_commit"] | {"added": [f"f{number}" for number in range(3000)]}
    assert github(push | {"commits": [files]}, "push").paths is None
    assert github(push | {"commits": push["commits"][:1]}, "push").paths is None
    assert gitlab(payload("gitlab_push_cut_short")).paths is None


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (github(payload("github_push_deleted"), "push"), "the branch 'feature/wider' was deleted"),
        (gitlab(payload("gitlab_push_deleted")), "the branch 'feature/wider' was deleted"),
        (github(payload("github_ping"), "ping"), "ping: the webhook is set up"),
        (incident("pagerduty_ping"), "ping: the webhook is set up"),
    ],
)
def test_what_starts_nothing_says_why(event: Event, words: str) -> None:
    assert event.idle == words


def test_a_pull_request_says_where_it_comes_from() -> None:
    own = github(payload("github_pull_request_opened"), "pull_request").facts["pull_request"]
    assert own == {
        "number": 12,
        "title": "Widen the range",
        "base": "main",
        "head": "feature/wider",
        "draft": False,
        "merged": False,
        "fork": False,
        "url": "https://github.com/acme/network/pull/12",
    }
    other = github(payload("github_pull_request_synchronize"), "pull_request")
    assert other.facts["pull_request"]["fork"] is True
    assert github(payload("github_pull_request_closed"), "pull_request").facts["pull_request"]["merged"] is True
    gone = payload("github_pull_request_opened")
    gone["pull_request"]["head"]["repo"] = None
    assert github(gone, "pull_request").facts["pull_request"]["fork"] is True


def test_a_merge_request_goes_by_the_names_of_pull_requests_too() -> None:
    assert gitlab(payload("gitlab_merge_request_open")).aliases == ("merge_request.opened", "pull_request.opened")
    assert "pull_request.synchronize" in gitlab(payload("gitlab_merge_request_update")).names
    assert "pull_request.closed" in gitlab(payload("gitlab_merge_request_merge")).names
    without = payload("gitlab_merge_request_update")
    del without["object_attributes"]["oldrev"]
    assert "pull_request.edited" in gitlab(without).names


def test_when_it_happened_is_taken_from_what_is_signed() -> None:
    assert github(payload("github_push"), "push").happened == datetime.fromtimestamp(1893492000, UTC)
    assert github(payload("github_pull_request_opened"), "pull_request").happened == NOON
    assert incident("pagerduty_incident_triggered").happened == NOON.replace(microsecond=123000)
    assert incident("alertmanager_firing").happened is None


INCIDENTS = [
    ("pagerduty_incident_triggered", "incident.triggered", "Incident PGR0VU2: The network is slow", "P1"),
    ("pagerduty_incident_resolved", "incident.resolved", "Incident PGR0VU2 resolved: The network is slow", "P1"),
    (
        "pagerduty_incident_responder_added",
        "incident.responder.added",
        "Incident PGR0VU2 responder added: The network is slow",
        None,
    ),
    ("alertmanager_firing", "alert.firing", "Incident InstanceDown: a.example.com does not answer", "critical"),
    (
        "alertmanager_firing_two",
        "alert.firing",
        "Incident InstanceDown (2 alerts): a.example.com does not answer",
        "critical",
    ),
    (
        "alertmanager_resolved",
        "alert.resolved",
        "Incident InstanceDown resolved: a.example.com does not answer",
        "critical",
    ),
]


@pytest.mark.parametrize(("name", "called", "text", "severity"), INCIDENTS, ids=[row[0] for row in INCIDENTS])
def test_what_incidents_say(name: str, called: str, text: str, severity: str | None) -> None:
    event = incident(name)
    assert (event.name, event.text, event.triggered_by) == (called, text, TriggerKind.INCIDENT)
    found = event.facts["incident"]
    assert found["severity"] == severity
    assert found["title"] in text
    assert found["url"].startswith("https://")


# What is told apart, and what is not.


def test_a_github_delivery_is_its_content_whatever_its_unsigned_headers_say() -> None:
    push = payload("github_push")
    first = github(push, "push", x_github_delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958")
    replayed = github(push, "push", x_github_delivery="00000000-cc78-11e3-81ab-4c9367dc0958")
    assert first.delivery_id == replayed.delivery_id
    assert first.sent_as == "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    later = push | {"repository": push["repository"] | {"pushed_at": 1893492060}}
    assert github(later, "push").delivery_id != first.delivery_id


def test_a_gitlab_delivery_is_told_by_the_id_that_retries_keep() -> None:
    push = payload("gitlab_push")
    uuid = "1671f880-67c6-45cb-9dfa-f4707face4ba"
    key = "b2eecd3a-3ac9-489b-81d6-462ec4881ea5"
    first = gitlab(push, idempotency_key=key, x_gitlab_event_uuid=uuid)
    assert first.delivery_id == f"idempotency-key:{key}"
    assert gitlab(push | {"ref": "refs/heads/dev"}, idempotency_key=key).delivery_id == first.delivery_id
    # Each branch of one push has the same event id.
    main = gitlab(push, x_gitlab_event_uuid=uuid)
    dev = gitlab(push | {"ref": "refs/heads/dev"}, x_gitlab_event_uuid=uuid)
    assert main.delivery_id != dev.delivery_id
    assert main.delivery_id == gitlab(push, x_gitlab_event_uuid=uuid).delivery_id


def test_a_signed_gitlab_delivery_is_told_by_its_signed_id() -> None:
    received = signed("gitlab-signed", json.dumps(payload("gitlab_push")).encode(), idempotency_key="other")
    assert read(received, TRIGGERS["gitlab-signed"]).delivery_id == "webhook-id:msg_1"


def test_alerts_that_are_repeated_are_the_same_until_one_changes() -> None:
    firing = payload("alertmanager_firing")

    def delivery_id(value: Any) -> str:
        return read(sent("alertmanager", value), TRIGGERS["alertmanager"]).delivery_id

    again = firing | {"alerts": [dict(reversed(firing["alerts"][0].items()))]}
    assert delivery_id(firing) == delivery_id(again)
    two = payload("alertmanager_firing_two")
    assert delivery_id(two) == delivery_id(two | {"alerts": two["alerts"][::-1]})
    fired_again = firing | {"alerts": [firing["alerts"][0] | {"startsAt": "2030-01-01T12:00:00Z"}]}
    others = [two, payload("alertmanager_resolved"), fired_again, firing | {"groupKey": "other"}]
    assert len({delivery_id(value) for value in [firing, *others]}) == 5


def test_a_pagerduty_delivery_is_told_by_its_event() -> None:
    assert incident("pagerduty_incident_triggered").delivery_id == "event:01BY52XXSE2KX7A6QGJ4Z6UNFE"


def webhook(way: str, body: bytes, **headers: str) -> Event:
    return read(signed(way, body, **headers), TRIGGERS[way])


def test_a_generic_delivery_is_told_by_what_its_proof_covers() -> None:
    assert webhook("standard", b"{}", idempotency_key="x").delivery_id == "webhook-id:msg_1"
    # Only the body is signed.
    same = {webhook("hmac", b"{}", x_request_id=str(number)).delivery_id for number in range(3)}
    assert len(same) == 1
    assert webhook("hmac", b"[]").delivery_id not in same
    # Who sends has the secret, so its id is trusted; without one nothing says that two are the same.
    assert webhook("bearer", b"{}", idempotency_key="x").delivery_id == "id:x"
    assert webhook("bearer", b"{}").delivery_id != webhook("bearer", b"{}").delivery_id
    received = signed("bearer", b"{}")
    assert read(received, TRIGGERS["bearer"]).delivery_id == read(received, TRIGGERS["bearer"]).delivery_id


@pytest.mark.parametrize(
    ("body", "name", "text"),
    [
        (b'{"type": "order.paid", "data": 1}', "order.paid", "Webhook order.paid"),
        (b'{"type": 7}', "webhook", "Webhook"),
        (b'{"type": "not a name"}', "webhook", "Webhook"),
        (b"[1, 2]", "webhook", "Webhook"),
        (b"", "webhook", "Webhook"),
    ],
)
def test_a_generic_delivery_is_called_by_its_type(body: bytes, name: str, text: str) -> None:
    event = webhook("bearer", body)
    assert (event.name, event.text, event.triggered_by) == (name, text, TriggerKind.WEBHOOK)
    assert event.payload == (json.loads(body) if body else {})


# What is not what it says it is.


def test_a_delivery_that_is_called_something_else_is_refused() -> None:
    for kind in ("push", "release", "workflow_run", "create", "ping"):
        with pytest.raises(Unreadable, match=f"called '{kind}'"):
            github(payload("github_pull_request_opened"), kind)


@pytest.mark.parametrize("headers", [{}, {"x_github_event": ""}, {"x_github_event": "Push"}, {"x_github_event": "a b"}])
def test_a_github_event_without_a_name_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Unreadable, match="x-github-event"):
        read(sent("github", payload("github_push"), **headers), TRIGGERS["github"])


def test_a_header_of_gitlab_does_not_change_what_its_body_is() -> None:
    assert gitlab(payload("gitlab_merge_request_open"), x_gitlab_event="Push Hook").name == "merge_request.open"
    with pytest.raises(Unreadable, match="object_kind"):
        gitlab({"ref": "refs/heads/main"})


def test_a_signed_body_can_not_be_read_as_a_form_of_somebody_else() -> None:
    request = payload("github_pull_request_opened")
    forged = quote_plus(json.dumps(payload("github_push")))
    request["pull_request"]["title"] = f"x&payload={forged}&"
    received = sent("github", request, x_github_event="push", content_type="application/x-www-form-urlencoded")
    with pytest.raises(Unreadable, match="form"):
        read(received, TRIGGERS["github"])


def test_a_form_of_github_is_read() -> None:
    body = b"payload=" + quote_plus(json.dumps(payload("github_push"))).encode()
    form = "application/x-www-form-urlencoded"
    received = signed("github", body, x_github_event="push", content_type=form)
    assert read(received, TRIGGERS["github"]).text == "Git Push (main @ 9049f12)"
    with pytest.raises(Unreadable, match="content type"):
        read(dataclasses.replace(received), TRIGGERS["gitlab-token"])


@pytest.mark.parametrize(
    "ref", ["refs/heads/ma\u202ein", "refs/heads/main\x1b[0m", "refs/heads/a  b", "refs/heads/" + "x" * 400]
)
def test_a_branch_that_reads_as_another_is_refused(ref: str) -> None:
    with pytest.raises(Unreadable, match="'ref'"):
        github(payload("github_push") | {"ref": ref}, "push")


def test_texts_of_others_are_made_plain() -> None:
    push = payload("github_push")
    push["head_commit"] |= {"message": "\x1b[31mred\nsecond line", "url": "javascript:alert(1)"}
    push["pusher"]["name"] = "jane\u202e\r\nUser: root"
    event = github(push, "push")
    assert (event.facts["message"], event.facts["url"]) == ("red", None)
    assert event.user == "jane User: root"


@pytest.mark.parametrize(
    ("way", "value"),
    [
        ("pagerduty", {}),
        ("pagerduty", {"event": {"event_type": "incident.triggered"}}),
        ("pagerduty", {"event": {"event_type": 1, "id": "x"}}),
        ("alertmanager", {"status": "firing", "alerts": [], "groupKey": "x"}),
        ("alertmanager", {"status": "other", "alerts": [{}], "groupKey": "x"}),
        ("alertmanager", {"status": "firing", "alerts": [{}]}),
        ("github", []),
    ],
)
def test_what_has_another_shape_is_refused(way: str, value: Any) -> None:
    with pytest.raises(Unreadable):
        read(sent(way, value, x_github_event="push"), TRIGGERS[way])


@pytest.mark.parametrize("kind", ["manual", "schedule", "workflow"])
def test_a_trigger_that_takes_no_deliveries_reads_none(kind: str) -> None:
    with pytest.raises(Unreadable):
        read(sent("github", {}), trigger(kind))


RECORDED = sorted(path.stem for path in PAYLOADS.glob("*.json"))
ODD = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just([]) | st.just({}) | st.just([{}])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(*path, key) for key, _ in items] + [one for key, item in items for one in places(item, (*path, key))]


def with_odd(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    if odd is NOTHING and len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = with_odd(value[path[0]], path[1:], odd)
    return copy


@unhurried
@given(data=st.data(), name=st.sampled_from(RECORDED))
def test_a_payload_with_something_odd_in_it_is_read_or_refused_in_words(data: st.DataObject, name: str) -> None:
    value = payload(name)
    path = data.draw(st.sampled_from(places(value)))
    changed = with_odd(value, path, data.draw(ODD | st.just(NOTHING)))
    service, _, rest = name.partition("_")
    event = next(kind for kind in (*rest.split("_")[:1], rest) if kind)
    kind = {"pull": "pull_request", "workflow": "workflow_run"}.get(event, event)
    way = {"github": "github", "gitlab": "gitlab-token"}.get(service, service)
    try:
        found = read(sent(way, changed, x_github_event=kind), TRIGGERS[way])
    except Unreadable as refusal:
        assert refusal.reason
    else:
        assert found.text
        assert found.delivery_id
        json.dumps(dict(found.facts), allow_nan=False)


def test_a_received_request_has_a_name_of_its_own() -> None:
    assert Received(b"").id != Received(b"").id
