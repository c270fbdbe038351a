"""The kinds the server knows from its start, and how their fields are merged."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of the API."""

    group: str
    version: str
    kind: str
    plural: str
    is_namespaced: bool = True
    model: str = ""
    """The class of the published client that has the kind's fields; empty: nothing is known about them."""
    has_generation: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As messages have it, e.g. `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


KINDS = [
    Kind("", "v1", "Namespace", "namespaces", is_namespaced=False, model="V1Namespace"),
    Kind("", "v1", "Pod", "pods", model="V1Pod"),
    Kind("", "v1", "ConfigMap", "configmaps", model="V1ConfigMap"),
    Kind("", "v1", "Secret", "secrets", model="V1Secret"),
    Kind("", "v1", "Service", "services", model="V1Service"),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", model="V1ServiceAccount"),
    Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", model="V1PersistentVolumeClaim"),
    Kind("", "v1", "Event", "events", model="CoreV1Event"),
    Kind("apps", "v1", "Deployment", "deployments", model="V1Deployment", has_generation=True),
    Kind("apps", "v1", "ReplicaSet", "replicasets", model="V1ReplicaSet", has_generation=True),
    Kind("apps", "v1", "StatefulSet", "statefulsets", model="V1StatefulSet", has_generation=True),
    Kind("apps", "v1", "DaemonSet", "daemonsets", model="V1DaemonSet", has_generation=True),
    Kind("batch", "v1", "Job", "jobs", model="V1Job", has_generation=True),
    Kind("batch", "v1", "CronJob", "cronjobs", model="V1CronJob", has_generation=True),
    Kind("networking.k8s.io", "v1", "Ingress", "ingresses", model="V1Ingress", has_generation=True),
    Kind("rbac.authorization.k8s.io", "v1", "Role", "roles", model="V1Role"),
    Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", model="V1RoleBinding"),
    Kind(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        is_namespaced=False,
        model="V1CustomResourceDefinition",
        has_generation=True,
    ),
]

LIST_KEYS: dict[str, tuple[tuple[str, object], ...]] = {
    # the name of a list below a pod's template, or of a known kind -> its keys with their defaults
    "containers": (("name", None),),
    "initContainers": (("name", None),),
    "env": (("name", None),),
    "volumes": (("name", None),),
    "volumeMounts": (("mountPath", None),),
    "imagePullSecrets": (("name", None),),
    "conditions": (("type", None),),
    "ownerReferences": (("uid", None),),
    "hostAliases": (("ip", None),),
}
CONTAINER_PORT_KEYS: tuple[tuple[str, object], ...] = (("containerPort", None), ("protocol", "TCP"))
SERVICE_PORT_KEYS: tuple[tuple[str, object], ...] = (("port", None), ("protocol", "TCP"))
SETS = frozenset({"finalizers"})
ATOMIC_MAPS = frozenset({"nodeSelector"})
"""Maps that are replaced as a whole; so is every selector of labels."""
ATOMIC_BY_KIND = {"selector": frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Service"})}


def keys_of(path: tuple[object, ...], kind: str) -> tuple[tuple[str, object], ...] | None:
    """The keys that the list at a path is merged by; None for one that is replaced as a whole."""
    if not kind:
        return None
    name = path[-1]
    if name == "ports":
        return SERVICE_PORT_KEYS if kind == "Service" else CONTAINER_PORT_KEYS
    return LIST_KEYS.get(str(name))


def is_atomic(path: tuple[object, ...], kind: str) -> bool:
    """Whether the map at a path is replaced as a whole."""
    name = str(path[-1]) if path else ""
    if name in ATOMIC_MAPS:
        return True
    return path == ("spec", "selector") and kind in ATOMIC_BY_KIND["selector"]
