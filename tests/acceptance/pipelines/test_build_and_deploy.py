"""The example pipeline on a real remote, builder, scanner and registry, from the commit to two environments."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.deployed import Site
from tests.support.gateway import until
from tests.support.git_server import GitServer, Origin, needs_git
from tests.support.processes import processes_with, wait_until
from tests.support.registry import Registry, docker_registry, needs
from tests.support.sarif import valid_sarif
from tests.support.secrecy import leaks
from tests.support.server import PrefectServer, free_port
from tests.support.wfexec import Wfexec, user_environment

pytest.importorskip("detect_secrets", reason="needs detect-secrets: pip install 'prefect-wfexec[scan]'")

ROOT = Path(__file__).resolve().parents[3]
ACCOUNT = ("deploys", "a-token-for-the-remote")
PIPELINE = "flows/build_and_deploy.yaml"
PHASES = ["validation", "source", "pre_build", "build", "post_build", "push", "post_push", "deploy", "post_deploy"]
KEY = "AKIA" + "QYLPMN5HFIQR7XYA"
WAITS = """
touch {folder}/ready
while [ ! -e {folder}/go ]; do sleep 0.1; done
"""


@dataclass
class Shop:
    """A repository of the example's service, where its images go, and the command line of who builds it.

    Attributes:
        image: The image's name in the registry.
        origin: The repository.
        url: Where it is cloned from.
        registry: The registry, which a test may have stopped.
        wfexec: The command line.
    """

    image: str
    origin: Origin
    url: str
    registry: Registry
    wfexec: Wfexec

    @property
    def words(self) -> tuple[str, ...]:
        """What follows `wfexec` for a run that does not wait for anybody at its terminal."""
        return ("run", PIPELINE, "-i", f"repository={self.url}", "-i", f"image={self.image}")

    def digest(self, tag: str) -> str | None:
        """The digest of a tag in the registry; None without the tag."""
        answer = self.registry.manifest(self.image.partition("/")[2], tag)
        return answer.headers["Docker-Content-Digest"] if answer.status_code == 200 else None


@pytest.fixture(scope="module")
def registry_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_git()
    needs("buildah", "skopeo", "busybox", "docker-registry")
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def registry(registry_folder: Path, port: int) -> Iterator[contextlib.ExitStack]:
    """What holds the started registry: closing it stops the registry."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(docker_registry(registry_folder, port))
        yield stack


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory, registry: object) -> Iterator[GitServer]:
    with GitServer(tmp_path_factory.mktemp("remote"), account=ACCOUNT) as server:
        yield server


@pytest.fixture(scope="module")
def maker(server: PrefectServer, remote: GitServer, port: int, tmp_path_factory: pytest.TempPathFactory) -> Wfexec:
    """The command line in a copy of the example, all its blocks saved by the example's scripts."""
    folder = tmp_path_factory.mktemp("maker")
    shutil.copytree(ROOT / "flows", folder / "flows")
    environment = user_environment(server.environment, "jane") | {
        "PREFECT_INTEGRATIONS_WFEXEC_GIT_HTTP_HOSTS": remote.host,
        "PREFECT_INTEGRATIONS_WFEXEC_WORKSPACES": str(folder / "workspaces"),
    }
    for script, variables in {
        "git_credentials": {"GIT_USERNAME": ACCOUNT[0], "GIT_TOKEN": ACCOUNT[1]},
        "registry_credentials": {
            "REGISTRY": f"127.0.0.1:{port}",
            "REGISTRY_USERNAME": Registry("").account[0],
            "REGISTRY_PASSWORD": Registry("").account[1],
            "REGISTRY_TLS_VERIFY": "false",
        },
        "target_environments": {"PRODUCTION_DEPLOYMENT": "manual"},
    }.items():
        program = [sys.executable, str(ROOT / "blocks" / f"{script}.py")]
        subprocess.run(program, env=environment | variables, check=True, capture_output=True, cwd=folder)
    return Wfexec(environment, folder)


