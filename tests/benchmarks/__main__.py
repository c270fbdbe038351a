"""`python -m tests.benchmarks [--pairs N] [--only NAME]… [--json FILE]`."""

import argparse
import os
import platform
import signal
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.idle import wait_until_idle
from tests.benchmarks.measuring import Measure
from tests.benchmarks.report import Result, table, write_json
from tests.benchmarks.rows import ROWS, Row, Run
from tests.support.server import PrefectServer, prefect_server

PAIRS = 5
MOST_SHOWN = 12
CLIENT = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL", "PREFECT_CLIENT_MAX_RETRIES": "8"}
"""Both sides are spared the cost of Prefect's log on the console, and are patient with a busy server."""


def main() -> None:
    """Measure every row asked for, print the table, write the JSON; exit 1 when some work failed."""
    arguments = _parser().parse_args()
    # Ended from outside, the server must end too: it is in a session of its own.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    rows = [row for row in ROWS if not arguments.only or row.name in arguments.only]
    with prefect_server() as server:
        results = [_measured(row, arguments.pairs, server) for row in rows]
    print(table(results))
    write_json(results, _facts(arguments.pairs), Path(arguments.json))
    sys.exit(1 if any(result.failure for result in results) else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"how often each side is measured (default: {PAIRS})")
    parser.add_argument("--only", action="append", choices=[row.name for row in ROWS], help="measure this row only")
    parser.add_argument("--json", default="bench-results.json", help="where the results go (default: %(default)s)")
    return parser


def _measured(row: Row, pairs: int, server: PrefectServer) -> Result:
    """Floor and ours in turn, so that what slows the machine slows both."""
    result = Result(row)
    try:
        for _ in range(min(pairs, row.most_pairs)):
            if row.floor is not None:
                result.floor.append(_once(row, "floor", row.floor, server))
            result.ours.append(_once(row, "ours", row.ours, server))
    except RuntimeError as error:
        result.failure = str(error)
        print(f"{row.name:<9} failed: {error}", file=sys.stderr)
    return result


def _once(row: Row, side: str, run: Run, server: PrefectServer) -> Measure:
    wait_until_idle(server)
    with tempfile.TemporaryDirectory(prefix="wfexec-bench-") as folder:
        measure = run(server.environment | CLIENT, Path(folder))
    values = measure.values
    shown = ", ".join(f"{value:.3g}" for value in values[:MOST_SHOWN])
    shown += f" and {len(values) - MOST_SHOWN} more" if len(values) > MOST_SHOWN else ""
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
