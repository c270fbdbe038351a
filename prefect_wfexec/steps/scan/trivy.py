"""`scan.trivy`: vulnerabilities, secrets, misconfigurations and licenses, found by trivy in files or in an image."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import Report, StepContext, StepResult, StepType
from prefect_wfexec.steps.registry import step_type
from prefect_wfexec.steps.scan.concluding import Scan, conclude
from prefect_wfexec.steps.scan.findings import Finding, severity_named, what_is_odd
from prefect_wfexec.steps.scan.models import ScanOutputs, ScanWith
from prefect_wfexec.steps.scan.running import (
    find_program,
    malformed,
    parse_report,
    place_of,
    read_report,
    require_success,
    text_of,
)

TOOL = "trivy"
SCHEMA_VERSION = 2
_SHOWN_CODE = ("Match", "Code")
"""What trivy quotes around a secret: it hides the secret itself, and not what stands on the lines beside it."""


class TrivyWith(ScanWith):
    """What to scan, and for what."""

    scanners: list[Literal["vuln", "secret", "misconfig", "license"]] = Field(
        default=[], description="What to look for; trivy's own choice, vuln and secret, when left out."
    )
    ignore_unfixed: bool = Field(default=False, description="Whether vulnerabilities that nobody has mended yet count.")
    ignore_file: str | None = Field(
        default=None, min_length=1, description="A `.trivyignore` file; none is read when left out."
    )


@step_type("scan.trivy", reads_only=True)
class ScanTrivy(StepType):
    """Scans files, or an image."""

    Inputs = TrivyWith
    Outputs = ScanOutputs
    tools = ((TOOL,),)

    async def run(self, context: StepContext) -> StepResult:
        inputs: TrivyWith = context.inputs
        program = find_program(TOOL, context, "install trivy on the machine that runs the step")
        written = context.scratch / "trivy.json"
        argv = [program, *_arguments(inputs, context, str(written))]
        # Its folder is an empty one: what is scanned must not bring a trivy.yaml of its own.
        folder = context.scratch / "empty"
        folder.mkdir()
        result = await context.command(argv, cwd=folder)
        require_success(TOOL, result, context)
        document = parse_report(read_report(written, TOOL), TOOL, "")
        _redact(document)
        report = Report(f"{TOOL}.json", "json", (json.dumps(document, indent=1) + "\n").encode())
        findings = _findings(document, report)
        subject = str(document.get("ArtifactName") or "")
        return conclude(Scan(TOOL, findings, (report,), _version(document), subject=subject), inputs.fail_on, context)


def _arguments(inputs: TrivyWith, context: StepContext, written: str) -> list[str]:
    what, target = "image", inputs.image
    if target is None:
        what, target = "filesystem", str(place_of(inputs.path, context))
    given = ["--format", "json", "--output", written, "--exit-code", "0", "--no-progress"]
    if inputs.scanners:
        given += ["--scanners", ",".join(dict.fromkeys(inputs.scanners))]
    if inputs.ignore_unfixed:
        given.append("--ignore-unfixed")
    given += ["--ignorefile", _ignore_file(inputs, context)]
    return [what, *given, "--", target]


def _ignore_file(inputs: TrivyWith, context: StepContext) -> str:
    if inputs.ignore_file is None:
        return os.devnull
    file = context.folder / inputs.ignore_file
    if not file.is_file():
        words = f"'{inputs.ignore_file}' does not exist in {context.folder}"
        raise StepFailed(words, type="missing_path", retryable=False, hint="`ignore_file` starts at the definition")
    return str(file.resolve())


def _version(document: Mapping[str, Any]) -> str:
    trivy = document.get("Trivy")
    return str(trivy.get("Version") or "") if isinstance(trivy, Mapping) else ""


def _redact(document: Any) -> None:
    """Take out the lines around secrets, as far as the document is what trivy writes."""
    results = document.get("Results") if isinstance(document, dict) else None
    for result in results if isinstance(results, list) else ():
        secrets = result.get("Secrets") if isinstance(result, dict) else None
        for secret in secrets if isinstance(secrets, list) else ():
            for key in _SHOWN_CODE if isinstance(secret, dict) else ():
                secret.pop(key, None)


def _findings(document: Any, report: Report) -> list[Finding]:
    try:
        if document["SchemaVersion"] != SCHEMA_VERSION:
            raise ValueError(f"its SchemaVersion is {str(document['SchemaVersion'])[:20]}, {SCHEMA_VERSION} is read")
        return [finding for result in document.get("Results") or () for finding in _of_result(result)]
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        raise malformed(TOOL, what_is_odd(fault)[:200], (report,)) from None


def _of_result(result: Mapping[str, Any]) -> Iterator[Finding]:
    target = str(result["Target"])
    for one in result.get("Vulnerabilities") or ():
        yield _vulnerability(target, one)
    for one in result.get("Misconfigurations") or ():
        if one.get("Status", "FAIL") == "FAIL":
            yield _misconfiguration(target, one)
    for one in result.get("Secrets") or ():
        title = text_of(one, "Title", "RuleID")
        line = int(one.get("StartLine") or 0)
        yield Finding(
            severity_named(one["Severity"]), str(one["RuleID"]), f"{title} in clear text", target, line, title
        )
    for one in result.get("Licenses") or ():
        name, file = str(one["Name"]), str(one.get("FilePath") or target)
        words = f"{text_of(one, 'PkgName') or file} has the license {name} ({text_of(one, 'Category') or 'unknown'})"
        link = str(one.get("Link") or "")
        yield Finding(severity_named(one["Severity"]), f"license-{name}", words, file, 0, name, link, words)


def _vulnerability(target: str, one: Mapping[str, Any]) -> Finding:
    package, installed = str(one["PkgName"]), str(one.get("InstalledVersion") or "?")
    fixed, title = text_of(one, "FixedVersion"), text_of(one, "Title", "VulnerabilityID")
    mend = f"mended in {fixed}" if fixed else "not mended yet"
    message = f"{package} {installed}: {title} ({mend})"
    place = str(one.get("PkgPath") or target)
    link, identity = text_of(one, "PrimaryURL"), f"{package} {installed}"
    return Finding(
        severity_named(one["Severity"]), str(one["VulnerabilityID"]), message, place, 0, title, link, identity
    )


def _misconfiguration(target: str, one: Mapping[str, Any]) -> Finding:
    rule, title = text_of(one, "AVDID", "ID"), text_of(one, "Title", "ID")
    cause = one.get("CauseMetadata") or {}
    message = text_of(one, "Message") or title
    line, link = int(cause.get("StartLine") or 0), text_of(one, "PrimaryURL")
    return Finding(severity_named(one["Severity"]), rule or "misconfiguration", message, target, line, title, link)
