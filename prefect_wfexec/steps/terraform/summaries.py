"""The one-line summaries of the Terraform steps."""

from collections.abc import Mapping

NO_CHANGES = "No changes"
_PLANNED = (("import", "to import"), ("add", "to add"), ("change", "to change"), ("destroy", "to destroy"))
_DONE = (("add", "added"), ("change", "changed"), ("destroy", "destroyed"))


def plan_summary(counts: Mapping[str, int], *, imports: int = 0, outputs: int = 0, others: int = 0) -> str:
    """What a plan would do, e.g. `3 to add, 1 to change`.

    Args:
        counts: Resources to add, change and destroy.
        imports: Resources to import.
        outputs: Outputs that change.
        others: Changes of other kinds: resources moved or forgotten, data read, actions invoked.
    """
    parts = _parts({**counts, "import": imports}, _PLANNED)
    if parts:
        return ", ".join(parts)
    if others:
        return f"{others} other change{'s' if others > 1 else ''}"
    return f"{outputs} output{'s' if outputs > 1 else ''} to change" if outputs else NO_CHANGES


def done_summary(counts: Mapping[str, int]) -> str:
    """What was done, e.g. `3 added, 1 changed`."""
    return ", ".join(_parts(counts, _DONE)) or NO_CHANGES


def outputs_summary(count: int) -> str:
    """How many outputs were read."""
    return f"{count} output{'' if count == 1 else 's'}"


def _parts(counts: Mapping[str, int], words: tuple[tuple[str, str], ...]) -> list[str]:
    return [f"{counts[key]} {word}" for key, word in words if counts.get(key)]
