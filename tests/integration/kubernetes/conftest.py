"""A cluster for each test, known by a kubeconfig as it is for whoever runs a step by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.kubernetes_server import KubernetesServer


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesServer]:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with KubernetesServer() as server:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(server.kubeconfig()))
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        yield server
        left = server.process_ids()
    assert not [pid for pid in left if Path(f"/proc/{pid}").exists()], "the server has left processes"
