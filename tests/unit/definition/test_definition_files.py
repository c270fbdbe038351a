"""One file for each diagnostic, with the text it must give, and files that must compile."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import prefect_wfexec.definition as package
from prefect_wfexec.definition.loader import check_text, load_definition
from prefect_wfexec.steps.registry import catalog

FILES = Path(__file__).parents[2] / "definitions"
VALID = sorted((FILES / "valid").glob("*.yaml"))
INVALID = sorted((FILES / "invalid").glob("*.yaml"))

ELSEWHERE = {
    "file-not-found": "test_loader: no file can show it",
    "not-a-file": "test_loader: no file can show it",
    "not-readable": "test_loader: no file can show it",
    "not-utf8": "below, read as bytes",
    "too-large": "test_loader: made there",
    "too-many": "test_loader: made there",
}
_CODE = re.compile(r'"([a-z0-9]+(?:-[a-z0-9]+)+|alias|cycle|empty|tag)"')
_REPORTING = re.compile(
    r"(?:error|warning|error_at_key|report|_of_file|_error|_names|_one_of|Diagnostic)\(|kind=|code = |CODE"
)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_the_diagnostics_are_exactly_these(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect_wfexec.definition.loader import check_definition

    monkeypatch.chdir(path.parent)
    found = check_definition(Path(path.name), catalog())
    assert "".join(f"{one}\n" for one in found) == path.with_suffix(".expected").read_text()
    assert any(one.severity == "error" for one in found)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_these_compile_without_a_word(path: Path) -> None:
    assert check_text(path.read_text(), path, catalog()) == []
    workflow = load_definition(path, catalog())
    assert workflow.steps


def test_each_file_has_its_expected_text() -> None:
    assert {path.stem for path in (FILES / "invalid").glob("*.expected")} == {path.stem for path in INVALID}


def test_every_diagnostic_the_package_can_give_has_a_file() -> None:
    shown = {
        code
        for path in INVALID
        for code in re.findall(r": (?:error|warning)\[([a-z0-9-]+)\]: ", path.with_suffix(".expected").read_text())
    }
    known = set(_codes_in_the_source())
    assert len(known) > 50
    assert known - shown - ELSEWHERE.keys() == set()
    assert shown <= known


def _codes_in_the_source() -> Iterator[str]:
    """Every code that stands in the source: a quoted kebab-case word near a call that reports."""
    not_codes = {"utf-8", "bad-with", "invalid-definition", "step-failed"}
    for module in Path(package.__path__[0]).glob("*.py"):
        lines = module.read_text().splitlines()
        for number, line in enumerate(lines):
            near = "\n".join(lines[max(0, number - 7) : number + 1])
            if not _REPORTING.search(near) and module.name != "synonyms.py":
                continue
            text = line.split("hint")[0] if "did you mean" in line else line
            yield from (
                code for code in _CODE.findall(text) if code not in not_codes and not _is_other(code, module, line)
            )


def _is_other(code: str, module: Path, line: str) -> bool:
    """Whether a kebab-case word is a key of another tool or a step type, not a code."""
    return module.name == "synonyms.py" and f'"{code}":' in line
