"""The forms of the console's own pages."""

from fastapi import Request

from prefect_wfexec.gateway.answers import NotServed
from prefect_wfexec.gateway.approving.reading import read_fields, read_form_body
from prefect_wfexec.gateway.bodies import BodyRefused


class FormRefused(NotServed):
    """What was sent is no form, or too large a one."""


async def read_form(request: Request) -> dict[str, str]:
    """The fields that were sent.

    Raises:
        FormRefused: they can't be read.
    """
    try:
        return read_fields(await read_form_body(request))
    except BodyRefused as refused:
        raise FormRefused(refused.reason) from None
