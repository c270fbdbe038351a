"""What comes from outside, made safe to keep and to show, or refused."""

import math

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import UsageError
from prefect_wfexec.runtime.ansi import strip_ansi

REFUSED_KEYS = frozenset({"__prefect_kind", "$ref"})


def text_from_outside(value: JSON) -> str:
    """A text as Prefect, its database and a terminal can take it; what is no text counts as none."""
    if not isinstance(value, str):
        return ""
    return strip_ansi(value).encode("utf-8", "replace").decode("utf-8")


def refuse_unsafe(value: JSON) -> None:
    """Refuse JSON from outside that Prefect would resolve into variables, templates or secrets, or can't store.

    Raises:
        UsageError: at any depth there is such a key, a number that is none, or text that is none.
    """
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            found = REFUSED_KEYS & item.keys()
            if found:
                raise UsageError(f"the key '{min(found)}' is not allowed in a run's input", code="refused-key")
            pending += [*item, *item.values()]
        elif isinstance(item, list):
            pending += item
        elif isinstance(item, float) and not math.isfinite(item):
            raise UsageError(f"the number {item} is not allowed in a run's input", code="refused-number")
        elif isinstance(item, str) and not _is_storable(item):
            raise UsageError(f"the text {item[:40]!a} is not allowed in a run's input", code="refused-text")


def _is_storable(text: str) -> bool:
    """Whether it is Unicode and has no NUL, which databases refuse."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
