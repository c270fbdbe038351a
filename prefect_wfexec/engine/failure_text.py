"""Failure cards and actions as lines of text."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from prefect_wfexec.engine.failures import MOST_STEPS, Action, FailureCard, logs_command
from prefect_wfexec.engine.outcome import OUTCOME_UNKNOWN
from prefect_wfexec.engine.progress import duration_text

NARROWEST = 30
MARGIN = 2


def card_lines(card: FailureCard, run: str, width: int | None = None) -> Iterator[str]:
    """One card.

    Args:
        card: The card.
        run: The run's name.
        width: The columns there are; None: lines stay as long as they are.
    """
    yield "Error Details"
    yield f"Step: {card.name}" + (f" ({card.step})" if card.step != card.name else "")
    yield f"Status: {card.status.value}" + _addition(card)
    if card.attempts > 1:
        yield f"Attempt: {card.attempt} of {card.attempts}"
    if card.seconds is not None:
        yield f"Duration: {duration_text(card.seconds)}"
    if card.exit_code is not None:
        yield f"Exit Code: {card.exit_code}"
    if card.done:
        yield f"Done Until Then: {card.done}"
    yield "Error:"
    yield from _block(card.message, width)
    if card.more_lines:
        yield from wrapped(f"… {card.more_lines} more lines:", width, MARGIN)
        yield f"    {logs_command(run, card.step)}"
    if card.tail:
        yield "Last output:"
        yield from _block(card.tail, width)
    for line in card.advice:
        yield from wrapped(f"→ {line}", width, MARGIN)


def _addition(card: FailureCard) -> str:
    if card.kind == OUTCOME_UNKNOWN:
        return ", and how it went is not known"
    return ", but not by its own doing" if card.is_error else ""


def action_lines(actions: Sequence[Action], width: int | None = None) -> Iterator[str]:
    """Commands under one another; each below its words where both do not fit. A command is never broken."""
    if not actions:
        return
    yield "Actions:"
    room = max(len(action.words) for action in actions) + 3
    is_narrow = width is not None and any(2 + room + len(action.command) > width for action in actions)
    for action in actions:
        label = f"[{action.words}]"
        if is_narrow:
            yield f"  {label}"
            yield f"    {action.command}"
        else:
            yield f"  {label:<{room}}{action.command}"


def failure_lines(
    cards: Sequence[FailureCard], actions: Sequence[Action], run: str, width: int | None = None
) -> Iterator[str]:
    """Every card, each with what can be done about its step, and then what can be done about the run.

    One card has it all in one list.
    """
    for card in cards[:MOST_STEPS]:
        own = [action for action in actions if len(cards) == 1 or action.step == card.step]
        yield from card_lines(card, run, width)
        yield from action_lines(own, width)
        yield ""
    if len(cards) > MOST_STEPS:
        yield from wrapped(f"{len(cards) - MOST_STEPS} more steps failed, see the list above", width)
        yield ""
    rest = [action for action in actions if not action.step]
    if len(cards) != 1 and rest:
        if cards:
            yield "The Whole Run"
        yield from action_lines(rest, width)


def _block(lines: Iterable[str], width: int | None) -> Iterator[str]:
    for line in lines:
        yield from wrapped(line, width, MARGIN)


def wrapped(line: str, width: int | None, margin: int = 0) -> list[str]:
    """A line behind a margin, broken between words where it is too long."""
    if width is None or len(line) + margin <= width:
        return [f"{' ' * margin}{line}".rstrip()]
    own = len(line) - len(line.lstrip())
    indent = " " * min(margin + own, max(margin, width - NARROWEST))
    return textwrap.wrap(
        line.strip(),
        width=max(width, NARROWEST),
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
        break_long_words=False,
    ) or [""]
