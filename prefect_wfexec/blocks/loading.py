"""Loading a saved block by its class and name."""

from typing import TypeVar

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from prefect_wfexec.runtime.saved_blocks import MissingBlock

BlockT = TypeVar("BlockT", bound=Block)


async def load_block(kind: type[BlockT], name: str) -> BlockT:
    """The block of class `kind` saved as `name`.

    Raises:
        MissingBlock: nobody saved it.
        pydantic.ValidationError: what is saved no longer fits the class.
    """
    async with get_client() as client:
        try:
            await client.read_block_document_by_name(name, kind.get_block_type_slug(), include_secrets=False)
        except ObjectNotFound:
            raise MissingBlock(name, kind.get_block_type_name()) from None
        return await kind.aload(name, client=client)
