"""`kubernetes.job` in a cluster whose containers are real processes."""

import asyncio
import base64
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from prefect_wfexec.errors import StepFailed, StepStopped
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.kubernetes import names, running_job
from prefect_wfexec.testing import log_of, make_context, run_step
from tests.support.kubernetes_server import KubernetesServer

JOBS, PODS = "jobs.batch", "pods"


def sh(script: str, name: str = "main", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "busybox:1", "command": ["sh", "-c", script], **more}


def manifest(folder: Path, *containers: dict[str, Any], init: Any = (), pod: Any = None, **spec: Any) -> None:
    template = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 2, "containers": list(containers)}
    if init:
        template["initContainers"] = list(init)
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate"},
        "spec": {**spec, "template": {"spec": {**template, **(pod or {})}}},
    }
    (folder / "job.yaml").write_text(yaml.safe_dump(job))


def context_for(folder: Path, **options: Any) -> StepContext:
    with_ = {"manifest": "job.yaml", **options.pop("with_", {})}
    return make_context("kubernetes.job", with_=with_, folder=folder, **options)


async def failure_of(context: StepContext) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await run_step(context)
    return caught.value


async def until(condition: Any, seconds: float = 30) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := condition()):
            await asyncio.sleep(0.02)
    return found


def nothing_is_left(cluster: KubernetesServer) -> bool:
    left = [JOBS, PODS, "secrets"]
    return not any(cluster.objects(one) for one in left) and not cluster.process_ids()


async def test_runs_to_its_end_and_leaves_nothing(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("echo one; echo two"))
    context = context_for(tmp_path)
    result = await run_step(context)
    assert result.outputs["stdout"] == "one\ntwo\n"
    assert result.outputs["namespace"] == "default"
    assert str(result.outputs["name"]).startswith("migrate-")
    assert log_of(context).text("stdout") == "one\ntwo\n"
    assert nothing_is_left(cluster)


async def test_the_log_holds_every_container_and_says_whose_line_it_is(cluster, tmp_path) -> None:
    init = [sh("echo prepared", "first"), sh("echo again", "second")]
    manifest(tmp_path, sh("echo hello"), sh("echo beside", "side"), init=init)
    context = context_for(tmp_path)
    await run_step(context)
    lines = [line.partition("/")[2] for _, line in log_of(context).lines if "/" in line and ": " in line]
    assert sorted(lines) == ["first: prepared", "main: hello", "second: again", "side: beside"]


async def test_lines_come_while_the_job_runs(cluster, tmp_path) -> None:
    go_on = tmp_path / "go-on"
    manifest(tmp_path, sh(f"echo before; while [ ! -e {go_on} ]; do sleep 0.05; done; echo after"))
    context = context_for(tmp_path)
    task = asyncio.create_task(run_step(context))
    await until(lambda: "before" in log_of(context).text("stdout"))
    assert "after" not in log_of(context).text("stdout")
    go_on.touch()
    await task
    assert log_of(context).text("stdout") == "before\nafter\n"


async def test_no_line_is_lost_or_doubled_when_connections_break(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("for i in $(seq 1 60); do echo line $i; sleep 0.05; done"))
    context = context_for(tmp_path)
    task = asyncio.create_task(run_step(context))
    for wanted in ("line 5\n", "line 20\n", "line 35\n"):
        await until(lambda wanted=wanted: wanted in log_of(context).text("stdout"))
        await asyncio.to_thread(cluster.cut_streams)
    await task
    assert log_of(context).text("stdout") == "".join(f"line {number}\n" for number in range(1, 61))


async def test_a_great_log_is_read_to_its_end(cluster, tmp_path) -> None:
    manifest(tmp_path, sh(f"{sys.executable} -c \"print('x' * 3000000)\"; seq 1 50000"))
    context = context_for(tmp_path)
    await run_step(context)
    lines = log_of(context).text("stdout").splitlines()
    assert lines[-50000:] == [str(number) for number in range(1, 50001)]
    assert "".join(lines[:-50000]) == "x" * 3_000_000


async def test_a_secret_in_a_log_is_masked(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("echo the password is s3cr3t-t0ken; exit 1"))
    context = context_for(tmp_path, secrets=("s3cr3t-t0ken",))
    failure = await failure_of(context)
    assert "s3cr3t" not in log_of(context).text() + failure.message + failure.tail + str(failure.outputs)
    assert cluster.token not in log_of(context).text()
    assert context.masker.mask(cluster.token) == "***"


