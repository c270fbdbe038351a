"""Who sent a delivery: it is proven over its raw bytes, before anything reads them."""

from dataclasses import dataclass
from datetime import datetime

from prefect_wfexec.definition.model import Trigger
from prefect_wfexec.errors import WfexecError
from prefect_wfexec.triggers.received import Received
from prefect_wfexec.triggers.secrets import Secrets


class Unverified(WfexecError):
    """A delivery that nobody has proven to be its sender's.

    Attributes:
        reason: Why, for the delivery log; it holds nothing of the secrets and nothing of the request.
    """

    code = "unverified-delivery"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the delivery is not verified: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Verified:
    """That a delivery is its sender's.

    Attributes:
        secret: Which field of the block proved it, `secret` or `previous_secret`.
        signed_at: When it was signed, where the signature covers that.
    """

    secret: str
    signed_at: datetime | None = None


def verify(trigger: Trigger, secrets: Secrets, received: Received) -> Verified:
    """Check a delivery's signature. Every secret is tried, and none ends it early.

    Raises:
        Unverified: it proves nothing.
    """
    raise NotImplementedError