@pytest.fixture
def shop(maker: Wfexec, remote: GitServer, port: int, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A repository of this test's."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:40].strip("-")
    origin = Origin.make(remote.root, name)
    shutil.copytree(ROOT / "flows/examples/greeter", origin.work, dirs_exist_ok=True)
    origin.commit("the service")
    host = f"127.0.0.1:{port}"
    yield Shop(f"{host}/team/{name}", origin, f"{remote.url}/{name}.git", Registry(host), maker)
    maker.stop_all()


def status_of(view: dict[str, Any]) -> dict[str, str]:
    return {step["id"]: step["status"] for step in view["steps"]}


@pytest.mark.shows(
    "phase.source", "phase.build", "phase.push", "phase.deploy", "phase.post-deploy", "status.deployment-pending"
)
def test_from_a_commit_to_production_with_one_approval(shop: Shop, tmp_path: Path) -> None:
    going = shop.wfexec.start(*shop.words, "--json")
    going.until("wfexec approve wfr_")
    waiting = shop.wfexec.json("show", going.run)
    assert waiting["status"] == "Deployment Pending"
    assert (shop.digest("staging") is not None, shop.digest("production")) == (True, None)
    assert shop.wfexec("approve", going.run).code == 0
    view = going.end().json()
    assert view["status"] == "Succeeded", view
    assert status_of(view).pop("weaknesses") == "Skipped"
    assert {status for step, status in status_of(view).items() if step != "weaknesses"} == {"Success"}
    assert list(dict.fromkeys(step["phase"] for step in view["steps"])) == PHASES
    sha = shop.origin.git("rev-parse", "HEAD")
    built = shop.digest(sha[:7])
    assert (view["outputs"]["commit"], view["outputs"]["image"]) == (sha, f"{shop.image}@{built}")
    assert built == shop.digest("staging") == shop.digest("production")
    reports = shop.wfexec.json("reports", view["name"], "--download", tmp_path / "reports")
    assert {Path(one["file"]).name for one in reports} == {
        "secrets-detect-secrets.json",
        "secrets-detect-secrets.sarif",
    }
    assert valid_sarif((tmp_path / "reports" / "secrets-detect-secrets.sarif").read_bytes())["results"] == []
    assert "200 OK" in shop.wfexec("logs", view["name"], "--phase", "post_build").out
    said = shop.wfexec("logs", view["name"]).out
    assert leaks(said.encode(), ACCOUNT[1]) == leaks(said.encode(), shop.registry.account[1]) == []


@pytest.mark.shows("phase.pre-build")
def test_a_planted_secret_stops_it_before_anything_is_built(shop: Shop) -> None:
    shop.origin.commit("settings", settings__py=f'aws = "{KEY}"\n')
    view = shop.wfexec.json(*shop.words, code=1)
    status = status_of(view)
    assert (view["status"], status["secrets"], status["image"], status["publish"]) == (
        "Failed",
        "Failed",
        "Skipped",
        "Skipped",
    )
    assert {one["step"] for one in shop.wfexec.json("reports", view["name"])} == {"secrets"}
    assert shop.digest(shop.origin.git("rev-parse", "HEAD")[:7]) is None


def test_a_push_that_failed_is_retried_without_a_build(
    shop: Shop, registry: contextlib.ExitStack, registry_folder: Path, port: int, tmp_path: Path
) -> None:
    test = (shop.origin.work / "test.sh").read_text()
    shop.origin.commit("a slow test", test__sh=test + WAITS.format(folder=tmp_path))
    going = shop.wfexec.start(*shop.words, "--json")
    wait_until((tmp_path / "ready").exists, "the test")
    registry.close()
    (tmp_path / "go").touch()
    failed = going.end().json()
    publish = next(step for step in failed["steps"] if step["id"] == "publish")
    assert (failed["status"], publish["error"]["type"]) == ("Failed", "network")
    registry.enter_context(docker_registry(registry_folder, port))
    view = shop.wfexec.json("retry", going.run, "--step", "publish", "--yes")
    attempts = {step["id"]: step["attempt"] for step in view["steps"]}
    assert (view["status"], attempts["image"], attempts["publish"]) == ("Succeeded", 1, 2)
    assert shop.digest("production") == view["outputs"]["image"].partition("@")[2]


@pytest.mark.shows("terminating.stops")
def test_a_cancel_in_mid_build_leaves_no_process_and_no_half_image(shop: Shop) -> None:
    seconds = str(80_000 + os.getpid() % 10_000)
    dockerfile = (shop.origin.work / "Dockerfile").read_text()
    slow = f'RUN ["/bin/busybox", "sleep", "{seconds}"]\n'
    shop.origin.commit("a slow build", Dockerfile=dockerfile + slow)
    going = shop.wfexec.start(*shop.words, "--json")
    wait_until(lambda: processes_with(f"sleep\0{seconds}"), "the build")
    assert shop.wfexec("cancel", going.run).code == 0
    view = going.end().json()
    assert (view["status"], status_of(view)["image"]) == ("Terminated", "Cancelled")
    assert processes_with(f"sleep\0{seconds}") == []
    images = Path(shop.wfexec.environment["PREFECT_INTEGRATIONS_WFEXEC_WORKSPACES"]) / view["id"] / "files" / ".images"
    assert list(images.rglob("index.json")) == []
    assert not images.exists() or list((images / "at-work").glob("*")) == []
    assert shop.digest(shop.origin.git("rev-parse", "HEAD")[:7]) is None


def test_a_worker_brings_it_to_production_and_waits_for_the_approval_without_a_process(
    shop: Shop, server: PrefectServer, tmp_path: Path
) -> None:
    site = Site(server, tmp_path, pool="builders")
    site.workflow("build-and-deploy", (ROOT / PIPELINE).read_text())
    site.deploy()
    own = {name: value for name, value in shop.wfexec.environment.items() if "WFEXEC" in name and "USER" not in name}
    inputs = ("-i", f"repository={shop.url}", "-i", f"image={shop.image}")
    run = shop.wfexec.json("start", "build-and-deploy/build-and-deploy", *inputs)["name"]
    with site.worker(own | {"PREFECT_INTEGRATIONS_WFEXEC_HOLD": "0s"}):
        until(lambda: shop.wfexec.json("show", run)["status"] == "Deployment Pending")
        facts = lambda: [  # noqa: E731
            fact for entry in shop.wfexec.json("audit", run)["entries"] for fact in entry["facts"]
        ]
        until(lambda: any(fact["data"].get("suspended") for fact in facts()))
        assert (shop.digest("staging") is not None, shop.digest("production")) == (True, None)
        assert shop.wfexec("approve", run).code == 0
        view = until(lambda: (v := shop.wfexec.json("show", run))["ended"] and v)
    assert view["status"] == "Succeeded", site.worker_logs()
    assert len([fact for fact in facts() if fact["kind"] == "entered"]) == 2
    assert {step["attempt"] for step in view["steps"] if step["status"] == "Success"} == {1}
    assert shop.digest("staging") == shop.digest("production") == view["outputs"]["image"].partition("@")[2]
