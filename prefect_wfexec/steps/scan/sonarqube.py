"""`scan.sonarqube`: sonar-scanner sends the sources to a SonarQube server, whose quality gate decides.

The step waits until the server has worked the analysis out, asks for the quality gate and for the open issues, and
keeps both as its report.
"""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator

from prefect_wfexec.definition.durations import Duration
from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.saved_blocks import MissingBlock, read_block_data
from prefect_wfexec.steps.base import Report, StepContext, StepResult, StepType
from prefect_wfexec.steps.checking import BlockUse
from prefect_wfexec.steps.registry import step_type
from prefect_wfexec.steps.scan.concluding import Scan, conclude
from prefect_wfexec.steps.scan.findings import Finding, Severity, severity_named, what_is_odd
from prefect_wfexec.steps.scan.models import FailOn, FileScanWith, ScanOutputs
from prefect_wfexec.steps.scan.running import find_program, malformed, place_of, read_report, require_success, text_of
from prefect_wfexec.steps.scan.sonar_api import Analysis, SonarApi

TOOL = "sonarqube"
PROGRAM = "sonar-scanner"
BLOCK_SLUG, BLOCK_TYPE_NAME = "sonarqube-wfexec", "SonarQube (wfexec)"
_PROJECT = re.compile(r"(?=.*[A-Za-z_.:-])[A-Za-z0-9_.:][A-Za-z0-9_.:-]{0,399}", re.ASCII)
_TASK = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_SEVERITIES: dict[str, Severity] = {
    "BLOCKER": "critical",
    "CRITICAL": "high",
    "HIGH": "high",
    "MAJOR": "medium",
    "MEDIUM": "medium",
    "MINOR": "low",
    "LOW": "low",
    "INFO": "low",
}


class SonarQubeWith(FileScanWith):
    """What to analyse, and with which server."""

    fail_on: FailOn | None = Field(  # type: ignore[assignment]
        default=None,
        description="The least severity of an open issue that fails the step as well; `never` lets a failed quality "
        "gate pass too. Left out, the quality gate alone decides.",
    )
    project: str | None = Field(
        default=None, description="The project's key; that of `sonar-project.properties` when left out."
    )
    block: str = Field(default="sonarqube", min_length=1, description="The saved SonarQube block to use.")
    wait: Duration = Field(default=600.0, description="How long the server may take to work the analysis out.")

    @field_validator("project")
    @classmethod
    def _is_key(cls, value: str | None) -> str | None:
        if value is not None and not _PROJECT.fullmatch(value):
            raise ValueError("a project's key has letters, digits and _ . : -, and is not only digits")
        return value


class SonarQubeOutputs(ScanOutputs):
    """What the analysis found, and what the quality gate says."""

    quality_gate: str = Field(description="What the gate says: OK, ERROR, or NONE where the project has no gate.")
    dashboard: str = Field(default="", description="The analysis' page at the server.")


class SonarAccess(BaseModel):
    """What the saved block holds."""

    url: str
    token: SecretStr


@step_type("scan.sonarqube")
class ScanSonarQube(StepType):
    """Analyses a folder."""

    Inputs = SonarQubeWith
    Outputs = SonarQubeOutputs
    tools = ((PROGRAM,),)
    blocks = (BlockUse("block", {BLOCK_SLUG: BLOCK_TYPE_NAME}),)

    async def run(self, context: StepContext) -> StepResult:
        inputs: SonarQubeWith = context.inputs
        access = await _access(inputs.block)
        api = SonarApi.of(access.url, access.token.get_secret_value(), context)
        task = await _scan(inputs, access, context)
        analysis = await api.analysis(task["ceTaskId"], task["projectKey"], inputs.wait)
        report = Report(f"{TOOL}.json", "json", (json.dumps(analysis.as_json(), indent=1) + "\n").encode())
        status, verdict = _gate(analysis, report)
        findings = _findings(analysis, task["projectKey"], report)
        outputs: dict[str, JSON] = {"quality_gate": status, "dashboard": task.get("dashboardUrl", "")}
        scan = Scan(
            TOOL,
            findings,
            (report,),
            task.get("serverVersion", ""),
            outputs,
            verdict="" if inputs.fail_on == "never" else verdict,
            subject=task["projectKey"],
        )
        result = conclude(scan, inputs.fail_on or "never", context)
        result.summary = f"quality gate {status}, {result.summary}"
        return result


