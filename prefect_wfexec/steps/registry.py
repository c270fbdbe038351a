"""The step types by name: ours, and third parties' through the entry-point group `prefect_wfexec.steps`.

A module of ours is imported when a definition names one of its step types: most use few of them, and every process
that reads a definition would pay for all.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points

from prefect_wfexec.definition.catalog import Catalog, StepSpec
from prefect_wfexec.definition.raw import VALIDATION
from prefect_wfexec.errors import UsageError
from prefect_wfexec.steps.base import StepType

ENTRY_POINT_GROUP = "prefect_wfexec.steps"
OWN_TYPES = {
    "shell": ("shell",),
    "wait": ("wait",),
    "approval": ("approval",),
    "validation": (VALIDATION,),
    "http": ("http.check",),
    "slack": ("slack.message",),
    "terraform": ("terraform.plan", "terraform.apply", "terraform.destroy", "terraform.output"),
    "git": ("git.clone",),
    "image": ("image.build", "image.fetch", "image.push"),
    "scan": ("scan.detect_secrets", "scan.script", "scan.sonarqube", "scan.trivy"),
    "kubernetes": ("kubernetes.job",),
    "deploy": ("deploy.kubernetes", "deploy.script", "deploy.kubernetes_undo"),
}
"""The step types that each of our modules registers."""
_MODULE_OF = {name: module for module, names in OWN_TYPES.items() for name in names}
_PACKAGE = "prefect_wfexec.steps"

_types: dict[str, type[StepType]] = {}
_has_others = False


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
        other = taken.__module__ if taken is not None and taken is not cls else ""
        if name in _MODULE_OF and not cls.__module__.startswith(f"{_PACKAGE}."):
            other = f"{_PACKAGE}.{_MODULE_OF[name]}"
        if other:
            raise UsageError(
                f"step type '{name}' is registered twice: by {other} and by {cls.__module__}",
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


def find_step_type(name: str) -> type[StepType]:
    """The class behind `name`.

    Raises:
        KeyError: there is none.
        UsageError: third parties give one name to two step types.
    """
    if name in _MODULE_OF:
        import_module(f"{_PACKAGE}.{_MODULE_OF[name]}")
    elif name not in _types:
        _load_others()
    return _types[name]


def _load_others() -> None:
    """Import every module of third parties that registers step types, once."""
    global _has_others  # noqa: PLW0603 - the registry is the process's
    if not _has_others:
        for entry_point in entry_points(group=ENTRY_POINT_GROUP):
            entry_point.load()
        _has_others = True


class _Specs(Mapping[str, StepSpec]):
    """What is known of each step type, its module imported when it is asked for; validation is nobody's to name."""

    def __getitem__(self, name: str) -> StepSpec:
        if name == VALIDATION:
            raise KeyError(name)
        return find_step_type(name).spec

    def __iter__(self) -> Iterator[str]:
        _load_others()
        return (name for name in dict.fromkeys((*_MODULE_OF, *_types)) if name != VALIDATION)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def catalog() -> Catalog:
    """Every step type a definition may name, as its floor sees it."""
    return Catalog(_Specs(), default="shell")