async def test_the_exit_code_is_the_failing_containers(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("sleep 0.2; echo fine"), sh("echo 'no such table: users'; exit 7", "migration"))
    failure = await failure_of(context_for(tmp_path))
    assert (failure.type, failure.exit_code) == ("exit_code", 7)
    assert "container 'migration'" in failure.message
    assert "no such table: users" in failure.message
    assert nothing_is_left(cluster)


async def test_an_init_container_that_fails_is_named(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("echo never"), init=[sh("exit 4", "prepare")])
    context = context_for(tmp_path)
    failure = await failure_of(context)
    assert (failure.exit_code, "container 'prepare'" in failure.message) == (4, True)
    assert "never" not in log_of(context).text("stdout")


async def test_a_pod_that_fails_is_not_replaced_unless_the_manifest_says_so(cluster, tmp_path) -> None:
    marks = tmp_path / "marks"
    manifest(tmp_path, sh(f"echo x >> {marks}; exit 1"))
    await failure_of(context_for(tmp_path))
    assert marks.read_text() == "x\n"
    manifest(tmp_path, sh(f"echo x >> {marks}; exit 1"), backoffLimit=2)
    context = context_for(tmp_path, attempt=2)
    await failure_of(context)
    assert marks.read_text() == "x\n" * 4


async def test_a_container_that_is_started_again_is_read_on(cluster, tmp_path) -> None:
    mark = tmp_path / "mark"
    script = f"echo a try; if [ -e {mark} ]; then echo done; else touch {mark}; sleep 0.3; exit 1; fi"
    manifest(tmp_path, sh(script), pod={"restartPolicy": "OnFailure"}, backoffLimit=3)
    context = context_for(tmp_path)
    await run_step(context)
    assert log_of(context).text("stdout") == "a try\na try\ndone\n"


async def test_a_cancel_ends_the_processes_and_deletes_the_job(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("trap 'echo ended; exit 0' TERM; echo started; while true; do sleep 0.05; done"))
    context = context_for(tmp_path)
    task = asyncio.create_task(run_step(context))
    await until(lambda: "started" in log_of(context).text("stdout"))
    processes = await asyncio.to_thread(cluster.process_ids)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(StepStopped, match="was deleted with its pods") as caught:
        await task
    assert caught.value.type == "stopped"
    assert nothing_is_left(cluster)
    assert not [pid for pid in processes if Path(f"/proc/{pid}").exists()]


async def test_a_cancel_while_the_job_is_being_made_leaves_none(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("sleep 60"))
    cluster.lose_answer("POST", "/jobs")
    task = asyncio.create_task(run_step(context_for(tmp_path)))
    await until(lambda: cluster.objects(JOBS))
    task.cancel()
    with pytest.raises(StepStopped):
        await task
    assert nothing_is_left(cluster)


async def test_a_timeout_ends_it_and_the_cluster_knows_the_deadline_too(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("echo started; sleep 60"))
    context = context_for(tmp_path, timeout_seconds=3)
    task = asyncio.create_task(failure_of(context))
    (job,) = await until(lambda: cluster.objects(JOBS))
    assert job["spec"]["activeDeadlineSeconds"] == 3 + 60
    assert job["spec"]["ttlSecondsAfterFinished"] == 3600
    failure = await task
    assert failure.type == "timeout"
    assert nothing_is_left(cluster)


async def test_a_step_ignoring_its_end_is_killed_by_the_cluster(cluster, tmp_path) -> None:
    pod = {"terminationGracePeriodSeconds": 1}
    manifest(tmp_path, sh("trap '' TERM; echo started; while true; do sleep 0.05; done"), pod=pod)
    context = context_for(tmp_path)
    task = asyncio.create_task(run_step(context))
    await until(lambda: "started" in log_of(context).text("stdout"))
    task.cancel()
    with pytest.raises(StepStopped):
        await task
    assert nothing_is_left(cluster)


async def test_the_jobs_own_deadline_is_told(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("sleep 60"), activeDeadlineSeconds=1)
    failure = await failure_of(context_for(tmp_path))
    assert failure.type == "timeout"
    assert "longer than specified deadline" in failure.message
    assert nothing_is_left(cluster)


