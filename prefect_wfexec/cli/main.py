"""`wfexec`: parse, dispatch, and end with the right exit code."""

import asyncio
import importlib
import io
import os
import sys
from collections.abc import Sequence

from prefect_wfexec.cli.arguments import make_parser
from prefect_wfexec.cli.faults import unexpected
from prefect_wfexec.cli.output import CANCELLED, DONE, exit_code_of_error, report, stop_saying
from prefect_wfexec.errors import WfexecError

_MODULES = {
    "validate": "definitions",
    "schema": "definitions",
    "graph": "definitions",
    "run": "run",
    "start": "start",
    "execute": "start",
    "show": "show",
    "logs": "logs",
    "outputs": "show",
    "reports": "reports",
    "history": "history",
    "analytics": "analytics",
    "approvals": "lists",
    "audit": "lists",
    "locks": "lists",
    "approve": "decide",
    "reject": "decide",
    "retry": "retry",
    "skip": "retry",
    "cancel": "cancel",
    "serve": "serve",
    "deliveries": "serve",
    "reconcile": "reconcile",
    "doctor": "doctor",
}
"""Where each command stands: imported when it is asked for, so that `validate` imports no Prefect."""

_PREFECT_QUIET = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
}
_PREFECT_RUNS = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "1.0"}
"""How soon others see that a run lives, and what its steps print. Not for `doctor`, which tells what runs get that
other processes execute."""


def main(argv: Sequence[str] | None = None) -> None:
    """The console script."""
    sys.exit(run_command(sys.argv[1:] if argv is None else argv))


def run_command(argv: Sequence[str]) -> int:
    """Run one command; its exit code."""
    # What a terminal's encoding can't show is written as an escape: no run may end over a character.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(argv)
    except BrokenPipeError:
        stop_saying()
        return DONE
    except KeyboardInterrupt:
        return CANCELLED
    except WfexecError as error:
        return _reported(error, argv)
    except Exception as fault:
        if os.environ.get("PREFECT_DEBUG_MODE", "").lower() in {"1", "true"}:
            raise
        return _reported(unexpected(fault), argv)
    except BaseException as signalled:
        # Prefect turns SIGTERM into an exception while a flow begins.
        if type(signalled).__name__ == "TerminationSignal":
            return CANCELLED
        raise


def _run(argv: Sequence[str]) -> int:
    arguments = make_parser().parse_args(argv)
    # Prefect reads its settings once, when it is imported.
    for name, value in (_PREFECT_QUIET | ({} if arguments.command == "doctor" else _PREFECT_RUNS)).items():
        os.environ.setdefault(name, value)
    module = importlib.import_module(f"prefect_wfexec.cli.{_MODULES[arguments.command]}")
    command = getattr(module, arguments.command)
    if not asyncio.iscoroutinefunction(command):
        return int(command(arguments))
    with asyncio.Runner(loop_factory=getattr(module, "loop_factory", None)) as runner:
        return int(runner.run(command(arguments)))


def _reported(error: WfexecError, argv: Sequence[str]) -> int:
    report(error, as_json="--json" in argv)
    return exit_code_of_error(error)


if __name__ == "__main__":
    main()
