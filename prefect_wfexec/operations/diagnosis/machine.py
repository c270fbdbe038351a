"""What this machine shows without Prefect's API: versions, settings, terraform, the rate of heartbeats."""

import sys
from collections.abc import Callable

from packaging.specifiers import SpecifierSet

from prefect_wfexec.operations.diagnosis.finding import Finding
from prefect_wfexec.operations.diagnosis.terraform import terraform_finding
from prefect_wfexec.settings import ALL

BOUNDS = {"prefect": ">=3.8,<4", "fastapi": ">=0.139,<0.151", "sqlalchemy": ">=2.0,<2.1"}
"""Versions outside these break Prefect's server or its scheduler."""

HEARTBEAT_VARIABLE = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
HEARTBEAT_SECONDS = 30


def local_findings(version_of: Callable[[str], str | None]) -> list[Finding]:
    """The findings about this machine.

    Args:
        version_of: The installed version of a package, None when it is not installed.
    """
    findings = [Finding("python", "ok", ".".join(str(part) for part in sys.version_info[:3]))]
    findings += [version_finding(package, version_of(package)) for package in BOUNDS]
    findings.append(terraform_finding())
    findings.append(_heartbeat())
    for setting in ALL:
        value = setting.read()
        shown = "set" if setting.is_secret and value else value or "unset"
        findings.append(Finding(setting.variable, "ok", f"{shown} ({setting.description})"))
    return findings


def version_finding(package: str, found: str | None) -> Finding:
    """Whether a package is there, in a version that works."""
    bound = BOUNDS[package]
    mend = f"pip install '{package}{bound}'"
    if found is None:
        return Finding(package, "error", "is not installed", mend)
    if is_within(package, found):
        return Finding(package, "ok", found)
    return Finding(package, "error", f"{found} is outside {bound}", mend)


def is_within(package: str, version: str) -> bool:
    """Whether a version is one that works; a pre-release counts as what it comes before."""
    return SpecifierSet(BOUNDS[package]).contains(version, prereleases=True)


def _heartbeat() -> Finding:
    from prefect.settings import get_current_settings

    seconds = get_current_settings().flows.heartbeat_frequency
    if seconds is None:
        words = "flow runs do not show that they live"
    else:
        words = f"flow runs show every {seconds} s that they live"
        if seconds <= HEARTBEAT_SECONDS:
            return Finding("heartbeat", "ok", words)
    mend = f"set {HEARTBEAT_VARIABLE}={HEARTBEAT_SECONDS} where workers run; `wfexec run` does so by itself"
    return Finding("heartbeat", "ok", words, mend)
