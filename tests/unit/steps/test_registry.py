"""The registry imports what is named, and no more; nobody else may take one of our names."""

import subprocess
import sys
from importlib import import_module

import pytest

from prefect_wfexec.errors import UsageError
from prefect_wfexec.steps import registry
from prefect_wfexec.steps.base import StepType

LISTS = """
import sys
from pathlib import Path
from prefect_wfexec.definition.loader import load_text
from prefect_wfexec.steps.registry import catalog
load_text(sys.argv[1], None, catalog())
print(*sorted(name for name in sys.modules if name.startswith("prefect_wfexec.steps.")))
"""


@pytest.mark.parametrize("module", registry.OWN_TYPES)
def test_the_table_says_what_each_module_registers(module: str) -> None:
    found = import_module(f"prefect_wfexec.steps.{module}")
    registered = {
        name for name, cls in registry._types.items() if f"{cls.__module__}.".startswith(f"{found.__name__}.")
    }
    assert registered == set(registry.OWN_TYPES[module])


def test_the_catalog_names_every_type_but_validation() -> None:
    names = list(registry.catalog().specs)
    assert names[0] == "shell"
    assert set(names) >= {name for names in registry.OWN_TYPES.values() for name in names} - {"validation"}
    assert "validation" not in names
    assert registry.catalog().find("validation") is None
    assert registry.catalog().find("no.such") is None
    assert len(registry.catalog().specs) == len(names)


@pytest.mark.parametrize("name", ["terraform.plan", "validation"])
def test_a_name_of_ours_is_nobody_elses(name: str) -> None:
    with pytest.raises(UsageError, match="registered twice: by prefect_wfexec"):
        registry.step_type(name)(type("Theirs", (StepType,), {"__module__": "theirs"}))


def test_only_what_a_definition_names_is_imported() -> None:
    text = "version: 1\nname: small\nsteps:\n  - {id: a, run: echo}\n  - {id: b, uses: wait, with: {for: 1s}}\n"
    found = subprocess.run([sys.executable, "-c", LISTS, text], capture_output=True, text=True, check=True)
    modules = {name.removeprefix("prefect_wfexec.steps.") for name in found.stdout.split()}
    assert {"shell", "wait", "registry"} <= modules
    assert not {one for one in modules if one.startswith(("terraform", "kubernetes", "image", "scan", "git", "deploy"))}
