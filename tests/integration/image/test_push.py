"""Images reach a real registry as they were built, and are looked up there."""

import shutil

import httpx
import pytest

from prefect_wfexec.blocks import RegistryCredentials
from prefect_wfexec.steps.image.access import BLOCK_SLUG, BLOCK_TYPE_NAME
from tests.integration.image.conftest import Desk
from tests.support.registry import Registry, needs
from tests.support.secrecy import files_with, leaks
from tests.support.server import PrefectServer, free_port


@pytest.fixture(autouse=True)
def _tools() -> None:
    needs("buildah", "skopeo")


def test_the_steps_look_for_the_type_that_the_block_is() -> None:
    slug, name = RegistryCredentials.get_block_type_slug(), RegistryCredentials.get_block_type_name()
    assert (slug, name) == (BLOCK_SLUG, BLOCK_TYPE_NAME)


async def test_what_was_built_is_pushed_and_has_the_same_digest_there(
    desk: Desk, registry: Registry, block: str
) -> None:
    ref = f"{registry.host}/team/app:1"
    built = await desk.run("image.build", tag=ref)
    assert registry.manifest("team/app", "1").status_code == 404
    pushed = await desk.run("image.push", ref=built.outputs["ref"], block=block)
    assert pushed.outputs == built.outputs
    assert pushed.summary == f"pushed {ref}"
    for reference in ("1", str(built.outputs["digest"])):
        answer = registry.manifest("team/app", reference)
        assert (answer.status_code, answer.headers["Docker-Content-Digest"]) == (200, built.outputs["digest"])
    fetched = await desk.run("image.fetch", ref=ref, block=block)
    assert fetched.outputs == built.outputs
    by_digest = await desk.run("image.fetch", ref=built.outputs["digest_ref"], block=block)
    assert by_digest.outputs == built.outputs | {"ref": built.outputs["digest_ref"]}
    password = registry.account[1]
    assert leaks(f"{desk.log} {pushed} {fetched}".encode(), password) == []
    assert files_with(desk.workspace, password) == []


async def test_a_push_that_failed_is_done_again_without_a_build(desk: Desk, registry: Registry, block: str) -> None:
    ref = f"{registry.host}/team/again:1"
    built = await desk.run("image.build", tag=ref)
    assert (await desk.fail("image.push", ref=ref)).type in {"registry_refused", "tls_refused"}
    shutil.rmtree(desk.folder / "app")
    pushed = await desk.run("image.push", ref=ref, block=block)
    assert pushed.outputs["digest"] == built.outputs["digest"]
    assert registry.manifest("team/again", "1").headers["Docker-Content-Digest"] == built.outputs["digest"]


async def test_a_push_by_digest_gives_the_tag_it_was_built_with(desk: Desk, registry: Registry, block: str) -> None:
    ref = f"{registry.host}/team/exact:7"
    built = await desk.run("image.build", tag=ref)
    pushed = await desk.run("image.push", ref=built.outputs["digest_ref"], block=block)
    assert pushed.outputs == built.outputs
    assert registry.manifest("team/exact", "7").headers["Docker-Content-Digest"] == built.outputs["digest"]


async def test_an_image_of_another_run_or_machine_is_not_pushed_in_its_place(
    desk: Desk, registry: Registry, block: str
) -> None:
    ref = f"{registry.host}/team/other:1"
    await desk.run("image.build", tag=ref)
    shutil.rmtree(desk.workspace)
    failed = await desk.fail("image.push", ref=ref, block=block)
    assert (failed.type, failed.retryable) == ("image_missing", False)
    assert f"this run has built no {ref} on this machine" in failed.message
    assert registry.manifest("team/other", "1").status_code == 404


async def test_wrong_credentials_are_refused_by_the_registry(
    desk: Desk, registry: Registry, api: PrefectServer
) -> None:
    ref = f"{registry.host}/team/secret:1"
    await desk.run("image.build", tag=ref)
    wrong = RegistryCredentials(
        registry=registry.host, username=registry.account[0], password="not-the-password", tls_verify=False
    )
    nobody = RegistryCredentials(registry=registry.host, tls_verify=False)
    for block in (wrong, nobody):
        await block.asave("registry-wrong", overwrite=True)
        for step in ("image.push", "image.fetch"):
            failed = await desk.fail(step, ref=ref, block="registry-wrong")
            assert (failed.type, failed.retryable) == ("registry_refused", False)
            assert failed.message.startswith(f"the registry {registry.host} refuses {ref}")
            assert leaks(f"{failed.message} {failed.tail} {desk.log}".encode(), "not-the-password") == []
    assert registry.manifest("team/secret", "1").status_code == 404


async def test_blocks_that_do_not_fit(desk: Desk, registry: Registry, block: str) -> None:
    failed = await desk.fail("image.fetch", ref="registry.example.com/app:1", block=block)
    assert failed.type == "bad_block"
    assert f"is for the registry {registry.host}, and the image is in registry.example.com" in failed.message
    failed = await desk.fail("image.fetch", ref=f"{registry.host}/app:1", block="registry-absent")
    assert failed.type == "missing_block"


async def test_a_tag_that_is_not_there(desk: Desk, registry: Registry, block: str) -> None:
    ref = f"{registry.host}/team/app:absent"
    failed = await desk.fail("image.fetch", ref=ref, block=block)
    assert (failed.type, failed.retryable) == ("image_not_found", False)
    assert failed.message.startswith(f"there is no {ref} in the registry {registry.host}")


async def test_a_registry_that_is_away_may_be_there_later(desk: Desk, api: PrefectServer) -> None:
    host = f"127.0.0.1:{free_port()}"
    await RegistryCredentials(registry=host, tls_verify=False).asave("registry-away", overwrite=True)
    failed = await desk.fail("image.fetch", ref=f"{host}/app:1", block="registry-away")
    assert (failed.type, failed.retryable) == ("network", True)


async def test_a_registry_without_tls_is_refused_unless_the_block_says_so(desk: Desk, registry: Registry) -> None:
    failed = await desk.fail("image.fetch", ref=f"{registry.host}/team/app:1")
    assert (failed.type, failed.retryable) == ("tls_refused", False)


async def test_a_tag_that_something_else_moved_is_noticed(
    desk: Desk, registry: Registry, block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect_wfexec.steps.image.skopeo import Skopeo

    ref = f"{registry.host}/team/moved:1"
    first = await desk.run("image.build", tag=ref, args={"VERSION": "one"})
    await desk.run("image.push", ref=ref, block=block)
    manifest = registry.manifest("team/moved", "1")
    await desk.run("image.build", tag=ref, args={"VERSION": "two"})
    push = Skopeo.push

    async def push_and_lose(self: Skopeo, *arguments: object) -> None:
        await push(self, *arguments)  # type: ignore[arg-type]
        url = f"http://{registry.host}/v2/team/moved/manifests/1"
        kind = {"Content-Type": manifest.headers["Content-Type"]}
        assert httpx.put(url, auth=registry.account, content=manifest.content, headers=kind).status_code == 201

    monkeypatch.setattr(Skopeo, "push", push_and_lose)
    failed = await desk.fail("image.push", ref=ref, block=block)
    assert failed.type == "digest_mismatch"
    assert str(first.outputs["digest"]) in failed.message
