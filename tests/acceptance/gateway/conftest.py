"""A deployed workflow with triggers, and a gateway in front of it."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.deployed import Site
from tests.support.gateway import Gateway, gateway
from tests.support.server import PrefectServer

WORKFLOWS = 8
SECRET = "what the service and the gateway know"
TRIGGERED = """
version: 1
name: {name}
inputs:
  branch: {{type: string, default: none}}
  commit: {{type: string, default: none}}
triggers:
  - id: push
    type: github
    events: [push]
    branches: [main, "release/**"]
    secret: service
    inputs: {{branch: "${{{{ trigger.branch }}}}", commit: "${{{{ trigger.commit }}}}"}}
  - id: hook
    type: webhook
    scheme: hmac
    header: X-Signature
    secret: other-service
    if: trigger.payload.go == true
steps:
  - {{id: say, run: 'echo "$WHAT"', env: {{WHAT: "${{{{ trigger.text }}}} ${{{{ inputs.branch }}}}"}}}}
"""


@pytest.fixture(scope="module")
def names() -> list[str]:
    """What the workflows are called: a server that other files have used knows nothing of them."""
    drawn = uuid4().hex[:8]
    return [f"triggered-{drawn}-{number}" for number in range(WORKFLOWS)]


@pytest.fixture(scope="module")
def site(server: PrefectServer, names: list[str], tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A folder with workflows that are alike, deployed; each test takes one for itself."""
    folder = tmp_path_factory.mktemp("triggered")
    made = Site(server, folder, pool="triggered")
    save_secrets(made)
    for name in names:
        made.workflow(name, TRIGGERED.format(name=name))
    made.deploy()
    return made


@pytest.fixture(scope="module")
def _free(names: list[str]) -> Iterator[str]:
    return iter(names)


@pytest.fixture
def workflow(_free: Iterator[str]) -> str:
    """A workflow that no other test uses."""
    return next(_free)


@pytest.fixture(scope="module")
def serving(site: Site) -> Iterator[Gateway]:
    """The gateway of that server."""
    with gateway(site.server.environment, site.folder) as started:
        yield started


def save_secrets(site: Site, secret: str = SECRET, previous: str = "") -> None:
    """Save the blocks that hold the secrets."""
    program = f"""
from datetime import UTC, datetime, timedelta
from prefect_wfexec.blocks import GitHubTrigger, WebhookTrigger
later = datetime.now(UTC) + timedelta(hours=1)
secrets = dict(secret={secret!r}, previous_secret={previous!r})
if {previous!r}:
    secrets["previous_secret_expires"] = later
GitHubTrigger(**secrets).save("service", overwrite=True)
WebhookTrigger(**secrets).save("other-service", overwrite=True)
"""
    ended = site.python(program)
    assert ended.returncode == 0, ended.stdout + ended.stderr
