"""What a command says of an exception nobody expected: that Prefect's API does not answer, or that it is a defect."""

import sys

from prefect_wfexec.errors import EngineError, Unreachable, WfexecError

_REFUSED = frozenset({401, 403})


def unexpected(fault: Exception) -> WfexecError:
    """The error to report, in one line."""
    httpx = sys.modules.get("httpx")
    if httpx is not None and isinstance(fault, httpx.HTTPStatusError):
        return _answered(fault.response.status_code, str(fault.request.url))
    if httpx is not None and isinstance(fault, httpx.TransportError):
        return Unreachable(
            f"prefect's API does not answer: {fault or type(fault).__name__}",
            hint="start it, or set PREFECT_API_URL to one that runs",
        )
    lines = str(fault).splitlines() or [""]
    return EngineError(
        f"this should not happen: {type(fault).__name__}: {lines[0]}".rstrip(": "),
        hint="set PREFECT_DEBUG_MODE=1 to see where, and report it",
        code="internal",
    )


def _answered(status: int, url: str) -> WfexecError:
    if status in _REFUSED:
        return Unreachable(
            f"prefect's API refuses this process: {status} from {url}",
            hint="set PREFECT_API_AUTH_STRING, or PREFECT_API_KEY, to what the API asks for",
        )
    return Unreachable(f"prefect's API answers {status} to {url}", hint="look at the log of the API's server")
