"""Turns what builders and registries said into the step's error."""

import re
from dataclasses import dataclass

from prefect_wfexec import settings
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.ansi import strip_ansi
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.captured import ToolContext

ERROR_LINES = 5
"""How many of the tool's last lines the message repeats."""
_OF_BASE_IMAGE = re.compile(
    r"initializing source|pull access denied|failed to resolve source metadata|manifest for .+ not found"
    r"|Get \"https?://"
)
"""What builders say when they can't get a base image."""
_EXIT_CODES = (
    re.compile(r"did not complete successfully: exit code: (\d+)"),
    re.compile(r"returned a non-zero code: (\d+)"),
    re.compile(r"exit status (\d+)"),
)


@dataclass(frozen=True, slots=True)
class _Fault:
    """One kind of failure of a registry, known by its tool's words; `is_passing` when another try may succeed."""

    words: str
    type: str
    message: str
    hint: str
    is_passing: bool = False


_FAULTS = (
    _Fault(
        r"unauthorized|authentication required|denied|invalid username/password|status 40[13]|no basic auth credentials"
        r"|incorrect username or password",
        "registry_refused",
        "the registry {registry} refuses {image}",
        "save Registry Credentials that may do this in a block, and name it with `block`",
    ),
    _Fault(
        r"manifest unknown|name unknown|not found|NAME_UNKNOWN|MANIFEST_UNKNOWN|no such image",
        "image_not_found",
        "there is no {image} in the registry {registry}",
        "check its name and tag",
    ),
    _Fault(
        r"server gave HTTP response to HTTPS client|certificate|tls: ",
        "tls_refused",
        "the registry {registry} can't prove who it is",
        "have the worker trust its certificate; only for one on the same machine or network, save a block without "
        "Verify TLS",
    ),
    _Fault(
        r"no space left on device|disk quota exceeded",
        "disk_full",
        "there is no space left for {image}",
        "make space where the run's folder is",
    ),
    _Fault(
        r"connection refused|connection reset|no such host|i/o timeout|timed out|timeout|EOF|server misbehaving"
        r"|network is unreachable|no route to host|too many requests|toomanyrequests|status 5\d\d|50[0234] ",
        "network",
        "the registry {registry} can't be reached, or broke off",
        "check that the worker reaches it; `retry` may help",
        is_passing=True,
    ),
)


def registry_failure(
    context: ToolContext, words: str, exit_code: int | None, *, registry: str, image: str, doing: str
) -> StepFailed:
    """The error for a tool that could not do something at a registry.

    Args:
        context: The step's context.
        words: What the tool said.
        exit_code: How it ended.
        registry: The registry's host.
        image: The image it was about.
        doing: What it was to do, for the message.
    """
    fault = _fault_in(words)
    message = fault.message.format(registry=registry, image=image) if fault else f"{image} can't be {doing}"
    return StepFailed(
        context.masker.mask("\n".join([message, *_last(words)])),
        type=fault.type if fault else "registry_error",
        exit_code=exit_code,
        tail=context.tail(),
        hint=fault.hint if fault else None,
        retryable=fault.is_passing if fault else True,
    )


def build_failure(context: StepContext, exit_code: int | None, image: str) -> StepFailed:
    """The error for a build that did not succeed; its exit code is the failing instruction's where it has one."""
    words = strip_ansi(context.tail())
    if "Cannot connect to the Docker daemon" in words:
        return StepFailed(
            "the docker daemon does not answer",
            type="missing_tool",
            tail=words,
            hint=f"start it, or name another builder in {settings.IMAGE_BUILDER.variable}",
        )
    own_code = _code_of_instruction(words)
    if own_code is None and _OF_BASE_IMAGE.search(words):
        fault = _fault_in(words)
        if fault is not None:
            return registry_failure(
                context, words, exit_code, registry="of a base image", image="a base image", doing="pulled"
            )
    code = exit_code if own_code is None else own_code
    ending = f"with exit code {code}" if code is not None else "by a signal"
    return StepFailed(
        context.masker.mask("\n".join([f"the build of {image} ended {ending}", *_last(words)])),
        type="build_failed",
        exit_code=code,
        tail=words,
    )


def _code_of_instruction(words: str) -> int | None:
    for pattern in _EXIT_CODES:
        found = pattern.findall(words)
        if found:
            return int(found[-1])
    return None


def _fault_in(words: str) -> _Fault | None:
    return next((fault for fault in _FAULTS if re.search(fault.words, words, re.IGNORECASE)), None)


def _last(words: str) -> list[str]:
    return [line for line in strip_ansi(words).splitlines() if line.strip()][-ERROR_LINES:]
