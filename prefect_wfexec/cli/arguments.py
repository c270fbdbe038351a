"""The command line's grammar."""

import argparse
from typing import Any, NoReturn

from prefect_wfexec import __version__
from prefect_wfexec.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Raises instead of leaving, so that `--json` holds for wrong use too; takes no abbreviated flags."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"see `{self.prog} --help`")


def make_parser() -> Parser:
    parser = Parser(prog="wfexec", description="Workflows that plan, wait for approval, apply, check and notify.")
    parser.add_argument("--version", action="version", version=f"wfexec {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    _definitions(commands)
    _running(commands)
    _looking(commands)
    _deciding(commands)
    reconcile = commands.add_parser(
        "reconcile", help="go on with suspended runs that have something to do, and release locks of runs that are over"
    )
    reconcile.add_argument("--watch", action="store_true", help="look again every half minute")
    reconcile.add_argument("--parent", type=int, metavar="PID", help="with --watch, end once that process has ended")
    _json(reconcile)
    _serving(commands)
    doctor = commands.add_parser("doctor", help="check this machine and the Prefect API, each finding with its mend")
    _json(doctor)
    return parser


def _definitions(commands: "argparse._SubParsersAction[Parser]") -> None:
    validate = commands.add_parser("validate", help="check definitions; every diagnostic at once")
    validate.add_argument("paths", nargs="+", metavar="PATH")
    _json(validate)
    commands.add_parser("schema", help="print the JSON Schema of definitions")
    graph = commands.add_parser("graph", help="print a definition's graph")
    graph.add_argument("path", metavar="PATH")
    graph.add_argument("--format", choices=["text", "mermaid"], default="text", help="how to print it (default: text)")
    _json(graph)


def _running(commands: "argparse._SubParsersAction[Parser]") -> None:
    run = commands.add_parser("run", help="run a definition here, to its end")
    run.add_argument("path", metavar="PATH")
    _inputs(run)
    run.add_argument("--yes", action="store_true", help="confirm, and approve gates")
    _json(run)
    start = commands.add_parser("start", help="start a deployment; a worker runs it")
    start.add_argument("deployment", metavar="DEPLOYMENT", help="FLOW/NAME, or NAME alone")
    execute = commands.add_parser(
        "execute", help="check a definition, save it into its deployment when it has changed, and start that"
    )
    execute.add_argument("path", metavar="PATH")
    for command in (start, execute):
        _inputs(command)
        command.add_argument("--follow", action="store_true", help="until the run ends; then with its exit code")
        _json(command)


def _looking(commands: "argparse._SubParsersAction[Parser]") -> None:
    show = _run_command(commands, "show", "show a run")
    show.add_argument("--follow", action="store_true", help="until the run ends")
    history = commands.add_parser("history", help="list runs, newest first")
    history.add_argument("--status", metavar="S")
    history.add_argument("--triggered-by", metavar="T")
    history.add_argument("--workflow", metavar="W")
    history.add_argument("--user", metavar="U")
    history.add_argument("--since", metavar="24h|7d|30d|DATE")
    history.add_argument("--until", metavar="DATE")
    history.add_argument("--search", metavar="TEXT")
    history.add_argument("--limit", type=_count, default=50, metavar="N")
    history.add_argument("--offset", type=_amount, default=0, metavar="N", help="leave out the first so many")
    history.add_argument("--sort", metavar="S", help="newest (default), oldest, started or name")
    history.add_argument("--csv", action="store_true", help="print the rows as CSV")
    _json(history)
    analytics = commands.add_parser("analytics", help="count runs by status for each of the last days or months")
    period = analytics.add_mutually_exclusive_group()
    period.add_argument("--days", type=_count, metavar="N", help="the last N days, today among them (default: 30)")
    period.add_argument("--months", type=_count, metavar="N", help="the last N months")
    analytics.add_argument("--workflow", metavar="W")
    analytics.add_argument(
        "--timezone", default="UTC", metavar="Z", help="whose days, e.g. Europe/Berlin (default: UTC)"
    )
    analytics.add_argument("--plot", metavar="FILE", help="draw them into this file, as SVG")
    _json(analytics)
    logs = _run_command(commands, "logs", "print a run's log")
    logs.add_argument("--step", metavar="S")
    logs.add_argument("--phase", metavar="P", help="only the steps of this phase of a pipeline, e.g. build")
    logs.add_argument("--stream", choices=["all", "output", "errors"], default="all")
    logs.add_argument("--search", metavar="TEXT")
    logs.add_argument(
        "--context", type=_amount, default=0, metavar="N", help="with --search, so many lines around each that is found"
    )
    logs.add_argument("--follow", action="store_true", help="until the run ends")
    logs.add_argument("--download", metavar="FILE", help="write the log into a file")
    _run_command(commands, "outputs", "print a run's outputs")
    reports = _run_command(commands, "reports", "list what a run's scans and checks have reported")
    reports.add_argument("--download", metavar="DIR", help="write each report into this folder")
    _run_command(commands, "audit", "print a run's journal and check it")
    approvals = commands.add_parser("approvals", help="list what waits for a decision")
    _json(approvals)
    locks = commands.add_parser("locks", help="list locks: who holds each, and who waits")
    locks.add_argument("--release", metavar="KEY", help="take this lock from the run that holds it, on record")
    locks.add_argument("--reason", metavar="T", help="why; needed to release a lock")
    _json(locks)


def _deciding(commands: "argparse._SubParsersAction[Parser]") -> None:
    _stopping(commands)
    for name in ("approve", "reject"):
        decide = _run_command(commands, name, f"{name} what a run waits for")
        decide.add_argument("--step", metavar="S", help="which gate, when more than one is open")
        decide.add_argument("--comment", metavar="T", default="")
        decide.add_argument("--code", metavar="C", help="your personal code, where the gate asks for one")
        decide.add_argument(
            "--field", metavar="NAME=VALUE", action="append", default=[], help="a field of the gate's form"
        )


def _stopping(commands: "argparse._SubParsersAction[Parser]") -> None:
    retry = _run_command(commands, "retry", "do again what failed in a run that has ended")
    which = retry.add_mutually_exclusive_group()
    which.add_argument("--step", metavar="S", help="only this step, of those that failed, and what hangs on it")
    which.add_argument("--from", dest="from_step", metavar="S", help="this step and all behind it, whatever they did")
    retry.add_argument("--latest", action="store_true", help="go on with the definition as it is now")
    retry.add_argument("--reason", metavar="T", default="", help="why")
    _inputs(retry)
    skip = _run_command(commands, "skip", "go on without a step that failed")
    skip.add_argument("--step", metavar="S", required=True, help="the step")
    skip.add_argument("--reason", metavar="T", required=True, help="why")
    skip.add_argument("--code", metavar="C", help="your personal code, where a gate asks what becomes of the step")
    skip.set_defaults(latest=False, inputs=[], field=[])
    cancel = _run_command(commands, "cancel", "stop a run, in whatever state it is")
    cancel.add_argument("--cleanup", action="store_true", help="then take away what its steps have made")
    cancel.add_argument("--reason", metavar="T", default="", help="why")
    cancel.add_argument("--follow", action="store_true", help="until the run ends; then with its exit code")
    for command in (retry, skip):
        command.add_argument("--dry-run", action="store_true", help="show what would run again, and change nothing")
        command.add_argument("--yes", action="store_true", help="do not ask; what runs here has its gates approved")
        command.add_argument("--follow", action="store_true", help="until the run ends; then with its exit code")


def _serving(commands: "argparse._SubParsersAction[Parser]") -> None:
    serve = commands.add_parser("serve", help="run the gateway: webhooks, approval links, the API")
    serve.add_argument("--host", default="127.0.0.1", metavar="H", help="the address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=_port, default=4290, metavar="P", help="the port to listen on (default: 4290)")
    serve.add_argument("--reconcile", action="store_true", help="have `reconcile --watch` run beside it")
    deliveries = commands.add_parser("deliveries", help="list what came to the gateway, newest first, and why")
    deliveries.add_argument("--redeliver", metavar="ID", help="carry a delivery out once more")
    deliveries.add_argument("--workflow", metavar="W")
    deliveries.add_argument("--before", metavar="ID", help="list those that came before this one")
    deliveries.add_argument("--limit", type=_count, default=50, metavar="N")
    _json(deliveries)


def _run_command(commands: "argparse._SubParsersAction[Parser]", name: str, words: str) -> Parser:
    command = commands.add_parser(name, help=words)
    command.add_argument("run", metavar="RUN", help="a run's id or wfr_… name")
    _json(command)
    return command


def _inputs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-i", "--input", dest="inputs", action="append", default=[], metavar="K=V", help="an input of the workflow"
    )


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print exactly one JSON document")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of 1 or more")
    return int(text)


def _amount(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of 0 or more")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or len(text) > 5 or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is no port")
    return int(text)
