"""Reads a definition: a file or a text into a frozen Workflow, or into every diagnostic at once."""

from pathlib import Path

from prefect_wfexec.definition.catalog import Catalog
from prefect_wfexec.definition.compiler import compile_document
from prefect_wfexec.definition.diagnostics import MAX_DIAGNOSTICS, DefinitionError, Diagnostic, sort_by_place
from prefect_wfexec.definition.document import MAX_BYTES, read_document
from prefect_wfexec.definition.model import Workflow

UNNAMED = "<text>"
_BOM = "\ufeff"


def load_definition(path: Path, catalog: Catalog) -> Workflow:
    """The workflow of a file.

    Args:
        path: A YAML file of any name.
        catalog: The step types it may use.

    Raises:
        DefinitionError: it can't be read or does not compile; holds every diagnostic, sorted by place.
    """
    text = _read(path)
    if isinstance(text, Diagnostic):
        raise DefinitionError([text])
    return load_text(text, path, catalog)


def load_text(text: str, path: Path | None, catalog: Catalog) -> Workflow:
    """The workflow of a text.

    Args:
        text: The definition.
        path: The file it was read from, for diagnostics and relative paths; None when there is none.
        catalog: The step types it may use.

    Raises:
        DefinitionError: it does not compile; holds every diagnostic, sorted by place.
    """
    diagnostics, workflow = _compile(text, path, catalog)
    if workflow is None:
        raise DefinitionError(diagnostics)
    return workflow


def check_definition(path: Path, catalog: Catalog) -> list[Diagnostic]:
    """Everything there is to say about a file, errors and warnings, sorted by place; never raises."""
    text = _read(path)
    return [text] if isinstance(text, Diagnostic) else check_text(text, path, catalog)


def check_text(text: str, path: Path | None, catalog: Catalog) -> list[Diagnostic]:
    """Everything there is to say about a text, errors and warnings, sorted by place; never raises."""
    return _compile(text, path, catalog)[0]


def _compile(text: str, path: Path | None, catalog: Catalog) -> tuple[list[Diagnostic], Workflow | None]:
    text = text.removeprefix(_BOM)
    document = read_document(text, UNNAMED if path is None else str(path))
    report, workflow = compile_document(document, catalog, text, path)
    found = sort_by_place(report.found)
    if len(report.found) >= MAX_DIAGNOSTICS:
        found.append(_last(found[-1]))
        workflow = None
    return found, workflow


def _last(before: Diagnostic) -> Diagnostic:
    message = f"there are more than {MAX_DIAGNOSTICS} faults; the rest is not shown"
    return Diagnostic(before.file, before.line, before.column, "error", "too-many", message, "mend these first")


def _read(path: Path) -> str | Diagnostic:
    """The file's text, or why it can't be had."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + len(_BOM.encode()) + 1)
            is_whole = len(raw) <= MAX_BYTES or not file.read(1)
    except FileNotFoundError:
        return _of_file(path, "file-not-found", "there is no such file", "check the path")
    except IsADirectoryError:
        return _of_file(path, "not-a-file", "this is a folder", "name a YAML file in it")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name can't be used"
        return _of_file(path, "not-readable", f"the file can't be read: {reason.lower()}", "check its permissions")
    if not is_whole:
        limit = f"the definition has more than {MAX_BYTES // 1024} KiB"
        return _of_file(path, "too-large", limit, "split it into several workflows, or move long scripts into files")
    return _decoded(path, raw)


def _decoded(path: Path, raw: bytes) -> str | Diagnostic:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        message = f"the byte 0x{raw[error.start]:02x} is no UTF-8"
        return Diagnostic(str(path), line, column, "error", "not-utf8", message, "save the file as UTF-8")


def _of_file(path: Path, code: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(str(path), 1, 1, "error", code, message, hint)
