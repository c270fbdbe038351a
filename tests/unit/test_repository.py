"""What must hold for the repository as a whole: layers, exports, errors, settings, dependencies, generated files."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import prefect_wfexec
from prefect_wfexec import errors, settings
from prefect_wfexec.errors import WfexecError
from tests.support import generated

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "prefect_wfexec"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROGRAMS = {"shim", "supervisor_process", "embedded_server", "__main__"}
"""Modules that are run as programs of their own."""


def modules() -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(prefect_wfexec.__path__, "prefect_wfexec.")]
    return [name for name in found if name.rpartition(".")[2] not in PROGRAMS]


def test_a_floor_imports_only_floors_below_it() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", ended.stdout)


@pytest.mark.parametrize("name", ["prefect_wfexec", *modules()])
def test_exported_names_are_there(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", None)
    if exported is None:
        return
    assert len(exported) == len(set(exported))
    for one in exported:
        assert hasattr(module, one), f"{name}.__all__ names {one}, which is not there"


def test_the_package_exports_what_it_documents_and_nothing_else() -> None:
    assert sorted(prefect_wfexec.__all__) == ["__version__", "compile_workflow", "load_workflow"]
    assert prefect_wfexec.__version__ == PROJECT["project"]["version"]
    with pytest.raises(AttributeError):
        _ = prefect_wfexec.no_such_name  # type: ignore[attr-defined]


def test_blocks_exports_every_block_class() -> None:
    from prefect.blocks.core import Block

    blocks = importlib.import_module("prefect_wfexec.blocks")
    for found in pkgutil.iter_modules(blocks.__path__, "prefect_wfexec.blocks."):
        module = importlib.import_module(found.name)
        own = {
            name
            for name, value in vars(module).items()
            if isinstance(value, type) and issubclass(value, Block) and value.__module__ == module.__name__
        }
        assert own <= set(blocks.__all__)


def test_importing_the_step_types_imports_no_prefect() -> None:
    code = "import sys, prefect_wfexec.cli.definitions as d; d.catalog(); sys.exit('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def error_tree() -> dict[str, str | None]:
    """The errors of the docstring in errors.py, each with the one it stands below."""
    found: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^    ([│├└─ ]*)([A-Z]\w+) {2,}\S", line)
        if match:
            depth = len(match[1]) // 4
            above = [*above[:depth], match[2]]
            found[match[2]] = above[depth - 1] if depth else None
    return found


def test_the_tree_of_errors_names_every_error() -> None:
    for name in modules():
        importlib.import_module(name)
    actual: dict[str, str | None] = {"WfexecError": None}
    pending: list[type[WfexecError]] = [WfexecError]
    while pending:
        parent = pending.pop()
        children = [child for child in parent.__subclasses__() if child.__module__.startswith("prefect_wfexec.")]
        actual |= {child.__name__: parent.__name__ for child in children}
        pending += children
    assert error_tree() == actual


def test_every_setting_is_listed_and_documented() -> None:
    declared = [value for value in vars(settings).values() if isinstance(value, settings.Setting)]
    assert len(declared) > 3
    assert list(settings.ALL) == declared
    documented = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    for setting in declared:
        assert re.fullmatch(r"[A-Z][A-Z_]*", setting.name)
        assert f"`{setting.variable}`" in documented
        assert setting.description.strip()


def test_every_setting_named_anywhere_exists() -> None:
    known = {setting.variable for setting in settings.ALL}
    for path in texts():
        for named in re.findall(rf"{settings.PREFIX}[A-Z_]+", path.read_text("utf-8")):
            assert named in known, f"{path} names {named}"


def texts() -> list[Path]:
    places = [PACKAGE, ROOT / "docs", ROOT / "flows", ROOT / "blocks"]
    found = [path for place in places for path in place.rglob("*") if path.suffix in {".py", ".md", ".yaml"}]
    return [*found, *ROOT.glob("*.md")]


@pytest.mark.parametrize("name", sorted(generated.FILES))
def test_generated_files_are_what_the_code_makes(name: str) -> None:
    made = generated.FILES[name]()
    assert (ROOT / name).read_text("utf-8") == made, "run `just docs` and commit what it writes"
    assert len(made) > 1000


def imported_by(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"prefect_wfexec"}


def test_what_the_package_imports_is_declared() -> None:
    declared = {canonicalize_name(Requirement(text).name) for text in PROJECT["project"]["dependencies"]}
    # pydantic pins the one pydantic-core that fits it.
    declared |= {canonicalize_name(name) for name in ("pydantic-core",) if "pydantic" in declared}
    for_gateway = {
        canonicalize_name(Requirement(text).name) for text in PROJECT["project"]["optional-dependencies"]["server"]
    }
    distributions = packages_distributions()
    seen = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        is_gateway = path.relative_to(PACKAGE).parts[0] in {"gateway", "triggers"}
        for name in sorted(imported_by(path)):
            seen.add(name)
            owners = {canonicalize_name(owner) for owner in distributions[name]}
            known = declared | for_gateway if is_gateway else declared
            assert owners & known, f"{name} is imported by {path.name}, and no dependency declares it"
    assert "prefect" in seen


def locked() -> dict[str, dict[str, object]]:
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    return {package["name"]: package for package in lock["package"]}


def specifiers(texts_of_requirements: list[str]) -> set[tuple[str, str]]:
    parsed = [Requirement(text) for text in texts_of_requirements]
    return {(canonicalize_name(one.name), str(one.specifier)) for one in parsed}


def test_the_lock_file_was_made_from_these_dependencies() -> None:
    project = PROJECT["project"]
    declared = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    wanted = {one for one in specifiers(declared) if one[0] != project["name"]}
    wanted_dev = specifiers(PROJECT["dependency-groups"]["dev"])
    metadata = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
    own = next(package["metadata"] for package in metadata if package["name"] == project["name"])

    def recorded(rows: list[dict[str, str]]) -> set[tuple[str, str]]:
        return specifiers([f"{row['name']}{row.get('specifier', '')}" for row in rows])

    assert {one for one in recorded(own["requires-dist"]) if one[0] != project["name"]} == wanted, "run `just lock`"
    assert recorded(own["requires-dev"]["dev"]) == wanted_dev, "run `just lock`"


def test_the_lock_file_names_the_public_index_only() -> None:
    hosts = set(re.findall(r"[a-z+]+://[^/\"]+", (ROOT / "uv.lock").read_text("utf-8")))
    assert hosts == {"https://pypi.org", "https://files.pythonhosted.org"}


def test_the_development_requirements_are_the_locked_versions() -> None:
    lock = locked()
    lines = (ROOT / "requirements-dev.txt").read_text("utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    assert len(pinned) > 100
    for one in pinned:
        assert str(one.specifier) == f"=={lock[canonicalize_name(one.name)]['version']}", "run `just lock`"
    names = {canonicalize_name(one.name) for one in pinned}
    for text in [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]:
        assert canonicalize_name(Requirement(text).name) in names, "run `just lock`"
