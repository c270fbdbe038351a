"""What a command says of an exception nobody expected: that Prefect's API does not answer, or that it is a defect."""

import sys

from prefect_wfexec.errors import EngineError, WfexecError


def unexpected(fault: Exception) -> WfexecError:
    """The error to report, in one line."""
    httpx = sys.modules.get("httpx")
    if httpx is not None and isinstance(fault, httpx.HTTPStatusError | httpx.TransportError):
        from prefect.settings import get_current_settings

        from prefect_wfexec.operations.connection import as_unreachable

        return as_unreachable(fault, str(get_current_settings().api.url or "the embedded server"))
    lines = str(fault).splitlines() or [""]
    return EngineError(
        f"this should not happen: {type(fault).__name__}: {lines[0]}".rstrip(": "),
        hint="set PREFECT_DEBUG_MODE=1 to see where, and report it",
        code="internal",
    )