async def test_a_job_of_this_attempt_that_another_process_started_is_not_started_twice(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("sleep 60"))
    first = asyncio.create_task(run_step(context_for(tmp_path)))
    await until(lambda: cluster.objects(JOBS))
    failure = await failure_of(context_for(tmp_path))
    assert (failure.type, failure.retryable) == ("outcome_unknown", False)
    assert len(cluster.objects(JOBS)) == 1, "the other process's job is not touched"
    first.cancel()
    with pytest.raises(StepStopped):
        await first


async def test_what_an_earlier_attempt_left_is_gone_before_the_next_starts(cluster, tmp_path) -> None:
    log = tmp_path / "log"
    script = f"echo start >> {log}; trap 'echo end >> {log}; exit 1' TERM; while true; do sleep 0.05; done"
    manifest(tmp_path, sh(script))
    killed = asyncio.create_task(run_step(context_for(tmp_path)))
    await until(log.exists)
    # What SIGKILL does to a process: nothing of it goes on, the job in the cluster does.
    name = cluster.objects(JOBS)[0]["metadata"]["name"]
    cluster.forbid("delete", JOBS)
    killed.cancel()
    with pytest.raises(StepStopped, match="is not known") as caught:
        await killed
    assert caught.value.type == "outcome_unknown"
    cluster.allow_all()
    manifest(tmp_path, sh(f"echo second >> {log}"))
    context = context_for(tmp_path, attempt=2)
    await run_step(context)
    assert log.read_text() == "start\nend\nsecond\n"
    assert f"deleting the job {name}" in log_of(context).text("system")


async def test_a_lost_answer_makes_no_second_job(cluster, tmp_path) -> None:
    marks = tmp_path / "marks"
    manifest(tmp_path, sh(f"echo x >> {marks}"))
    cluster.lose_answer("POST", "/jobs")
    await run_step(context_for(tmp_path))
    assert marks.read_text() == "x\n"


async def test_a_server_that_is_away_for_a_while_is_waited_for(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("for i in $(seq 1 40); do echo line $i; sleep 0.05; done"))
    context = context_for(tmp_path)
    task = asyncio.create_task(run_step(context))
    await until(lambda: "line 3\n" in log_of(context).text("stdout"))
    cluster.go_away(1.5)
    await task
    assert log_of(context).text("stdout") == "".join(f"line {number}\n" for number in range(1, 41))
    assert nothing_is_left(cluster)


async def test_a_history_that_was_cut_is_read_anew(cluster, tmp_path) -> None:
    go_on = tmp_path / "go-on"
    manifest(tmp_path, sh(f"echo before; while [ ! -e {go_on} ]; do sleep 0.05; done"))
    context = context_for(tmp_path)
    task = asyncio.create_task(run_step(context))
    await until(lambda: "before" in log_of(context).text("stdout"))
    await asyncio.to_thread(cluster.forget_history)
    await asyncio.to_thread(cluster.cut_streams)
    go_on.touch()
    await task


async def test_the_steps_variables_reach_every_container_and_are_gone_with_the_job(cluster, tmp_path) -> None:
    manifest(tmp_path, sh('echo "$TARGET/$PASSWORD"; test "$PASSWORD" = s3cr3t-t0ken'), init=[sh("echo $TARGET", "a")])
    context = context_for(tmp_path, env={"TARGET": "eu", "PASSWORD": "s3cr3t-t0ken"}, secrets=("s3cr3t-t0ken",))
    task = asyncio.create_task(run_step(context))
    (secret,) = await until(lambda: cluster.objects("secrets"))
    assert base64.b64decode(secret["data"]["PASSWORD"]).decode() == "s3cr3t-t0ken"
    await task
    assert "eu/***" in log_of(context).text("stdout")
    assert "s3cr3t" not in str(cluster.objects(JOBS))
    assert nothing_is_left(cluster)


