"""Workflows deployed with `prefect deploy`, and workers that run them, as a team has it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import UUID

import httpx

from tests.support.processes import is_alive
from tests.support.server import PrefectServer

DEADLINE_SECONDS = 300.0
POOL = "workflows"

_MODULE = """
from pathlib import Path

from prefect_wfexec import load_workflow

{variable} = load_workflow(Path(__file__).with_suffix(".yaml"))
"""
_DEPLOYMENT = """
  - name: {name}
    entrypoint: flows/{module}.py:{variable}
    work_pool: {{name: {pool}}}
"""


class Site:
    """A folder with definitions, deployed to a process work pool of a server.

    Args:
        server: The server.
        folder: Where the definitions stand; workers run what is there.
        pool: The work pool's name.
    """

    def __init__(self, server: PrefectServer, folder: Path, pool: str = POOL) -> None:
        self.server = server
        self.folder = folder
        self.pool = pool
        self._deployments: list[str] = []

    def write(self, name: str, text: str) -> Path:
        """Write a file below the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def workflow(self, name: str, text: str) -> None:
        """Add a workflow: its definition, its module, its deployment."""
        variable = name.replace("-", "_")
        self.write(f"flows/{variable}_flow.yaml", text)
        self.write(f"flows/{variable}_flow.py", _MODULE.format(variable=variable))
        self._deployments.append(
            _DEPLOYMENT.format(name=name, module=f"{variable}_flow", variable=variable, pool=self.pool)
        )
        self.write("prefect.yaml", "name: site\npull: null\ndeployments:\n" + "".join(self._deployments))

    def prefect(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `prefect` in the folder."""
        return self._run("-m", "prefect", *arguments)

    def python(self, program: str) -> "subprocess.CompletedProcess[str]":
        """Run a program in the folder."""
        return self._run("-c", program)

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.server.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def deploy(self) -> None:
        """Make the pool and deploy everything."""
        for arguments in (
            ("work-pool", "create", self.pool, "--type", "process", "--overwrite"),
            ("deploy", "--all", "--no-prompt"),
        ):
            ended = self.prefect(*arguments)
            assert ended.returncode == 0, ended.stdout + ended.stderr

    def worker_logs(self) -> str:
        """What the workers said, for a test that failed."""
        return "\n".join(f"== {log.name}\n{log.read_text()[-6000:]}" for log in self.folder.glob("worker-*.log"))

    @contextlib.contextmanager
    def worker(
        self, environment: Mapping[str, str] | None = None, python: tuple[str, ...] = (sys.executable,)
    ) -> "Iterator[Worker]":
        """A worker of the pool, stopped at the end with all it runs."""
        worker = Worker(self, environment or {}, python)
        try:
            yield worker
        finally:
            worker.stop()


class Worker:
    """`prefect worker start`, polling each second."""

    def __init__(self, site: Site, environment: Mapping[str, str], python: tuple[str, ...]) -> None:
        self.log = site.folder / f"worker-{os.urandom(4).hex()}.log"
        command = [*python, "-m", "prefect", "worker", "start", "--pool", site.pool, "--type", "process"]
        settings = {"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_PREFETCH_SECONDS": "1"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=site.folder,
                env={**site.server.environment, **settings, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL to the worker alone; what it runs goes on, in process groups of its own."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it in order."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()


class Api:
    """Prefect's API as its UI uses it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str) -> Any:
        response = await self._client.get(path)
        response.raise_for_status()
        return response.json()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        response = await self._client.post(path, json=body)
        while response.status_code == 503:  # SQLite is busy: a person clicks again
            await asyncio.sleep(0.2)
            response = await self._client.post(path, json=body)
        response.raise_for_status()
        return response.json()

    async def delete(self, path: str) -> None:
        """Delete what is there, if anything is."""
        await self._client.delete(path)

    async def start(self, deployment: str, **parameters: Any) -> UUID:
        """Run a deployment, as *Quick run* does."""
        flow, _, name = deployment.partition("/")
        found = await self.get(f"/deployments/name/{flow}/{name or flow}")
        run = await self.post(f"/deployments/{found['id']}/create_flow_run", {"parameters": parameters})
        return UUID(run["id"])

    async def run(self, run_id: UUID) -> dict[str, Any]:
        found: dict[str, Any] = await self.get(f"/flow_runs/{run_id}")
        return found

    async def until(self, run_id: UUID, condition: "Callable[[dict[str, Any]], object]") -> dict[str, Any]:
        """The run once its state fulfils the condition."""
        run: dict[str, Any] = {}
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    run = await self.run(run_id)
                    if run["state"] and condition(run["state"]):
                        return run
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"the run is {run.get('state')}") from None

    async def until_named(self, run_id: UUID, *names: str) -> dict[str, Any]:
        """The run once its state has one of these names."""
        return await self.until(run_id, lambda state: state["name"] in names)

    async def resume(self, run_id: UUID, **values: Any) -> dict[str, Any]:
        """Fill in the form, as *Resume* does; what the server answers."""
        found: dict[str, Any] = await self.post(f"/flow_runs/{run_id}/resume", {"run_input": values})
        return found

    async def retry(self, run_id: UUID) -> None:
        """What *Retry* does in the UI."""
        state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the Prefect UI"}
        answer = await self.post(f"/flow_runs/{run_id}/set_state", {"state": state, "force": False})
        assert answer["status"] == "ACCEPT", answer

    async def task_runs(self, run_id: UUID) -> dict[str, dict[str, Any]]:
        """The run's task runs by name; a second one of a name fails."""
        body = {"flow_runs": {"id": {"any_": [str(run_id)]}}, "limit": 200}
        found = await self.post("/task_runs/filter", body)
        by_name = {run["name"]: run for run in found}
        assert len(by_name) == len(found), [run["name"] for run in found]
        return by_name


@contextlib.asynccontextmanager
async def api_of(server: PrefectServer) -> AsyncIterator[Api]:
    """The API of a server."""
    async with httpx.AsyncClient(base_url=server.url, timeout=180, trust_env=False) as client:
        yield Api(client)


def kill_flow(run_id: UUID) -> None:
    """SIGKILL to the run's process, if it has one at this moment."""
    mark = f"PREFECT__FLOW_RUN_ID={run_id}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and is_alive(int(folder.name)):
            try:
                if mark in (folder / "environ").read_bytes() and b"prefect" in (folder / "cmdline").read_bytes():
                    os.kill(int(folder.name), signal.SIGKILL)
            except OSError:
                continue
