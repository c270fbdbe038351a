"""Trivy: its command line and its JSON, replayed by a program that refuses what the real one refuses."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.testing import log_of, make_context, run_step
from tests.support import trivy_program
from tests.support.sarif import valid_sarif

TOKEN = "ghp_" + "0123456789abcdefABCDEF0123456789abcd"
BESIDE = "a-line-that-stands-beside-it"


@pytest.fixture
def programs(tmp_path: Path) -> str:
    program = tmp_path / "bin" / "trivy"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {trivy_program.__file__} "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}:/usr/bin:/bin"


def context(tmp_path: Path, programs: str, **with_: Any) -> StepContext:
    return make_context("scan.trivy", with_=with_, env={"PATH": programs}, folder=tmp_path)


async def failure_of(one: StepContext) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await run_step(one)
    return caught.value


async def test_an_image_with_vulnerabilities(tmp_path: Path, programs: str) -> None:
    failure = await failure_of(context(tmp_path, programs, image="registry.example.com/app:1.0"))
    assert failure.outputs["counts"] == {"critical": 1, "high": 0, "medium": 1, "low": 0, "unknown": 1}
    assert "trivy found 1 critical, 1 medium, 1 unknown; the step fails on high and worse" in failure.message
    assert "libexample 1.0.0-r0: libexample: a <b>buffer</b> | overflows (mended in 1.0.1-r0)" in failure.message
    assert [one.name for one in failure.reports] == ["trivy.json", "trivy.sarif"]
    run = valid_sarif(failure.reports[1].data)
    assert [one["ruleId"] for one in run["results"]] == ["CVE-2026-1", "CVE-2026-2", "CVE-2026-3"]
    assert run["tool"]["driver"]["rules"][0]["helpUri"] == "https://avd.example.com/nvd/cve-2026-1"
    [page] = failure.artifacts
    assert "&lt;b&gt;buffer&lt;/b&gt; \\| overflows" in page.markdown


@pytest.mark.parametrize(
    ("with_", "counts"),
    [
        ({"fail_on": "never"}, (1, 0, 1, 0, 1)),
        ({"ignore_unfixed": True, "fail_on": "never"}, (1, 0, 0, 0, 0)),
        ({"image": "registry.example.com/clean:1.0"}, (0, 0, 0, 0, 0)),
    ],
)
async def test_what_counts(tmp_path: Path, programs: str, with_: dict[str, Any], counts: tuple[int, ...]) -> None:
    result = await run_step(context(tmp_path, programs, **{"image": "registry.example.com/app:1.0", **with_}))
    assert tuple(result.outputs["counts"].values()) == counts


async def test_an_ignore_file_is_read_when_it_is_named_and_only_then(tmp_path: Path, programs: str) -> None:
    (tmp_path / ".trivyignore").write_text("CVE-2026-1\n")
    one = {"image": "registry.example.com/app:1.0"}
    assert (await failure_of(context(tmp_path, programs, **one))).outputs["counts"]["critical"] == 1
    result = await run_step(context(tmp_path, programs, **one, ignore_file=".trivyignore"))
    assert result.summary == "1 medium, 1 unknown"
    assert (await failure_of(context(tmp_path, programs, **one, ignore_file="no"))).type == "missing_path"


async def test_a_secret_and_the_lines_beside_it_are_shown_nowhere(tmp_path: Path, programs: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "deploy.sh").write_text(f"export TOKEN={TOKEN}\necho {BESIDE}\n")
    one = context(tmp_path, programs, path="src", fail_on="critical")
    failure = await failure_of(one)
    assert failure.message.splitlines()[1] == "critical: deploy.sh:1: GitHub Personal Access Token in clear text"
    shown = [failure.message, log_of(one).text(), *(report.data.decode() for report in failure.reports)]
    assert not [text for text in shown if TOKEN in text or BESIDE in text]
    assert json.loads(failure.reports[0].data)["Results"][0]["Secrets"][0]["StartLine"] == 1


async def test_misconfigurations_and_licenses(tmp_path: Path, programs: str) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "package.json").write_text("{}\n")
    scanners = ["misconfig", "license"]
    result = await run_step(context(tmp_path, programs, path=".", scanners=scanners, fail_on="never"))
    assert result.outputs["counts"]["high"] == 2, "what passed is no finding"
    rules = {one["ruleId"] for one in valid_sarif(result.reports[1].data)["results"]}
    assert rules == {"AVD-DS-0002", "license-GPL-3.0"}


async def test_a_folder_of_nothing(tmp_path: Path, programs: str) -> None:
    (tmp_path / "src").mkdir()
    assert (await run_step(context(tmp_path, programs, path="src"))).summary == "no findings"


async def test_what_trivy_refuses_fails_the_step_with_its_words(tmp_path: Path, programs: str) -> None:
    failure = await failure_of(context(tmp_path, programs, image="registry.example.com/gone:1"))
    assert (failure.type, failure.exit_code) == ("exit_code", 1)
    assert "unable to find the specified image" in failure.message


async def test_no_trivy(tmp_path: Path) -> None:
    failure = await failure_of(context(tmp_path, "/usr/bin:/bin", path="."))
    assert (failure.type, failure.message, failure.retryable) == ("missing_tool", "there is no trivy on PATH", False)


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("exit 0", "missing_report", "wrote no report"),
        ('echo "{" > "$5"', "bad_report", "is no JSON"),
        ('echo \'{"SchemaVersion": 1}\' > "$5"', "bad_report", "SchemaVersion is 1, 2 is read"),
        (
            'echo \'{"SchemaVersion": 2, "Results": [{}]}\' > "$5"',
            "bad_report",
            "there is no 'Target' where one has to be",
        ),
        ("echo '[]' > \"$5\"", "bad_report", "is not as it has to be"),
        ('ln -s /etc/passwd "$5"', "bad_report", "is a link"),
        ('mkfifo "$5"', "bad_report", "is no plain file"),
        ('head -c 40000000 /dev/zero > "$5"', "bad_report", "larger than 32 MiB"),
        ("printf '%0100000d' 0 | tr 0 '[' > \"$5\"", "bad_report", "is no JSON"),
    ],
)
async def test_a_report_that_is_none(tmp_path: Path, programs: str, script: str, kind: str, words: str) -> None:
    program = tmp_path / "bin" / "trivy"
    program.write_text(f"#!/bin/sh\n{script}\n")
    failure = await failure_of(context(tmp_path, programs, path="."))
    assert (failure.type, words in failure.message) == (kind, True), failure.message
