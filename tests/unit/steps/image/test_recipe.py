"""What is looked at before a build starts."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.image.access import Login
from prefect_wfexec.steps.image.builders import Builder, find_builder
from prefect_wfexec.steps.image.recipe import Recipe, read_recipe
from prefect_wfexec.testing import make_context


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home/app").mkdir(parents=True)
    (tmp_path / "home/app/Dockerfile").write_text("FROM scratch\n")
    return tmp_path / "home"


def recipe(home: Path, secrets: tuple[str, ...] = (), **with_: Any) -> Recipe:
    given = {"context": "app", "tag": "r.example/app:1"} | with_
    context = make_context("image.build", with_=given, folder=home, workspace=home.parent / "run", secrets=secrets)
    return read_recipe(context)


def refusal(home: Path, secrets: tuple[str, ...] = (), **with_: Any) -> StepFailed:
    with pytest.raises(StepFailed) as refused:
        recipe(home, secrets, **with_)
    assert not refused.value.retryable
    return refused.value


def test_the_dockerfile_is_found_in_the_context(home: Path) -> None:
    assert recipe(home).file == home / "app/Dockerfile"
    (home / "app/Dockerfile").rename(home / "app/Containerfile")
    assert recipe(home).file == home / "app/Containerfile"
    (home / "app/docker").mkdir()
    (home / "app/docker/web.Dockerfile").write_text("FROM scratch\n")
    assert recipe(home, file="docker/web.Dockerfile").file == home / "app/docker/web.Dockerfile"


def test_a_dockerfile_that_is_missing_is_told_with_near_names(home: Path) -> None:
    refused = refusal(home, file="Dokerfile")
    assert (refused.type, refused.hint) == ("missing_dockerfile", "did you mean 'Dockerfile'?")
    assert refused.message == f"there is no 'Dokerfile' in {home / 'app'}"
    (home / "app/Dockerfile").unlink()
    assert refusal(home).hint == "name it with `file`, from the context's folder"


def test_a_context_that_is_missing(home: Path) -> None:
    assert refusal(home, context="absent").type == "missing_path"
    assert "is not a folder" in refusal(home, context="app/Dockerfile").message


def test_a_dockerfile_may_be_beside_its_context_and_not_outside_of_the_checkout(home: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "run/checkout"
    (checkout / "app").mkdir(parents=True)
    (checkout / "web.Dockerfile").write_text("FROM scratch\n")
    assert recipe(home, context=str(checkout / "app"), file="../web.Dockerfile").file == checkout / "web.Dockerfile"
    secret = tmp_path / "secret"
    secret.write_text("correct horse")
    (checkout / "app/Dockerfile").symlink_to(secret)
    other = tmp_path / "run/other"
    other.mkdir()
    (other / "Dockerfile").write_text("FROM scratch\n")
    for file in (None, "../../../secret", str(secret), "../../other/Dockerfile"):
        assert "leads out of" in refusal(home, context=str(checkout / "app"), file=file).message


@pytest.mark.parametrize(
    ("with_", "words"),
    [
        ({"tag": "--all"}, "no image's name"),
        ({"tag": "r.example/app@sha256:" + "a" * 64}, "can't have a digest"),
        ({"platform": "linux/amd64,linux/arm64"}, "no platform"),
        ({"platform": "--x"}, "no platform"),
        ({"target": "-x"}, "no stage"),
        ({"args": {"a-b": "x"}}, "can't be given"),
        ({"args": {"A=B": "x"}}, "can't be given"),
        ({"args": {"A": "x\0"}}, "can't be given"),
        ({"args": {"PATH": "/tmp"}}, "builders heed it"),
        ({"args": {"LD_PRELOAD": "/tmp/x.so"}}, "builders heed it"),
        ({"args": {"CONTAINERS_STORAGE_CONF": "/tmp/x"}}, "builders heed it"),
        ({"labels": {"-x": "y"}}, "can't be given"),
        ({"labels": {"a": "\x1b[31m"}}, "can't be given"),
        ({"labels": {"a": "x" * 5000}}, "can't be given"),
    ],
)
def test_what_can_not_be_given_is_refused(home: Path, with_: dict[str, Any], words: str) -> None:
    assert words in refusal(home, **with_).message


def test_a_secret_is_no_label(home: Path) -> None:
    refused = refusal(home, ("correct-horse",), labels={"note": "it is correct-horse"})
    assert "correct-horse" not in refused.message
    assert "holds a secret" in refused.message


@pytest.mark.parametrize("kind", ["buildah", "podman", "docker"])
def test_values_of_arguments_stand_in_no_command_line(home: Path, kind: Any, tmp_path: Path) -> None:
    made = recipe(home, args={"TOKEN": "correct-horse", "GO_VERSION": "1.24"}, labels={"a": "b c"}, target="web")
    builder = Builder(kind, f"/usr/bin/{kind}")
    login = Login(tmp_path / "login")
    words = builder.build(made, tmp_path / "id", login)
    assert "correct-horse" not in " ".join(words)
    assert {"--build-arg=TOKEN", "--build-arg=GO_VERSION", "--label=a=b c", "--target=web"} <= set(words)
    assert words[-2:] == ["--", str(home / "app")]
    variables = builder.variables(made, login, tmp_path)
    assert variables["TOKEN"] == "correct-horse"
    assert (variables.get("DOCKER_CONFIG") == str(login.folder)) is (kind == "docker")
    assert (f"--authfile={login.file}" in words) is (kind != "docker")


def test_the_builder_is_the_settings_or_the_first_there_is(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_INTEGRATIONS_WFEXEC_IMAGE_BUILDER", raising=False)
    context = make_context("image.build", with_={"tag": "a"}, folder=home)
    for name in ("docker", "podman", "buildah"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        context = dataclasses.replace(context, env={"PATH": str(program.parent)})
        assert find_builder(context) == Builder(name, str(program))
    for chosen, kind in (("docker", "docker"), (str(tmp_path / "bin/podman"), "podman")):
        monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_IMAGE_BUILDER", chosen)
        assert find_builder(context).kind == kind
    for wrong in ("kaniko", "/absent/buildah"):
        monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_IMAGE_BUILDER", wrong)
        with pytest.raises(StepFailed, match="no buildah, podman or docker here"):
            find_builder(context)
    monkeypatch.delenv("PREFECT_INTEGRATIONS_WFEXEC_IMAGE_BUILDER")
    with pytest.raises(StepFailed) as missing:
        find_builder(dataclasses.replace(context, env={"PATH": str(tmp_path)}))
    assert missing.value.type == "missing_tool"
