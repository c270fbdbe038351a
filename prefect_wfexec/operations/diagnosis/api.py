"""What Prefect's API shows. A check that the API answers with a fault is a finding; an API that is gone is not."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from prefect_wfexec.errors import UsageError
from prefect_wfexec.journal.keys import find_keys, keys_from_environment
from prefect_wfexec.operations.connection import as_unreachable
from prefect_wfexec.operations.diagnosis.blocks import block_findings
from prefect_wfexec.operations.diagnosis.deployments import deployment_findings
from prefect_wfexec.operations.diagnosis.finding import Finding, Level
from prefect_wfexec.operations.diagnosis.machine import BOUNDS, is_within
from prefect_wfexec.operations.diagnosis.server import database_findings, streaming_findings
from prefect_wfexec.settings import SECRET_KEY

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

_REFUSALS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_LOCAL = ("//127.", "//localhost", "//[::1]")


@dataclass(frozen=True, slots=True)
class Api:
    """The API that is looked at.

    Attributes:
        url: Where it is.
        is_embedded: Whether it was started for this command alone, with this process's settings.
    """

    url: str
    is_embedded: bool = False

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return any(host in self.url for host in _LOCAL)


async def api_findings(client: "PrefectClient", api: Api) -> list[Finding]:
    """What Prefect's API shows.

    Raises:
        Unreachable: it stops answering, or refuses this process.
    """
    checks: dict[str, Callable[[], Awaitable[Sequence[Finding]]]] = {
        "api": lambda: _version(client, api),
        "auth": lambda: _auth(api),
        "database": lambda: database_findings(client, is_embedded=api.is_embedded, is_local=api.is_local),
        "key": lambda: _key(client),
        "log streaming": lambda: streaming_findings(client),
        "blocks": lambda: block_findings(client),
        "deployments": lambda: deployment_findings(client),
    }
    findings: list[Finding] = []
    for name, check in checks.items():
        findings += await _checked(name, api, check)
    return findings


async def _checked(name: str, api: Api, check: Callable[[], Awaitable[Sequence[Finding]]]) -> Sequence[Finding]:
    from prefect.exceptions import ObjectNotFound

    try:
        return await check()
    except httpx.HTTPStatusError as fault:
        if fault.response.status_code in _REFUSALS:
            raise as_unreachable(fault, api.url) from fault
        words = f"could not be looked at: the API answers {fault.response.status_code}"
        return [Finding(name, "warning", words, "look at the log of its server")]
    except ObjectNotFound:
        return [Finding(name, "warning", "changed while it was looked at", "look again")]
    except httpx.TransportError as fault:
        raise as_unreachable(fault, api.url) from fault


async def _version(client: "PrefectClient", api: Api) -> list[Finding]:
    version = await client.api_version()
    words = f"{api.url} answers, version {version}"
    if is_within("prefect", version):
        return [Finding("api", "ok", words)]
    return [Finding("api", "error", words, f"install prefect{BOUNDS['prefect']} where the server runs")]


async def _auth(api: Api) -> list[Finding]:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as anonymous:
        try:
            answer = await anonymous.post(f"{api.url.rstrip('/')}/flows/filter", json={"limit": 1})
        except httpx.HTTPError as error:
            return [Finding("auth", "warning", f"could not be checked: {error or type(error).__name__}")]
    if not answer.is_success:
        return [Finding("auth", "ok", "the API asks for credentials")]
    mend = "set PREFECT_SERVER_API_AUTH_STRING on the server: whoever reaches the API can start and stop runs"
    level: Level = "ok" if api.is_local else "warning"
    return [Finding("auth", level, "the API is open to anyone who reaches it", mend)]


async def _key(client: "PrefectClient") -> list[Finding]:
    try:
        keys = keys_from_environment()
    except UsageError as weak:
        return [Finding("key", "error", weak.message, weak.hint or "")]
    if keys is not None:
        return [Finding("key", "ok", f"from {SECRET_KEY.variable}")]
    if await find_keys(client) is None:
        return [Finding("key", "ok", "none yet; the first run makes one")]
    mend = f"set {SECRET_KEY.variable} where engines run, to keep it from those who reach the API"
    return [Finding("key", "ok", "in the Secret block 'wfexec-key'", mend)]
