"""A deployed workflow with triggers, and a gateway in front of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deployed import Site
from tests.support.gateway import Gateway, gateway
from tests.support.server import PrefectServer

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


@pytest.fixture
def site(server: PrefectServer, tmp_path: Path) -> Site:
    """A folder with one workflow, named after the test; it is deployed."""
    name = tmp_path.name.replace("_", "-")
    made = Site(server, tmp_path, pool=f"pool-{name}")
    save_secrets(made)
    made.workflow(name, TRIGGERED.format(name=name))
    made.deploy()
    return made


@pytest.fixture
def workflow(tmp_path: Path) -> str:
    return tmp_path.name.replace("_", "-")


@pytest.fixture
def serving(site: Site) -> Iterator[Gateway]:
    """The gateway of that server, with deliveries of its own."""
    settings = {"PREFECT_INTEGRATIONS_WFEXEC_DATABASE_URL": f"sqlite:///{site.folder}/deliveries.db"}
    with gateway(site.server.environment | settings, site.folder) as started:
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
