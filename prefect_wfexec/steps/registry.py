"""The step types by name: ours, and third parties' through the entry-point group `prefect_wfexec.steps`."""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

from prefect_wfexec.definition.catalog import Catalog, StepSpec
from prefect_wfexec.definition.raw import VALIDATION
from prefect_wfexec.errors import UsageError
from prefect_wfexec.steps.base import StepType

ENTRY_POINT_GROUP = "prefect_wfexec.steps"
OWN_MODULES = (
    "shell",
    "wait",
    "approval",
    "validation",
    "http",
    "slack",
    "terraform",
    "git",
    "image",
    "scan",
    "kubernetes",
    "deploy",
)

_types: dict[str, type[StepType]] = {}
_loaded = False


def step_type(
    name: str,
    *,
    open_outputs: bool = False,
    is_gate: bool = False,
    reads_only: bool = False,
    changes_infrastructure: bool = False,
    accepts_run: bool = False,
) -> Callable[[type[StepType]], type[StepType]]:
    """Register a class as the step type `name`; the flags are those of `StepSpec`.

    Raises:
        UsageError: the name is taken.
    """

    def register(cls: type[StepType]) -> type[StepType]:
        taken = _types.get(name)
        if taken is not None and taken is not cls:
            raise UsageError(
                f"step type '{name}' is registered twice: by {taken.__module__} and by {cls.__module__}",
                code="duplicate-step-type",
                hint="remove one of the two packages, or rename its step type",
            )
        cls.spec = StepSpec(
            name=name,
            inputs=cls.Inputs,
            outputs=cls.Outputs,
            open_outputs=open_outputs,
            is_gate=is_gate,
            reads_only=reads_only,
            changes_infrastructure=changes_infrastructure,
            accepts_run=accepts_run,
        )
        _types[name] = cls
        return cls

    return register


def load_step_types() -> None:
    """Import every module that registers step types, once."""
    global _loaded  # noqa: PLW0603 - the registry is the process's
    if _loaded:
        return
    for module in OWN_MODULES:
        import_module(f"prefect_wfexec.steps.{module}")
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        entry_point.load()
    _loaded = True


def find_step_type(name: str) -> type[StepType]:
    """The class behind `name`.

    Raises:
        KeyError: there is none.
    """
    load_step_types()
    return _types[name]


def catalog() -> Catalog:
    """Every step type a definition may name, as its floor sees it; `shell`, which `run:` alone means, first."""
    load_step_types()
    # Whoever imported a module of step types first must not change what a definition means.
    named = [cls.spec for name, cls in _types.items() if name != VALIDATION]
    return Catalog.of(sorted(named, key=lambda spec: spec.name != "shell"))
