"""What image steps find out about a registry's login before the run's first step."""

import pytest

from prefect_wfexec.blocks import RegistryCredentials
from prefect_wfexec.steps.checking import Problem
from prefect_wfexec.testing import check_step
from tests.integration.image.conftest import Desk
from tests.support.registry import Registry, needs
from tests.support.secrecy import leaks
from tests.support.server import PrefectServer, free_port

BLOCK = "registry-to-check"
STEPS = {"image.build": {"tag": "app:1"}, "image.push": {"ref": "app:1"}, "image.fetch": {"ref": "app:1"}}


@pytest.fixture(autouse=True)
def _tools() -> None:
    needs("skopeo")


async def check(desk: Desk, step_type: str, block: str = BLOCK) -> list[Problem]:
    with_ = STEPS[step_type] | ({"block": block} if block else {})
    return await check_step(desk.make(step_type, **with_))


async def save(registry: str, username: str, password: str) -> None:
    block = RegistryCredentials(registry=registry, username=username, password=password, tls_verify=False)
    await block.asave(BLOCK, overwrite=True)


@pytest.mark.parametrize("step_type", STEPS)
async def test_a_login_that_is_taken_is_no_problem(
    desk: Desk, registry: Registry, api: PrefectServer, step_type: str
) -> None:
    await save(registry.host, *registry.account)
    assert await check(desk, step_type) == []


@pytest.mark.parametrize("step_type", STEPS)
async def test_a_login_that_is_refused_is_told(
    desk: Desk, registry: Registry, api: PrefectServer, step_type: str
) -> None:
    await save(registry.host, registry.account[0], "not-the-password")
    [problem] = await check(desk, step_type)
    assert problem.message == f"the registry {registry.host} refuses the login of the block '{BLOCK}'"
    assert leaks(f"{problem} {desk.log}".encode(), "not-the-password") == []


async def test_a_registry_that_is_away_is_not_called_a_refusal(desk: Desk, api: PrefectServer) -> None:
    host = f"127.0.0.1:{free_port()}"
    await save(host, "someone", "a-password-of-theirs")
    [problem] = await check(desk, "image.push")
    assert problem.message.startswith(f"the registry {host} can't be reached")


async def test_what_names_no_account_is_not_looked_at(desk: Desk, registry: Registry, api: PrefectServer) -> None:
    await save(registry.host, "", "")
    assert await check(desk, "image.push") == []
    assert await check(desk, "image.push", block="") == []
    assert await check(desk, "image.push", block="absent-block") == [], "Validation itself tells that"
