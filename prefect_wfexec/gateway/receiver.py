"""What takes deliveries in: the store, what is deployed, and what starts their runs."""

import re
from dataclasses import dataclass

from fastapi import Request

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.catalog import Catalog
from prefect_wfexec.gateway.deliveries.store import Store
from prefect_wfexec.gateway.starting import Starter
from prefect_wfexec.settings import LARGEST_DELIVERY

MOST_MIB = 25
_SIZE = re.compile(r"(\d{1,3})\s?MiB", re.ASCII)


@dataclass(frozen=True, slots=True)
class Receiver:
    """What a webhook's route works with.

    Attributes:
        store: The deliveries.
        catalog: What is deployed.
        starter: Starts the runs of deliveries.
        largest_bytes: How much a delivery may carry.
    """

    store: Store
    catalog: Catalog
    starter: Starter
    largest_bytes: int


def receiver(request: Request) -> Receiver:
    """The receiver of the app that serves this request."""
    found = request.app.state.receiver
    assert isinstance(found, Receiver), "the app has been started"
    return found


def largest_bytes() -> int:
    """How much a delivery may carry.

    Raises:
        UsageError: the setting LARGEST_DELIVERY is no size, or too large.
    """
    found = _SIZE.fullmatch(LARGEST_DELIVERY.read())
    mebibytes = int(found[1]) if found else 0
    if not 1 <= mebibytes <= MOST_MIB:
        words = f"{LARGEST_DELIVERY.variable} is no size between 1MiB and {MOST_MIB}MiB"
        raise UsageError(words, hint="write it like 5MiB")
    return mebibytes * 1024 * 1024
