"""A scanner of one's own."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.testing import make_context, run_step
from tests.support.sarif import valid_sarif

FINDING = {"severity": "CRITICAL", "rule": "no-root", "message": "runs as root", "file": "Dockerfile", "line": 3}
SARIF = {
    "version": "2.1.0",
    "runs": [
        {"tool": {"driver": {"name": "own"}}, "results": [{"ruleId": "r", "level": "error", "message": {"text": "m"}}]}
    ],
}


def context(folder: Path, run: str, **with_: Any) -> StepContext:
    return make_context("scan.script", run=run, with_=with_, folder=folder)


def writing(document: Any, then: str = "") -> str:
    return f"cat > \"$WFEXEC_REPORT\" <<'END'\n{json.dumps(document)}\nEND\n{then}"


async def failure_of(one: StepContext) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await run_step(one)
    return caught.value


@pytest.mark.parametrize("document", [{"findings": [FINDING]}, [FINDING]])
async def test_json_of_a_few_keys(tmp_path: Path, document: Any) -> None:
    failure = await failure_of(context(tmp_path, writing(document)))
    assert failure.message.splitlines()[1] == "critical: Dockerfile:3: runs as root"
    assert [(one.name, one.kind) for one in failure.reports] == [("step.json", "json"), ("step.sarif", "sarif")]
    assert valid_sarif(failure.reports[1].data)["results"][0]["ruleId"] == "no-root"


async def test_sarif_is_kept_as_it_is(tmp_path: Path) -> None:
    failure = await failure_of(context(tmp_path, writing(SARIF)))
    assert failure.outputs["counts"]["high"] == 1
    [report] = failure.reports
    assert (report.name, json.loads(report.data)) == ("step.sarif", SARIF)
    assert (await run_step(context(tmp_path, writing(SARIF), fail_on="critical"))).summary == "1 high"


async def test_a_report_by_name_in_the_folder_it_runs_in(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    run = "echo '[]' > out.json"
    result = await run_step(context(tmp_path, run, dir="sub", report="out.json", path="sub"))
    assert result.summary == "no findings"


async def test_what_it_scans_reaches_it_by_variables(tmp_path: Path) -> None:
    run = 'test "$SCAN_IMAGE" = "x:1; rm -rf /" || exit 3; test -z "$SCAN_PATH"; echo "[]" > "$WFEXEC_REPORT"'
    with pytest.raises(ValidationError):
        context(tmp_path, run, image="x:1; rm -rf /")
    run = 'test "$SCAN_PATH" = "$PWD/src"; echo "[]" > "$WFEXEC_REPORT"'
    (tmp_path / "src").mkdir()
    await run_step(context(tmp_path.resolve(), run, path="src"))


async def test_an_old_report_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("[]")
    assert (await failure_of(context(tmp_path, "true", report="out.json"))).type == "missing_report"


async def test_an_exit_code_fails_the_step_and_keeps_what_it_wrote(tmp_path: Path) -> None:
    failure = await failure_of(context(tmp_path, writing([]) + "exit 4"))
    assert (failure.type, failure.exit_code) == ("exit_code", 4)
    assert [(one.name, one.data.strip()) for one in failure.reports] == [("step.txt", b"[]")]


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        ("true", "missing_report"),
        ('echo x > "$WFEXEC_REPORT"', "bad_report"),
        (writing({}), "bad_report"),
        (writing({"findings": 3}), "bad_report"),
        (writing([{"severity": "high"}]), "bad_report"),
        (writing([{"rule": "r", "message": "m"}]), "bad_report"),
        (writing(["text"]), "bad_report"),
        (writing({**SARIF, "version": "2.0.0"}), "bad_report"),
        ('ln -s /etc/passwd "$WFEXEC_REPORT"', "bad_report"),
        ('head -c 40000000 /dev/zero > "$WFEXEC_REPORT"', "bad_report"),
    ],
)
async def test_a_report_that_is_none(tmp_path: Path, run: str, kind: str) -> None:
    assert (await failure_of(context(tmp_path, run))).type == kind


async def test_a_report_outside_of_its_folder_is_refused(tmp_path: Path) -> None:
    for report in ("../x.json", "/etc/passwd", "a/../../b"):
        with pytest.raises(ValidationError):
            context(tmp_path, "true", report=report)
    (tmp_path / "work").mkdir()
    (tmp_path / "outside").mkdir()
    run = "ln -s ../outside sub; echo '[]' > sub/x.json"
    failure = await failure_of(context(tmp_path, run, dir="work", report="sub/x.json"))
    assert (failure.type, failure.message) == ("bad_report", "the report of the script is reached through a link")
