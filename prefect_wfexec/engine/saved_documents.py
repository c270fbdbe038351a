"""Whether the blocks that steps name are saved, and of the type they are to be. Their contents are not read."""

from typing import TYPE_CHECKING

from prefect_wfexec.errors import join_names
from prefect_wfexec.steps.checking import BlockUse, Problem

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

SECRET = BlockUse("", {"secret": "Secret"})


async def missing_block(client: "PrefectClient", name: str, use: BlockUse) -> Problem | None:
    """Why a step can't use the block of this name; None when it can."""
    types = await _types_of(client, name)
    if types.keys() & use.slugs.keys():
        return None
    wanted = " or ".join(use.slugs.values())
    if types:
        words = f"the saved block '{name}' is a {join_names(sorted(types.values()))}, and a {wanted} is needed"
        return Problem(words, "name another block, or save one of that type under this name")
    return Problem(f"no {wanted} block '{name}' is saved", f"add one in Prefect's UI under Blocks, named '{name}'")


async def missing_secret(client: "PrefectClient", name: str) -> Problem | None:
    """Why `secrets.<name>` has no value; None when it has."""
    return await missing_block(client, name.replace("_", "-").lower(), SECRET)


async def _types_of(client: "PrefectClient", name: str) -> dict[str, str]:
    """The types of the saved blocks of this name: their names by slug."""
    wanted = {"block_documents": {"name": {"any_": [name]}, "is_anonymous": {"eq_": False}}, "include_secrets": False}
    response = await client.request("POST", "/block_documents/filter", json=wanted)
    return {document["block_type"]["slug"]: document["block_type"]["name"] for document in response.json()}