async def _access(name: str) -> SonarAccess:
    try:
        return SonarAccess.model_validate(dict(await read_block_data(BLOCK_SLUG, name, BLOCK_TYPE_NAME)))
    except MissingBlock as missing:
        raise StepFailed(missing.message, type="missing_block", hint=missing.hint, retryable=False) from None
    except ValidationError:
        words = f"the SonarQube block '{name}' can't be used"
        hint = "open the block in Prefect's UI and save it again"
        raise StepFailed(words, type="bad_block", hint=hint, retryable=False) from None


async def _scan(inputs: SonarQubeWith, access: SonarAccess, context: StepContext) -> dict[str, str]:
    """Run the scanner; what it says of the task it has given to the server."""
    program = find_program(PROGRAM, context, "install sonar-scanner on the machine that runs the step")
    folder, written = place_of(inputs.path, context), context.scratch / "report-task.txt"
    if not folder.is_dir():
        words = f"'{inputs.path}' is no folder"
        raise StepFailed(words, type="missing_path", retryable=False, hint="sonar-scanner analyses a folder")
    given = {
        "sonar.host.url": access.url,
        "sonar.projectBaseDir": str(folder),
        "sonar.working.directory": str(context.scratch / "scannerwork"),
        "sonar.scanner.metadataFilePath": str(written),
    }
    if inputs.project is not None:
        given["sonar.projectKey"] = inputs.project
    argv = [program, *(f"-D{name}={value}" for name, value in given.items())]
    env = {"SONAR_TOKEN": access.token.get_secret_value(), "SONAR_HOST_URL": access.url}
    result = await context.command(argv, cwd=folder, env=env)
    require_success(PROGRAM, result, context)
    return _task(written)


def _task(path: Path) -> dict[str, str]:
    lines = read_report(path, PROGRAM).decode(errors="replace").splitlines()
    task = {key: value for key, separator, value in (line.strip().partition("=") for line in lines) if separator}
    if not _TASK.fullmatch(task.get("ceTaskId", "")) or not _PROJECT.fullmatch(task.get("projectKey", "")):
        raise malformed(PROGRAM, "it names no task of the server")
    return task


def _gate(analysis: Analysis, report: Report) -> tuple[str, str]:
    """The gate's status, and why it fails the step; empty when it does not."""
    try:
        gate = analysis.gate["projectStatus"]
        status = str(gate["status"])
        broken = [_condition(one) for one in gate.get("conditions") or () if one.get("status") == "ERROR"]
    except (KeyError, TypeError, AttributeError) as fault:
        raise malformed(TOOL, what_is_odd(fault), (report,)) from None
    if status in {"OK", "WARN", "NONE"}:
        return status, ""
    return status, f"the quality gate says {status}" + (f": {', '.join(broken)}" if broken else "")


def _condition(one: dict[str, Any]) -> str:
    sign = {"GT": "is over", "LT": "is under"}.get(str(one.get("comparator")), "is not within")
    return f"{one.get('metricKey')} {one.get('actualValue', '?')} {sign} {one.get('errorThreshold', '?')}"


def _findings(analysis: Analysis, project: str, report: Report) -> list[Finding]:
    try:
        return [_finding(one, project) for one in analysis.issues]
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        raise malformed(TOOL, what_is_odd(fault), (report,)) from None


def _finding(one: dict[str, Any], project: str) -> Finding:
    component = str(one.get("component") or "")
    file = component.removeprefix(f"{project}:") if component != project else ""
    line, message = int(one.get("line") or 0), text_of(one, "message") or str(one["rule"])
    return Finding(_severity(one), str(one["rule"]), message, file, line, identity=str(one.get("key") or ""))


def _severity(one: dict[str, Any]) -> Severity:
    """A server says it in the older words, in the newer ones, or in both: the worst of the newer ones counts then."""
    words = [str(impact.get("severity")) for impact in one.get("impacts") or ()] or [str(one.get("severity"))]
    known = [_SEVERITIES.get(word.upper()) or severity_named(word) for word in words]
    return next((severity for severity in ("critical", "high", "medium", "low") if severity in known), "unknown")
