"""Who makes a request: by a token, by the trusted proxy, or by a browser's session."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import HTTPConnection

from prefect_wfexec.engine.approvals.verifying import BY_PROXY, BY_TOKEN
from prefect_wfexec.gateway.signin.faults import Forged, NotSignedIn, TooManyTries
from prefect_wfexec.gateway.signin.identity import Identity
from prefect_wfexec.gateway.signin.people import Person
from prefect_wfexec.gateway.signin.proxy import TrustedProxy
from prefect_wfexec.gateway.signin.same_origin import is_own_page
from prefect_wfexec.gateway.signin.sessions import LONGEST_SECONDS, Session, Sessions
from prefect_wfexec.gateway.signin.throttle import Throttle
from prefect_wfexec.gateway.signin.tokens import TokenBook, make_token
from prefect_wfexec.journal.keys import Keys
from prefect_wfexec.settings import TOKENS_FILE

FORM_HEADER = "x-csrf-token"
PROXIED = "proxy"
"""The session of everything that comes through the proxy: it signs people in, and its cookie is none of ours."""
_HOW = "send a token as `Authorization: Bearer …`, or sign in at /sign-in"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a gateway.

    Attributes:
        tokens: Who holds which token.
        proxy: Whose header is believed.
        sessions: Browsers that are signed in.
        public_url: Where people reach the gateway.
        lifetime_token: The token made for the gateway's lifetime, to be shown once; empty when none was.
        throttle: Who has tried too many tokens.
    """

    tokens: TokenBook
    proxy: TrustedProxy
    sessions: Sessions
    public_url: str
    lifetime_token: str = field(default="", repr=False)
    throttle: Throttle = field(default_factory=Throttle)

    @classmethod
    def from_settings(cls, keys: Keys, public_url: str, environ: Mapping[str, str] | None = None) -> "Access":
        """Access as the settings say; with a token for the gateway's lifetime where they say nothing.

        Raises:
            UsageError: a setting, or the tokens file, can't be used.
        """
        file, proxy = TOKENS_FILE.read(environ), TrustedProxy.from_settings(environ)
        token = "" if file or proxy.header else make_token()
        book = TokenBook(Path(file) if file else None, token)
        return cls(book, proxy, Sessions(keys.sessions), public_url, token)

    @property
    def cookie(self) -> str:
        """The name of the cookie; over https one that no other host can set."""
        return "__Host-wfexec-session" if self.is_secure else "wfexec-session"

    @property
    def is_secure(self) -> bool:
        return self.public_url.lower().startswith("https://")

    def recognise(self, connection: HTTPConnection) -> Identity:
        """Who makes a request.

        Raises:
            NotSignedIn: nobody we know.
            TooManyTries: too many wrong tokens came from there.
        """
        proxied = self.proxy.name_in(connection.headers.getlist(self.proxy.header), _peer(connection))
        token = _bearer(connection)
        if token is not None:
            held = self.tokens.people.holder_of(token)
            if held is not None:
                return _identity(held[0], BY_TOKEN)
            if proxied is None:
                raise self._wrong_token(connection)
        if proxied is not None:
            known = self.tokens.people.named(proxied) or Person(proxied, self.proxy.roles)
            return _identity(known, BY_PROXY, PROXIED)
        session = self.session(connection)
        if session is None:
            raise NotSignedIn("this needs a sign-in", hint=_HOW)
        return _identity(session.person, BY_TOKEN, session.id)

    def session(self, connection: HTTPConnection) -> Session | None:
        """The session of a browser's cookie, if it has one."""
        cookie = connection.cookies.get(self.cookie)
        return self.sessions.read(cookie, self.tokens.people) if cookie else None

    def sign_in(self, connection: HTTPConnection, token: str) -> str:
        """A cookie for a browser whose person has typed a token.

        Raises:
            TooManyTries: too many wrong tokens came from there; then no token is taken.
            NotSignedIn: the token is nobody's.
        """
        address = self._address(connection)
        wait = self.throttle.wait_seconds(address)
        held = self.tokens.people.holder_of(token)
        if wait:
            raise TooManyTries(wait)
        if held is None:
            self.throttle.fail(address)
            raise NotSignedIn("this token is nobody's", code="wrong-token")
        return self.sessions.begin(*held)

    def form_token(self, identity: Identity) -> str:
        """What pages of this person send along with every request that changes something."""
        return self.sessions.form_token(identity.session, identity.name)

    def require_own_page(self, connection: HTTPConnection) -> None:
        """That a page of this gateway asks.

        Raises:
            Forged: another does, or the browser does not say.
        """
        if not is_own_page(connection.headers, self.public_url):
            words = "this request does not come from a page of this gateway"
            raise Forged(words, hint="programs send a token as `Authorization: Bearer …`")

    def require_form_token(self, identity: Identity, token: str) -> None:
        """That who asks has read a page of this person's.

        Raises:
            Forged: the token is missing, or another's.
        """
        if not self.sessions.is_form_token(token, identity.session, identity.name):
            words = f"this request lacks the token of the page it comes from, in '{FORM_HEADER}' or 'csrf_token'"
            raise Forged(words, hint="load the page again; GET /api/v1/me tells the token")

    def _wrong_token(self, connection: HTTPConnection) -> NotSignedIn | TooManyTries:
        address = self._address(connection)
        wait = self.throttle.wait_seconds(address)
        if wait:
            return TooManyTries(wait)
        self.throttle.fail(address)
        return NotSignedIn("this token is nobody's", hint=_HOW, code="wrong-token")

    def _address(self, connection: HTTPConnection) -> str:
        return self.proxy.client_behind(_peer(connection), connection.headers.getlist("x-forwarded-for"))


SESSION_SECONDS = LONGEST_SECONDS


def _identity(person: Person, way: str, session: str = "") -> Identity:
    return Identity(person.name, person.roles, way if person.is_named else None, session)


def _peer(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


def _bearer(connection: HTTPConnection) -> str | None:
    """The token of the Authorization header; None when there is none of this kind."""
    found = [value.strip().split(None, 1) for value in connection.headers.getlist("authorization")]
    tokens = [parts[1] if len(parts) == 2 else "" for parts in found if parts and parts[0].lower() == "bearer"]
    if not tokens:
        return None
    return tokens[0] if len(tokens) == 1 else ""
