"""What is asked of a SonarQube server: its task, the quality gate, the open issues."""

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from prefect_wfexec.definition.durations import format_duration
from prefect_wfexec.errors import StepFailed, UsageError
from prefect_wfexec.runtime.http import AddressGuard, AddressRefused, HttpFault, HttpLimits, HttpRequest, fetch
from prefect_wfexec.steps.base import StepContext

PAGE = 500
MOST_ISSUES = 10_000
"""More than that the server does not give."""
ASK_EVERY_SECONDS = 2.0
LIMITS = HttpLimits(total_seconds=60.0, body_bytes=16 * 1024 * 1024)
TRIES = 3
"""A server that is busy, or a proxy before it, may fail to answer once."""
_PASSING = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the server says of one analysis."""

    task: dict[str, Any]
    gate: dict[str, Any]
    issues: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        return {"task": self.task, "quality_gate": self.gate, "issues": self.issues}


class SonarApi:
    """The Web API of a server, as far as a step needs it.

    Args:
        url: The server's address.
        token: A user's token.
        guard: Says which addresses may be asked.
        context: The step that asks.
    """

    def __init__(self, url: str, token: str, guard: AddressGuard, context: StepContext) -> None:
        self._url = url.rstrip("/")
        # The form that every version of the server takes: the token as the name, and no password.
        self._credentials = base64.b64encode(f"{token}:".encode()).decode()
        context.masker.add(token, self._credentials)
        self._guard = guard
        self._context = context

    @classmethod
    def of(cls, url: str, token: str, context: StepContext) -> "SonarApi":
        """The API a step asks.

        Raises:
            StepFailed: the setting of addresses that may be asked has no use.
        """
        try:
            guard = AddressGuard.from_settings(context.run.api_url)
        except UsageError as error:
            raise StepFailed(error.message, type="bad_setting", hint=error.hint, retryable=False) from None
        return cls(url, token, guard, context)

    async def analysis(self, task_id: str, project: str, wait_seconds: float) -> Analysis:
        """What came of a task, once the server has done it.

        Raises:
            StepFailed: it took too long, failed, or the server does not answer as it has to.
        """
        task = await self._finished(task_id, wait_seconds)
        gate = await self._ask("qualitygates/project_status", {"analysisId": str(task.get("analysisId") or "")})
        return Analysis(task, gate, await self._issues(project, task))

    async def _finished(self, task_id: str, wait_seconds: float) -> dict[str, Any]:
        clock = asyncio.get_running_loop().time
        end = clock() + wait_seconds
        while True:
            answer = await self._ask("ce/task", {"id": task_id})
            task = answer.get("task")
            if not isinstance(task, dict):
                raise _odd("ce/task")
            status = str(task.get("status"))
            if status == "SUCCESS":
                return task
            if status not in {"PENDING", "IN_PROGRESS"}:
                why = str(task.get("errorMessage") or f"its status is {status}")
                raise StepFailed(self._mask(f"the server did not work the analysis out: {why}"), type="analysis_failed")
            if clock() >= end:
                waited = format_duration(wait_seconds)
                hint = "give the step a longer `wait`, or look at the server's background tasks"
                raise StepFailed(f"the analysis is {status} after {waited}", type="analysis_timeout", hint=hint)
            await asyncio.sleep(ASK_EVERY_SECONDS)

    async def _issues(self, project: str, task: dict[str, Any]) -> list[dict[str, Any]]:
        wanted = {"componentKeys": project, "resolved": "false", "ps": str(PAGE)}
        for key in ("branch", "pullRequest"):
            if task.get(key):
                wanted[key] = str(task[key])
        found: list[dict[str, Any]] = []
        while len(found) < MOST_ISSUES:
            answer = await self._ask("issues/search", {**wanted, "p": str(len(found) // PAGE + 1)})
            page = answer.get("issues")
            if not isinstance(page, list):
                raise _odd("issues/search")
            found += page
            if len(page) < PAGE:
                break
        return found

    async def _ask(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        url = f"{self._url}/api/{path}?{urlencode(query)}"
        request = HttpRequest(url, headers={"authorization": f"Basic {self._credentials}"})
        for left in reversed(range(TRIES)):
            try:
                response = await fetch(request, self._guard, LIMITS)
            except AddressRefused as refusal:
                raise StepFailed(refusal.message, type="http_refused", hint=refusal.hint, retryable=False) from None
            except HttpFault as fault:
                if not left:
                    raise StepFailed(self._mask(fault.message), type="http_unreachable", hint=fault.hint) from None
            else:
                if response.status_code not in _PASSING or not left:
                    return _answer(path, response.status_code, response.body)
            await asyncio.sleep(ASK_EVERY_SECONDS)
        raise AssertionError("unreachable: the last try answers or fails")

    def _mask(self, text: str) -> str:
        return self._context.masker.mask(text)


def _answer(path: str, status: int, body: bytes) -> dict[str, Any]:
    if status in {401, 403}:
        words = f"the server refuses the token: api/{path} answered {status}"
        raise StepFailed(words, type="refused", hint="save a token that may browse the project", retryable=False)
    if status != 200:
        raise StepFailed(f"the server did not answer: api/{path} gave {status}", type="http_status")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _odd(path)
    return found


def _odd(path: str) -> StepFailed:
    words = f"the answer of api/{path} is not what SonarQube gives"
    return StepFailed(words, type="bad_report", hint="check the address in the SonarQube block")
