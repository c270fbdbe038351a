"""A Workflow becomes a Prefect flow: its signature is the inputs, its body is the engine."""

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from prefect_wfexec.definition.diagnostics import DefinitionError
from prefect_wfexec.definition.loader import load_definition
from prefect_wfexec.definition.model import Input, Workflow
from prefect_wfexec.engine.context import PARAMETER
from prefect_wfexec.steps.registry import catalog

if TYPE_CHECKING:
    from prefect.flows import Flow

_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list[Any],
    "object": dict[str, Any],
}


def load_workflow(path: str | Path) -> "Flow[..., Any]":
    """The Prefect flow of a definition file.

    When the definition does not compile its diagnostics are printed on standard error first, since `prefect deploy`
    hides the text of an exception raised while a flow's module is imported.

    Raises:
        DefinitionError: the definition does not compile.
    """
    try:
        workflow = load_definition(Path(path), catalog())
    except DefinitionError as error:
        for diagnostic in error.diagnostics:
            print(diagnostic, file=sys.stderr)  # noqa: T201 - the one place a person deploying can read it
        raise
    return compile_workflow(workflow)


def compile_workflow(workflow: Workflow) -> "Flow[..., Any]":
    """The Prefect flow of a workflow: deploy it, serve it, call it."""
    from prefect.flows import Flow

    async def run(**parameters: Any) -> Any:
        from prefect_wfexec.engine.entry import run_in_flow

        return await run_in_flow(workflow, parameters)

    parameters = [_parameter(declared) for declared in workflow.inputs] + [_context_parameter(workflow)]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__name__ = run.__qualname__ = workflow.name.replace("-", "_")
    run.__doc__ = workflow.description or None
    flow: Flow[..., Any] = Flow(
        run,
        name=workflow.name,
        version=workflow.digest[:16] or None,
        description=workflow.description or None,
        persist_result=False,
        log_prints=False,
    )
    flow.wfexec_workflow = workflow  # type: ignore[attr-defined]
    return flow


def workflow_of(flow: Any) -> Workflow | None:
    """The workflow a flow was compiled from, None for any other flow."""
    found = getattr(flow, "wfexec_workflow", None)
    return found if isinstance(found, Workflow) else None


def _parameter(declared: Input) -> inspect.Parameter:
    annotation = _TYPES[declared.type]
    if declared.enum:
        annotation = Literal[declared.enum]
    if not declared.required and declared.default is None:
        annotation = annotation | None
    # Prefect takes a parameter's description from its function's docstring only, but keeps what a schema adds.
    extra: dict[str, Any] = {"description": declared.description} if declared.description else {}
    # As everywhere else, a pattern is for the whole value.
    pattern = None if declared.pattern is None else f"^(?:{declared.pattern})$"
    field = Field(description=declared.description or None, pattern=pattern, json_schema_extra=extra)
    return inspect.Parameter(
        declared.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if declared.required else declared.default,
        annotation=Annotated[annotation, field],
    )


def _context_parameter(workflow: Workflow) -> inspect.Parameter:
    """The reserved last parameter; its schema extra is how others find the workflow behind a deployment."""
    extra: dict[str, Any] = {
        "title": "Run context",
        "description": "Filled in by what starts the run; leave it as it is.",
        "x-wfexec": {"definition": workflow.text, "digest": workflow.digest},
    }
    field = Field(json_schema_extra=extra)
    return inspect.Parameter(PARAMETER, inspect.Parameter.KEYWORD_ONLY, default="{}", annotation=Annotated[str, field])
