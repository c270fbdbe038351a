"""`serve` and `deliveries`."""

import argparse
import contextlib
from typing import Any

from prefect_wfexec.cli.lists import moment, table
from prefect_wfexec.cli.output import DONE, FAILED, note, say_json
from prefect_wfexec.errors import UsageError
from prefect_wfexec.gateway.deliveries.database import database_url
from prefect_wfexec.gateway.deliveries.records import Delivery, Outcome
from prefect_wfexec.gateway.deliveries.store import Store
from prefect_wfexec.gateway.event_loop import loop_factory
from prefect_wfexec.gateway.redelivering import redeliver
from prefect_wfexec.operations.connection import connected, reachable

__all__ = ["deliveries", "loop_factory", "serve"]


async def serve(arguments: argparse.Namespace) -> int:
    """Run the gateway until it is stopped."""
    from prefect.client.orchestration import get_client

    try:
        from prefect_wfexec.gateway.reconciling import reconciling
        from prefect_wfexec.gateway.serving import serve as serve_gateway
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the gateway needs the package '{error.name}'", hint="pip install 'prefect-wfexec[server]'"
        ) from None
    async with reachable() as url:
        async with get_client() as client:
            note(f"gateway for {url} on http://{arguments.host}:{arguments.port}")
            beside = reconciling(url) if arguments.reconcile else contextlib.nullcontext()
            async with beside:
                await serve_gateway(client, arguments.host, arguments.port, note)
    return DONE


async def deliveries(arguments: argparse.Namespace) -> int:
    """List what came to the gateway, or have one delivery carried out again."""
    async with Store.opened(database_url()) as store:
        if arguments.redeliver is None:
            before = await store.find_any(arguments.before) if arguments.before else None
            found = await store.newest(arguments.limit, workflow=arguments.workflow, before=before)
            _show(found, as_json=arguments.json)
            return DONE
        async with reachable():
            async with connected() as client:
                again = await redeliver(client, store, arguments.redeliver)
    _show([again], as_json=arguments.json)
    return DONE if again.outcome in {Outcome.STARTED, Outcome.ACCEPTED} else FAILED


def _show(found: list[Delivery], *, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [one.as_json() for one in found]
    if as_json:
        say_json(rows)
        return
    titles = ("Delivery", "Received", "Workflow", "Trigger", "Outcome", "Run ID", "Reason")
    table(
        titles,
        [
            (
                row["id"],
                moment(row["received"]),
                row["workflow"],
                row["trigger"],
                row["outcome"],
                row["run"] or "-",
                row["reason"],
            )
            for row in rows
        ],
    )
