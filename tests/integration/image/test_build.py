"""Images are built with real builders, and nothing is left of a build that fails or is stopped."""

import asyncio
import dataclasses
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.workspace import Workspace
from prefect_wfexec.steps.image.names import read_name
from prefect_wfexec.steps.image.store import BuiltImage, ImageStore
from prefect_wfexec.testing import run_step
from tests.integration.image.conftest import Desk
from tests.support.processes import processes_with, wait_until
from tests.support.registry import needs
from tests.support.secrecy import leaks

TAG = "registry.example.com/team/app:1"
FAILING = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sh", "-c", "echo no good >&2; exit 7"]\n'
PRINTING = 'FROM scratch\nCOPY busybox /bin/busybox\nARG TOKEN\nRUN ["/bin/busybox", "sh", "-c", "echo token=$TOKEN"]\n'
SLOW = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sh", "-c", "echo begun; sleep 1234"]\n'


def image_of(desk: Desk, ref: str = TAG) -> BuiltImage | None:
    return ImageStore(Workspace(desk.workspace)).find(read_name(ref))


def configuration(image: BuiltImage) -> dict[str, object]:
    """What the image says of itself."""
    blobs = image.layout / "blobs/sha256"
    manifest = json.loads((blobs / image.digest.removeprefix("sha256:")).read_text())
    return dict(json.loads((blobs / manifest["config"]["digest"].removeprefix("sha256:")).read_text()))


async def test_an_image_is_built_and_kept_with_the_digest_it_is_pushed_by(desk: Desk, builder: str) -> None:
    result = await desk.run("image.build", tag=TAG, args={"VERSION": "1.2.3"}, labels={"commit": "abc 123"})
    image = image_of(desk)
    assert image is not None
    assert result.outputs == {
        "ref": TAG,
        "digest": image.digest,
        "digest_ref": f"registry.example.com/team/app@{image.digest}",
    }
    assert result.summary == f"{TAG} @ {image.digest[7:19]}"
    assert "version=1.2.3" in desk.log
    known = configuration(image)
    assert known["config"]["Labels"]["commit"] == "abc 123"  # type: ignore[index]
    assert known["config"]["Cmd"] == ["/bin/busybox", "cat", "/version"]  # type: ignore[index]
    assert desk.left_behind() == []


async def test_a_stage_another_file_and_a_platform(desk: Desk, builder: str) -> None:
    desk.write("FROM scratch AS first\nCOPY busybox /bin/a\nFROM first\nRUN false\n", "Other")
    await desk.run("image.build", tag=TAG, file="Other", target="first", platform="linux/amd64")
    image = image_of(desk)
    assert image is not None
    assert configuration(image)["architecture"] == "amd64"


async def test_a_secret_in_an_argument_is_not_printed(desk: Desk, builder: str) -> None:
    desk.secrets = ("correct-horse-battery",)
    desk.write(PRINTING)
    result = await desk.run("image.build", tag=TAG, args={"TOKEN": "correct-horse-battery"})
    assert leaks(f"{desk.log} {result}".encode(), "correct-horse-battery") == []
    assert "token=***" in desk.log
    assert "the build argument TOKEN is a secret" in desk.log


async def test_a_failing_run_gives_its_own_exit_code(desk: Desk, builder: str) -> None:
    desk.write(FAILING)
    failed = await desk.fail("image.build", tag=TAG)
    assert (failed.type, failed.exit_code) == ("build_failed", 7)
    assert f"the build of {TAG} ended with exit code 7" in failed.message
    assert "no good" in failed.tail
    assert image_of(desk) is None
    assert desk.left_behind() == []


async def test_a_missing_dockerfile_is_told_before_anything_starts(desk: Desk, builder: str) -> None:
    (desk.folder / "app" / "Dockerfile").rename(desk.folder / "app" / "Dockerfile.web")
    failed = await desk.fail("image.build", tag=TAG)
    assert (failed.type, failed.retryable) == ("missing_dockerfile", False)
    assert failed.hint == "did you mean 'Dockerfile.web'?"
    assert desk.log == ""
    assert not desk.images.exists()


@pytest.mark.parametrize("dockerfile", ["FRUM scratch\n", "", "FROM scratch\nCOPY absent /x\n"])
async def test_a_dockerfile_that_is_wrong(desk: Desk, builder: str, dockerfile: str) -> None:
    desk.write(dockerfile)
    failed = await desk.fail("image.build", tag=TAG)
    assert failed.type == "build_failed"
    assert desk.left_behind() == []


