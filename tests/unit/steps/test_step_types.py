"""All step types: what they are called, take and give."""

import subprocess
import sys

import pytest

from prefect_wfexec.definition.catalog import StepSpec
from prefect_wfexec.steps.registry import catalog

CONTRACT = {
    "shell": ("shell dir", "exit_code stdout"),
    "wait": ("for until", ""),
    "approval": (
        "subject message approvers quorum expires on_expire allow_self fields policy notify",
        "decision by comment",
    ),
    "http.check": (
        "url method headers body status contains json retry_for every",
        "status_code body headers attempts",
    ),
    "slack.message": ("channel text block optional", "ts permalink"),
    "git.clone": ("url ref depth submodules block", "path sha short_sha ref author message"),
    "scan.detect_secrets": ("path image fail_on", "counts report"),
    "scan.trivy": ("path image fail_on", "counts report"),
    "scan.sonarqube": ("path image fail_on", "counts report"),
    "scan.script": ("path image fail_on", "counts report"),
    "image.build": ("context file tag platform args target labels", "ref digest digest_ref"),
    "image.push": ("ref block", "ref digest digest_ref"),
    "image.fetch": ("ref block", "ref digest digest_ref"),
    "kubernetes.job": ("manifest image namespace block", "name namespace stdout"),
    "deploy.kubernetes": ("manifests image namespace block take_over", "counts objects images"),
    "deploy.kubernetes_undo": ("manifests namespace block run step", "restored deleted left"),
    "deploy.script": ("shell dir image environment", "exit_code stdout"),
}


def spec_of(name: str) -> StepSpec:
    spec = catalog().find(name)
    assert spec is not None, f"{name} is not registered"
    return spec


def written_names(spec: StepSpec) -> set[str]:
    return set(spec.inputs.model_json_schema(by_alias=True).get("properties", {}))


@pytest.mark.parametrize("name", CONTRACT)
def test_takes_and_gives_what_was_promised(name: str) -> None:
    with_, outputs = (set(words.split()) for words in CONTRACT[name])
    assert with_ <= written_names(spec_of(name))
    assert outputs <= set(spec_of(name).outputs.model_fields)


@pytest.mark.parametrize("name", CONTRACT)
def test_every_key_and_output_is_described(name: str) -> None:
    for model in (spec_of(name).inputs, spec_of(name).outputs):
        for key, schema in model.model_json_schema().get("properties", {}).items():
            assert schema.get("description"), f"{name}: {key} has no description"


@pytest.mark.parametrize("name", CONTRACT)
def test_unknown_keys_are_refused(name: str) -> None:
    assert spec_of(name).inputs.model_json_schema()["additionalProperties"] is False


def test_what_changes_infrastructure_says_so() -> None:
    assert spec_of("deploy.kubernetes").changes_infrastructure
    assert spec_of("deploy.script").changes_infrastructure
    assert not spec_of("http.check").changes_infrastructure


def test_the_catalog_needs_neither_prefect_nor_any_client() -> None:
    heavy = (
        "prefect",
        "prefect_shell",
        "httpx",
        "httpcore",
        "slack_sdk",
        "aiohttp",
        "python_terraform",
        "kubernetes_asyncio",
    )
    program = (
        "import sys; import prefect_wfexec.steps.registry as registry; registry.catalog(); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.strip() == "[]"