async def test_an_image_nobody_has_is_told_and_ends_the_step(cluster, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(running_job, "BLOCKED_SECONDS", 1.0)
    manifest(tmp_path, {**sh("true"), "image": "registry.test/absent:1"})
    context = context_for(tmp_path)
    failure = await failure_of(context)
    assert failure.type == "job_blocked"
    assert "registry.test/absent:1" in failure.message
    assert "can't be pulled" in log_of(context).text("system")
    assert nothing_is_left(cluster)


async def test_the_image_goes_into_the_placeholder(cluster, tmp_path) -> None:
    cluster.images["registry.test/app@sha256:" + "a" * 64] = ["echo", "from the image"]
    manifest(tmp_path, {"name": "main", "image": "IMAGE"})
    result = await run_step(context_for(tmp_path, with_={"image": "registry.test/app@sha256:" + "a" * 64}))
    assert result.outputs["stdout"] == "from the image\n"


async def test_labels_say_whose_it_is(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("sleep 0.3"))
    context = context_for(tmp_path, attempt=3)
    task = asyncio.create_task(run_step(context))
    (pod,) = await until(lambda: cluster.objects(PODS))
    labels = pod["metadata"]["labels"]
    assert labels[names.RUN] == context.run.id
    assert (labels[names.STEP], labels[names.ATTEMPT]) == ("step", "3")
    await task


@pytest.mark.parametrize(
    ("verb", "resource", "words"),
    [("create", JOBS, 'cannot create resource "jobs"'), ("list", PODS, "cannot list"), ("watch", JOBS, "cannot watch")],
)
async def test_what_is_forbidden_is_told_with_its_mend(cluster, tmp_path, verb: str, resource: str, words: str) -> None:
    cluster.forbid(verb, resource)
    manifest(tmp_path, sh("sleep 30"))
    failure = await failure_of(context_for(tmp_path))
    assert failure.type == "kubernetes_forbidden"
    assert words in failure.message
    assert "Role" in (failure.hint or "")
    cluster.allow_all()
    assert nothing_is_left(cluster)


async def test_logs_that_may_not_be_read_are_told_and_the_job_counts(cluster, tmp_path) -> None:
    cluster.forbid("get", "pods/log")
    manifest(tmp_path, sh("echo hidden"))
    context = context_for(tmp_path)
    await run_step(context)
    assert "pods/log" in log_of(context).text("system")


async def test_wrong_credentials_are_told(cluster, tmp_path, monkeypatch) -> None:
    (tmp_path / "other").write_text(yaml.safe_dump(cluster.kubeconfig(token="a-wrong-token")))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "other"))
    manifest(tmp_path, sh("true"))
    context = context_for(tmp_path)
    failure = await failure_of(context)
    assert failure.type == "kubernetes_unauthorized"
    assert "a-wrong-token" not in failure.message + log_of(context).text()


async def test_an_unknown_field_or_value_is_told_by_the_api(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("true"), pod={"restartPolicy": "Always"})
    failure = await failure_of(context_for(tmp_path))
    assert failure.type == "kubernetes_invalid"
    assert "spec.template.spec.restartPolicy" in failure.message
    manifest(tmp_path, sh("true"), backofLimit=2)
    failure = await failure_of(context_for(tmp_path))
    assert failure.type == "kubernetes_invalid"
    assert "backofLimit" in failure.message


async def test_a_namespace_that_is_not_there_is_told(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("true"))
    failure = await failure_of(context_for(tmp_path, with_={"namespace": "nowhere"}))
    assert failure.type == "kubernetes_not_found"
    assert '"nowhere" not found' in failure.message


async def test_a_job_that_somebody_deletes_is_no_success(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("echo started; sleep 60"))
    context = context_for(tmp_path)
    task = asyncio.create_task(failure_of(context))
    await until(lambda: "started" in log_of(context).text("stdout"))
    (job,) = cluster.objects(JOBS)
    key = (JOBS, "default", job["metadata"]["name"])
    cluster.call(cluster._controllers.delete, key, "Background")
    failure = await task
    assert failure.type == "outcome_unknown"
    assert nothing_is_left(cluster)


async def test_the_pods_of_a_job_that_somebody_deletes_alone_are_deleted_too(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("echo started; sleep 60"))
    context = context_for(tmp_path)
    task = asyncio.create_task(failure_of(context))
    await until(lambda: "started" in log_of(context).text("stdout"))
    (job,) = cluster.objects(JOBS)
    cluster.call(cluster._controllers.delete, (JOBS, "default", job["metadata"]["name"]), "Orphan")
    assert (await task).type == "outcome_unknown"
    assert nothing_is_left(cluster)


async def test_an_api_server_that_is_not_there_is_told(cluster, tmp_path) -> None:
    manifest(tmp_path, sh("true"))
    with cluster.away():
        failure = await failure_of(context_for(tmp_path, timeout_seconds=1.5))
    assert failure.type == "timeout"
    assert "was not started" in failure.message
