"""What a route asks of who makes a request."""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from prefect_wfexec.gateway.signin.faults import NotAllowed, NotSignedIn
from prefect_wfexec.gateway.signin.identity import Identity, Role

# It stands in the OpenAPI document, and checks nothing: the guard in front of all routes has done that.
_SCHEME = HTTPBearer(auto_error=False, description="A personal API token.")


async def signed_in(request: Request) -> Identity:
    """Who makes a request.

    Raises:
        NotSignedIn: the guard does not stand in front of this route.
    """
    found = getattr(request.state, "identity", None)
    if not isinstance(found, Identity):
        raise NotSignedIn("this needs a sign-in")
    return found


def require(role: Role) -> Any:
    """A dependency that gives the person who asks, when they may do what a role stands for."""

    async def allowed(
        identity: Annotated[Identity, Depends(signed_in)], _token: Annotated[Any, Security(_SCHEME)]
    ) -> Identity:
        if not identity.may(role):
            words = f"{identity.name} is no {role.value}" if role is not Role.VIEWER else f"{identity.name} has no role"
            raise NotAllowed(words, hint=f"this needs the role '{role.value}'")
        return identity

    return Depends(allowed)


Viewer = Annotated[Identity, require(Role.VIEWER)]
Operator = Annotated[Identity, require(Role.OPERATOR)]
Approver = Annotated[Identity, require(Role.APPROVER)]
