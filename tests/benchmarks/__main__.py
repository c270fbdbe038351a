"""`python -m tests.benchmarks [--pairs N] [--only NAME]… [--json FILE]`."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Measure
from tests.benchmarks.report import Result, table, write_json
from tests.benchmarks.rows import ROWS, Row, Run
from tests.support.server import prefect_server

PAIRS = 5
QUIET = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"}
"""The floor is spared the cost of Prefect's console log, as `wfexec run` spares itself."""


def main() -> None:
    """Measure every row asked for, print the table, write the JSON."""
    arguments = _parser().parse_args()
    rows = [row for row in ROWS if not arguments.only or row.name in arguments.only]
    with prefect_server() as server:
        environment = server.environment | QUIET
        results = [_measured(row, arguments.pairs, environment) for row in rows]
    print(table(results))
    write_json(results, _facts(arguments.pairs), Path(arguments.json))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"how often each side is measured (default: {PAIRS})")
    parser.add_argument("--only", action="append", choices=[row.name for row in ROWS], help="measure this row only")
    parser.add_argument("--json", default="bench-results.json", help="where the results go (default: %(default)s)")
    return parser


def _measured(row: Row, pairs: int, environment: Mapping[str, str]) -> Result:
    """Floor and ours in turn, so that what slows the machine slows both."""
    result = Result(row)
    for _ in range(min(pairs, row.most_pairs)):
        if row.floor is not None:
            result.floor.append(_once(row, "floor", row.floor, environment))
        result.ours.append(_once(row, "ours", row.ours, environment))
    return result


def _once(row: Row, side: str, run: Run, environment: Mapping[str, str]) -> Measure:
    with tempfile.TemporaryDirectory(prefix="wfexec-bench-") as folder:
        measure = run(environment, Path(folder))
    shown = ", ".join(f"{value:.3g}" for value in measure.values)
    notes = "".join(f", {key} {value}" for key, value in measure.notes.items())
    print(f"{row.name:<9} {side:<6} {shown} {row.unit}, peak {measure.peak_mib:.0f} MiB{notes}", file=sys.stderr)
    return measure


def _facts(pairs: int) -> dict[str, Any]:
    return {
        "pairs": pairs,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "prefect": version("prefect"),
        "prefect_wfexec": version("prefect-wfexec"),
    }


if __name__ == "__main__":
    main()
