"""Which files are read, and which objects are taken."""

from pathlib import Path

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.kubernetes.manifests import Manifest, namespace_for, read_manifests
from prefect_wfexec.testing import make_context

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n"


def write(folder: Path, name: str, text: str = MAP) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("NAME", Path(name).stem))


def read(folder: Path, *paths: str) -> list[Manifest]:
    context = make_context("deploy.kubernetes", with_={"manifests": list(paths)}, folder=folder)
    return read_manifests(context, paths)


def refusal(folder: Path, *paths: str) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        read(folder, *paths)
    assert not caught.value.retryable
    return caught.value


def test_a_folder_gives_its_own_files_by_name(tmp_path: Path) -> None:
    for name in ("k8s/b.yaml", "k8s/a.yml", "k8s/c.json", "k8s/notes.txt", "k8s/below/d.yaml"):
        write(
            tmp_path,
            name,
            MAP if not name.endswith("json") else '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"NAME"}}',
        )
    assert [one.name for one in read(tmp_path, "k8s")] == ["a", "b", "c"]


def test_globs_and_lists_keep_their_order_and_give_each_file_once(tmp_path: Path) -> None:
    for name in ("k8s/b.yaml", "k8s/below/d.yaml", "first.yaml"):
        write(tmp_path, name)
    assert [one.name for one in read(tmp_path, "first.yaml", "k8s/**/*.yaml", "k8s/b.yaml")] == ["first", "b", "d"]


def test_lists_are_taken_apart_and_places_are_known(tmp_path: Path) -> None:
    text = "---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: x}}\n---\n" + MAP
    write(tmp_path, "a.yaml", text)
    assert [(one.shown, one.source) for one in read(tmp_path, "a.yaml")] == [
        ("Pod x", "a.yaml:2"),
        ("ConfigMap a", "a.yaml:7"),
    ]


@pytest.mark.parametrize("path", ["../outside.yaml", "/etc/hostname", "link.yaml", "folder", "../*.yaml", "~/x.yaml"])
def test_nothing_outside_the_folder_is_read(tmp_path: Path, path: str) -> None:
    inside = tmp_path / "inside"
    write(tmp_path, "outside.yaml")
    write(inside, "ok.yaml")
    (inside / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (inside / "folder").mkdir()
    (inside / "folder" / "x.yaml").symlink_to(tmp_path / "outside.yaml")
    assert refusal(inside, path).type in ("bad_manifest", "missing_path")


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path, "k8s").type == "missing_path"
    (tmp_path / "empty").mkdir()
    assert "there is no object in empty" in refusal(tmp_path, "empty").message
    assert "fits no file" in refusal(tmp_path, "*.yaml").message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("just text", "this is no object"),
        ("kind: Pod", "no 'apiVersion'"),
        ("apiVersion: v1\nmetadata: {name: x}", "no 'kind'"),
        ("apiVersion: v1\nkind: Pod", "has no 'metadata'"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {}", "no 'metadata.name'"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: x-}", "'generateName'"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: ../x}", "no 'metadata.name'"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: 'a/b'}", "namespace of the Pod 'x' is no name"),
        ("apiVersion: v1/../x\nkind: Pod\nmetadata: {name: x}", "no 'apiVersion'"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: x, labels: {a: 1}}", "quote numbers"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: x, resourceVersion: '1'}", "was read from a cluster"),
        (MAP + "---\n" + MAP, "stands in a.yaml:1 already"),
        ("a: {", "a.yaml:"),
        (MAP + f"data: {{x: {'y' * 1024 * 1024}}}", "larger than 1024 KiB"),
    ],
)
def test_bad_objects_are_told(tmp_path: Path, text: str, words: str) -> None:
    write(tmp_path, "a.yaml", text)
    failure = refusal(tmp_path, "a.yaml")
    assert words in failure.message
    assert failure.type == "bad_manifest"


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, "k8s/a.yaml", "kind: Pod\n---\na: b")
    write(tmp_path, "k8s/b.yaml", "x: yes")
    assert [line.partition(" ")[0] for line in refusal(tmp_path, "k8s").message.splitlines()] == [
        "k8s/a.yaml:1:",
        "k8s/a.yaml:3:",
        "k8s/b.yaml:1:",
    ]


def test_a_large_or_binary_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "# " + "x" * (2 * 1024 * 1024))
    assert "more than 2 MiB" in refusal(tmp_path, "a.yaml").message
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refusal(tmp_path, "b.yaml").message


def test_a_manifest_and_its_step_may_not_name_different_namespaces() -> None:
    own = Manifest({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "shop"}}, "a.yaml:1")
    other = Manifest({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}, "a.yaml:1")
    assert namespace_for(own, "default", is_given=False) == "shop"
    assert namespace_for(other, "eu", is_given=True) == "eu"
    with pytest.raises(StepFailed, match="for the namespace 'shop', the step for 'eu'"):
        namespace_for(own, "eu", is_given=True)
