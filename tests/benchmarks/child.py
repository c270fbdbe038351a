"""One measured process: `python -m tests.benchmarks.child SIDE WORK SIZE`."""

import asyncio
import gc
import inspect
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import MIB, Meter, tell

DRAIN_SECONDS = 600
COMPILE_REPEATS = 7
WARM_REPEATS = 3


def main() -> None:
    """Do the work of the command line and say what it cost."""
    side, work, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
    WORKS[side, work](size)


def drain() -> None:
    """Wait until Prefect's background threads have sent what they hold: that work belongs to the run."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        drained: Any = worker.drain_all(timeout=DRAIN_SECONDS)
        assert not inspect.isawaitable(drained), "called outside an event loop"


# -- ours ----------------------------------------------------------------------------------------------------------


def compile_ours(size: int) -> None:
    """Processor milliseconds from YAML text to a flow, and the parts of it."""
    from prefect_wfexec.definition.compiler import compile_document
    from prefect_wfexec.definition.document import read_document
    from prefect_wfexec.engine.compiler import compile_workflow
    from prefect_wfexec.steps.registry import catalog
    from tests.benchmarks import ours, texts

    known, path = catalog(), Path("workflow.yaml")
    compile_workflow(ours.loaded(texts.TYPICAL, Path.cwd()))
    text = texts.mixed(size)
    laps = []
    for _ in range(COMPILE_REPEATS):
        _forget_compiled_expressions()
        lap = [_clean_start()]
        document = read_document(text, str(path))
        lap.append(time.process_time())
        workflow = compile_document(document, known, text, path)[1]
        lap.append(time.process_time())
        assert workflow is not None, "the definition compiles"
        compile_workflow(workflow)
        laps.append([*lap, time.process_time()])
    parts = {
        name: round(statistics.median((lap[place + 1] - lap[place]) * 1000 for lap in laps), 1)
        for place, name in enumerate(("parse_ms", "check_ms", "flow_ms"))
    }
    tell([(lap[-1] - lap[0]) * 1000 for lap in laps], **parts)


def compile_floor(size: int) -> None:
    """Processor milliseconds of reading the same YAML into plain values, nothing checked."""
    import yaml

    from tests.benchmarks import texts

    text = texts.mixed(size)
    yaml.load(text, yaml.CSafeLoader)
    values = []
    for _ in range(COMPILE_REPEATS):
        started = _clean_start()
        yaml.load(text, yaml.CSafeLoader)
        values.append((time.process_time() - started) * 1000)
    tell(values)


def _clean_start() -> float:
    """The processor time, with nothing left to collect of what ran before."""
    gc.collect()
    return time.process_time()


def _forget_compiled_expressions() -> None:
    """Expressions are compiled once in a process; every repetition is to be a first one."""
    modules = [module for name, module in sys.modules.items() if name.startswith("prefect_wfexec.definition")]
    for module in modules:
        for value in list(vars(module).values()):
            if callable(getattr(value, "cache_clear", None)):
                value.cache_clear()


def chain_ours(size: int) -> None:
    """Processor milliseconds a step."""
    from tests.benchmarks import ours, texts

    ours.run_now(ours.run(ours.loaded(texts.chain(2), Path.cwd())))
    drain()
    workflow = ours.loaded(texts.chain(size), Path.cwd())
    meter = Meter()
    flow_run = ours.run_now(ours.run(workflow))
    drain()
    cpu, wall = meter.cpu_seconds, meter.wall_seconds
    journal = ours.run_now(ours.ended(flow_run))
    appends = round(len(journal.entries) / size, 2)
    tell([cpu * 1000 / size], wall_s=round(wall, 2), appends_a_step=appends)


def warm_ours(size: int) -> None:
    """Wall seconds of a run in a process that has run one before."""
    from tests.benchmarks import ours, texts

    workflow = ours.loaded(texts.chain(size), Path.cwd())
    ours.run_now(ours.run(workflow))
    values, runs = [], []
    for _ in range(WARM_REPEATS):
        meter = Meter()
        runs.append(ours.run_now(ours.run(workflow)))
        values.append(meter.wall_seconds)
    for flow_run in runs:
        ours.run_now(ours.ended(flow_run))
    tell(values)


def lines_ours(size: int) -> None:
    """Processor seconds of a step that writes many lines; the process supervisor's are in it."""
    from tests.benchmarks import ours, texts

    ours.run_now(ours.run(ours.loaded(texts.shell_chain(1), Path.cwd())))
    drain()
    workflow = ours.loaded(texts.shell_chain(1, f'seq -f "line %.0f" 1 {size}'), Path.cwd())
    meter = Meter()
    flow_run = ours.run_now(ours.run(workflow))
    drain()
    cpu, wall = meter.cpu_seconds, meter.wall_seconds
    journal = ours.run_now(ours.ended(flow_run))
    stored = ours.run_now(ours.stored_lines(flow_run, journal))
    tell([cpu], wall_s=round(wall, 2), stored_lines=stored)


def memory_ours(size: int) -> None:
    """MiB at the peak of a process that loads a definition and runs it."""
    from tests.benchmarks import ours, texts
    from tests.benchmarks.measuring import own_peak_mib

    flow_run = ours.run_now(ours.run(ours.loaded(texts.chain(size), Path.cwd())))
    drain()
    peak = own_peak_mib()
    ours.run_now(ours.ended(flow_run))
    tell([peak])


