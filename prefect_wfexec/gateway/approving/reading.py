"""Reading the forms that our pages and Slack send: bounded, and in no other shape."""

from http import HTTPStatus
from urllib.parse import parse_qsl

from fastapi import Request

from prefect_wfexec.gateway.bodies import BodyRefused, read_body

LARGEST_FORM_BYTES = 1024 * 1024
MOST_FIELDS = 200
FORM_TYPE = "application/x-www-form-urlencoded"


async def read_form_body(request: Request) -> bytes:
    """The bytes of a form, as they came.

    Raises:
        BodyRefused: they are too many, too slow, compressed, or no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM_TYPE:
        raise BodyRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"a body of type {FORM_TYPE} is wanted")
    return await read_body(request, LARGEST_FORM_BYTES)


def read_fields(body: bytes) -> dict[str, str]:
    """The fields of a form; of one that comes twice the last.

    Raises:
        BodyRefused: there are too many.
    """
    text = body.decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MOST_FIELDS))
    except ValueError:
        raise BodyRefused(HTTPStatus.BAD_REQUEST, f"the form has more than {MOST_FIELDS} fields") from None
