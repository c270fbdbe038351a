"""Scans: what they find is counted by severity, kept as a report in SARIF, and fails the step from `fail_on` on."""

from prefect_wfexec.steps.scan import detect_secrets, script, sonarqube, trivy

__all__ = ["detect_secrets", "script", "sonarqube", "trivy"]
