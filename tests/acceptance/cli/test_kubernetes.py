"""Jobs and deploys in a cluster, by saved credentials, from the command line to the cluster and back."""

import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.kubernetes_server import KubernetesServer
from tests.support.processes import is_alive, wait_until
from tests.support.server import PrefectServer
from tests.support.wfexec import Wfexec

JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "migrate"},
    "spec": {
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 2,
                "containers": [{"name": "main", "image": "busybox:1", "command": ["sh", "-c", "SCRIPT"]}],
            }
        }
    },
}
ROLLS_OUT = """
    version: 1
    name: rolls-out
    steps:
      - {id: migrate, uses: kubernetes.job, with: {manifest: job.yaml, block: BLOCK}}
      - id: deploy
        uses: deploy.kubernetes
        with: {manifests: ["k8s/*.yaml"], block: BLOCK}
        cleanup: {uses: deploy.kubernetes_undo}
      - {id: work, run: "echo deployed; touch working; sleep 300"}
"""
MIGRATES = """
    version: 1
    name: migrates
    steps:
      - {id: migrate, uses: kubernetes.job, timeout: 10m, with: {manifest: job.yaml, block: BLOCK}}
"""


@pytest.fixture
def cluster() -> Iterator[KubernetesServer]:
    with KubernetesServer() as server:
        yield server


@pytest.fixture
def block(api: PrefectServer, cluster: KubernetesServer) -> str:
    """The name of saved credentials for the cluster."""
    from prefect_kubernetes.credentials import KubernetesClusterConfig, KubernetesCredentials

    name = f"cluster-{uuid.uuid4().hex[:8]}"
    config = KubernetesClusterConfig(config=cluster.kubeconfig(), context_name="test")
    KubernetesCredentials(cluster_config=config).save(name)
    return name


@pytest.fixture
def place(wfexec: Wfexec, tmp_path: Path) -> Iterator[Wfexec]:
    """The same command in a folder of its own."""
    own = Wfexec(wfexec.environment, tmp_path)
    yield own
    own.stop_all()


def write_job(place: Wfexec, script: str) -> None:
    place.write("job.yaml", yaml.safe_dump(JOB).replace("SCRIPT", script))


def write_settings(place: Wfexec, colour: str) -> None:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"colour": colour}}
    place.write("k8s/settings.yaml", yaml.safe_dump(settings))


def colour(cluster: KubernetesServer) -> str:
    return str(cluster.object("configmaps", "settings")["data"]["colour"])


def test_a_deploy_is_undone_when_its_run_is_cancelled_with_cleanup(place, cluster, block) -> None:
    write_job(place, "echo migrated")
    write_settings(place, "blue")
    quick = place.write("quick.yaml", ROLLS_OUT.replace("BLOCK", block).replace("sleep 300", "true"))
    view = place.json("run", quick)
    assert view["status"] == "Succeeded"
    assert [step["summary"] for step in view["steps"]][1] == "1 created"
    assert view["steps"][0]["outputs"]["stdout"] == "migrated\n"
    (place.folder / "working").unlink()

    write_settings(place, "green")
    going = place.start("run", place.write("slow.yaml", ROLLS_OUT.replace("BLOCK", block)))
    wait_until((place.folder / "working").exists)
    assert colour(cluster) == "green"
    place.json("cancel", going.run, "--cleanup")
    result = going.end()
    assert result.code == 4, result.out + result.err
    view = place.json("show", going.run)
    assert (view["status"], view["cleanup"]["status"], view["cleanup"]["left"]) == ("Terminated", "Succeeded", [])
    assert colour(cluster) == "blue"
    cleanup = place.json("show", view["cleanup"]["run"])
    assert [(step["uses"], step["summary"]) for step in cleanup["steps"]][-1] == (
        "deploy.kubernetes_undo",
        "1 restored, 0 deleted",
    )
    assert cluster.token not in str(view) + str(cleanup) + place("logs", going.run).out


def test_a_first_interrupt_deletes_the_job_and_ends_its_processes(place, cluster, block) -> None:
    write_job(place, "echo started; sleep 300")
    going = place.start("run", place.write("flow.yaml", MIGRATES.replace("BLOCK", block)))
    pids = cluster.wait_until(cluster.process_ids)
    going.signal(signal.SIGINT)
    result = going.end()
    assert result.code == 4, result.out + result.err
    assert cluster.objects("jobs.batch") == []
    assert cluster.objects("pods") == []
    assert not any(is_alive(pid) for pid in pids)
    (step,) = place.json("show", going.run)["steps"]
    assert step["status"] == "Cancelled"
    assert "was deleted with its pods" in step["reason"]


def test_a_killed_engines_job_is_unknown_and_a_retry_clears_it_first(place, cluster, block) -> None:
    log = place.folder / "log"
    write_job(place, f"echo one >> {log}; sleep 300")
    going = place.start("run", place.write("flow.yaml", MIGRATES.replace("BLOCK", block)))
    wait_until(lambda: log.exists() and cluster.process_ids())
    run, (pid,) = going.run, cluster.process_ids()
    going.process.kill()
    going.end()
    assert [job["spec"]["activeDeadlineSeconds"] for job in cluster.objects("jobs.batch")] == [660]
    write_job(place, f"echo two >> {log}")
    assert is_alive(pid)
    view = place.json("retry", run)
    assert "outcome_unknown" in str(place.json("audit", run)["entries"])
    assert view["status"] == "Succeeded"
    assert view["steps"][0]["attempt"] == 2
    assert not is_alive(pid)
    assert log.read_text() == "one\ntwo\n"
    assert cluster.objects("jobs.batch") == []
