"""Deliveries: what proves itself is kept and starts its run once; everything else says why not."""

import gzip
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.gateway.conftest import SECRET, save_secrets
from tests.acceptance.gateway.payloads import ZEROS, push
from tests.support.deployed import Site
from tests.support.gateway import Gateway, from_github, signed, until
from tests.support.wfexec import Wfexec


def rows_of(site: Site, workflow: str) -> list[dict[str, Any]]:
    return list(Wfexec(site.server.environment, site.folder).json("history", "--workflow", workflow))


@pytest.mark.shows("executing.on-push", "column.triggered-by", "column.trigger", on="api")
def test_a_push_starts_a_run_that_knows_why(site: Site, serving: Gateway, workflow: str) -> None:
    body, headers = from_github(SECRET, "push", push())
    answer = serving.hook(workflow, "push", body, headers)
    assert (answer.status_code, answer.json()["outcome"]) == (202, "accepted")
    row = serving.outcome_of(answer)
    assert (row["outcome"], row["trigger"], row["reason"]) == ("started", "push", f"started run {row['run']}")
    wfexec = Wfexec(site.server.environment, site.folder)
    with site.worker():
        view = until(lambda: (v := wfexec.json("show", row["run"]))["status"] == "Succeeded" and v)
    assert (view["triggered_by"], view["user"]) == ("Git", "jane")
    assert (view["trigger"]["type"], view["trigger"]["id"]) == ("github", "push")
    assert view["trigger"]["text"] == "Git Push (main @ abc1234)"
    assert view["inputs"] == {"branch": "main", "commit": "abc1234def5678abc1234def5678abc1234def56"}
    assert "Git Push (main @ abc1234) main" in wfexec("logs", row["run"]).out
    assert "Triggered: Git Push (main @ abc1234)" in wfexec("show", row["run"]).out
    [listed] = rows_of(site, workflow)
    assert (listed["name"], listed["triggered_by"], listed["user"]) == (row["run"], "Git", "jane")


def test_the_same_delivery_starts_one_run(site: Site, serving: Gateway, workflow: str) -> None:
    body, headers = from_github(SECRET, "push", push())
    first = serving.outcome_of(serving.hook(workflow, "push", body, headers))
    serving.stop()
    serving.start()
    again = serving.hook(workflow, "push", body, headers)
    assert (again.status_code, again.json()["outcome"]) == (202, "duplicate")
    row = serving.outcome_of(again)
    assert (row["outcome"], row["reason"]) == (
        "duplicate",
        f"duplicate of {first['id']}, which started run {first['run']}",
    )
    # Its sender's name for it is not signed: with another one it is the same delivery still.
    forged = serving.hook(workflow, "push", body, headers | {"x-github-delivery": "another"})
    assert forged.json()["outcome"] == "duplicate"
    assert len(rows_of(site, workflow)) == 1


@pytest.mark.shows("trouble.webhook", on="api")
def test_what_the_trigger_does_not_take_says_so(site: Site, serving: Gateway, workflow: str) -> None:
    for event, payload, words in (
        ("push", push("dev"), "'dev'"),
        ("release", {"action": "published", "release": {"tag_name": "v1"}, "repository": {}, "sender": {}}, "release"),
        ("ping", {"zen": "Keep it.", "hook_id": 1, "hook": {"type": "Repository"}}, "ping"),
        ("push", push(after=ZEROS, deleted=True, head_commit=None, commits=[]), "delet"),
    ):
        body, headers = from_github(SECRET, event, payload)
        row = serving.outcome_of(serving.hook(workflow, "push", body, headers))
        assert row["outcome"] == "ignored", row
        assert words in row["reason"], row
    body = json.dumps({"go": False}).encode()
    row = serving.outcome_of(serving.hook(workflow, "hook", body, signed(SECRET, body)))
    assert (row["outcome"], "if" in row["reason"]) == ("ignored", True)
    assert rows_of(site, workflow) == []


def test_a_paused_workflow_starts_nothing(site: Site, serving: Gateway, workflow: str) -> None:
    ended = site.prefect("deployment", "inspect", f"{workflow}/{workflow}", "--output", "json")
    deployment = json.loads(ended.stdout)["id"]
    httpx.post(f"{site.server.url}/deployments/{deployment}/pause_deployment").raise_for_status()
    body, headers = from_github(SECRET, "push", push())
    row = serving.outcome_of(serving.hook(workflow, "push", body, headers))
    assert (row["outcome"], row["reason"]) == ("ignored", f"workflow '{workflow}' is paused")
    httpx.post(f"{site.server.url}/deployments/{deployment}/resume_deployment").raise_for_status()
    wfexec = Wfexec(serving.environment, site.folder)
    [again] = wfexec.json("deliveries", "--redeliver", row["id"])
    assert (again["outcome"], again["redelivery_of"]) == ("started", row["id"])
    assert [one["name"] for one in rows_of(site, workflow)] == [again["run"]]
    assert wfexec.json("deliveries", "--redeliver", "dlv_none", code=2)["error"]["code"] == "unknown-delivery"


