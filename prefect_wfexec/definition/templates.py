"""Text with `${{ … }}` in it, taken apart. `$${{` writes a literal `${{`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.definition.tokens import find_end
from prefect_wfexec.errors import WfexecError

OPEN = "${{"
CLOSE = "}}"
MAX_BYTES = 1024


class ExpressionError(WfexecError):
    """An expression that can't be read or evaluated.

    Attributes:
        expression: The expression, shortened.
        reason: What is wrong with it, without the expression.
        kind: A kebab-case word for the reason: `expression-syntax`, `expression-too-long`, `missing`, `type` …
    """

    code = "expression"

    def __init__(self, expression: str, reason: str, *, hint: str | None = None, kind: str = "evaluation") -> None:
        self.expression = shorten(expression)
        self.reason = reason
        self.kind = kind
        super().__init__(f"expression '{self.expression}': {reason}", hint=hint)


@dataclass(frozen=True, slots=True)
class Expression:
    """One `${{ … }}` in a text; `source` is what stands between the braces, stripped."""

    source: str


Part = str | Expression


def shorten(expression: str, limit: int = 120) -> str:
    """An expression as a message shows it, on one line."""
    text = " ".join(expression.split())
    return f"{text[:limit]}…" if len(text) > limit else text


@lru_cache(maxsize=4096)
def split_template(text: str) -> tuple[Part, ...]:
    """The text's parts: literal text and expressions in turn, `$${{` already made `${{`.

    Raises:
        ExpressionError: an expression is not closed, is empty or has more than 1 KiB.
    """
    parts: list[Part] = []
    literal = ""
    position = 0
    while (found := text.find(OPEN, position)) >= 0:
        if found > position and text[found - 1] == "$":
            literal += text[position : found - 1] + OPEN
            position = found + len(OPEN)
            continue
        literal += text[position:found]
        if literal:
            parts.append(literal)
            literal = ""
        end = _end(text, found)
        parts.append(Expression(text[found + len(OPEN) : end].strip()))
        position = end + len(CLOSE)
    literal += text[position:]
    return (*parts, literal) if literal or not parts else tuple(parts)


def _end(text: str, start: int) -> int:
    inner = start + len(OPEN)
    end = find_end(text, inner, MAX_BYTES * 2)
    source = text[inner : end if end is not None else inner + MAX_BYTES * 2].strip()
    if len(source.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise too_long(source)
    if end is None:
        raise ExpressionError(
            source,
            "it is not closed",
            hint="end it with '}}', outside of quotes; to write '${{' itself, write '$${{'",
            kind="expression-syntax",
        )
    if not source:
        raise ExpressionError("", "it is empty", hint="write '${{ inputs.name }}'", kind="expression-syntax")
    return end


def too_long(source: str) -> ExpressionError:
    return ExpressionError(
        source,
        "it has more than 1 KiB",
        hint="compute the value in a step and use its output",
        kind="expression-too-long",
    )


def bare(condition: str) -> str:
    """The expression of an `if`: bare, or the whole of it inside one `${{ }}`.

    Raises:
        ExpressionError: text stands around a `${{ }}`.
    """
    if OPEN not in condition:
        return condition.strip()
    parts = split_template(condition.strip())
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return parts[0].source
    raise ExpressionError(
        condition,
        "'if' is one expression; text can't stand around '${{ }}'",
        hint="remove the '${{' and '}}' and write the whole condition as one expression",
        kind="expression-syntax",
    )


def is_deferred(value: JSON) -> bool:
    """Whether a value holds `${{` anywhere: it is then checked when the step starts, not before."""
    return any(OPEN in text for _, text in walk_texts(value))


def walk_texts(value: JSON, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in a value with its path; keys of objects are not searched."""
    stack: list[tuple[tuple[str | int, ...], JSON]] = [(path, value)]
    while stack:
        place, current = stack.pop()
        if isinstance(current, str):
            yield place, current
        elif isinstance(current, Mapping):
            stack.extend(((*place, key), item) for key, item in reversed(list(current.items())))
        elif isinstance(current, list | tuple):
            stack.extend(((*place, number), current[number]) for number in range(len(current) - 1, -1, -1))
