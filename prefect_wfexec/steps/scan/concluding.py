"""What a scan comes to: outputs, reports and a page, and whether the step failed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import Artifact, Report, StepContext, StepResult
from prefect_wfexec.steps.scan.findings import Finding, counted, failing, in_words, worst_first
from prefect_wfexec.steps.scan.models import FailOn
from prefect_wfexec.steps.scan.sarif import to_sarif
from prefect_wfexec.steps.terraform.pages import cell

SHOWN_IN_ERROR = 5
SHOWN_ON_PAGE = 100
SHOWN_IN_LOG = 200


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan that was carried out.

    Attributes:
        tool: The scanner's name; its reports are named after it.
        findings: What it found.
        reports: Its own reports; a SARIF file among them is taken instead of one of ours.
        version: The scanner's version, as far as it says it.
        outputs: What the step gives besides counts and report.
        verdict: Why the step fails whatever the severities are, e.g. a quality gate; empty when it does not.
        subject: What was scanned, for the page.
    """

    tool: str
    findings: Sequence[Finding]
    reports: tuple[Report, ...] = ()
    version: str = ""
    outputs: Mapping[str, JSON] = field(default_factory=dict)
    verdict: str = ""
    subject: str = ""


def conclude(scan: Scan, fail_on: FailOn, context: StepContext) -> StepResult:
    """The step's result.

    Raises:
        StepFailed: there are findings that fail the step (`type="findings"`), or the verdict does.
    """
    counts = counted(scan.findings)
    reports = _with_sarif(scan)
    sarif = next(report.name for report in reports if report.kind == "sarif")
    outputs: dict[str, JSON] = {
        "counts": dict(counts),
        "report": {"step": context.step.id, "name": sarif},
        **scan.outputs,
    }
    bad = failing(scan.findings, fail_on)
    words = in_words(counts)
    page = _page(scan, words, fail_on, context)
    _log(scan, words, context)
    if scan.verdict or bad:
        raise StepFailed(
            context.masker.mask(_message(scan, words, bad, fail_on)),
            type="findings",
            hint=f"look at {sarif}: `wfexec reports {context.run.name}`",
            retryable=False,
            outputs=outputs,
            reports=reports,
            artifacts=(page,),
        )
    return StepResult(outputs=outputs, summary=words, artifacts=(page,), reports=reports)


def _log(scan: Scan, words: str, context: StepContext) -> None:
    lines = [f"{one.severity} {one.rule} {_place(one)}{one.message}" for one in worst_first(scan.findings)]
    more = [f"… {len(lines) - SHOWN_IN_LOG} more in the report"] if len(lines) > SHOWN_IN_LOG else []
    context.log.stdout("".join(f"{line}\n" for line in [*lines[:SHOWN_IN_LOG], *more, f"{scan.tool}: {words}"]))


def _with_sarif(scan: Scan) -> tuple[Report, ...]:
    if any(report.kind == "sarif" for report in scan.reports):
        return scan.reports
    data = to_sarif(scan.findings, scan.tool, scan.version)
    return (*scan.reports, Report(f"{scan.tool}.sarif", "sarif", data))


def _message(scan: Scan, words: str, bad: Sequence[Finding], fail_on: FailOn) -> str:
    first = scan.verdict or f"{scan.tool} found {words}; the step fails on {_limit(fail_on)}"
    lines = [f"{one.severity}: {_place(one)}{one.message}"[:300] for one in worst_first(bad)[:SHOWN_IN_ERROR]]
    more = len(bad) - len(lines)
    return "\n".join([first + (":" if lines else ""), *lines, *([f"and {more} more"] if more > 0 else [])])


def _limit(fail_on: FailOn) -> str:
    return (
        "any finding" if fail_on in {"any", "low"} else f"{fail_on}" + ("" if fail_on == "critical" else " and worse")
    )


def _place(finding: Finding) -> str:
    if not finding.file:
        return ""
    return f"{finding.file}:{finding.line}: " if finding.line else f"{finding.file}: "


def _page(scan: Scan, words: str, fail_on: FailOn, context: StepContext) -> Artifact:
    """Counts, and a table of the worst findings."""
    mask = context.masker.mask
    shown = worst_first(scan.findings)[:SHOWN_ON_PAGE]
    cells = [(one.severity, one.rule, _place(one).rstrip(": "), one.message) for one in shown]
    rows = [f"| {' | '.join(cell(mask(text)) for text in row)} |" for row in cells]
    if len(scan.findings) > SHOWN_ON_PAGE:
        rows.append(f"| … | | | {len(scan.findings) - SHOWN_ON_PAGE} more in the report |")
    head = f"## {cell(context.step.name)}: {words}\n\n{scan.tool}"
    head += f" looked at {cell(mask(scan.subject))}" if scan.subject else ""
    verdict = f"{cell(mask(scan.verdict))}\n\n" if scan.verdict else ""
    table = "\n".join(["| Severity | Rule | Where | Finding |", "|---|---|---|---|", *rows]) + "\n" if rows else ""
    key = re.sub(r"[^a-z0-9]+", "-", f"scan-{context.step.id}".lower()).strip("-")
    return Artifact(key, f"{head}; the step fails on {fail_on}.\n\n{verdict}{table}", f"What {scan.tool} found")
