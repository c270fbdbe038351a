"""The forms of the console's own pages."""

from fastapi import HTTPException, Request

from prefect_wfexec.gateway.approving.reading import read_fields, read_form_body
from prefect_wfexec.gateway.bodies import BodyRefused


async def read_form(request: Request) -> dict[str, str]:
    """The fields that were sent.

    Raises:
        HTTPException: they are no form, or too many.
    """
    try:
        return read_fields(await read_form_body(request))
    except BodyRefused as refused:
        raise HTTPException(refused.status, refused.reason) from None
