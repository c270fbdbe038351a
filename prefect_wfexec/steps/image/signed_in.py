"""What image steps look at before the run's first step: that the registry takes their login."""

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepType
from prefect_wfexec.steps.checking import CheckContext, Problem
from prefect_wfexec.steps.image.access import BLOCK, Login, sign_in
from prefect_wfexec.steps.image.names import read_name
from prefect_wfexec.steps.image.skopeo import Skopeo

_NOBODYS = "wfexec-login-check:none"
"""An image that no registry has: asking for it tells why a login does not work."""
_TOLD_ELSEWHERE = frozenset({"missing_block", "missing_tool"})


class ImageStep(StepType):
    """Base of the steps that may sign in at a registry."""

    blocks = (BLOCK,)

    async def check(self, context: CheckContext) -> list[Problem]:
        return await refused_login(context)


async def refused_login(context: CheckContext) -> list[Problem]:
    """Whether a registry refuses the login of the block that a step names."""
    block = context.known.get(BLOCK.key)
    if not isinstance(block, str):
        return []
    try:
        login = await sign_in(context, block)
        return await _refusal(context, login, block) if login.registry else []
    except StepFailed as failed:
        return [] if failed.type in _TOLD_ELSEWHERE else [Problem(failed.message, failed.hint or "")]


async def _refusal(context: CheckContext, login: Login, block: str) -> list[Problem]:
    """Why the registry does not take the login; empty when it does.

    Raises:
        StepFailed: it can't be asked.
    """
    skopeo = Skopeo(context, login)
    if await skopeo.log_in(login.registry):
        return []
    try:
        await skopeo.digest(read_name(f"{login.registry}/{_NOBODYS}"))
    except StepFailed as failed:
        if failed.type not in {"registry_refused", "image_not_found"}:
            raise
    return [
        Problem(
            f"the registry {login.registry} refuses the login of the block '{block}'",
            "save the block again with an account and a password that are right",
        )
    ]
