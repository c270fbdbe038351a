"""Markdown pages of a plan and of outputs, safe whatever stands in them."""

import json
import re
from collections.abc import Callable, Mapping, Sequence

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.steps.base import Artifact

MAX_PAGE_TEXT = 64 * 1024
MAX_ROWS = 200
MAX_CELL = 300
SENSITIVE = "(sensitive)"
Mask = Callable[[str], str]


def plan_page(
    summary: str, counts: Mapping[str, int], resources: Sequence[Mapping[str, str]], text: str, mask: Mask
) -> Artifact:
    """The page of a plan."""
    head = (
        f"## Plan: {summary}\n\n{counts['add']} to add, {counts['change']} to change, {counts['destroy']} to destroy.\n"
    )
    rows = [f"| {cell(item['action'])} | {cell(mask(item['address']))} |" for item in resources[:MAX_ROWS]]
    if len(resources) > MAX_ROWS:
        rows.append(f"| … | {len(resources) - MAX_ROWS} more |")
    table = "\n".join(["| Action | Resource |", "|---|---|", *rows]) + "\n" if rows else ""
    return Artifact(
        "plan", "\n".join(filter(None, [head, table, fence(cut(mask(text), MAX_PAGE_TEXT))])), "Terraform plan"
    )


def outputs_page(values: Mapping[str, JSON], secret: frozenset[tuple[str, ...]], mask: Mask) -> Artifact | None:
    """The page of an apply's outputs, None when there are none."""
    if not values:
        return None
    rows = [
        f"| {cell(name)} | {cell(SENSITIVE if ('values', name) in secret else mask(_spelled(value)))} |"
        for name, value in sorted(values.items())
    ]
    markdown = "\n".join(["## Terraform outputs", "", "| Output | Value |", "|---|---|", *rows]) + "\n"
    return Artifact("terraform-outputs", markdown, "Terraform outputs")


def cell(text: str) -> str:
    """Text for a table cell: one line, nothing in it read as markdown or HTML; secrets have to be out already."""
    line = cut(" ".join(text.split()), MAX_CELL, note="…")
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", line)


def fence(text: str) -> str:
    """Text in a code fence that nothing in it can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}\n{text.rstrip()}\n{ticks}\n"


def cut(text: str, limit: int, note: str = "\n… cut here; the step's log and `terraform show` have the rest") -> str:
    """The text, or its start and a note when it is longer than `limit` characters."""
    return text if len(text) <= limit else text[:limit] + note


def _spelled(value: JSON) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
