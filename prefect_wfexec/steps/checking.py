"""What a step type is given to look at a step before the run's first step starts, and what it may find."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_wfexec.definition.model import JSON, Step
from prefect_wfexec.runtime.masking import Masker

if TYPE_CHECKING:
    from prefect_wfexec.steps.base import CommandRunner, RunInfo, StepLog


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a step could not succeed, in words, and the mend."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class BlockUse:
    """A saved block that a step type needs.

    Attributes:
        key: The key of `with` that holds its name; what stands there as the default counts too.
        slugs: The slugs of the block types it may be of, each with its name in Prefect's UI.
        unless: The key of `with` that says, being true, that the step does without.
    """

    key: str
    slugs: Mapping[str, str]
    unless: str = ""


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What is known of a step before the first step of the run.

    Attributes:
        step: The step's definition.
        known: Its `with` as far as it does not depend on what other steps give, rendered; no secrets are in it.
        env: Its own variables, known likewise.
        run: The run it belongs to.
        folder: Where relative paths start.
        scratch: A private folder (0700) of this look alone, removed when Validation ends.
        command: Runs a command under the supervisor, as a step's does.
        log: The log of Validation; every line is masked on the way.
        masker: Knows every secret of the run so far; a check adds the ones it meets *before* it writes anything.
        tail: The last lines of that log so far, masked.
    """

    step: Step
    known: Mapping[str, JSON]
    env: Mapping[str, str]
    run: "RunInfo"
    folder: Path
    scratch: Path
    command: "CommandRunner"
    log: "StepLog"
    masker: Masker = field(default_factory=Masker)
    tail: Callable[[], str] = str
