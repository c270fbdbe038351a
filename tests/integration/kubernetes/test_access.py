"""How a cluster is found, and as whom it is spoken to."""

import asyncio
import base64
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.testing import log_of, make_context, run_step

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "b"}}
PLUGIN = """
import json, os, pathlib
calls = pathlib.Path("CALLS")
calls.write_text(calls.read_text() + "x" if calls.exists() else "x")
token = pathlib.Path("TOKEN").read_text()
asked = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
print(json.dumps({"apiVersion": asked["apiVersion"], "kind": "ExecCredential", "status": {"token": token}}))
"""


def deploy(folder: Path, **options: Any) -> StepContext:
    (folder / "map.yaml").write_text(yaml.safe_dump(MAP))
    with_ = {"manifests": "map.yaml", **options.pop("with_", {})}
    return make_context("deploy.kubernetes", with_=with_, folder=folder, **options)


def use(folder: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]) -> None:
    (folder / "other").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(folder / "other"))


async def failure_of(context: StepContext) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await run_step(context)
    return caught.value


def plugin(folder: Path, token: str, script: str = PLUGIN) -> dict[str, Any]:
    (folder / "token").write_text(token)
    program = script.replace("CALLS", str(folder / "calls")).replace("TOKEN", str(folder / "token"))
    (folder / "plugin.py").write_text(program)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"command": sys.executable, "args": [str(folder / "plugin.py")], "apiVersion": version}}


async def test_a_plugins_token_is_used_and_never_shown(cluster, tmp_path, monkeypatch) -> None:
    use(tmp_path, monkeypatch, cluster.kubeconfig(**plugin(tmp_path, cluster.token)))
    context = deploy(tmp_path)
    await run_step(context)
    assert cluster.object("configmaps", "settings")
    assert cluster.token not in log_of(context).text()
    assert context.masker.mask(cluster.token) == "***"


async def test_a_token_that_expires_is_fetched_anew(cluster, tmp_path, monkeypatch) -> None:
    use(tmp_path, monkeypatch, cluster.kubeconfig(**plugin(tmp_path, "an-old-token")))
    script = (tmp_path / "plugin.py").read_text()
    (tmp_path / "plugin.py").write_text(script + f"\npathlib.Path('{tmp_path}/token').write_text('{cluster.token}')\n")
    await run_step(deploy(tmp_path))
    assert (tmp_path / "calls").read_text() == "xx"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import sys; sys.exit('you are not signed in')", "failed: you are not signed in"),
        ("print('nonsense')", "gave neither a token nor a certificate"),
        ('print(\'{"kind": "ExecCredential", "status": []}\')', "gave neither a token nor a certificate"),
    ],
)
async def test_a_plugin_that_gives_nothing_is_told(cluster, tmp_path, monkeypatch, script: str, words: str) -> None:
    use(tmp_path, monkeypatch, cluster.kubeconfig(**plugin(tmp_path, "", script)))
    failure = await failure_of(deploy(tmp_path))
    assert failure.type == "kubernetes_unauthorized"
    assert words in failure.message


async def test_a_certificate_of_another_authority_is_refused(cluster, tmp_path, monkeypatch) -> None:
    from tests.support.kubernetes_server.certificate import make_certificate

    config = cluster.kubeconfig()
    other = base64.b64encode(make_certificate().authority).decode()
    config["clusters"][0]["cluster"]["certificate-authority-data"] = other
    use(tmp_path, monkeypatch, config)
    failure = await failure_of(deploy(tmp_path))
    assert failure.type == "kubernetes_certificate"
    assert cluster.objects("configmaps") == []


async def test_the_account_of_the_pod_is_used_where_there_is_one(cluster, tmp_path, monkeypatch) -> None:
    from prefect_wfexec.steps.kubernetes import access

    (tmp_path / "account").mkdir()
    (tmp_path / "account/token").write_text(f"{cluster.token}\n")
    (tmp_path / "account/ca.crt").write_bytes(cluster.certificate.authority)
    monkeypatch.setattr(access, "SERVICE_ACCOUNT", tmp_path / "account")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(cluster.port))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    await run_step(deploy(tmp_path))
    assert cluster.object("configmaps", "settings")


async def test_no_cluster_at_all_is_told_with_its_mend(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    failure = await failure_of(deploy(tmp_path))
    assert failure.type == "missing_block"
    assert "block:" in (failure.hint or "")


async def test_a_block_nobody_saved_is_told(api, tmp_path) -> None:
    failure = await failure_of(deploy(tmp_path, with_={"block": "nobody-saved-this"}))
    assert failure.type == "missing_block"
    assert "prefect_kubernetes" in (failure.hint or "")


async def test_a_block_without_a_config_leaves_it_to_where_the_step_runs(api, cluster, tmp_path) -> None:
    from prefect_kubernetes.credentials import KubernetesCredentials

    await KubernetesCredentials().save("plain-credentials", overwrite=True)
    await run_step(deploy(tmp_path, with_={"block": "plain-credentials"}))
    assert cluster.object("configmaps", "settings")


async def test_certificates_lie_in_no_file_afterwards(cluster, tmp_path) -> None:
    left: list[Path] = []
    await run_step(deploy(tmp_path), seen=lambda scratch: left.extend(scratch.iterdir()))
    assert left == []


async def test_an_answer_that_is_no_kubernetes_is_told(tmp_path, monkeypatch) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = b"<html>hello</html>"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        cluster = {"server": f"http://127.0.0.1:{port}"}
        use(
            tmp_path,
            monkeypatch,
            {
                "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                "clusters": [{"name": "x", "cluster": cluster}],
                "users": [{"name": "x", "user": {"token": "some-token"}}],
            },
        )
        failure = await failure_of(deploy(tmp_path))
    assert "something that is no object" in failure.message
