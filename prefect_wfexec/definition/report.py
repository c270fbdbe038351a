"""Where checks put what they find."""

from prefect_wfexec.definition.diagnostics import MAX_DIAGNOSTICS, Diagnostic, Severity, TooMany
from prefect_wfexec.definition.document import Document, Path
from prefect_wfexec.definition.scalars import boolean_meant


class Report:
    """Collects diagnostics for places in one document; every method raises `TooMany` when there are enough."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.found: list[Diagnostic] = list(document.diagnostics)

    @property
    def has_errors(self) -> bool:
        return any(one.severity == "error" for one in self.found)

    def error(self, code: str, message: str, path: Path, hint: str | None = "") -> None:
        """A fault of the value at `path`."""
        self._add("error", code, message, self._document.value_place(path), hint)

    def error_at_key(self, code: str, message: str, path: Path, hint: str | None = "") -> None:
        """A fault of the key at `path`."""
        self._add("error", code, message, self._document.key_place(path), hint)

    def warning(self, code: str, message: str, path: Path, hint: str | None = "") -> None:
        """Something at `path` that works but is likely not meant."""
        self._add("warning", code, message, self._document.value_place(path), hint)

    def line_of(self, path: Path) -> int:
        return self._document.value_place(path)[0]

    def _add(self, severity: Severity, code: str, message: str, place: tuple[int, int], hint: str | None) -> None:
        if len(self.found) >= MAX_DIAGNOSTICS:
            raise TooMany
        if not self._document.is_unread(place):
            self.found.append(Diagnostic(self._document.file, *place, severity, code, message, hint or ""))


def boolean_mend(value: object) -> str:
    """The mend for a text where a boolean is wanted, empty when none is meant."""
    meant = boolean_meant(value)
    return "" if meant is None else f"write {'true' if meant else 'false'}, without quotes"


def label(path: Path) -> str:
    """The name of a place in a message: `'needs'`, or `item 2 of 'needs'`."""
    for depth, part in enumerate(reversed(path)):
        if isinstance(part, str):
            item = path[-1]
            return f"'{part}'" if depth == 0 else f"item {int(item) + 1} of '{part}'"
    return "the definition"
