"""`wfexec`: parse, dispatch, and end with the right exit code."""

import asyncio
import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence

from prefect_wfexec.cli.arguments import make_parser
from prefect_wfexec.cli.faults import unexpected
from prefect_wfexec.cli.output import CANCELLED, DONE, exit_code_of_error, report
from prefect_wfexec.errors import WfexecError

_MODULES = {
    "validate": "definitions",
    "schema": "definitions",
    "graph": "definitions",
    "run": "run",
    "show": "show",
    "logs": "logs",
    "outputs": "show",
    "history": "lists",
    "approvals": "lists",
    "audit": "lists",
    "approve": "decide",
    "reject": "decide",
    "doctor": "doctor",
}
"""Where each command stands: imported when it is asked for, so that `validate` imports no Prefect."""

_PREFECT_QUIET = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_CLIENT_MAX_RETRIES": "8",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}


def main(argv: Sequence[str] | None = None) -> None:
    """The console script."""
    sys.exit(run_command(sys.argv[1:] if argv is None else argv))


def run_command(argv: Sequence[str]) -> int:
    """Run one command; its exit code."""
    as_json = "--json" in argv
    # What a terminal's encoding can't show is written as an escape: no run may end over a character.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        arguments = make_parser().parse_args(argv)
        module = importlib.import_module(f"prefect_wfexec.cli.{_MODULES[arguments.command]}")
        command = getattr(module, arguments.command)
        if asyncio.iscoroutinefunction(command):
            for name, value in _PREFECT_QUIET.items():
                os.environ.setdefault(name, value)
            return int(asyncio.run(command(arguments)))
        return int(command(arguments))
    except WfexecError as error:
        report(error, as_json=as_json)
        return exit_code_of_error(error)
    except BrokenPipeError:
        # Whoever read our output has seen enough; closing it again would only repeat the error.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return DONE
    except KeyboardInterrupt:
        return CANCELLED
    except Exception as fault:
        if os.environ.get("PREFECT_DEBUG_MODE", "").lower() in {"1", "true"}:
            raise
        error = unexpected(fault)
        report(error, as_json=as_json)
        return exit_code_of_error(error)


if __name__ == "__main__":
    main()
