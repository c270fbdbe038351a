"""What `doctor` looks at. Each finding says what it saw and, when that is a problem, what mends it."""

from prefect_wfexec.operations.diagnosis.api import Api, api_findings
from prefect_wfexec.operations.diagnosis.finding import Finding
from prefect_wfexec.operations.diagnosis.machine import local_findings

__all__ = ["Api", "Finding", "api_findings", "local_findings"]
