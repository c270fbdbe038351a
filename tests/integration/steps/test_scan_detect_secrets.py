"""Secrets in files, found by the real detect-secrets."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext, StepResult
from prefect_wfexec.testing import log_of, make_context, run_step
from tests.support.sarif import valid_sarif

pytest.importorskip("detect_secrets", reason="needs detect-secrets: pip install 'prefect-wfexec[scan]'")

KEY = "AKIA" + "QYLPMN5HFIQR7XYA"
PASSWORD = "correct" + "-horse-battery"


def context(folder: Path, **with_: Any) -> StepContext:
    return make_context("scan.detect_secrets", with_={"path": "src", **with_}, folder=folder)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    (folder / "sub").mkdir(parents=True)
    (folder / "ok.py").write_text("print('hello')\n")
    return folder


def plant(source: Path) -> None:
    (source / "sub" / "a b.py").write_text(f'import os\naws = "{KEY}"\npassword = "{PASSWORD}"\n')


async def failure_of(one: StepContext) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await run_step(one)
    return caught.value


async def test_nothing_is_found(tmp_path: Path, source: Path) -> None:
    result: StepResult = await run_step(context(tmp_path))
    assert result.summary == "no findings"
    assert set(result.outputs["counts"].values()) == {0}
    assert [(one.name, one.kind) for one in result.reports] == [
        ("detect-secrets.json", "json"),
        ("detect-secrets.sarif", "sarif"),
    ]
    assert valid_sarif(result.reports[1].data)["results"] == []


async def test_a_planted_secret_fails_the_step_although_the_scanner_ends_with_0(tmp_path: Path, source: Path) -> None:
    plant(source)
    one = context(tmp_path)
    failure = await failure_of(one)
    assert (failure.type, failure.retryable, failure.exit_code) == ("findings", False, None)
    assert "detect-secrets found 2 high; the step fails on high and worse" in failure.message
    assert "sub/a b.py:2: AWS Access Key may stand in clear text here" in failure.message
    assert failure.outputs["counts"] == {"critical": 0, "high": 2, "medium": 0, "low": 0, "unknown": 0}
    assert failure.outputs["report"] == {"step": "step", "name": "detect-secrets.sarif"}
    report, sarif = failure.reports
    assert set(json.loads(report.data)["results"]) == {"sub/a b.py"}
    run = valid_sarif(sarif.data)
    assert [found["ruleId"] for found in run["results"]] == ["aws-access-key", "secret-keyword"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "sub/a%20b.py"}, "region": {"startLine": 2}}
    [page] = failure.artifacts
    assert (page.key, "| high | aws-access-key | sub/a b.py:2 |" in page.markdown) == ("scan-step", True)
    everything = [failure.message, log_of(one).text(), page.markdown, report.data.decode(), sarif.data.decode()]
    assert not [text for text in everything if KEY in text or PASSWORD in text]


@pytest.mark.parametrize(("fail_on", "fails"), [("any", True), ("low", True), ("critical", False), ("never", False)])
async def test_fail_on(tmp_path: Path, source: Path, fail_on: str, fails: bool) -> None:
    plant(source)
    one = context(tmp_path, fail_on=fail_on)
    if fails:
        assert (await failure_of(one)).type == "findings"
    else:
        assert (await run_step(one)).summary == "2 high"


async def test_files_that_git_does_not_know_are_scanned_and_its_own_are_not(tmp_path: Path, source: Path) -> None:
    subprocess.run(["git", "init", "-q", str(source)], check=True)
    (source / ".git" / "credentials").write_text(f'password = "{PASSWORD}"\n')
    assert (await run_step(context(tmp_path))).summary == "no findings"
    plant(source)
    assert (await failure_of(context(tmp_path))).outputs["counts"]["high"] == 2


async def test_one_file_and_what_is_left_out(tmp_path: Path, source: Path) -> None:
    plant(source)
    assert (await run_step(context(tmp_path, path="src/ok.py"))).summary == "no findings"
    assert (await failure_of(context(tmp_path, path="src/sub/a b.py"))).outputs["counts"]["high"] == 2
    assert (await run_step(context(tmp_path, exclude=["^sub/"]))).summary == "no findings"


async def baseline_of(tmp_path: Path, file: Path) -> dict[str, Any]:
    failure = await failure_of(context(tmp_path))
    file.write_bytes(failure.reports[0].data)
    return dict(json.loads(file.read_text()))


async def test_what_the_baseline_knows_is_no_finding_and_what_is_new_is(tmp_path: Path, source: Path) -> None:
    plant(source)
    file = source / ".secrets.baseline"
    await baseline_of(tmp_path, file)
    before = file.read_bytes()
    known = await run_step(context(tmp_path, baseline="src/.secrets.baseline"))
    assert known.summary == "no findings"
    (source / "new.py").write_text(f'passwd = "{PASSWORD}"\n')
    failure = await failure_of(context(tmp_path, baseline="src/.secrets.baseline"))
    assert failure.outputs["counts"]["high"] == 1
    assert "new.py:1" in failure.message
    assert file.read_bytes() == before


async def test_the_settings_of_the_baseline_hold(tmp_path: Path, source: Path) -> None:
    plant(source)
    file = tmp_path / "baseline.json"
    document = await baseline_of(tmp_path, file)
    document["results"] = {}
    document["filters_used"].append({"path": "detect_secrets.filters.regex.should_exclude_file", "pattern": ["^sub/"]})
    file.write_text(json.dumps(document))
    assert (await run_step(context(tmp_path, baseline="baseline.json"))).summary == "no findings"


@pytest.mark.parametrize(
    "part",
    [
        {"plugins_used": [{"name": "Evil", "path": "file://evil.py"}]},
        {"filters_used": [{"path": "file://evil.py::filter"}]},
        {"filters_used": [{"path": "os.system"}]},
        {"results": None},
        {"results": {"a": [{"type": "x"}]}},
        {"version": None},
    ],
)
async def test_a_baseline_that_brings_code_or_is_none_is_refused(tmp_path: Path, source: Path, part: Any) -> None:
    evil = "import pathlib\npathlib.Path('/tmp/evil').touch()\n"
    (source / "evil.py").write_text(evil)
    document = {"version": "1.5.0", "plugins_used": [], "filters_used": [], "results": {}, **part}
    (tmp_path / "baseline.json").write_text(json.dumps(document))
    failure = await failure_of(context(tmp_path, baseline="baseline.json"))
    assert (failure.type, failure.retryable) == ("bad_baseline", False)


async def test_what_is_not_there_is_named(tmp_path: Path, source: Path) -> None:
    assert "'nowhere'" in (await failure_of(context(tmp_path, path="nowhere"))).message
    assert "'no.json'" in (await failure_of(context(tmp_path, baseline="no.json"))).message


def test_wrong_use_is_refused() -> None:
    for with_ in ({"image": "x:1"}, {"path": None, "image": "--help"}, {"exclude": ["("]}, {"fail_on": "severe"}):
        with pytest.raises(ValidationError):
            make_context("scan.detect_secrets", with_=with_)


async def test_nothing_of_the_scanned_folder_is_imported(tmp_path: Path, source: Path) -> None:
    """Where no program is on PATH the module beside this package is run; what it imports is Python's own."""
    (source / "json.py").write_text("raise SystemExit('imported from the scanned folder')\n")
    plant(source)
    env = {"PATH": "/usr/bin:/bin"}
    one = make_context("scan.detect_secrets", with_={"path": "src"}, env=env, folder=tmp_path)
    assert (await failure_of(one)).type == "findings"


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("echo broken >&2; exit 3", "exit_code", "ended with exit code 3:\nbroken"),
        ("kill -9 $$", "signal", "ended with signal 9"),
        ("exit 0", "bad_report", "is empty"),
        ("echo '{'", "bad_report", "is no JSON"),
        ("echo '[]'", "bad_report", "is not as it has to be"),
        ('echo \'{"results": {"a": [{"line_number": 1}]}}\'', "bad_report", "is not as it has to be"),
        ("head -c 40000000 /dev/zero", "bad_report", "is larger than 32 MiB"),
    ],
)
async def test_a_scanner_that_goes_wrong(tmp_path: Path, source: Path, script: str, kind: str, words: str) -> None:
    program = tmp_path / "bin" / "detect-secrets"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    env = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    failure = await failure_of(make_context("scan.detect_secrets", with_={"path": "src"}, env=env, folder=tmp_path))
    assert (failure.type, words in failure.message) == (kind, True), failure.message
