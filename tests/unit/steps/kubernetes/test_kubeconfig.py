"""A kubeconfig, reduced to what is used."""

import base64
from pathlib import Path
from typing import Any

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.kubernetes.kubeconfig import read_file, reduce


def config(user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    return {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://api.test:6443/", **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
    }


def test_token_and_certificates_and_their_secrets() -> None:
    data = {name: base64.b64encode(name.encode()).decode() for name in ("ca", "crt", "key")}
    user = {"token": "t0ken", "client-certificate-data": data["crt"], "client-key-data": data["key"]}
    access = reduce(config(user, **{"certificate-authority-data": data["ca"], "tls-server-name": "api"}), None, None)
    assert (access.server, access.token, access.server_name) == ("https://api.test:6443", "t0ken", "api")
    assert (access.authority, access.certificate, access.key) == (b"ca", b"crt", b"key")
    assert set(access.secrets) == {"t0ken", "key"}


def test_files_start_at_the_kubeconfigs_folder_and_a_block_may_name_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"PEM")
    named = config(**{"certificate-authority": "ca.pem"})
    assert reduce(named, None, tmp_path).authority == b"PEM"
    with pytest.raises(StepFailed, match="which other machines do not have") as caught:
        reduce(named, None, None)
    assert "--flatten" in (caught.value.hint or "")


def test_a_plugin_is_kept_as_it_is_written() -> None:
    user = {
        "exec": {"command": "aws", "args": ["eks", 1], "env": [{"name": "A", "value": "b"}], "apiVersion": "v1beta1"}
    }
    plugin = reduce(config(user), None, None).plugin
    assert plugin is not None
    assert (plugin.argv, plugin.env, plugin.api_version) == (("aws", "eks", "1"), {"A": "b"}, "v1beta1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"current-context": ""}, "has no current context"),
        ({"current-context": "two"}, "has no context 'two'"),
        ({"clusters": []}, "has no cluster 'c'"),
        ({"users": None}, "has no user 'u'"),
        ({"clusters": [{"name": "c", "cluster": {"server": "file:///etc"}}]}, "has no server"),
        ({"users": [{"name": "u", "user": {"auth-provider": {"name": "gcp"}}}]}, "'auth-provider'"),
        ({"users": [{"name": "u", "user": {"exec": {}}}]}, "has no command"),
        (
            {"clusters": [{"name": "c", "cluster": {"server": "https://x", "certificate-authority-data": "é"}}]},
            "base64",
        ),
    ],
)
def test_what_can_not_be_used_is_told(change: dict[str, Any], words: str) -> None:
    with pytest.raises(StepFailed) as caught:
        reduce({**config(), **change}, None, None)
    assert words in caught.value.message
    assert caught.value.type == "bad_kubeconfig"


@pytest.mark.parametrize("text", ["- a", "a: [", "!!python/object:os.system {}", "text"])
def test_a_file_that_is_no_kubeconfig_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(StepFailed, match="kubeconfig"):
        read_file(tmp_path / "config")
