"""What a request is refused with before anything is done."""

from http import HTTPStatus

from prefect_wfexec.errors import WfexecError


class Refused(WfexecError):
    """A request that is not let in.

    Attributes:
        status: What is answered.
        headers: What is answered beside it.
    """

    status = HTTPStatus.FORBIDDEN
    headers: dict[str, str]

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message, hint=hint, code=code)
        self.headers = {}


class NotSignedIn(Refused):
    """Nobody is signed in, or not as the request says."""

    code = "not-signed-in"
    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message, hint=hint, code=code)
        self.headers = {"www-authenticate": 'Bearer realm="wfexec"'}


class NotAllowed(Refused):
    """Who is signed in may not do this."""

    code = "not-allowed"


class Forged(Refused):
    """What looks like a request that another page has made in somebody's name."""

    code = "cross-site"


class TooManyTries(Refused):
    """Too many wrong tokens came from one address."""

    code = "too-many-tries"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, seconds: float) -> None:
        wait = max(1, round(seconds))
        super().__init__("too many wrong tokens came from this address", hint=f"try again in {wait} seconds")
        self.headers = {"retry-after": str(wait)}
