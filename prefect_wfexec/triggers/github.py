"""What GitHub sends."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

from prefect_wfexec.definition.model import Trigger
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

MOST_COMMITS = 2048
"""Of a push with as many GitHub may have left some out."""
MOST_PATHS = 3000
"""Of a commit that changes as many files, likewise."""
_NAME = re.compile(r"[a-z][a-z_]{0,63}", re.ASCII)
_NEEDED = {
    "ping": ("zen", "hook_id"),
    "push": ("ref", "before", "after"),
    "pull_request": ("pull_request", "action", "number"),
    "release": ("release", "action"),
    "workflow_run": ("workflow_run", "action"),
    "create": ("ref", "ref_type", "master_branch"),
    "delete": ("ref", "ref_type", "pusher_type"),
}
"""Keys by which an event is told: the header that names it is not signed."""


def read(received: Received, trigger: Trigger) -> Event:
    """The event of a GitHub delivery.

    Raises:
        Unreadable: its content can't be used.
    """
    del trigger
    payload = payloads.read_object(received, takes_form=True)
    kind = _kind(received)
    missing = [key for key in _NEEDED.get(kind, ()) if key not in payload]
    if missing:
        raise Unreadable(f"it is called '{kind}' and has no '{missing[0]}', so it is something else")
    action = payloads.exact(payload, "action")
    event = Event(
        name=f"{kind}.{action}" if action else kind,
        text=f"GitHub {kind}{f' {action}' if action else ''}".replace("_", " "),
        triggered_by=TriggerKind.GIT,
        # The header that has the delivery's id is not signed: whoever repeats a delivery could write another one.
        delivery_id=f"sha256:{hashlib.sha256(received.body).hexdigest()}",
        user=payloads.text(payload, "sender", "login"),
        payload=payload,
        facts=git_facts(repository=payloads.exact(payload, "repository", "full_name")),
        sent_as=payloads.text(next(iter(received.values("x-github-delivery")), None)),
    )
    reader = _READERS.get(kind)
    return event if reader is None else reader(event)


def _kind(received: Received) -> str:
    values = received.values("x-github-event")
    if len(values) != 1 or not _NAME.fullmatch(values[0]):
        raise Unreadable("the header 'x-github-event' does not name one event")
    return values[0]


def _ping(event: Event) -> Event:
    return replace(event, name="ping", text="GitHub ping", idle="ping: the webhook is set up")


def _push(event: Event) -> Event:
    payload = event.payload
    branch, tag = branch_and_tag(payloads.exact(payload, "ref"))
    commit = payloads.exact(payload, "head_commit", "id") or payloads.exact(payload, "after")
    before = payloads.exact(payload, "before")
    facts = commit_facts(payloads.get(payload, "head_commit"))
    pushed = replace(
        event,
        text=push_text(branch, tag, commit),
        user=payloads.text(payload, "pusher", "name") or event.user,
        branch=branch,
        tag=tag,
        paths=_paths(event),
        happened=payloads.moment(payload, "repository", "pushed_at"),
        facts=git_facts(
            repository=event.facts["repository"],
            branch=branch,
            tag=tag,
            commit=commit,
            before=None if is_none(before) else before,
            compare=payloads.link(payload, "compare"),
            **facts,
        ),
    )
    return _deleted(pushed) if is_none(payloads.exact(payload, "after")) else pushed


def _deleted(event: Event) -> Event:
    what = f"tag '{event.tag}'" if event.tag else f"branch '{event.branch}'"
    return replace(event, text=f"Git Push ({what} deleted)", idle=f"the {what} was deleted")


def _paths(event: Event) -> tuple[str, ...] | None:
    """The changed files, when GitHub names all: not of a new branch, nor of a push that takes commits away."""
    payload = event.payload
    commits = payloads.listed(payload, "commits")
    if not commits or len(commits) >= MOST_COMMITS or payload.get("forced") is not False:
        return None
    if payload.get("created") is not False or is_none(payloads.exact(payload, "before")):
        return None
    last = payloads.get(payload, "head_commit", "id")
    if last not in [payloads.get(commit, "id") for commit in commits]:
        return None
    return changed_paths(commits, MOST_PATHS)


def _pull_request(event: Event) -> Event:
    request = payloads.get(event.payload, "pull_request")
    number = payloads.text(event.payload, "number")
    base, head = payloads.exact(request, "base", "ref"), payloads.exact(request, "head", "ref")
    commit = payloads.exact(request, "head", "sha")
    action = event.name.partition(".")[2]
    return replace(
        event,
        text=f"Pull Request #{number} {action.replace('_', ' ')} ({head} → {base})",
        branch=base,
        happened=payloads.moment(request, "updated_at"),
        facts=git_facts(
            repository=event.facts["repository"],
            branch=base,
            commit=commit,
            before=payloads.exact(event.payload, "before"),
            author=payloads.text(request, "user", "login"),
            message=payloads.text(request, "title"),
            url=payloads.link(request, "html_url"),
            pull_request={
                "number": payloads.get(event.payload, "number"),
                "title": payloads.text(request, "title"),
                "base": base,
                "head": head,
                "draft": payloads.get(request, "draft") is True,
                "merged": payloads.get(request, "merged") is True,
                "fork": _is_from_fork(event),
                "url": payloads.link(request, "html_url"),
            },
        ),
    )


def _is_from_fork(event: Event) -> bool:
    """Whether it comes from elsewhere; a head whose repository is gone counts as that."""
    head = payloads.get(event.payload, "pull_request", "head", "repo", "full_name")
    return head is None or head != event.facts["repository"]


def _release(event: Event) -> Event:
    release = payloads.get(event.payload, "release")
    tag = payloads.exact(release, "tag_name")
    action = event.name.partition(".")[2]
    return replace(
        event,
        text=f"Release {tag} {action}",
        tag=tag,
        happened=payloads.moment(release, "published_at") if action == "published" else None,
        facts=git_facts(
            repository=event.facts["repository"],
            tag=tag,
            author=payloads.text(release, "author", "login"),
            message=payloads.text(release, "name"),
            url=payloads.link(release, "html_url"),
            release={
                "tag": tag,
                "name": payloads.text(release, "name"),
                "draft": payloads.get(release, "draft") is True,
                "prerelease": payloads.get(release, "prerelease") is True,
                "url": payloads.link(release, "html_url"),
            },
        ),
    )


def _workflow_run(event: Event) -> Event:
    run = payloads.get(event.payload, "workflow_run")
    branch, commit = payloads.exact(run, "head_branch"), payloads.exact(run, "head_sha")
    name = payloads.text(run, "name") or payloads.text(event.payload, "workflow", "name")
    outcome = payloads.exact(run, "conclusion") or event.name.partition(".")[2]
    facts = commit_facts(payloads.get(run, "head_commit")) | {"url": payloads.link(run, "html_url")}
    return replace(
        event,
        text=f"Workflow Run {name} {outcome.replace('_', ' ')} ({at_commit(branch, commit)})",
        branch=branch,
        happened=payloads.moment(run, "updated_at"),
        facts=git_facts(
            repository=event.facts["repository"],
            branch=branch,
            commit=commit,
            workflow_run={
                "id": payloads.get(run, "id"),
                "name": name,
                "event": payloads.exact(run, "event"),
                "conclusion": payloads.exact(run, "conclusion"),
                "url": payloads.link(run, "html_url"),
            },
            **facts,
        ),
    )


def _ref(event: Event) -> Event:
    """A branch or a tag that was made or deleted."""
    ref, kind = payloads.exact(event.payload, "ref"), payloads.exact(event.payload, "ref_type")
    branch, tag = (ref, None) if kind == "branch" else (None, ref)
    word = "created" if event.name == "create" else "deleted"
    return replace(
        event,
        text=f"{'Tag' if tag else 'Branch'} {ref} {word}",
        branch=branch,
        tag=tag,
        facts=git_facts(repository=event.facts["repository"], branch=branch, tag=tag),
    )


_READERS: dict[str, Callable[[Event], Event]] = {
    "ping": _ping,
    "push": _push,
    "pull_request": _pull_request,
    "release": _release,
    "workflow_run": _workflow_run,
    "create": _ref,
    "delete": _ref,
}
