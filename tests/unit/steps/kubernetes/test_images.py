"""Which containers get which image."""

from typing import Any

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.kubernetes.images import images_of, put_images, repository
from prefect_wfexec.steps.kubernetes.manifests import Manifest

NEW = "registry.test:5000/shop/web@sha256:" + "a" * 64


def manifest(*images: str, init: str | None = None) -> Manifest:
    pod: dict[str, Any] = {"containers": [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]}
    if init:
        pod["initContainers"] = [{"name": "init", "image": init}]
    cron = {"jobTemplate": {"spec": {"template": {"spec": pod}}}}
    obj = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "x"}, "spec": cron}
    return Manifest(obj, "a.yaml:1")


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("web", "web"),
        ("web:1", "web"),
        ("host:5000/web", "host:5000/web"),
        ("host:5000/a/web:1@sha256:0", "host:5000/a/web"),
    ],
)
def test_a_repository_has_neither_tag_nor_digest(image: str, name: str) -> None:
    assert repository(image) == name


def test_the_placeholder_and_the_same_repository_take_the_image() -> None:
    one = manifest("IMAGE", "registry.test:5000/shop/web:old", "sidecar:2", init="registry.test:5000/shop/web")
    assert put_images([one], NEW) == 3
    assert sorted(images_of(one.object)) == sorted([NEW, NEW, NEW, "sidecar:2"])


def test_containers_may_be_named() -> None:
    one = manifest("a:1", "b:1")
    assert put_images([one], {"c1": NEW}) == 1
    assert images_of(one.object) == ["a:1", NEW]


@pytest.mark.parametrize("image", [NEW, {"nobody": NEW}])
def test_an_image_that_nothing_takes_is_an_error(image: Any) -> None:
    with pytest.raises(StepFailed) as caught:
        put_images([manifest("other:1")], image)
    assert caught.value.type == "image_unused"


def test_a_placeholder_that_is_left_is_an_error() -> None:
    with pytest.raises(StepFailed, match="still has the placeholder"):
        put_images([manifest("IMAGE")], None)


@pytest.mark.parametrize("image", ["--x", "a b", "a\nb", "", "x" * 600, "$(x)"])
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(StepFailed) as caught:
        put_images([manifest("IMAGE")], image)
    assert caught.value.type == "bad_input"