def gates_ours(size: int) -> None:
    """Seconds from each decision, made in another process, until the step behind the gate runs."""
    from prefect_wfexec.engine.context import manual_context
    from prefect_wfexec.engine.session import Session
    from prefect_wfexec.operations.connection import connected
    from prefect_wfexec.operations.start import create_run, execute_here
    from tests.benchmarks import ours, texts

    async def work() -> tuple[Any, list[float]]:
        workflow = ours.loaded(texts.gates(size), Path.cwd())
        async with connected() as client:
            flow, flow_run = await create_run(client, workflow, {}, manual_context("bench"))
            with _decider("ours", str(flow_run.id), size) as decider:
                going = asyncio.ensure_future(execute_here(flow, flow_run, Session()))
                decided = asyncio.ensure_future(asyncio.to_thread(_moments, decider, None))
                # One that has failed decides nothing, and the run would wait for ever.
                await asyncio.wait({going, decided}, return_when=asyncio.FIRST_EXCEPTION)
                return flow_run, decided.result()

    flow_run, decided = ours.run_now(work())
    state = ours.run_now(ours.ended(flow_run)).state
    ran = [state.step(f"after_{number:02d}").outputs["at"] for number in range(size)]
    tell([moment - decision for moment, decision in zip(ran, decided, strict=True)])


def output_ours(size: int) -> None:
    """Wall seconds of a step that writes `size` MiB."""
    from tests.benchmarks import ours, texts
    from tests.benchmarks.measuring import own_peak_mib

    block = Path.cwd() / "block.txt"
    line = "{number:06d} compiling module {module} of the project: {check:08x} ok, no warnings\n"
    lines = (line.format(number=n, module=n * 7919 % 977, check=n * 2654435761 % 2**32) for n in range(10**6))
    text = "".join(lines)[: 8 * MIB]
    block.write_text(text[: text.rindex("\n") + 1])
    times = size // 8
    workflow = ours.loaded(texts.shell_chain(1, f"for i in $(seq {times}); do cat {block}; done"), Path.cwd())
    meter = Meter()
    flow_run = ours.run_now(ours.run(workflow))
    wall, cpu, peak = meter.wall_seconds, meter.cpu_seconds, own_peak_mib()
    drain()
    journal = ours.run_now(ours.ended(flow_run))
    log = journal.state.step("step_0000").attempts[-1].log
    written = block.read_bytes().count(b"\n") * times
    tell([wall], cpu_s=round(cpu, 1), run_peak_mib=round(peak), lines=written, blobs=len(log))


# -- the floor -------------------------------------------------------------------------------------------------------


def chain_floor(size: int) -> None:
    from tests.benchmarks import floors

    floors.chain(2)
    drain()
    meter = Meter()
    floors.chain(size)
    drain()
    tell([meter.cpu_seconds * 1000 / size], wall_s=round(meter.wall_seconds, 2))


def warm_floor(size: int) -> None:
    from tests.benchmarks import floors

    floors.chain(size)
    values = []
    for _ in range(WARM_REPEATS):
        meter = Meter()
        floors.chain(size)
        values.append(meter.wall_seconds)
    tell(values)


def lines_floor(size: int) -> None:
    from tests.benchmarks import floors

    floors.chain(1)
    drain()
    meter = Meter()
    floors.lines(size)
    drain()
    tell([meter.cpu_seconds], wall_s=round(meter.wall_seconds, 2))


def memory_floor(size: int) -> None:
    from tests.benchmarks import floors
    from tests.benchmarks.measuring import own_peak_mib

    floors.chain(size)
    drain()
    tell([own_peak_mib()])


def gates_floor(size: int) -> None:
    import uuid

    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow

    from tests.benchmarks import floors

    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(floors.gates, parameters={"size": size}, name=f"floor-{uuid.uuid4().hex}")
    with _decider("floor", str(flow_run.id), size) as decider:
        ran: Any = run_flow(floors.gates, flow_run=flow_run, parameters={"size": size})
        decided = _moments(decider)
    tell([moment - decision for moment, decision in zip(ran, decided, strict=True)])


def shell_floor(size: int) -> None:
    from tests.benchmarks import floors

    floors.shell_chain(size)


# -- decisions from elsewhere --------------------------------------------------------------------------------------


def _decider(side: str, run: str, size: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.benchmarks.deciding", side, run, str(size)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _moments(decider: "subprocess.Popen[str]", seconds: float | None = DRAIN_SECONDS) -> list[float]:
    output, _ = decider.communicate(timeout=seconds)
    assert decider.returncode == 0, "the process that decides has failed"
    return [float(line) for line in output.splitlines() if line.strip()]


WORKS: dict[tuple[str, str], Callable[[int], None]] = {
    ("ours", "compile"): compile_ours,
    ("ours", "chain"): chain_ours,
    ("ours", "warm"): warm_ours,
    ("ours", "lines"): lines_ours,
    ("ours", "memory"): memory_ours,
    ("ours", "gates"): gates_ours,
    ("ours", "output"): output_ours,
    ("floor", "compile"): compile_floor,
    ("floor", "chain"): chain_floor,
    ("floor", "warm"): warm_floor,
    ("floor", "lines"): lines_floor,
    ("floor", "memory"): memory_floor,
    ("floor", "gates"): gates_floor,
    ("floor", "shell"): shell_floor,
}

if __name__ == "__main__":
    main()
