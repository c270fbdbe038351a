"""Carrying out a delivery once more, because a person asks for it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.catalog import Catalog
from prefect_wfexec.gateway.deliveries.records import Delivery, Outcome, new_id
from prefect_wfexec.gateway.deliveries.store import Store
from prefect_wfexec.gateway.starting import Starter
from prefect_wfexec.journal.facts import utc_now

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient


async def redeliver(client: "PrefectClient", store: Store, delivery_id: str) -> Delivery:
    """Keep the delivery as a new one, and carry that out.

    Its signature was right when it came and is not checked again; filters, inputs and the deployment are today's.

    Returns:
        The new delivery, with what came of it.

    Raises:
        UsageError: there is no such delivery, or it can't be repeated.
    """
    known = await store.find(delivery_id)
    if known is None:
        words = f"there is no delivery '{delivery_id}' that proved itself"
        raise UsageError(words, hint="see `wfexec deliveries`", code="unknown-delivery")
    if known.outcome is Outcome.ACCEPTED:
        raise UsageError(f"delivery '{delivery_id}' is not carried out yet", code="not-carried-out")
    if known.body is None:
        of = f": {known.reason}" if known.outcome is Outcome.DUPLICATE else ""
        raise UsageError(f"what delivery '{delivery_id}' carried is not kept{of}", code="no-body")
    again = replace(
        known,
        id=new_id(),
        received=utc_now(),
        outcome=Outcome.ACCEPTED,
        reason="",
        dedupe_key=None,
        run=None,
        run_name=None,
        redelivery_of=known.id,
        attempts=0,
        not_before=None,
    )
    await store.add(again)
    catalog = Catalog(client)
    await catalog.refresh()
    await Starter(client, store, catalog).start(again)
    return await store.find(again.id) or again
