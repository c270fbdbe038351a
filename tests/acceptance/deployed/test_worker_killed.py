"""A worker that is killed alone, in the midst of a step: nobody reads what its run prints any more."""

from pathlib import Path

from tests.support.deployed import Site, api_of
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

SPEAKS = """
version: 1
name: speaks
steps:
  - {id: work, run: 'cd "$PLACE"; touch up; until test -e go; do sleep 0.1; done; seq 50', env: {PLACE: "THE_FOLDER"}}
  - {id: last, run: echo fine}
  - {id: tidy, when: always, run: echo tidied}
"""


async def test_its_run_goes_on_to_the_end(server: PrefectServer, tmp_path: Path) -> None:
    site = Site(server, tmp_path, pool=f"pool-{tmp_path.name.replace('_', '-')}")
    site.workflow("speaks", SPEAKS.replace("THE_FOLDER", str(tmp_path)))
    site.deploy()
    async with api_of(server) as api:
        with site.worker() as worker:
            run_id = await api.start("speaks/speaks")
            await api.until(run_id, lambda _state: (tmp_path / "up").exists())
            worker.kill()
            site.write("go", "")
            run = await api.until(run_id, lambda state: state["type"] in {"COMPLETED", "FAILED", "CRASHED"})
    assert run["state"]["name"] == "Succeeded", run["state"]["message"]
    wfexec = Wfexec(server.environment, tmp_path)
    assert [step["status"] for step in wfexec.json("show", str(run_id))["steps"]] == ["Success"] * 3
    said = [line.split()[-1] for line in wfexec("logs", str(run_id), "--step", "work").out.splitlines()]
    assert said == [str(number) for number in range(1, 51)]
