"""A Slack Web API on loopback: takes messages, and refuses them as told."""

import json
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlsplit


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
    answers for the next calls of one API method.
    """

    def __init__(self, token: str = "xoxb-stub-token", channels: tuple[str, ...] = ("#deploys", "C0DEPLOYS")) -> None:
        self.token = token
        self.channels = set(channels)
        self.calls: list[SlackCall] = []
        self.shown: dict[str, dict[str, str]] = {}
        """What each message looks like by now, by its time stamp."""
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

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self._handle(self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def do_GET(self) -> None:
                self._handle(b"")

            def _handle(self, body: bytes) -> None:
                url = urlsplit(self.path)
                arguments = _arguments(url.query, self.headers.get("Content-Type", ""), body)
                token = self.headers.get("Authorization", "").removeprefix("Bearer ") or arguments.pop("token", "")
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
