"""Deliveries to a gateway: how many it acknowledges, and how long each waits.

`python -m tests.benchmarks.delivering PORT PATH COUNT RATE` is the service that sends them, as fast as they are
acknowledged when RATE is 0; it prints the seconds of each, one a line.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from tests.benchmarks.measuring import Measure
from tests.support.deployed import Site
from tests.support.gateway import gateway, signed
from tests.support.server import PrefectServer

SECRET = "a secret of the benchmark"
BURST = 5000
RATE = 100
STEADY = 1000
CONNECTIONS = 16

_WORKFLOW = """
version: 1
name: {name}
triggers:
  - {{id: hook, type: webhook, scheme: hmac, header: X-Signature, secret: bench-hook, if: trigger.payload.go}}
steps:
  - {{id: nothing, run: "true"}}
"""
_SAVE = f"""
from prefect_wfexec.blocks import WebhookTrigger
WebhookTrigger(secret={SECRET!r}).save("bench-hook", overwrite=True)
"""


def acknowledged(environment: Mapping[str, str], folder: Path) -> Measure:
    """Acknowledgements for each second that a core works: of a burst, which nothing but the disk holds up."""
    return _measured(environment, folder, BURST, 0)


def steady(environment: Mapping[str, str], folder: Path) -> Measure:
    """Seconds until each of a hundred deliveries a second is acknowledged."""
    return _measured(environment, folder, STEADY, RATE)


def _measured(environment: Mapping[str, str], folder: Path, count: int, rate: int) -> Measure:
    root = Path(__file__).resolve().parents[2]
    server: PrefectServer = _Known({**environment, "PYTHONPATH": str(root)})  # type: ignore[assignment]
    name = f"bench-{uuid4().hex[:8]}"
    site = Site(server, folder, pool=name)
    saved = site.python(_SAVE)
    if saved.returncode != 0:
        raise RuntimeError(saved.stderr)
    site.workflow(name, _WORKFLOW.format(name=name))
    site.deploy()
    with gateway(server.environment, folder) as serving:
        before, began = _cpu_seconds(serving.pid), time.perf_counter()
        command = [sys.executable, "-m", "tests.benchmarks.delivering", str(serving.port), f"/hooks/{name}/hook"]
        sent = subprocess.run([*command, str(count), str(rate)], capture_output=True, text=True, cwd=root, check=False)
        wall, cpu = time.perf_counter() - began, _cpu_seconds(serving.pid) - before
        peak = _peak_mib(serving.pid)
    if sent.returncode != 0:
        raise RuntimeError(sent.stderr[-2000:])
    waits = sorted(float(line) for line in sent.stdout.split())
    notes = {"wall_s": round(wall, 2), "cpu_s": round(cpu, 2), "p99_s": round(waits[int(len(waits) * 0.99)], 4)}
    return Measure(tuple(waits) if rate else (count / cpu,), peak, notes)


class _Known:
    """A server that somebody else has started."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.url = environment["PREFECT_API_URL"]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _requests(path: str, count: int) -> list[bytes]:
    made = []
    for number in range(count):
        body = json.dumps({"go": False, "number": number, "text": "x" * 1500}).encode()
        headers = {"host": "bench", "content-type": "application/json", "content-length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in (headers | signed(SECRET, body)).items())
        made.append(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
    return made


async def _send(port: int, path: str, count: int, rate: int) -> list[float]:
    requests = iter(enumerate(_requests(path, count)))
    began, waits = time.perf_counter(), []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, request in requests:
            if rate:
                await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            at = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 202 " not in head.splitlines()[0]:
                raise SystemExit(f"not acknowledged: {head.decode()}")
            length = next(int(line.split(b":")[1]) for line in head.splitlines() if line.startswith(b"content-length"))
            await reader.readexactly(length)
            waits.append(time.perf_counter() - at)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return waits


if __name__ == "__main__":
    found = asyncio.run(_send(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
    print("\n".join(str(wait) for wait in found))
