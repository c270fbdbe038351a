"""Reading what a saved block document holds, through the API of the run."""

from collections.abc import Mapping

from prefect_wfexec.errors import EngineError, WfexecError


class MissingBlock(WfexecError):
    """A block document that nobody saved.

    Attributes:
        name: The document's name.
        type_name: The block type's name, as Prefect's UI shows it.
    """

    code = "missing-block"

    def __init__(self, name: str, type_name: str) -> None:
        super().__init__(
            f"no {type_name} block '{name}' is saved",
            hint=f"run `prefect block register -m prefect_wfexec.blocks`, then add a block of type {type_name} named "
            f"'{name}' in Prefect's UI under Blocks",
        )
        self.name = name
        self.type_name = type_name


async def read_block_data(slug: str, name: str, type_name: str) -> Mapping[str, object]:
    """The fields of a saved block document, secrets in clear.

    The block's class is not needed, and no other package's blocks are imported to find it.

    Args:
        slug: The block type's slug.
        name: The document's name.
        type_name: The block type's name, for the error.

    Raises:
        MissingBlock: nobody saved it.
        EngineError: Prefect's API can't be asked.
    """
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    try:
        async with get_client() as client:
            document = await client.read_block_document_by_name(name, slug)
    except ObjectNotFound:
        raise MissingBlock(name, type_name) from None
    except HTTPError as error:
        raise EngineError(
            f"the {type_name} block '{name}' can't be read from Prefect's API: {type(error).__name__}",
            hint="check that PREFECT_API_URL answers",
        ) from error
    return document.data
