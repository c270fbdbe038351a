"""`validate`, `schema` and `graph`: definitions only, no Prefect."""

import argparse
from pathlib import Path

from prefect_wfexec.cli.output import DONE, WRONG_USE, say, say_json
from prefect_wfexec.definition.diagnostics import Diagnostic
from prefect_wfexec.definition.drawing import graph_json, mermaid, text_graph
from prefect_wfexec.definition.loader import check_definition, load_definition
from prefect_wfexec.definition.schema import json_schema
from prefect_wfexec.errors import UsageError, join_names
from prefect_wfexec.steps.registry import catalog

ENDINGS = {".yaml", ".yml"}


def validate(arguments: argparse.Namespace) -> int:
    """Check every definition named; a folder stands for the definitions in it."""
    known = catalog()
    paths = [found for path in arguments.paths for found in _definitions_at(Path(path))]
    if not paths:
        folders = join_names(arguments.paths)
        raise UsageError(
            f"there is no definition in {folders}", hint="definitions end in .yaml or .yml", code="nothing"
        )
    diagnostics = [diagnostic for path in paths for diagnostic in check_definition(path, known)]
    is_valid = not any(diagnostic.severity == "error" for diagnostic in diagnostics)
    if arguments.json:
        say_json([diagnostic.as_json() for diagnostic in diagnostics])
    else:
        _say(paths, diagnostics)
    return DONE if is_valid else WRONG_USE


def _say(paths: list[Path], diagnostics: list[Diagnostic]) -> None:
    for diagnostic in diagnostics:
        say(str(diagnostic))
    faulty = {diagnostic.file for diagnostic in diagnostics if diagnostic.severity == "error"}
    for path in paths:
        if str(path) not in faulty:
            say(f"{path}: valid")


def _definitions_at(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = (below for below in path.rglob("*") if below.suffix in ENDINGS and below.is_file())
    return sorted(below for below in found if not any(part[0] == "." for part in below.relative_to(path).parts))


def schema(_arguments: argparse.Namespace) -> int:
    """Print the JSON Schema."""
    say_json(json_schema(catalog()))
    return DONE


def graph(arguments: argparse.Namespace) -> int:
    """Print the graph of a definition."""
    workflow = load_definition(Path(arguments.path), catalog())
    if arguments.json:
        say_json(graph_json(workflow))
    else:
        say(mermaid(workflow) if arguments.format == "mermaid" else text_graph(workflow))
    return DONE
