"""What the routes share: made when the gateway starts, closed when it ends."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from prefect_wfexec.errors import Unreachable
from prefect_wfexec.gateway.journals import Journals
from prefect_wfexec.gateway.signin.access import Access
from prefect_wfexec.journal.keys import Keys

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient


@dataclass(frozen=True, slots=True)
class Services:
    """What a route works with.

    Attributes:
        client: A client of Prefect's API that lives as long as the gateway.
        keys: The key of journals: the gateway vouches with it for who it has recognised.
        public_url: Where people reach this gateway, without a slash at the end.
        access: Who may use it.
        journals: Those of the runs that were looked at last.
    """

    client: "PrefectClient"
    keys: Keys
    public_url: str
    access: Access
    journals: Journals = field(default_factory=Journals)


def services(connection: HTTPConnection) -> Services:
    """The services of the app that serves this request.

    Raises:
        Unreachable: there are none yet, for Prefect's API was away ever since the gateway started.
    """
    found = getattr(connection.app.state, "services", None)
    if not isinstance(found, Services):
        raise Unreachable("the gateway has not reached prefect's API yet", hint="look at its server")
    return found
