"""What can't be shown, in words a person reads: on a page of the console."""

from fastapi import Request
from starlette.responses import Response

from prefect_wfexec.errors import Unreachable, UsageError, WfexecError
from prefect_wfexec.gateway.console.pages import page
from prefect_wfexec.gateway.signin.faults import Refused
from prefect_wfexec.gateway.signin.identity import Identity


def words_of(error: WfexecError | None) -> str:
    """An error and its mend, on one line; empty for none."""
    if error is None:
        return ""
    return error.message + (f"; {error.hint}" if error.hint else "")


def fault_page(request: Request, error: WfexecError, status: int) -> Response:
    """A page that says what is wrong; who has not signed in is not told more than that."""
    person = getattr(request.state, "identity", None)
    if not isinstance(person, Identity):
        person = Identity("", frozenset())
    return page(request, person, "note.html", status=status, headline=_headline(error), words=words_of(error))


def _headline(error: WfexecError) -> str:
    if isinstance(error, Refused):
        return "This is not for you"
    if isinstance(error, Unreachable):
        return "Prefect does not answer"
    return "This can't be done" if isinstance(error, UsageError) else "This should not happen"
