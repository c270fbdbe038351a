"""Where each manifest goes: the API's path for it, asked of the cluster; and the order they go in."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.kubernetes.api import Cluster, Object
from prefect_wfexec.steps.kubernetes.manifests import Manifest, namespace_for

_FIRST = (
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "StorageClass",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
)
_LAST = ("HorizontalPodAutoscaler", "Ingress", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One object's place in the cluster.

    Attributes:
        manifest: What is wanted there.
        collection: The path of its kind and namespace.
        namespace: Empty for what stands in none.
    """

    manifest: Manifest
    collection: str
    namespace: str

    @property
    def path(self) -> str:
        return f"{self.collection}/{self.manifest.name}"

    @property
    def shown(self) -> str:
        """As people name it: `Deployment web`."""
        return self.manifest.shown

    def as_json(self) -> dict[str, JSON]:
        return {
            "api_version": self.manifest.api_version,
            "kind": self.manifest.kind,
            "namespace": self.namespace,
            "name": self.manifest.name,
        }


async def find_targets(
    cluster: Cluster, manifests: Sequence[Manifest], namespace: str, *, is_given: bool
) -> list[Target]:
    """Where the manifests go, in the order in which they are put there.

    Kinds that CustomResourceDefinitions among the manifests make are known before the cluster has them.

    Args:
        cluster: The cluster.
        manifests: What is wanted.
        namespace: The step's namespace.
        is_given: Whether the step names it.

    Raises:
        StepFailed: the cluster knows no such kind; all of them are told at once.
    """
    own = _own_kinds(manifests)
    found, faults = [], []
    for manifest in sorted(manifests, key=_rank):
        resource = own.get((manifest.api_version, manifest.kind)) or await _resource(cluster, manifest)
        if isinstance(resource, str):
            faults.append(f"{manifest.source}: {resource}")
            continue
        base = f"/api/{manifest.api_version}" if "/" not in manifest.api_version else f"/apis/{manifest.api_version}"
        if resource["namespaced"]:
            where = namespace_for(manifest, namespace, is_given=is_given)
            found.append(Target(manifest, f"{base}/namespaces/{where}/{resource['name']}", where))
        else:
            found.append(Target(manifest, f"{base}/{resource['name']}", ""))
    if faults:
        raise StepFailed(
            "\n".join(faults),
            type="unknown_kind",
            hint="check apiVersion and kind; a kind of one's own needs its CustomResourceDefinition first",
            retryable=False,
        )
    return found


def _rank(manifest: Manifest) -> int:
    if manifest.kind in _FIRST:
        return _FIRST.index(manifest.kind)
    return len(_FIRST) + 1 + _LAST.index(manifest.kind) if manifest.kind in _LAST else len(_FIRST)


async def _resource(cluster: Cluster, manifest: Manifest) -> Object | str:
    known = await cluster.resources(manifest.api_version)
    plain = [one for one in known if "/" not in str(one.get("name"))]
    for one in plain:
        if one.get("kind") == manifest.kind:
            return one
    if not known:
        return f"the cluster has no API '{manifest.api_version}', which the {manifest.shown} asks for"
    near = get_close_matches(manifest.kind, [str(one.get("kind")) for one in plain], 1)
    guess = f"; did you mean {near[0]}?" if near else ""
    return f"the cluster knows no {manifest.kind} in {manifest.api_version}{guess}"


def _own_kinds(manifests: Sequence[Manifest]) -> dict[tuple[str, str], Object]:
    found: dict[tuple[str, str], Object] = {}
    for manifest in manifests:
        spec = manifest.object.get("spec")
        if manifest.kind != "CustomResourceDefinition" or not isinstance(spec, dict):
            continue
        names, versions = spec.get("names"), spec.get("versions")
        if not isinstance(names, dict) or not isinstance(versions, list):
            continue
        resource = {"name": str(names.get("plural")), "namespaced": spec.get("scope") == "Namespaced"}
        for version in versions:
            if isinstance(version, dict):
                found[f"{spec.get('group')}/{version.get('name')}", str(names.get("kind"))] = resource
    return found
