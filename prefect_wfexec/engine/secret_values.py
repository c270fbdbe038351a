"""Values of Prefect Secret blocks, loaded when a step starts and never stored."""

import contextlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient


async def load_secrets(client: "PrefectClient", names: Iterable[str]) -> dict[str, JSON]:
    """The values of `secrets.<name>`: of the Secret block whose name has hyphens where `name` has underscores.

    Raises:
        StepFailed: a block is not there.
    """
    return {name: await _load(client, name) for name in sorted(names)}


async def _load(client: "PrefectClient", name: str) -> JSON:
    from prefect.exceptions import ObjectNotFound

    block = name.replace("_", "-").lower()
    try:
        document = await client.read_block_document_by_name(block, "secret", include_secrets=True)
    except ObjectNotFound:
        raise StepFailed(
            f"secret '{name}' needs the Prefect Secret block '{block}', which does not exist",
            type="missing_block",
            hint=f"save it in Prefect's UI under Blocks, type Secret, name {block}",
            retryable=False,
        ) from None
    return document.data.get("value")


def strings_in(value: JSON) -> list[str]:
    """Every text a secret value may be printed as: its strings, and its numbers as text; also inside JSON text."""
    if isinstance(value, str):
        found = [value]
        if value[:1] in {"{", "["}:
            with contextlib.suppress(ValueError, RecursionError):
                found += strings_in(json.loads(value))
        return found
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings_in(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings_in(item)]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [str(value)]
    return []