def test_what_proves_nothing_starts_nothing(site: Site, serving: Gateway, workflow: str) -> None:
    body, headers = from_github(SECRET, "push", push())
    forged, by_another = from_github("another secret", "push", push())
    assert forged == body
    unsigned = {name: value for name, value in headers.items() if not name.startswith("x-hub")}
    deep = b"[" * 100_000 + b"]" * 100_000
    named = json.dumps(push() | {"__prefect_kind": "jinja", "template": "{{ x }}"}).encode()
    cases: list[tuple[int, bytes, dict[str, str], str]] = [
        (401, body, by_another, "push"),
        (401, body, unsigned, "push"),
        (401, body, unsigned | {"x-hub-signature-256": "sha256="}, "push"),
        (401, body + b" ", headers, "push"),
        (401, body, headers, "hook"),
        (404, body, headers, "nothing"),
        (413, b"x" * 1_100_000, signed(SECRET, b"x" * 1_100_000, "x-hub-signature-256"), "push"),
        (415, gzip.compress(body), headers | {"content-encoding": "gzip"}, "push"),
        (400, b"\xff\xfe", headers | signed(SECRET, b"\xff\xfe", "x-hub-signature-256"), "push"),
        (400, deep, headers | signed(SECRET, deep, "x-hub-signature-256"), "push"),
        (400, b"{", headers | signed(SECRET, b"{", "x-hub-signature-256"), "push"),
        (400, named, headers | signed(SECRET, named, "x-hub-signature-256"), "push"),
    ]
    for status, sent, with_headers, trigger in cases:
        answer = serving.hook(workflow, trigger, sent, with_headers)
        assert answer.status_code == status, (answer.status_code, answer.text, sent[:40])
        row = serving.outcome_of(answer)
        assert (row["outcome"], row["run"]) == ("refused", None)
        assert row["reason"]
        assert SECRET not in answer.text + row["reason"]
    for path in ("/hooks", "/hooks/a", "/hooks//push", f"/hooks/{workflow}/push/more", "/hooks/..%2f..%2fetc/passwd"):
        assert httpx.post(serving.url + path, content=body, headers=headers).status_code in {401, 404}
    assert httpx.get(f"{serving.url}/hooks/{workflow}/push").status_code == 401
    assert rows_of(site, workflow) == []
    assert SECRET not in serving.log.read_text()
    assert all(line["status"] < 500 for line in serving.access_lines())


def test_an_endless_body_is_cut_off(site: Site, serving: Gateway, workflow: str) -> None:
    def rss_kib() -> int:
        lines = Path(f"/proc/{serving.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    before, sent = rss_kib(), 0
    with socket.create_connection(("127.0.0.1", serving.port), timeout=60) as connection:
        connection.sendall(
            f"POST /hooks/{workflow}/push HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )
        part = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        with pytest.raises((ConnectionError, TimeoutError)):
            while sent < 4 * 1024**3:
                connection.sendall(part)
                sent += len(part)
    assert sent < 64 * 1024**2
    assert rss_kib() - before < 32 * 1024
    assert until(lambda: [row for row in serving.deliveries() if "larger" in row["reason"]])


def test_a_secret_is_changed_without_losing_a_delivery(site: Site, serving: Gateway, workflow: str) -> None:
    number = 0

    def deliver(secret: str) -> int:
        nonlocal number
        number += 1
        body, headers = from_github(secret, "push", push(commit=f"{number:040x}"), delivery=str(number))
        return serving.hook(workflow, "push", body, headers).status_code

    assert (deliver(SECRET), deliver("the new secret")) == (202, 401)
    save_secrets(site, secret="the new secret", previous=SECRET)
    assert (deliver("the new secret"), deliver(SECRET)) == (202, 202)
    save_secrets(site, secret="the new secret")
    assert deliver("the new secret") == 202
    until(lambda: deliver(SECRET) == 401, 60)


def test_deliveries_are_in_the_api_too(site: Site, serving: Gateway, workflow: str) -> None:
    save_secrets(site)
    body, headers = from_github(SECRET, "push", push())
    row = serving.outcome_of(serving.hook(workflow, "push", body, headers))
    address = f"{serving.url}/api/v1"
    assert httpx.get(f"{address}/deliveries").status_code == 401
    token = serving.token()
    with httpx.Client(base_url=address, headers={"authorization": f"Bearer {token}"}, timeout=60) as client:
        assert client.get("/deliveries", params={"workflow": workflow}).json() == [row]
        assert client.get(f"/deliveries/{row['id']}").json() == row
        assert client.get("/deliveries/dlv_000000000000000000000000").status_code == 404
        forged = serving.hook(f"{workflow}-", "push", body, headers).json()["id"]
        assert client.get(f"/deliveries/{forged}").json()["reason"] == "no deployed workflow has this trigger"
        again = client.post(f"/deliveries/{row['id']}/redeliver").json()
        assert (again["outcome"], again["redelivery_of"]) == ("started", row["id"])
        counted = client.get("/analytics", params={"days": 7, "workflow": workflow}).json()
        assert (counted["total"], len(counted["buckets"])) == (2, 7)
    wfexec = Wfexec(serving.environment, site.folder)
    assert wfexec.json("deliveries", "--workflow", workflow) == [again, row]
