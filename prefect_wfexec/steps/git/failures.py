"""Turns what git said into the step's error."""

import re
from dataclasses import dataclass

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.captured import Said
from prefect_wfexec.steps.git.addresses import Address, shown

ERROR_LINES = 5
"""How many of git's last lines the message repeats."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """One kind of failure, known by git's or ssh's words.

    Attributes:
        words: What they say.
        type: The error's type.
        message: What a person is told; `{url}` and `{host}` are filled in.
        hint: The mend.
        is_passing: Whether another try may succeed.
    """

    words: str
    type: str
    message: str
    hint: str
    is_passing: bool = False


_FAULTS = (
    _Fault(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "host_key_changed",
        "{host} shows another host key than the one that is known",
        "someone may stand between: ask the server's owner, then put its new key into the block's known hosts",
    ),
    _Fault(
        r"Host key verification failed|No \S+ host key is known",
        "host_key_unknown",
        "the host key of {host} is not known",
        "put the output of `ssh-keyscan` into the block's known hosts, once compared with what the owner publishes",
    ),
    _Fault(
        r"Permission denied \(|Authentication failed|could not read Username|could not read Password"
        r"|terminal prompts disabled|returned error: 40[13]\b|HTTP Basic: Access denied|invalid credentials",
        "auth_refused",
        "{host} refuses these credentials for {url}",
        "save credentials that may read the repository in a block, and name it with `block`",
    ),
    _Fault(
        r"returned error: 30\d\b|unable to update url base from redirection",
        "redirect_refused",
        "{host} answers for {url} with a redirect, and none is followed",
        "write the repository's present address; many end in .git",
    ),
    _Fault(
        r"[Rr]epository .*not found|returned error: 404\b|does not appear to be a git repository|does not exist"
        r"|project you were looking for could not be found|not valid: is this a git repository",
        "repository_not_found",
        "{url} is no repository, or these credentials may not see it",
        "check the URL, and that the block's credentials may read it",
    ),
    _Fault(
        r"[Cc]ertificate|SSL_ERROR|TLS|gnutls|CAfile",
        "tls_refused",
        "{host} can't prove who it is",
        "have the worker trust the server's certificate: GIT_SSL_CAINFO names a file of certificates",
    ),
    _Fault(
        r"transport '.*' not allowed",
        "url_refused",
        "the way to {url} is not allowed",
        "write https:// or ssh://",
    ),
    _Fault(
        r"No space left on device|Disk quota exceeded",
        "disk_full",
        "there is no space left for the checkout of {url}",
        "make space where the run's folder is, or fetch less with `depth`",
    ),
    _Fault(
        r"dubious ownership",
        "repository_not_found",
        "{url} belongs to another user of this machine",
        "have the repository belong to the user that the worker runs as",
    ),
    _Fault(
        r"Could not resolve|Failed to connect|Couldn't connect|Connection (refused|reset|timed out|closed)|timed out"
        r"|early EOF|RPC failed|unexpected disconnect|hung up unexpectedly|Operation too slow|Empty reply"
        r"|returned error: (429|5\d\d)\b|Network is unreachable|No route to host|Temporary failure",
        "network",
        "{host} can't be reached, or broke off",
        "check that the worker reaches the server; `retry` may help",
        is_passing=True,
    ),
)


def failure(context: StepContext, address: Address, said: Said, doing: str) -> StepFailed:
    """The error for a git command that did not succeed.

    Args:
        context: The step's context.
        address: The repository.
        said: What git said.
        doing: What it was to do, for the message.
    """
    lines = [line for line in said.errors.splitlines() if line.strip()][-ERROR_LINES:]
    words = "\n".join(lines)
    fault = next((fault for fault in _FAULTS if re.search(fault.words, said.errors)), None)
    if fault is None:
        message, kind, hint, retryable = f"git can't {doing} {{url}}", "git_error", None, True
    else:
        message, kind, hint, retryable = fault.message, fault.type, fault.hint, fault.is_passing
    filled = message.format(url=shown(address.text), host=address.host or "this machine")
    return StepFailed(
        context.masker.mask(f"{filled}\n{words}" if words else filled),
        type=kind,
        exit_code=said.exit_code,
        tail=context.tail(),
        hint=hint,
        retryable=retryable,
    )
