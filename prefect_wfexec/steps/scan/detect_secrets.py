"""`scan.detect_secrets`: secrets in files, found by detect-secrets; every one counts as high.

It ends with 0 whatever it finds, so what it found is counted. Neither log, page nor SARIF holds a secret; its own
report holds a hash of each, by which a baseline knows it again. It looks up no secret over the network.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import Report, StepContext, StepResult, StepType
from prefect_wfexec.steps.checking import CheckContext, Problem
from prefect_wfexec.steps.registry import step_type
from prefect_wfexec.steps.scan.concluding import Scan, conclude
from prefect_wfexec.steps.scan.findings import Finding, what_is_odd
from prefect_wfexec.steps.scan.models import FileScanWith, ScanOutputs
from prefect_wfexec.steps.scan.running import (
    Output,
    malformed,
    parse_report,
    place_of,
    program_on_path,
    read_report,
    require_success,
)

TOOL = "detect-secrets"
HINT = "`pip install 'prefect-wfexec[scan]'`"
RULES = "https://github.com/Yelp/detect-secrets"
_GIT = r"(^|/)\.git/"
_EXCLUDED_FILES = "detect_secrets.filters.regex.should_exclude_file"
_OWN_FILTERS = "detect_secrets.filters."
Known = set[tuple[str, str, str]]


class DetectSecretsWith(FileScanWith):
    """What to search for secrets; every finding counts as high."""

    baseline: str | None = Field(
        default=None,
        min_length=1,
        description="A baseline file of known findings, with file names that start at `path`; its settings hold too.",
    )
    exclude: list[str] = Field(default=[], description="Regular expressions; files whose path has one are left out.")

    @field_validator("exclude")
    @classmethod
    def _are_expressions(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"'{pattern}' is no regular expression: {error}") from None
        return patterns


@step_type("scan.detect_secrets", reads_only=True)
class ScanDetectSecrets(StepType):
    """Scans every file below a folder."""

    Inputs = DetectSecretsWith
    Outputs = ScanOutputs

    async def run(self, context: StepContext) -> StepResult:
        inputs: DetectSecretsWith = context.inputs
        program, place = _program(context), place_of(inputs.path, context)
        folder, target = (place, ".") if place.is_dir() else (place.parent, f"./{place.name}")
        baseline = _Baseline.read(inputs.baseline, folder, context)
        excluded = [_GIT, *inputs.exclude, *baseline.excluded]
        argv = [*program, "scan", "--all-files", "--no-verify", *(f"--exclude-files={one}" for one in excluded)]
        if baseline.copy is not None:
            argv.append(f"--baseline={baseline.copy}")
        output = Output(context)
        result = await context.command([*argv, "--", target], cwd=folder, on_chunk=output.take)
        require_success(TOOL, result, context)
        data = output.bytes(TOOL) if baseline.copy is None else read_report(baseline.copy, TOOL)
        document = parse_report(data, TOOL, f"{TOOL}.json")
        report = Report(f"{TOOL}.json", "json", data)
        findings = _findings(document, baseline.known, report)
        version = str(document.get("version") or "")
        subject = inputs.path or "the definition's folder"
        return conclude(Scan(TOOL, findings, (report,), version, subject=subject), inputs.fail_on, context)

    async def check(self, context: CheckContext) -> list[Problem]:
        path = context.env.get("PATH") or os.environ.get("PATH", os.defpath)
        is_here = shutil.which(TOOL, path=path) is not None or find_spec("detect_secrets") is not None
        return [] if is_here else [Problem(f"there is no {TOOL} here", HINT)]


def _program(context: StepContext) -> list[str]:
    """The program on PATH, or the module beside this package; nothing is imported from the scanned folder."""
    found = program_on_path(TOOL, context)
    if found is not None:
        return [found]
    if find_spec("detect_secrets") is not None:
        return [sys.executable, "-P", "-m", "detect_secrets"]
    raise StepFailed(f"there is no {TOOL} here", type="missing_tool", hint=HINT, retryable=False)


class _Baseline:
    """What is known already.

    Attributes:
        copy: A copy of the file that the scanner may write to; None without a baseline.
        known: The known findings: file, kind and hash.
        excluded: The files the baseline leaves out.
    """

    def __init__(self, copy: Path | None = None, known: Known | None = None, excluded: tuple[str, ...] = ()) -> None:
        self.copy = copy
        self.known = known or set()
        self.excluded = excluded

    @classmethod
    def read(cls, path: str | None, folder: Path, context: StepContext) -> "_Baseline":
        if path is None:
            return cls()
        file = context.folder / path
        if not file.is_file():
            words = f"the baseline '{path}' does not exist in {context.folder}"
            raise StepFailed(words, type="missing_path", retryable=False, hint="`baseline` starts at the definition")
        try:
            document = json.loads(file.read_bytes())
            known = _known(document)
            _refuse_foreign_code(document)
            excluded = _excluded(document)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
            words = f"the baseline '{path}' can't be used: {fault}"
            hint = f"make it with `{TOOL} scan`"
            raise StepFailed(words, type="bad_baseline", hint=hint, retryable=False) from None
        copy = context.scratch / "baseline.json"
        copy.write_text(json.dumps(document))
        resolved = file.resolve()
        if resolved.is_relative_to(folder):
            # It is full of hashes, each of which looks like a secret.
            excluded = (*excluded, f"^{re.escape(str(resolved.relative_to(folder)))}$")
        return cls(copy, known, excluded)


def _known(document: Mapping[str, Any]) -> Known:
    if not isinstance(document["version"], str):
        raise TypeError("it has no version")
    return {
        (str(file), str(one["type"]), str(one["hashed_secret"]))
        for file, found in document["results"].items()
        for one in found
    }


def _refuse_foreign_code(document: Mapping[str, Any]) -> None:
    """A baseline comes with the scanned files: it may choose among the scanner's own parts, and bring none."""
    plugins = [one for one in document.get("plugins_used") or () if "path" in one]
    filters = [str(one["path"]) for one in document.get("filters_used") or ()]
    if plugins or not all(path.startswith(_OWN_FILTERS) for path in filters):
        raise ValueError("it names plugins or filters that are not the scanner's own")


def _excluded(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Patterns given on the command line would take the place of these."""
    found: list[str] = []
    for one in document.get("filters_used") or ():
        if one["path"] == _EXCLUDED_FILES:
            patterns = one.get("pattern") or []
            found += map(str, patterns if isinstance(patterns, list) else [patterns])
    return tuple(dict.fromkeys(found))


def _findings(document: Any, known: Known, report: Report) -> list[Finding]:
    try:
        return [
            _finding(str(file), one)
            for file, found in document["results"].items()
            for one in found
            if (str(file), str(one["type"]), str(one["hashed_secret"])) not in known
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        raise malformed(TOOL, what_is_odd(fault), (report,)) from None


def _finding(file: str, one: Mapping[str, Any]) -> Finding:
    kind = str(one["type"])
    rule = re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-") or "secret"
    line = int(one.get("line_number") or 0)
    return Finding("high", rule, f"{kind} may stand in clear text here", file.removeprefix("./"), line, kind, RULES)
