"""`doctor`: what this machine and the Prefect API look like, each finding with its mend."""

import argparse
from importlib.metadata import PackageNotFoundError, version

from prefect_wfexec.cli.output import DONE, FAILED, say, say_json
from prefect_wfexec.errors import Unreachable
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.operations.diagnosis import Finding, api_findings, local_findings

_MARK = {"ok": "✓", "warning": "!", "error": "✗"}


async def doctor(arguments: argparse.Namespace) -> int:
    """Check everything; fails when something is wrong enough to keep runs from working."""
    findings = local_findings(_version)
    try:
        async with reachable() as url:
            async with connected() as client:
                findings += await api_findings(client, url)
    except Unreachable as error:
        findings.append(Finding("api", "error", error.message, error.hint or ""))
    if arguments.json:
        say_json([finding.as_json() for finding in findings])
    else:
        for finding in findings:
            mend = f"; {finding.mend}" if finding.mend else ""
            say(f"{_MARK[finding.level]} {finding.name}: {finding.words}{mend}")
    return FAILED if any(finding.level == "error" for finding in findings) else DONE


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
