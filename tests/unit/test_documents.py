"""What the documents show is true: definitions compile, commands exist, links lead somewhere."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from prefect_wfexec.cli.arguments import make_parser
from prefect_wfexec.definition.loader import load_definition, load_text
from prefect_wfexec.errors import UsageError
from prefect_wfexec.steps.registry import catalog
from tests.support import generated, readme

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]+\]\((?P<target>[^)\s]+)\)")


def blocks(language: str) -> list[tuple[str, str]]:
    """Every block in that language, with where it stands."""
    found = []
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        for match in _BLOCK.finditer(text):
            if match["language"] == language:
                line = text.count("\n", 0, match.start()) + 2
                found.append((f"{path.relative_to(ROOT)}:{line}", match["text"]))
    return found


@pytest.mark.parametrize(("place", "text"), blocks("yaml"), ids=[place for place, _ in blocks("yaml")])
def test_every_definition_in_a_document_compiles_and_can_be_run(place: str, text: str) -> None:
    workflow = load_text(text, None, catalog())
    assert workflow.steps, place


@pytest.mark.parametrize("path", sorted((ROOT / "flows").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_compiles_and_can_be_run(path: Path) -> None:
    assert load_definition(path, catalog()).steps
    module = path.with_suffix(".py").read_text("utf-8")
    assert sum(1 for line in module.splitlines() if line.strip()) <= 10
    assert f"{path.stem} = load_workflow(" in module


@pytest.mark.parametrize(("place", "text"), blocks("python"), ids=[place for place, _ in blocks("python")])
def test_every_program_in_a_document_can_be_read(place: str, text: str) -> None:
    ast.parse(text, place)


def command_lines() -> list[tuple[str, list[str]]]:
    found = []
    for place, text in blocks("sh"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line.rpartition("&& ")[2], comments=True)
            if words and words[0].rpartition("/")[2] == "wfexec":
                found.append((place, words[1:]))
    return found


@pytest.mark.parametrize(("place", "words"), command_lines(), ids=[" ".join(words) for _, words in command_lines()])
def test_every_command_in_a_document_exists(place: str, words: list[str]) -> None:
    arguments = make_parser().parse_args(words)
    path = getattr(arguments, "path", None) or next(iter(getattr(arguments, "paths", [])), None)
    assert path is None or (ROOT / path).is_file(), place


def test_a_command_that_does_not_exist_would_be_found() -> None:
    with pytest.raises(UsageError):
        make_parser().parse_args(["purge", "wfr_…"])


def test_commands_in_running_text_exist() -> None:
    known = {name for name, _, _ in generated.commands()}
    for path in DOCUMENTS:
        for command in re.findall(r"`wfexec ([a-z-]+)", path.read_text("utf-8")):
            assert command in known, f"{path.name}: wfexec {command}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(path: Path) -> None:
    for match in _LINK.finditer(_BLOCK.sub("", path.read_text("utf-8"))):
        target, _, heading = match["target"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        linked = (path.parent / target).resolve() if target else path
        assert linked.exists(), f"{match['target']} is not there"
        if heading:
            assert heading in headings(linked)


def headings(path: Path) -> set[str]:
    found = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in found}


def test_every_document_is_reached_from_the_readme() -> None:
    reached, pending = set(), [ROOT / "README.md"]
    while pending:
        path = pending.pop()
        if path in reached or path.suffix != ".md":
            continue
        reached.add(path)
        for match in _LINK.finditer(path.read_text("utf-8")):
            linked = (path.parent / match["target"].partition("#")[0]).resolve()
            pending += [linked / "README.md"] if linked.is_dir() else [linked]
    assert set(DOCUMENTS) - reached <= {ROOT / "CHANGELOG.md"}


def test_the_readme_has_the_two_commands_that_are_run_as_they_stand() -> None:
    commands = readme.commands()
    assert set(commands) == {"quickstart", "tests"}
    assert "wfexec run flows/quickstart.yaml --yes" in commands["quickstart"]
    assert "pytest" in commands["tests"]
    for text in commands.values():
        assert len(text.splitlines()) == 1
        assert text.startswith("python3 -m venv ")
