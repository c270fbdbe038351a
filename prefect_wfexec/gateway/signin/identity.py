"""Who makes a request, how that was shown, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum

from prefect_wfexec.journal.facts import Actor


class Role(StrEnum):
    """What a person may do. Every role may read; operator and approver do not include each other."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"


ALL_ROLES = frozenset(Role)


@dataclass(frozen=True, slots=True)
class Identity:
    """A person, as a request showed them.

    Attributes:
        name: Their name, as lists of approvers have it.
        roles: What they may do.
        verified_by: How the name was shown: `token` or `proxy`; None when it was not, as with the token that a gateway
            makes for its lifetime.
        session: The id of the browser's session that the request belongs to; empty for any other request.
    """

    name: str
    roles: frozenset[Role]
    verified_by: str | None = None
    session: str = ""

    @property
    def actor(self) -> Actor:
        """Who they are in a journal."""
        return Actor(self.name, self.verified_by)

    def may(self, role: Role) -> bool:
        """Whether they may do what a role stands for."""
        return role in self.roles or (role is Role.VIEWER and bool(self.roles))
