"""What `doctor` looks at. Each finding says what it saw and, when that is a problem, what mends it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import httpx
from packaging.specifiers import SpecifierSet

from prefect_wfexec.journal.keys import find_keys
from prefect_wfexec.settings import ALL, SECRET_KEY

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

Level = Literal["ok", "warning", "error"]

BOUNDS = {"prefect": ">=3.8,<4", "fastapi": ">=0.139,<0.151", "sqlalchemy": ">=2.0,<2.1"}
"""Versions outside these break Prefect's server or its scheduler."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    level: Level
    words: str
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        return {"name": self.name, "level": self.level, "message": self.words, "mend": self.mend}


def local_findings(version_of: Callable[[str], str | None]) -> list[Finding]:
    """What this machine shows without Prefect's API: versions, settings, terraform."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    findings = [Finding("python", "ok", python)]
    findings += [_version(package, bound, version_of(package)) for package, bound in BOUNDS.items()]
    findings.append(_terraform())
    for setting in ALL:
        value = setting.read()
        shown = "set" if setting.is_secret and value else value or "unset"
        findings.append(Finding(setting.variable, "ok", f"{shown} ({setting.description})"))
    return findings


async def api_findings(client: "PrefectClient", url: str) -> list[Finding]:
    """What Prefect's API shows: whether it answers, whether anyone may use it, and the key."""
    findings = [Finding("api", "ok", f"{url} answers, version {await client.api_version()}")]
    findings.append(await _auth(url))
    findings.append(await _key(client))
    return findings


def _version(package: str, bound: str, found: str | None) -> Finding:
    if found is None:
        return Finding(package, "error", "is not installed", f"pip install '{package}{bound}'")
    if found in SpecifierSet(bound):
        return Finding(package, "ok", found)
    return Finding(package, "error", f"{found} is outside {bound}", f"pip install '{package}{bound}'")


def _terraform() -> Finding:
    from prefect_wfexec.errors import StepFailed
    from prefect_wfexec.steps.terraform.binary import binary

    try:
        found = binary()
    except StepFailed as missing:
        return Finding("terraform", "warning", missing.message, missing.hint or "")
    return Finding("terraform", "ok", f"{found.name}: {found.argv[-1]}")


async def _auth(url: str) -> Finding:
    is_local = any(host in url for host in ("//127.", "//localhost", "//[::1]"))
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as anonymous:
            is_open = (await anonymous.post(f"{url.rstrip('/')}/flows/filter", json={"limit": 1})).is_success
    except httpx.HTTPError as error:
        return Finding("auth", "warning", f"could not be checked: {error}")
    if not is_open:
        return Finding("auth", "ok", "the API asks for credentials")
    mend = "set PREFECT_SERVER_API_AUTH_STRING on the server: whoever reaches the API can start and stop runs"
    return Finding("auth", "ok" if is_local else "warning", "the API is open to anyone who reaches it", mend)


async def _key(client: "PrefectClient") -> Finding:
    if SECRET_KEY.read():
        return Finding("key", "ok", f"from {SECRET_KEY.variable}")
    if await find_keys(client) is not None:
        mend = f"set {SECRET_KEY.variable} where engines run, to keep it from those who reach the API"
        return Finding("key", "ok", "in the Secret block 'wfexec-key'", mend)
    return Finding("key", "ok", "none yet; the first run makes one")
