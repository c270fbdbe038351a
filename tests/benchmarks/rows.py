"""The rows of the table: what is measured, against what, and what is wanted."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import texts
from tests.benchmarks.delivering import acknowledged, steady
from tests.benchmarks.listing import history
from tests.benchmarks.looking import painted, told
from tests.benchmarks.measuring import Measure, in_process, of_command
from tests.benchmarks.waking import woken

Run = Callable[[Mapping[str, str], Path], Measure]


@dataclass(frozen=True)
class Row:
    """One kind of work.

    Attributes:
        name: For `--only`.
        work: What it is.
        unit: Of the figures.
        goal: What is wanted, in words.
        ours: Measures our side once, in a process of its own.
        floor: Measures the hand-written side; None where there is nothing to compare with.
        most_pairs: No more pairs than this, for work that takes minutes.
        has_percentile: Whether the slowest twentieth matters, too.
    """

    name: str
    work: str
    unit: str
    goal: str
    ours: Run
    floor: Run | None = None
    most_pairs: int = 1000
    has_percentile: bool = False


def _inside(side: str, work: str, size: int) -> Run:
    return lambda environment, folder: in_process(side, work, size, environment, folder)


def _wfexec(command: str, text: str) -> Run:
    def run(environment: Mapping[str, str], folder: Path) -> Measure:
        (folder / "workflow.yaml").write_text(text)
        return of_command([*_program(), command, "workflow.yaml"], environment, folder)

    return run


def _python(*arguments: str) -> Run:
    return lambda environment, folder: of_command([sys.executable, *arguments], environment, folder)


def _program() -> list[str]:
    script = Path(sys.executable).with_name("wfexec")
    return [str(script)] if script.exists() else [sys.executable, "-m", "prefect_wfexec.cli.main"]


ROWS = (
    Row(
        "compile",
        "CPU from YAML to flow, 1,000 steps, against reading the YAML",
        "ms",
        "≤ 150 ms",
        _inside("ours", "compile", 1000),
        _inside("floor", "compile", 1000),
    ),
    Row(
        "validate",
        "`wfexec validate` of one file, against `import prefect`",
        "s",
        "≤ 0.3",
        _wfexec("validate", texts.TYPICAL),
        _python("-c", "import prefect"),
    ),
    Row(
        "chain",
        "CPU a step, 1,000 steps that do nothing",
        "ms",
        "≤ 1.0, better 0.75",
        _inside("ours", "chain", 1000),
        _inside("floor", "chain", 1000),
    ),
    Row(
        "warm", "10-step run in a warm process", "s", "≤ 0.5", _inside("ours", "warm", 10), _inside("floor", "warm", 10)
    ),
    Row(
        "shell",
        "100 shell steps, whole command",
        "s",
        "≤ 0.8",
        _wfexec("run", texts.shell_chain(100)),
        _python("-m", "tests.benchmarks.child", "floor", "shell", "100"),
    ),
    Row(
        "lines",
        "100,000 log lines of one step, CPU",
        "s",
        "≤ 0.2",
        _inside("ours", "lines", 100_000),
        _inside("floor", "lines", 100_000),
    ),
    Row(
        "memory",
        "memory of a process that runs 10 steps",
        "MiB",
        "≤ 1.05",
        _inside("ours", "memory", 10),
        _inside("floor", "memory", 10),
    ),
    Row(
        "decision",
        "decision until the next step runs, process alive",
        "s",
        "p50 ≤ 0.3 s, p95 ≤ 1 s",
        _inside("ours", "gates", 10),
        _inside("floor", "gates", 4),
        has_percentile=True,
    ),
    Row(
        "woken",
        "decision until a suspended run goes on, worker polling each second",
        "s",
        "≤ 1.0",
        lambda environment, folder: woken("ours", environment, folder),
        lambda environment, folder: woken("floor", environment, folder),
        most_pairs=2,
    ),
    Row(
        "hooks",
        "webhooks acknowledged for each second that a core works",
        "/s",
        "≥ 1,000",
        acknowledged,
    ),
    Row(
        "history",
        "a page of 50 of 100,000 executions, on PostgreSQL",
        "s",
        "p95 ≤ 0.3 s",
        history,
        most_pairs=1,
        has_percentile=True,
    ),
    Row(
        "painted",
        "the console's page of a run of 1,000 steps, until its first paint",
        "s",
        "≤ 1 s",
        painted,
        most_pairs=1,
    ),
    Row(
        "told",
        "a line of a log, from being printed until the console shows it",
        "s",
        "≤ 3 s",
        told,
        most_pairs=1,
        has_percentile=True,
    ),
    Row(
        "steady",
        "a webhook's wait for its acknowledgement, at 100 a second",
        "s",
        "p99 ≤ 0.5 s",
        steady,
        most_pairs=2,
        has_percentile=True,
    ),
    Row("output", "1 GB of output of one step", "s", "bounded memory", _inside("ours", "output", 1024), most_pairs=1),
)
