"""How an attempt that was stopped is told of."""

from prefect_wfexec.runtime.command import CommandResult


def how_it_stopped(result: CommandResult | None) -> str:
    """What a person should know of how a step's command took its stop; empty when it ended as it was asked to."""
    if result is None or result.stopped is None:
        return ""
    *before, last = result.signals_sent or ("",)
    if last == "SIGKILL":
        return f"its command did not end on {' and '.join(before)}, and was killed"
    return f"its command did not end on {before[-1]}, but on {last}" if before else ""


def in_words(seconds: float) -> str:
    """A duration as a person says it, e.g. `30 m`, `1 h 5 m`, `12 s`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:g} s"
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = [f"{hours} h" if hours else "", f"{minutes} m" if minutes else "", f"{rest} s" if rest else ""]
    return " ".join(part for part in parts if part)


def shortened(line: str, limit: int = 200) -> str:
    """A line of output as it fits into a sentence."""
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
