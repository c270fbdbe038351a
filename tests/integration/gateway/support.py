"""A run that waits at a gate, and people who open the links they were sent."""

import re
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.approving import Gateway
from tests.support.mailbox import Mailbox, text_of
from tests.support.markup import Html, read_html
from tests.support.wfexec import Going, Wfexec

KEY = "a key that the run and the gateway have"
MAILER, BOT = "for-links", "for-buttons"
OTHER_SECRET = "the signing secret of another app"
ANN, BOB, JANE = "ann@example.com", "bob@example.com", "jane@example.com"
_LINK = re.compile(r"https?://\S+/approve/\S+")

GATE = """
    version: 1
    name: linked
    steps:
      - id: ask
        name: Ask the Team
        uses: approval
        with:
          message: "Shall we go?"
          approvers: [ann@example.com, bob@example.com, jane@example.com]
          quorum: 1
          expires: 4h
          notify: {mail: ops@example.com, block: for-links}
      - {id: go, run: "echo gone >> gone"}
"""


@dataclass
class Person:
    """A browser of somebody's, with its cookies, and the link they were sent."""

    link: str
    cookies: dict[str, str] = field(default_factory=dict)

    def open(self, status: int = 200) -> Html:
        """Open the link."""
        answer = self._ask("GET")
        assert answer.status_code == status, answer.text
        return read_html(answer.text)

    def send(self, decision: str, status: int = 200, headers: dict[str, str] | None = None, **form: str) -> Html:
        """Open the link and press a button."""
        fields = {**self.open().hidden, "decision": decision, **form}
        answer = self.post(fields, headers)
        assert answer.status_code == status, answer.text
        return read_html(answer.text)

    def post(self, fields: dict[str, str], headers: dict[str, str] | None = None) -> httpx.Response:
        sent = {"origin": "null", "sec-fetch-site": "same-origin", **(headers or {})}
        return self._ask("POST", data=fields, headers=sent)

    def _ask(self, method: str, **arguments: Any) -> httpx.Response:
        with httpx.Client(timeout=60, trust_env=False, cookies=self.cookies) as browser:
            answer = browser.request(method, self.link, **arguments)
        self.cookies |= dict(answer.cookies)
        return answer


@dataclass
class Desk:
    """Starts runs and shows what became of them."""

    wfexec: Wfexec
    gateway: Gateway
    mailbox: Mailbox

    def start(self, text: str = GATE) -> Going:
        """A run that goes on until it is decided."""
        return self.wfexec.start("run", self.wfexec.write("linked.yaml", text), "--json")

    def person(self, name: str, run: str, count: int = 1) -> Person:
        """Somebody with the link of their newest mail about a run."""
        return Person(self.link(name, run, count))

    def link(self, name: str, run: str, count: int = 1) -> str:
        found = _LINK.search(text_of(self.mailbox.to(name, run, count)[-1]))
        assert found is not None
        return found.group()

    def gate(self, run: str) -> dict[str, Any]:
        """The run's newest gate."""
        found: dict[str, Any] = self.wfexec.json("show", run)["gates"][-1]
        return found

    def facts(self, run: str, kind: str) -> list[dict[str, Any]]:
        """The facts of a kind in the run's journal."""
        entries = self.wfexec.json("audit", run)["entries"]
        return [fact for entry in entries for fact in entry["facts"] if fact["kind"] == kind]

    def count(self, name: str) -> int:
        path = self.wfexec.folder / name
        return len(path.read_text().splitlines()) if path.exists() else 0
