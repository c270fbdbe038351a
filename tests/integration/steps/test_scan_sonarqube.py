"""SonarQube: a server and a scanner that answer as the real ones do, and a block saved on a real Prefect server."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from prefect_wfexec.blocks import SonarQube
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.scan import sonar_api
from prefect_wfexec.testing import log_of, make_context, run_step
from tests.support.sarif import valid_sarif
from tests.support.server import PrefectServer
from tests.support.sonar_stub import SonarStub, scanner
from tests.support.web_server import Reply

NEW = {
    "metricKey": "new_coverage",
    "comparator": "LT",
    "errorThreshold": "80",
    "actualValue": "61.5",
    "status": "ERROR",
}
OLD = {"metricKey": "new_bugs", "comparator": "GT", "errorThreshold": "0", "actualValue": "0", "status": "OK"}


def issue(number: int, **more: Any) -> dict[str, Any]:
    where = {"component": "shop:src/a.py", "project": "shop", "line": number}
    return {"key": f"AZ-{number}", "rule": "python:S2068", "message": "Review this", "type": "BUG", **where, **more}


@pytest.fixture
def sonar(monkeypatch: pytest.MonkeyPatch) -> Iterator[SonarStub]:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_HTTP_ALLOW", "127.0.0.1")
    monkeypatch.setattr(sonar_api, "ASK_EVERY_SECONDS", 0.01)
    with SonarStub() as stub:
        yield stub


@pytest.fixture
async def block(api: PrefectServer, sonar: SonarStub) -> str:
    name = f"sonar-{uuid.uuid4().hex[:8]}"
    await SonarQube(url=sonar.url, token=sonar.token).asave(name)
    return name


def context(tmp_path: Path, block: str, **with_: Any) -> StepContext:
    (tmp_path / "bin").mkdir(exist_ok=True)
    scanner(tmp_path / "bin")
    (tmp_path / "src").mkdir(exist_ok=True)
    with_ = {"path": "src", "project": "shop", "block": block, **with_}
    return make_context("scan.sonarqube", with_=with_, env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}, folder=tmp_path)


async def failure_of(one: StepContext) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await run_step(one)
    return caught.value


async def test_the_gate_is_passed(tmp_path: Path, sonar: SonarStub, block: str) -> None:
    sonar.issues = [issue(1, severity="BLOCKER"), issue(2, severity="MAJOR"), issue(3, severity="INFO")]
    one = context(tmp_path, block)
    result = await run_step(one)
    assert result.summary == "quality gate OK, 1 critical, 1 medium, 1 low"
    assert (result.outputs["quality_gate"], result.outputs["counts"]["critical"]) == ("OK", 1)
    assert result.outputs["dashboard"].endswith("?id=shop")
    document = json.loads(result.reports[0].data)
    assert (document["quality_gate"]["projectStatus"]["status"], len(document["issues"])) == ("OK", 3)
    run = valid_sarif(result.reports[1].data)
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "src/a.py"}
    assert not list((tmp_path / "src").iterdir()), "nothing is left beside the sources"
    shown = log_of(one).text() + json.dumps(result.outputs) + result.reports[0].data.decode()
    assert sonar.token not in shown
    assert one.masker.mask(f"{sonar.token}") == "***"
    asked = [request.target.partition("?")[0] for request in sonar.asked]
    assert asked == [
        "/api/ce/submit",
        "/api/ce/task",
        "/api/ce/task",
        "/api/qualitygates/project_status",
        "/api/issues/search",
    ]


async def test_the_gate_is_not_passed(tmp_path: Path, sonar: SonarStub, block: str) -> None:
    sonar.gate, sonar.conditions = "ERROR", [NEW, OLD]
    failure = await failure_of(context(tmp_path, block))
    assert failure.message.startswith("the quality gate says ERROR: new_coverage 61.5 is under 80")
    assert failure.outputs["quality_gate"] == "ERROR"
    assert [one.name for one in failure.reports] == ["sonarqube.json", "sonarqube.sarif"]
    assert (await run_step(context(tmp_path, block, fail_on="never"))).outputs["quality_gate"] == "ERROR"


async def test_issues_fail_the_step_when_asked(tmp_path: Path, sonar: SonarStub, block: str) -> None:
    impacts = [
        {"softwareQuality": "SECURITY", "severity": "LOW"},
        {"softwareQuality": "RELIABILITY", "severity": "HIGH"},
    ]
    sonar.issues = [issue(1, impacts=impacts)]
    failure = await failure_of(context(tmp_path, block, fail_on="high"))
    assert failure.outputs["counts"]["high"] == 1


async def test_issues_come_in_pages(tmp_path: Path, sonar: SonarStub, block: str) -> None:
    sonar.issues = [issue(number, severity="MINOR") for number in range(1, 1201)]
    result = await run_step(context(tmp_path, block))
    assert result.outputs["counts"]["low"] == 1200


async def test_the_project_of_the_properties(tmp_path: Path, sonar: SonarStub, block: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "sonar-project.properties").write_text("sonar.projectKey=shop\n")
    assert (await run_step(context(tmp_path, block, project=None))).outputs["quality_gate"] == "OK"
    (tmp_path / "src" / "sonar-project.properties").unlink()
    failure = await failure_of(context(tmp_path, block, project=None))
    assert (failure.type, "sonar.projectKey" in failure.message) == ("exit_code", True)


async def test_a_task_that_fails_or_never_ends(tmp_path: Path, sonar: SonarStub, block: str) -> None:
    sonar.task_status = "FAILED"
    failure = await failure_of(context(tmp_path, block))
    assert (failure.type, "no license left" in failure.message) == ("analysis_failed", True)
    sonar.pending = 10**9
    failure = await failure_of(context(tmp_path, block, wait="50ms"))
    assert failure.type == "analysis_timeout"


@pytest.mark.parametrize(
    ("path", "reply", "kind"),
    [
        ("/api/ce/submit", Reply(403), "exit_code"),
        ("/api/ce/task", Reply(403), "refused"),
        ("/api/ce/task", Reply(200, b"<html>"), "bad_report"),
        ("/api/ce/task", Reply(200, b"{}"), "bad_report"),
        ("/api/ce/task", Reply(503), "http_status"),
        ("/api/qualitygates/project_status", Reply(404), "http_status"),
        ("/api/qualitygates/project_status", Reply(200, b"{}"), "bad_report"),
        ("/api/issues/search", Reply(200, b'{"issues": 3}'), "bad_report"),
        ("/api/issues/search", Reply(200, b'{"issues": [{}]}'), "bad_report"),
    ],
)
async def test_a_server_that_goes_wrong(
    tmp_path: Path, sonar: SonarStub, block: str, path: str, reply: Reply, kind: str
) -> None:
    sonar.broken = {path: reply}
    assert (await failure_of(context(tmp_path, block))).type == kind


async def test_a_wrong_token_is_refused(tmp_path: Path, sonar: SonarStub, block: str) -> None:
    sonar.token = "squ_another"
    failure = await failure_of(context(tmp_path, block))
    assert (failure.type, failure.exit_code) == ("exit_code", 2)


async def test_no_scanner_no_block_no_address(
    tmp_path: Path, sonar: SonarStub, block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make_context("scan.sonarqube", with_={"block": block}, env={"PATH": "/usr/bin:/bin"}, folder=tmp_path)
    failure = await failure_of(one)
    assert (failure.type, failure.message) == ("missing_tool", "there is no sonar-scanner on PATH")
    assert (await failure_of(context(tmp_path, "never-saved"))).type == "missing_block"
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_HTTP_ALLOW", "")
    assert (await failure_of(context(tmp_path, block))).type == "http_refused"


def test_wrong_use_is_refused() -> None:
    for with_ in ({"project": "-Dx=y"}, {"project": "a b"}, {"project": "123"}, {"image": "x"}, {"wait": "soon"}):
        with pytest.raises(ValidationError):
            make_context("scan.sonarqube", with_=with_)
    for url in ("ftp://x", "https://user:pw@x", "https://x y"):
        with pytest.raises(ValidationError):
            SonarQube(url=url, token="t")
