"""A Slack on loopback: takes messages, refuses them as told, and sends what people do with them."""

import hashlib
import hmac
import json
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

TEAM = "T0TEAM"
SECONDS_TO_ANSWER = 3.0
"""What Slack gives an app to answer in, and what a trigger is good for."""


@dataclass(frozen=True, slots=True)
class SlackCall:
    """One request, as it came in."""

    method: str
    token: str
    arguments: dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request is answered with instead of success."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class SlackStub:
    """`with SlackStub() as slack:` gives a server at `slack.base_url`; `calls` and `messages` show what arrived.

    A call is answered as Slack does: a token it does not know is `invalid_auth`, a channel it does not know
    `channel_not_found`, a message that was not posted can't be changed. `refuse`, `rate_limit` and `answer` line up
    answers for the next calls of one API method. `press` and `submit` do what people do, and what Slack then sends.
    """

    def __init__(self, token: str = "xoxb-stub-token", channels: tuple[str, ...] = ("#deploys", "C0DEPLOYS")) -> None:
        self.token = token
        self.channels = set(channels)
        self.calls: list[SlackCall] = []
        self.shown: dict[str, dict[str, str]] = {}
        """What each message looks like by now, by its time stamp."""
        self.signing_secret = "a signing secret of an app"
        self.users: dict[str, dict[str, Any]] = {}
        """What users.info tells of each user, by id."""
        self.views: list[dict[str, Any]] = []
        """The forms that were opened."""
        self.told: list[str] = []
        """What was said to single people."""
        self._triggers: dict[str, float] = {}
        self._answers: dict[str, deque[Answer]] = defaultdict(deque)
        self._hanging: set[str] = set()
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/"

    @property
    def messages(self) -> list[dict[str, str]]:
        """The arguments of every chat.postMessage that was accepted."""
        return [call.arguments for call in self.calls if call.method == "chat.postMessage"]

    def refuse(self, method: str, error: str, times: int = 1) -> None:
        """Answer the next calls with `ok: false` and this error."""
        body = json.dumps({"ok": False, "error": error}).encode()
        self.answer(method, Answer(200, body, {"Content-Type": "application/json"}), times)

    def rate_limit(self, method: str, retry_after: str, times: int = 1) -> None:
        """Answer the next calls with 429."""
        headers = {"Content-Type": "application/json", "Retry-After": retry_after}
        self.answer(method, Answer(429, b'{"ok": false, "error": "ratelimited"}', headers), times)

    def hang(self, method: str) -> None:
        """Answer no call of this method until the stub ends."""
        self._hanging.add(method)

    def answer(self, method: str, answer: Answer, times: int = 1) -> None:
        with self._lock:
            self._answers[method].extend([answer] * times)

    def add_user(self, user_id: str, email: str, **more: Any) -> None:
        """Somebody with an account."""
        profile = {"email": email, "real_name": user_id}
        found = {"id": user_id, "team_id": TEAM, "deleted": False, "is_bot": False, "is_email_confirmed": True}
        with self._lock:
            self.users[user_id] = {**found, "profile": profile, **more}

    def blocks(self, ts: str) -> list[dict[str, Any]]:
        """What a message shows by now."""
        with self._lock:
            found: list[dict[str, Any]] = json.loads(self.shown[ts]["blocks"])
        return found

    def buttons(self, ts: str) -> dict[str, dict[str, Any]]:
        """The buttons of a message by what is on them."""
        actions = [block for block in self.blocks(ts) if block["type"] == "actions"]
        return {button["text"]["text"]: button for block in actions for button in block["elements"]}

    def pressed(self, ts: str, button: str, user_id: str) -> dict[str, Any]:
        """What Slack sends when somebody presses a button of a message."""
        found = self.buttons(ts)[button]
        trigger = f"{time.time_ns()}.trigger"
        with self._lock:
            self._triggers[trigger] = time.monotonic() + SECONDS_TO_ANSWER
        return {
            "type": "block_actions",
            "user": {"id": user_id, "username": user_id.lower(), "team_id": TEAM},
            "api_app_id": "A0APP",
            "token": "deprecated",
            "container": {"type": "message", "message_ts": ts, "channel_id": "C0DEPLOYS", "is_ephemeral": False},
            "trigger_id": trigger,
            "team": {"id": TEAM, "domain": "stub"},
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": {"id": "C0DEPLOYS", "name": "deploys"},
            "message": {"type": "message", "ts": ts, "blocks": self.blocks(ts)},
            "response_url": f"{self.base_url.removesuffix('api/')}actions/{TEAM}/{ts}",
            "actions": [
                {"type": "button", "block_id": "b1", "action_ts": f"{time.time():.6f}"}
                | {name: found[name] for name in ("action_id", "value", "text") if name in found}
            ],
        }

    def submitted(self, view: dict[str, Any], user_id: str, **filled: str) -> dict[str, Any]:
        """What Slack sends when somebody sends a form."""
        values: dict[str, Any] = {}
        for block in view["blocks"]:
            if block["type"] == "input":
                element, given = block["element"], filled.get(block["block_id"].replace(".", "_"))
                is_list = element["type"] == "static_select"
                chosen = {"value": given} if given is not None else element.get("initial_option")
                value = {"selected_option": chosen} if is_list else {"value": given or element.get("initial_value")}
                values[block["block_id"]] = {element["action_id"]: {"type": element["type"], **value}}
        return {
            "type": "view_submission",
            "team": {"id": TEAM, "domain": "stub"},
            "user": {"id": user_id, "username": user_id.lower(), "team_id": TEAM},
            "api_app_id": "A0APP",
            "trigger_id": f"{time.time_ns()}.trigger",
            "view": {**view, "id": "V0VIEW", "state": {"values": values}},
            "response_urls": [],
        }

    def signed(
        self, payload: dict[str, Any], secret: str = "", at: float | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of a request of Slack's."""
        body = urlencode({"payload": json.dumps(payload)}).encode()
        stamp = str(int(time.time() if at is None else at))
        key = (secret or self.signing_secret).encode()
        digest = hmac.new(key, f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
        return body, {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={digest}",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        }

    def send(self, url: str, payload: dict[str, Any], **signing: Any) -> httpx.Response:
        """Send it; an app that is slower than Slack waits fails."""
        body, headers = self.signed(payload, **signing)
        return httpx.post(url, content=body, headers=headers, timeout=SECONDS_TO_ANSWER, trust_env=False)

    def __enter__(self) -> "SlackStub":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, call: SlackCall) -> Answer:
        if call.method in self._hanging:
            self._is_over.wait()
        with self._lock:
            if self._answers[call.method]:
                return self._answers[call.method].popleft()
            payload = self._succeed(call)
            if payload.get("ok"):
                self.calls.append(call)
        return Answer(200, json.dumps(payload).encode(), {"Content-Type": "application/json"})

    def _succeed(self, call: SlackCall) -> dict[str, object]:
        if call.token != self.token:
            return {"ok": False, "error": "invalid_auth"}
        about_people = self._about_people(call)
        if about_people is not None:
            return about_people
        if call.arguments.get("channel") not in self.channels:
            return {"ok": False, "error": "channel_not_found"}
        if call.method == "chat.postMessage":
            if not call.arguments.get("text") and not call.arguments.get("blocks"):
                return {"ok": False, "error": "no_text"}
            ts = f"1700000000.{len(self.calls):06d}"
            self.shown[ts] = call.arguments
            return {"ok": True, "channel": "C0DEPLOYS", "ts": ts, "message": {"text": call.arguments.get("text", "")}}
        if call.method == "chat.getPermalink":
            ts = call.arguments.get("message_ts", "").replace(".", "")
            return {"ok": True, "channel": "C0DEPLOYS", "permalink": f"https://stub.slack.com/archives/C0DEPLOYS/p{ts}"}
        if call.method == "chat.update":
            if call.arguments.get("ts") not in self.shown:
                return {"ok": False, "error": "message_not_found"}
            self.shown[call.arguments["ts"]] = call.arguments
            return {"ok": True, "channel": "C0DEPLOYS", "ts": call.arguments.get("ts", "")}
        return {"ok": False, "error": "unknown_method"}

    def _about_people(self, call: SlackCall) -> dict[str, object] | None:
        if call.method == "auth.test":
            return {"ok": True, "team_id": TEAM, "user_id": "U0BOT", "bot_id": "B0BOT"}
        if call.method == "users.info":
            found = self.users.get(call.arguments.get("user", ""))
            return {"ok": True, "user": found} if found else {"ok": False, "error": "user_not_found"}
        return self._open_view(call) if call.method == "views.open" else None

    def _open_view(self, call: SlackCall) -> dict[str, object]:
        if self._triggers.pop(call.arguments.get("trigger_id", ""), 0.0) < time.monotonic():
            return {"ok": False, "error": "expired_trigger_id"}
        view = json.loads(call.arguments["view"])
        if len(view["private_metadata"]) > 3000 or len(view["title"]["text"]) > 24:
            return {"ok": False, "error": "invalid_arguments"}
        self.views.append(view)
        return {"ok": True, "view": view}

    def _respond(self, ts: str, body: bytes) -> Answer:
        """What a response URL does: tell one person, or put something else in the place of the message."""
        found = json.loads(body)
        with self._lock:
            if self._answers["response_url"]:
                return self._answers["response_url"].popleft()
            if found.get("replace_original"):
                self.shown[ts] = {**self.shown[ts], "text": found["text"], "blocks": json.dumps(found["blocks"])}
            else:
                self.told.append(found["text"])
        return Answer(200, b"ok")

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self._handle(self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def do_GET(self) -> None:
                self._handle(b"")

            def _handle(self, body: bytes) -> None:
                url = urlsplit(self.path)
                kind = self.headers.get("Content-Type", "")
                # Methods that read take no JSON: what comes so is passed over, as Slack does.
                is_read = url.path.endswith(("/users.info", "/auth.test")) and "json" in kind
                arguments = _arguments(url.query, kind, b"{}" if is_read else body)
                token = self.headers.get("Authorization", "").removeprefix("Bearer ") or arguments.pop("token", "")
                if url.path.startswith("/actions/"):
                    answer = stub._respond(url.path.rpartition("/")[2], body)
                else:
                    answer = stub._take(SlackCall(url.path.removeprefix("/api/"), token, arguments))
                if stub._is_over.is_set():
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *args: object) -> None:
                """Nothing is printed."""

        return Handler


def _arguments(query: str, content_type: str, body: bytes) -> dict[str, str]:
    found = {name: values[-1] for name, values in parse_qs(query).items()}
    if content_type.startswith("application/json"):
        return found | {
            name: value if isinstance(value, str) else json.dumps(value) for name, value in json.loads(body).items()
        }
    return found | {name: values[-1] for name, values in parse_qs(body.decode()).items()}
