"""What an API server refuses, as failures of a step that say what to do."""

import json
from collections.abc import Mapping
from typing import Any

from prefect_wfexec.errors import StepFailed

TYPED_PATCH = "failed to create typed patch object"
TRANSIENT = frozenset({429, 500, 502, 503, 504})
AWAY = frozenset({502, 503, 504})
"""What comes in place of a server that is away, of itself or of what stands before it."""
LONGEST_WORDS = 2000

_TYPES = {
    400: "kubernetes_invalid",
    401: "kubernetes_unauthorized",
    403: "kubernetes_forbidden",
    404: "kubernetes_not_found",
    409: "kubernetes_conflict",
    410: "kubernetes_expired",
    413: "kubernetes_invalid",
    415: "kubernetes_unsupported",
    422: "kubernetes_invalid",
}
_HINTS = {
    401: "the credentials are wrong or have expired: save new ones in the block, or in the kubeconfig",
    403: "give the account of these credentials that right in a Role or ClusterRole",
    413: "make the object smaller",
    415: "the cluster is too old for server-side apply: it takes Kubernetes 1.22",
}


class ClusterRefusal(StepFailed):
    """An answer of an API server that is no success.

    Attributes:
        status_code: The HTTP status.
        word: The reason as the API has it, e.g. `AlreadyExists`; empty when it gives none.
        causes: Its causes: (reason, field, message).
        names_object: Whether it is about an object of a kind that the server knows.
        said: The API's own words.
    """

    code = "cluster-refusal"

    def __init__(self, status_code: int, body: bytes, doing: str, retry_after: str | None = None) -> None:
        status = _status_in(body)
        self.status_code = status_code
        self.word = str(status.get("reason") or "")
        self.said = _said(status, body, status_code)
        self.causes = _causes(status)
        details = status.get("details")
        self.names_object = isinstance(details, dict) and bool(details.get("name"))
        self.retry_after = retry_after
        type_ = _TYPES.get(status_code, "kubernetes_error")
        if TYPED_PATCH in self.said:
            type_ = "kubernetes_invalid"
        super().__init__(
            f"{doing}: {self.said}", type=type_, hint=_HINTS.get(status_code), retryable=status_code in TRANSIENT
        )

    @property
    def is_transient(self) -> bool:
        """Whether the same request may be answered otherwise in a moment."""
        return self.status_code in TRANSIENT and TYPED_PATCH not in self.said

    @property
    def is_gone(self) -> bool:
        return self.status_code == 404

    @property
    def already_exists(self) -> bool:
        return self.status_code == 409 and self.word == "AlreadyExists"


def unreachable(where: str, reason: str) -> StepFailed:
    """No answer at all came for so long that nobody waits any more."""
    return StepFailed(
        f"the Kubernetes API server at {where} can't be reached: {reason}",
        type="kubernetes_unreachable",
        hint="check the server's address in the block or kubeconfig, and the network to it",
    )


def distrusted(where: str, reason: str) -> StepFailed:
    """The server shows a certificate that is not believed."""
    return StepFailed(
        f"the certificate of the Kubernetes API server at {where} is not trusted: {reason}",
        type="kubernetes_certificate",
        hint="put the cluster's certificate authority into the block or kubeconfig",
        retryable=False,
    )


def _status_in(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _said(status: Mapping[str, Any], body: bytes, status_code: int) -> str:
    words = status.get("message")
    if not isinstance(words, str) or not words.strip():
        # A proxy in between answers with pages of its own.
        text = body[:200].decode(errors="replace").strip()
        words = f"HTTP {status_code}" + (f", {text.splitlines()[0]}" if text and not text.startswith("<") else "")
    return words.strip()[:LONGEST_WORDS]


def _causes(status: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return tuple(
        (str(one.get("reason", "")), str(one.get("field", "")), str(one.get("message", "")))
        for one in causes or ()
        if isinstance(one, dict)
    )