async def test_a_base_image_that_can_not_be_had(desk: Desk, builder: str) -> None:
    desk.write("FROM 127.0.0.1:1/base:1\n")
    failed = await desk.fail("image.build", tag=TAG)
    assert (failed.type, failed.retryable) == ("network", True)


async def test_a_build_that_is_cancelled_leaves_no_process_no_container_and_no_image(desk: Desk, builder: str) -> None:
    desk.write(SLOW)
    before = _containers_of_the_machine()
    building = asyncio.create_task(run_step(desk.make("image.build", tag=TAG)))
    await asyncio.to_thread(wait_until, lambda: processes_with("sleep\x001234") or building.done(), "the RUN")
    assert not building.done()
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    await asyncio.to_thread(wait_until, lambda: not processes_with("sleep\x001234"), "the end of the RUN")
    assert processes_with(str(desk.images)) == []
    assert str(desk.workspace) not in Path("/proc/self/mounts").read_text()
    assert desk.left_behind() == []
    assert image_of(desk) is None
    assert _containers_of_the_machine() == before


async def test_a_build_that_takes_too_long_is_stopped_too(desk: Desk, builder: str) -> None:
    desk.write(SLOW)
    context = desk.make("image.build", tag=TAG)
    with pytest.raises(StepFailed) as failed:
        await run_step(dataclasses.replace(context, timeout_seconds=5))
    assert failed.value.type == "timeout"
    assert desk.left_behind() == []
    assert image_of(desk) is None


async def test_two_builds_at_once_do_not_meet(desk: Desk, builder: str) -> None:
    contexts = [desk.make("image.build", tag=f"r.example/app:{n}", args={"VERSION": n}) for n in ("one", "two")]
    steps = [dataclasses.replace(one.step, id=f"build{n}") for n, one in enumerate(contexts)]
    both = [dataclasses.replace(one, step=step) for one, step in zip(contexts, steps, strict=True)]
    results = await asyncio.gather(*(run_step(one) for one in both))
    assert results[0].outputs["digest"] != results[1].outputs["digest"]
    for tag, result in zip(("one", "two"), results, strict=True):
        image = image_of(desk, f"r.example/app:{tag}")
        assert image is not None
        assert image.digest == result.outputs["digest"]


async def test_a_base_image_that_the_machine_has_is_not_pulled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    needs("buildah")
    places = {name: tmp_path / f"machine-{name}" for name in ("graphroot", "runroot")}
    lines = "".join(f'{name} = "{path}"\n' for name, path in places.items())
    (tmp_path / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\n{lines}')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_IMAGE_BUILDER", "buildah")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_BUILD_STORAGE", "vfs")
    desk.write("FROM scratch\nCOPY busybox /bin/busybox\n", "Base")
    base = ["buildah", "bud", "-q", "-f", "Base", "-t", "localhost/base:1", "."]
    subprocess.run(base, cwd=desk.folder / "app", check=True, capture_output=True)
    desk.write("FROM localhost/base:1\nCMD /bin/busybox\n")
    await desk.run("image.build", tag=TAG)
    assert image_of(desk) is not None
    assert desk.left_behind() == []
    listed = subprocess.run(["buildah", "images", "--quiet"], check=True, capture_output=True, text=True).stdout
    assert len(listed.split()) == 1, "nothing was added to the machine's images"


@pytest.mark.parametrize(
    ("setting", "words"), [("BUILD_ISOLATION", "not 'auto', 'oci', 'rootless' or 'chroot'"), ("BUILD_STORAGE", "'vfs'")]
)
async def test_a_setting_that_is_wrong_is_named(
    desk: Desk, setting: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("buildah")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_IMAGE_BUILDER", "buildah")
    variable = f"PREFECT_INTEGRATIONS_WFEXEC_{setting}"
    monkeypatch.setenv(variable, "zfs")
    failed = await desk.fail("image.build", tag=TAG)
    assert failed.type == "bad_setting"
    assert failed.message.startswith(f"{variable} is 'zfs'")
    assert words in failed.message
    assert desk.left_behind() == []


def _containers_of_the_machine() -> str:
    """Working containers in the machine's own storage, which a build has no business in."""
    if shutil.which("buildah") is None:
        return ""
    return subprocess.run(["buildah", "containers", "--all"], capture_output=True, text=True, check=False).stdout
