"""The files made from the code: `python -m tests.support.generated` writes them, with `--check` compares them."""

import argparse
import difflib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from prefect_wfexec import settings
from prefect_wfexec.cli.arguments import make_parser
from tests.support.product.trial import collect

ROOT = Path(__file__).resolve().parents[2]

_HEAD = """\
# Command line

Made from the code by `just docs`; do not edit it by hand.

Every command uses the API of `PREFECT_API_URL` or of the active Prefect profile. When neither names one, a Prefect
server is started on the database of `PREFECT_HOME` for as long as the command runs.

`RUN` is the id of a flow run or its `wfr_…` name. With `--json` standard output is exactly one JSON document (`logs`:
one object a line); everything else goes to standard error.

| Exit code | Meaning |
| --- | --- |
| 0 | done |
| 1 | the run, a step or a check failed, or the run ended in Error or Termination Failed |
| 2 | wrong use, a definition that does not compile, or a refused request |
| 3 | the approval was rejected or expired |
| 4 | the run was cancelled |
| 5 | Prefect's API can't be reached |
"""


def schema() -> str:
    """The JSON Schema of definitions, as `wfexec schema` prints it."""
    command = [sys.executable, "-m", "prefect_wfexec.cli.main", "schema"]
    return subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout


def command_line() -> str:
    """The reference of the command line, from its parser and the settings."""
    parts = [_HEAD, *(_command(name, parser, words) for name, parser, words in commands()), _settings()]
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """Every command: its name, its parser and what it does."""
    for action in make_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                yield choice.dest, action.choices[choice.dest], choice.help or ""


def _command(name: str, parser: argparse.ArgumentParser, words: str) -> str:
    arguments = [action for action in parser._actions if action.dest != "help"]
    options = [action for action in arguments if action.option_strings]
    places = [action for action in arguments if not action.option_strings]
    usage = " ".join(["wfexec", name, *map(_in_usage, options), *map(_in_usage, places)])
    lines = [f"## {name}", "", f"{words[:1].upper()}{words[1:]}.", "", "```text", usage, "```", ""]
    rows = [f"| {_cell(_spelled(action))} | {action.help or ''} |" for action in arguments]
    return "\n".join([*lines, *(["| Argument | Meaning |", "| --- | --- |", *rows, ""] if rows else [])])


def _in_usage(action: argparse.Action) -> str:
    text = _spelled(action, long=False)
    if not action.option_strings:
        return f"{text}…" if action.nargs == "+" else text
    return f"[{text}]…" if isinstance(action, argparse._AppendAction) else f"[{text}]"


def _spelled(action: argparse.Action, *, long: bool = True) -> str:
    value = "|".join(map(str, action.choices)) if action.choices else action.metavar or action.dest.upper()
    if not action.option_strings:
        return str(value)
    names = action.option_strings if long else action.option_strings[:1]
    return ", ".join(names) if action.nargs == 0 else f"{', '.join(names)} {value}"


def _cell(text: str) -> str:
    return "`{}`".format(text.replace("|", r"\|"))


def _settings() -> str:
    rows = [f"| `{one.variable}` | {one.description} | {one.default or '-'} |" for one in settings.ALL]
    head = "## Settings\n\nEach is an environment variable; `wfexec doctor` shows what is set.\n"
    return "\n".join([head, "| Variable | Meaning | Default |", "| --- | --- | --- |", *rows, ""])


def coverage() -> str:
    """Which rows the tests would show that are marked to; `just coverage` writes it of those that ran."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.md"
        collect(path)
        return path.read_text(encoding="utf-8")


FILES: dict[str, Callable[[], str]] = {"docs/schema.json": schema, "docs/command-line.md": command_line}
COMPARED = FILES | {"docs/coverage.md": coverage}


def differences() -> str:
    """How the committed files differ from what the code makes now; empty when they do not."""
    found = []
    for name, make in COMPARED.items():
        path = ROOT / name
        committed = path.read_text("utf-8") if path.is_file() else ""
        lines = difflib.unified_diff(committed.splitlines(), make().splitlines(), name, "made now", lineterm="")
        found += list(lines)
    return "\n".join(found)


def main() -> None:
    """Write the files, or compare them."""
    if "--check" in sys.argv[1:]:
        found = differences()
        sys.exit(f"{found}\nrun `just docs`, or `just coverage`, and commit what it writes" if found else 0)
    for name, make in FILES.items():
        (ROOT / name).write_text(make(), "utf-8")


if __name__ == "__main__":
    main()
