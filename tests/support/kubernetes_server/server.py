"""The server itself: a thread with an event loop of its own, and what tests may do to it."""

import asyncio
import base64
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from aiohttp import web

from tests.support.kubernetes_server.certificate import make_certificate
from tests.support.kubernetes_server.controllers import Controllers
from tests.support.kubernetes_server.kinds import KINDS, Kind
from tests.support.kubernetes_server.node import Node
from tests.support.kubernetes_server.routes import Routes
from tests.support.kubernetes_server.store import Object, Store

LOOK_SECONDS = 0.05
ROLES_SECONDS = 0.5
TOKEN = "kube-token-for-tests"


class KubernetesServer:
    """Use it as a context manager. `images` may be added to at any time.

    Attributes:
        images: The images that can be pulled, with what each runs by default.
        requests: (method, path with query) of every request so far.
    """

    def __init__(self) -> None:
        self.token = TOKEN
        self.certificate = make_certificate()
        self.images: dict[str, list[str]] = {"busybox:1": ["sleep", "600"]}
        self.requests: list[tuple[str, str]] = []
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._ready: Future[int] = Future()
        self._stop: asyncio.Event
        self._loop: asyncio.AbstractEventLoop

    def __enter__(self) -> "KubernetesServer":
        self._thread.start()
        self.port = self._ready.result(30)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def kubeconfig(self, *, token: str | None = None, **user: Any) -> Object:
        """A kubeconfig for it."""
        authority = {"certificate-authority-data": base64.b64encode(self.certificate.authority).decode()}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url, **authority}}],
            "users": [{"name": "test", "user": user or {"token": token or self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }

    # --- what tests see and do ---

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in the server's thread."""
        done: Future[Any] = Future()

        def run() -> None:
            try:
                done.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 - the caller is in another thread
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return done.result(30)

    def objects(self, qualified: str, namespace: str = "") -> list[Object]:
        """All objects of a resource, e.g. `deployments.apps`."""
        return self.call(self._store.all, qualified, namespace)  # type: ignore[no-any-return]

    def object(self, qualified: str, name: str, namespace: str = "default") -> Object | None:
        return self.call(self._store.find, qualified, namespace, name)  # type: ignore[no-any-return]

    def forbid(self, verb: str, qualified: str) -> None:
        """Refuse a verb (create, get, list, watch, patch, update, delete) on a resource from now on."""
        self.call(self._routes.forbidden.add, (verb, qualified))

    def allow_all(self) -> None:
        self.call(self._routes.forbidden.clear)

    def forget_history(self) -> None:
        """Cut the history: every watch that goes on from before gets 410 Gone."""
        self.call(self._store.forget_history)

    def cut_streams(self) -> None:
        """Break every watch and every followed log in the middle."""
        self.call(self._routes.cut_streams)

    def lose_answer(self, method: str, part: str) -> None:
        """Do what the next such request asks, and break its connection instead of answering."""
        self.call(self._routes.lost.append, (method, part))

    def process_ids(self) -> list[int]:
        """The processes of all containers that run."""
        return self.call(lambda: [process.pid for process in self._node.processes])  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens, and all connections are broken; the cluster itself goes on."""
        self._wait(self._close_site())
        try:
            yield
        finally:
            self._wait(self._open_site(self.port))

    def go_away(self, seconds: float) -> None:
        """Be away for so long, from now on."""

        async def be_away() -> None:
            await self._close_site()
            await asyncio.sleep(seconds)
            await self._open_site(self.port)

        asyncio.run_coroutine_threadsafe(be_away(), self._loop)

    def wait_until(self, condition: Callable[[], Any], seconds: float = 30) -> Any:
        """Wait for something that the server's objects show."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, "what was waited for did not happen"
            time.sleep(0.02)
        return found

    # --- the thread ---

    def _wait(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _main(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._store = Store()
        self._kinds: dict[tuple[str, str], Kind] = {(kind.api_version, kind.plural): kind for kind in KINDS}
        self._controllers = Controllers(self._store)
        self._node = Node(self._store, self.images)
        self._routes = Routes(self._store, self._kinds, self._controllers, self._node, self)
        for namespace in ("default", "kube-system"):
            self._routes.make_namespace(namespace)
        application = web.Application(client_max_size=3 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._routes.handle)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        self._site: web.SockSite | None = None
        await self._open_site(0)
        look = asyncio.create_task(self._look())
        self._ready.set_result(self.port)
        await self._stop.wait()
        look.cancel()
        self._routes.cut_streams()
        await self._node.close()
        await self._runner.cleanup()

    async def _open_site(self, port: int) -> None:
        if port:
            self._routes.knows_roles_at = time.monotonic() + ROLES_SECONDS
        found = socket.socket()
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(("127.0.0.1", port))
        self.port = found.getsockname()[1]
        self._site = web.SockSite(self._runner, found, ssl_context=self.certificate.context)
        await self._site.start()

    async def _close_site(self) -> None:
        self._routes.cut_streams()
        if self._site is not None:
            await self._site.stop()
            self._site = None
        server = self._runner.server
        for connection in list(getattr(server, "connections", [])):
            if connection.transport is not None:
                connection.transport.abort()

    async def _look(self) -> None:
        while True:
            self._controllers.look()
            self._node.look()
            changed = self._store.changed
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), LOOK_SECONDS)
            await asyncio.sleep(0)
