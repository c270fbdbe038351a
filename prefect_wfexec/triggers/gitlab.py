"""What GitLab sends."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

from prefect_wfexec.definition.model import JSON, Trigger
from prefect_wfexec.status import TriggerKind
from prefect_wfexec.triggers import payloads
from prefect_wfexec.triggers.event import Event, Unreadable
from prefect_wfexec.triggers.git import (
    at_commit,
    branch_and_tag,
    changed_paths,
    commit_facts,
    git_facts,
    is_none,
    push_text,
)
from prefect_wfexec.triggers.received import Received

MOST_PATHS = 3000
_NAME = re.compile(r"[a-z][a-z_]{0,63}", re.ASCII)
_PULL_REQUEST = {"open": "opened", "reopen": "reopened", "close": "closed", "merge": "closed"}
"""GitLab's actions on a merge request in GitHub's words."""


def read(received: Received, trigger: Trigger) -> Event:
    """The event of a GitLab delivery.

    Raises:
        Unreadable: its content can't be used.
    """
    del trigger
    payload = payloads.read_object(received)
    # The body says what it is; the header that says it too is not signed.
    kind = payloads.exact(payload, "object_kind") or payloads.exact(payload, "event_name")
    if kind is None or not _NAME.fullmatch(kind):
        raise Unreadable("it has no 'object_kind' that names an event")
    event = Event(
        name=kind,
        text=f"GitLab {kind}".replace("_", " "),
        triggered_by=TriggerKind.GIT,
        delivery_id=_delivery_id(received),
        user=payloads.text(payload, "user_username") or payloads.text(payload, "user", "username"),
        payload=payload,
        facts=git_facts(repository=_repository(payload)),
        sent_as=payloads.text(next(iter(received.values("x-gitlab-event-uuid")), None)),
    )
    return _READERS.get(kind, _other)(event)


def _delivery_id(received: Received) -> str:
    """GitLab's id of the delivery, which its retries keep; without one its event's id and what was sent.

    The event's id alone does not do: GitLab gives the same one to every branch of a push.
    """
    for name in ("webhook-id", "idempotency-key"):
        values = received.values(name)
        if len(values) == 1 and values[0].strip():
            return f"{name}:{values[0].strip()[:200]}"
    digest = hashlib.sha256(received.body).hexdigest()
    return f"sha256:{digest}:{','.join(received.values('x-gitlab-event-uuid'))[:200]}"


def _repository(payload: JSON) -> str | None:
    return payloads.exact(payload, "project", "path_with_namespace")


def _other(event: Event) -> Event:
    action = payloads.exact(event.payload, "object_attributes", "action")
    return replace(event, name=f"{event.name}.{action}", text=f"{event.text} {action}") if action else event


def _push(event: Event) -> Event:
    payload = event.payload
    branch, tag = branch_and_tag(payloads.exact(payload, "ref"))
    commit = payloads.exact(payload, "checkout_sha") or payloads.exact(payload, "after")
    before = payloads.exact(payload, "before")
    pushed = replace(
        event,
        aliases=("push",) if event.name == "tag_push" else (),
        text=push_text(branch, tag, commit),
        branch=branch,
        tag=tag,
        paths=_paths(payload),
        facts=git_facts(
            repository=event.facts["repository"],
            branch=branch,
            tag=tag,
            commit=commit,
            before=None if is_none(before) else before,
            compare=_compare(payload),
            **commit_facts(_last_commit(payload, commit)),
        ),
    )
    return _deleted(pushed) if is_none(payloads.exact(payload, "after")) else pushed


def _deleted(event: Event) -> Event:
    what = f"tag '{event.tag}'" if event.tag else f"branch '{event.branch}'"
    return replace(event, text=f"Git Push ({what} deleted)", idle=f"the {what} was deleted")


def _last_commit(payload: JSON, commit: str | None) -> JSON:
    found = [one for one in payloads.listed(payload, "commits") if payloads.get(one, "id") == commit]
    return found[0] if found else {}


def _compare(payload: JSON) -> str | None:
    address = payloads.link(payload, "project", "web_url")
    before, after = payloads.exact(payload, "before"), payloads.exact(payload, "after")
    return None if address is None or is_none(before) else f"{address}/-/compare/{before}...{after}"


def _paths(payload: JSON) -> tuple[str, ...] | None:
    """The changed files, when GitLab names all: it sends the newest twenty commits and says how many there are."""
    commits = payloads.listed(payload, "commits")
    if not commits or len(commits) != payloads.get(payload, "total_commits_count"):
        return None
    return None if is_none(payloads.exact(payload, "before")) else changed_paths(commits, MOST_PATHS)


def _merge_request(event: Event) -> Event:
    request = payloads.get(event.payload, "object_attributes")
    action = payloads.exact(request, "action") or "update"
    has_new_commits = payloads.exact(request, "oldrev") is not None
    github = _PULL_REQUEST.get(action, "synchronize" if has_new_commits else "edited")
    number = payloads.text(request, "iid")
    base, head = payloads.exact(request, "target_branch"), payloads.exact(request, "source_branch")
    commit = payloads.get(request, "last_commit")
    return replace(
        event,
        name=f"merge_request.{action}",
        aliases=(f"merge_request.{github}", f"pull_request.{github}"),
        text=f"Merge Request !{number} {github if action in _PULL_REQUEST else action} ({head} → {base})",
        branch=base,
        facts=git_facts(
            **commit_facts(commit) | {"message": payloads.text(request, "title"), "url": payloads.link(request, "url")},
            repository=event.facts["repository"],
            branch=base,
            commit=payloads.exact(commit, "id"),
            before=payloads.exact(request, "oldrev"),
            pull_request={
                "number": payloads.get(request, "iid"),
                "title": payloads.text(request, "title"),
                "base": base,
                "head": head,
                "draft": payloads.get(request, "draft") is True,
                "merged": payloads.get(request, "state") == "merged",
                "fork": payloads.get(request, "source_project_id") != payloads.get(request, "target_project_id"),
                "url": payloads.link(request, "url"),
            },
        ),
    )


def _release(event: Event) -> Event:
    payload = event.payload
    tag, action = payloads.exact(payload, "tag"), payloads.exact(payload, "action") or "create"
    word = {"create": "published", "update": "edited", "delete": "deleted"}.get(action, action)
    return replace(
        event,
        name=f"release.{action}",
        aliases=(f"release.{word}",),
        text=f"Release {tag} {word}",
        tag=tag,
        facts=git_facts(
            **commit_facts(payloads.get(payload, "commit")) | {"url": payloads.link(payload, "url")},
            repository=event.facts["repository"],
            tag=tag,
            commit=payloads.exact(payload, "commit", "id"),
            release={
                "tag": tag,
                "name": payloads.text(payload, "name"),
                "draft": False,
                "prerelease": False,
                "url": payloads.link(payload, "url"),
            },
        ),
    )


def _pipeline(event: Event) -> Event:
    pipeline = payloads.get(event.payload, "object_attributes")
    ref, commit = payloads.exact(pipeline, "ref"), payloads.exact(pipeline, "sha")
    status, number = payloads.exact(pipeline, "status") or "unknown", payloads.text(pipeline, "id")
    branch, tag = (None, ref) if payloads.get(pipeline, "tag") is True else (ref, None)
    return replace(
        event,
        name=f"pipeline.{status}",
        text=f"Pipeline #{number} {status.replace('_', ' ')} ({at_commit(ref, commit)})",
        branch=branch,
        tag=tag,
        facts=git_facts(
            **commit_facts(payloads.get(event.payload, "commit")) | {"url": payloads.link(pipeline, "url")},
            repository=event.facts["repository"],
            branch=branch,
            tag=tag,
            commit=commit,
            workflow_run={
                "id": payloads.get(pipeline, "id"),
                "name": payloads.text(pipeline, "name"),
                "event": payloads.exact(pipeline, "source"),
                "conclusion": status,
                "url": payloads.link(pipeline, "url"),
            },
        ),
    )


_READERS: dict[str, Callable[[Event], Event]] = {
    "push": _push,
    "tag_push": _push,
    "merge_request": _merge_request,
    "release": _release,
    "pipeline": _pipeline,
}
