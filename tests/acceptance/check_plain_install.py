"""Whether what `pip install .` put into this environment gives a Prefect server that starts and schedules runs.

Run it with the environment's own Python: `.venv/bin/python tests/acceptance/check_plain_install.py`. It uses nothing
but what the package depends on.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

START_SECONDS = 180.0
SCHEDULE_SECONDS = 120.0
DEFINITION = Path(__file__).resolve().parents[2] / "flows" / "quickstart.yaml"


@contextlib.contextmanager
def server(home: Path) -> Iterator[str]:
    """The API's URL of a server that answers, with `home` as its PREFECT_HOME."""
    import httpx

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(home), start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/health", timeout=5, trust_env=False).is_success:
                    break
            time.sleep(0.1)
        else:
            sys.exit(f"the server did not start:\n{(home / 'server.log').read_text(errors='replace')[-4000:]}")
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def environment(home: Path) -> dict[str, str]:
    """This process's environment with a Prefect home of its own and no other Prefect setting."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {**kept, "PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


async def scheduled_runs() -> int:
    """Deploy the quickstart with a schedule, and wait for the runs the server makes of it."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
    from prefect.client.schemas.schedules import IntervalSchedule
    from prefect.utilities.callables import parameter_schema

    from prefect_wfexec import load_workflow

    flow = load_workflow(DEFINITION)
    async with get_client() as client:
        deployment = await client.create_deployment(
            flow_id=await client.create_flow(flow),
            name="scheduled",
            schedules=[DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(hours=1)))],
            parameter_openapi_schema=parameter_schema(flow).model_dump(),
        )
        wanted = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
        deadline = time.monotonic() + SCHEDULE_SECONDS
        while time.monotonic() < deadline:
            found = await client.read_flow_runs(deployment_filter=wanted)
            if found:
                return len(found)
            await asyncio.sleep(0.5)
    return 0


def main() -> None:
    """Start, schedule, look, stop."""
    with tempfile.TemporaryDirectory(prefix="wfexec-plain-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        # Before prefect is imported: it reads its settings then.
        for name in [name for name in os.environ if name.startswith("PREFECT_")]:
            del os.environ[name]
        os.environ.update(environment(home))
        with server(home) as url:
            os.environ["PREFECT_API_URL"] = url
            count = asyncio.run(scheduled_runs())
        log = (home / "server.log").read_text(errors="replace")
    if not count:
        sys.exit(f"the server made no scheduled run within {SCHEDULE_SECONDS:g} s:\n{log[-4000:]}")
    sys.stdout.write(f"the server starts, and scheduled {count} runs\n")


if __name__ == "__main__":
    main()
