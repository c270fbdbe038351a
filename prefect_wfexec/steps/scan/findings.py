"""What scanners find: one shape for all of them, counted by severity."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from prefect_wfexec.steps.scan.models import FailOn

Severity = Literal["critical", "high", "medium", "low", "unknown"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The worst first."""

_WORDS: dict[str, Severity] = {
    "blocker": "critical",
    "error": "high",
    "important": "high",
    "moderate": "medium",
    "warning": "medium",
    "negligible": "low",
    "info": "low",
    "note": "low",
    **{word: word for word in SEVERITIES},
}
_FAILING: dict[FailOn, frozenset[Severity]] = {
    "any": frozenset(SEVERITIES),
    "low": frozenset(SEVERITIES),
    "medium": frozenset({"critical", "high", "medium"}),
    "high": frozenset({"critical", "high"}),
    "critical": frozenset({"critical"}),
    "never": frozenset(),
}
"""What fails a step: that nobody has rated a finding yet does not make it harmless, nor high."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a scanner found.

    Attributes:
        severity: How bad it is.
        rule: What was broken: a rule's id, a CVE, a kind of secret.
        message: What it is, one line; never the secret itself.
        file: Where, as the scanner names it; empty when it is nowhere in particular.
        line: Which line there, 0 when none.
        title: What the rule is about.
        link: Where more is said about the rule.
        identity: What tells it apart from the others of its rule and file, besides the line.
    """

    severity: Severity
    rule: str
    message: str
    file: str = ""
    line: int = 0
    title: str = ""
    link: str = ""
    identity: str = ""


def severity_named(word: object) -> Severity:
    """A severity by any of its usual words; what is none is unknown."""
    return _WORDS.get(str(word).strip().lower(), "unknown")


def counted(findings: Iterable[Finding]) -> dict[Severity, int]:
    """How many there are of each severity, the worst first."""
    counts = dict.fromkeys(SEVERITIES, 0)
    for finding in findings:
        counts[finding.severity] += 1
    return counts


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """In the order in which a person looks at them."""
    return sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), one.file, one.line, one.rule))


def failing(findings: Sequence[Finding], fail_on: FailOn) -> list[Finding]:
    """Those that fail the step."""
    return [finding for finding in findings if finding.severity in _FAILING[fail_on]]


def in_words(counts: dict[Severity, int]) -> str:
    """The counts as a person says them, e.g. `1 critical, 2 high`."""
    words = [f"{count} {severity}" for severity, count in counts.items() if count]
    return ", ".join(words) or "no findings"


def what_is_odd(fault: Exception) -> str:
    """Why a report could not be taken apart, in words."""
    if isinstance(fault, KeyError):
        return f"there is no '{fault.args[0]}' where one has to be"
    return str(fault) if isinstance(fault, ValueError) else "a value is not of the type it has to be"
