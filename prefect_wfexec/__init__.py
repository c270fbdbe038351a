"""prefect-wfexec: workflows in YAML, compiled into Prefect flows.

The package is lazy: importing it imports no Prefect, so `wfexec validate` stays quick.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect_wfexec.engine.compiler import compile_workflow, load_workflow

__version__ = "0.1.0"
__all__ = ["__version__", "compile_workflow", "load_workflow"]


def __getattr__(name: str) -> Any:
    if name in {"compile_workflow", "load_workflow"}:
        from prefect_wfexec.engine import compiler

        return getattr(compiler, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
