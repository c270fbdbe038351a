"""`doctor`: what this machine and the Prefect API look like, each finding with its mend."""

import argparse
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from prefect_wfexec.cli.output import DONE, FAILED, UNREACHABLE, say, say_json
from prefect_wfexec.errors import Unreachable
from prefect_wfexec.operations.connection import connected, reachable
from prefect_wfexec.operations.diagnosis import Api, Finding, api_findings, local_findings

_MARK = {"ok": "✓", "warning": "!", "error": "✗"}


async def doctor(arguments: argparse.Namespace) -> int:
    """Check everything; fails when something is wrong enough to keep runs from working."""
    findings = local_findings(_version)
    try:
        findings += await _api_findings()
    except Unreachable as error:
        _say([*findings, Finding("api", "error", error.message, error.hint or "")], as_json=arguments.json)
        return UNREACHABLE
    _say(findings, as_json=arguments.json)
    return FAILED if any(finding.level == "error" for finding in findings) else DONE


async def _api_findings() -> list[Finding]:
    from prefect.settings import get_current_settings

    is_embedded = not get_current_settings().api.url
    async with reachable() as url, connected() as client:
        return await api_findings(client, Api(url, is_embedded=is_embedded))


def _say(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        say_json([finding.as_json() for finding in findings])
        return
    for finding in findings:
        mend = f"; {finding.mend}" if finding.mend else ""
        say(f"{_MARK[finding.level]} {finding.name}: {finding.words}{mend}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
