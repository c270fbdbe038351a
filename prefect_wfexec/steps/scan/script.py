"""`scan.script`: a scanner of one's own, which writes a report in SARIF, or in a JSON of a few keys."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import Report, StepContext, StepResult, StepType
from prefect_wfexec.steps.registry import step_type
from prefect_wfexec.steps.scan.concluding import Scan, conclude
from prefect_wfexec.steps.scan.findings import Finding, severity_named, what_is_odd
from prefect_wfexec.steps.scan.models import ScanOutputs, ScanWith
from prefect_wfexec.steps.scan.running import malformed, parse_report, place_of, read_report, text_of
from prefect_wfexec.steps.scan.sarif import NotSarif, is_sarif, read_sarif
from prefect_wfexec.steps.shell import Shell, ShellStep, ShellWith

VARIABLE = "WFEXEC_REPORT"


class ScanScriptWith(ScanWith):
    """What `run`, a scanner of one's own, scans, and the report it writes."""

    report: str | None = Field(
        default=None,
        min_length=1,
        description="The report it writes, JSON or SARIF, in the folder it runs in; `$WFEXEC_REPORT` when left out.",
    )
    shell: Shell = Field(default="bash", description="What runs the script: bash and sh stop at the first error.")
    dir: str = Field(default=".", description="The folder it runs in.")

    @field_validator("report")
    @classmethod
    def _is_inside(cls, value: str | None) -> str | None:
        if value is not None and (Path(value).is_absolute() or ".." in Path(value).parts):
            raise ValueError("the report stands in the folder the script runs in")
        return value


@step_type("scan.script", accepts_run=True)
class ScanScript(StepType):
    """Runs the script, then reads its report."""

    Inputs = ScanScriptWith
    Outputs = ScanOutputs

    async def run(self, context: StepContext) -> StepResult:
        inputs: ScanScriptWith = context.inputs
        written = context.scratch / "report"
        path = context.folder / inputs.dir / inputs.report if inputs.report else written
        root = context.folder / inputs.dir if inputs.report else context.scratch
        if inputs.report:
            # What an earlier run left must not be taken for what this one finds.
            _forget(path, inputs.report)
        try:
            await ShellStep().run(_as_shell(inputs, context, written))
        except StepFailed as failure:
            failure.reports = _left(path, root, context)
            raise
        _require_inside(path, root)
        name = context.step.id
        data = read_report(path, "the script")
        document = parse_report(data, "the script", f"{name}.txt")
        findings, report = _read(document, data, name)
        subject = inputs.image or inputs.path or ""
        return conclude(Scan(name, findings, (report,), subject=subject), inputs.fail_on, context)


def _as_shell(inputs: ScanScriptWith, context: StepContext, written: Path) -> StepContext:
    env = {**context.env, VARIABLE: str(written), "SCAN_IMAGE": inputs.image or "", "SCAN_PATH": ""}
    if inputs.path is not None:
        env["SCAN_PATH"] = str(place_of(inputs.path, context))
    return replace(context, env=env, inputs=ShellWith(shell=inputs.shell, dir=inputs.dir))


def _forget(path: Path, name: str) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        words = f"the old report '{name}' can't be removed: {error.strerror}"
        raise StepFailed(words, type="bad_report", retryable=False, hint="name a file of the scanner's own") from None


def _require_inside(path: Path, root: Path) -> None:
    if not path.resolve().is_relative_to(root.resolve()):
        raise StepFailed("the report of the script is reached through a link", type="bad_report", retryable=False)


def _left(path: Path, root: Path, context: StepContext) -> tuple[Report, ...]:
    """What a script that failed wrote before that, as it is."""
    try:
        _require_inside(path, root)
        data = read_report(path, "the script")
    except StepFailed:
        return ()
    return (Report(f"{context.step.id}.txt", "text", data),) if data else ()


def _read(document: Any, data: bytes, name: str) -> tuple[list[Finding], Report]:
    if is_sarif(document):
        report = Report(f"{name}.sarif", "sarif", data)
        try:
            return read_sarif(document), report
        except NotSarif as fault:
            raise malformed("the script", str(fault), (Report(f"{name}.txt", "text", data),)) from None
    report = Report(f"{name}.json", "json", data)
    try:
        found = document["findings"] if isinstance(document, Mapping) else document
        if not isinstance(found, list):
            raise ValueError("'findings' is no list")
        return [_finding(one) for one in found], report
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        words = f"{what_is_odd(fault)}; it is SARIF, or {{findings: [{{severity, rule, message, file, line}}]}}"
        raise malformed("the script", words, (report,)) from None


def _finding(one: Mapping[str, Any]) -> Finding:
    severity = severity_named(one["severity"])
    message = text_of(one, "message", "title")
    rule = text_of(one, "rule", "id")
    if not message or not rule:
        raise ValueError("a finding has a 'severity', a 'rule' and a 'message'")
    return Finding(
        severity, rule, message, text_of(one, "file", "path"), int(one.get("line") or 0), link=text_of(one, "link")
    )
