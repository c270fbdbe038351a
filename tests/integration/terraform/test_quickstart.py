"""The example configuration that comes with the package."""

import shutil
from pathlib import Path

from tests.integration.terraform.support import Desk

INFRA = Path(__file__).parents[3] / "flows" / "infra"


async def test_the_example_is_planned_applied_changed_and_destroyed(desk: Desk) -> None:
    copied = [path for path in INFRA.iterdir() if path.suffix == ".tf"]
    for path in copied:
        shutil.copy(path, desk.folder / "infra")
    first = await desk.run("terraform.plan", dir="infra", vars={"environment": "staging"})
    assert first.summary == "4 to add"
    applied = await desk.run("terraform.apply", plan=first.outputs["plan"])
    values = applied.outputs["values"]
    assert values["vpc_id"].startswith("vpc-")
    assert len(values["subnet_ids"]) == 2
    assert values["api_endpoint"].startswith("http")
    assert applied.sensitive == {("values", "database_url")}
    grown = await desk.run("terraform.plan", dir="infra", vars={"environment": "staging", "database_size": 40})
    assert grown.summary == "1 to change"
    refused = await desk.fail("terraform.plan", dir="infra", vars={"database_password": "too short"})
    assert "at least 12 characters" in refused.message
    assert (await desk.run("terraform.destroy", dir="infra")).summary == "4 destroyed"
