"""Which objects the API takes."""

import re
from typing import Any

import kubernetes_asyncio.client.models as models

from tests.support.kubernetes_server.kinds import Kind
from tests.support.kubernetes_server.refusals import Refusal, invalid

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
ANNOTATIONS_BYTES = 256 * 1024
RFC_1123 = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character"
)


def unknown_fields(obj: dict[str, Any], model: str) -> list[str]:
    """Fields that the kind's schema does not have, e.g. `.spec.replicsa`."""
    return list(_unknown(obj, model, "")) if model else []


def _unknown(value: Any, type_name: str, path: str) -> Any:  # noqa: C901 - one case for each type
    if type_name.startswith("list[") and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unknown(item, type_name[5:-1], f"{path}[{number}]")
        return
    if type_name.startswith("dict(") and isinstance(value, dict):
        inner = type_name[5:-1].partition(", ")[2]
        for key, item in value.items():
            yield from _unknown(item, inner, f"{path}.{key}")
        return
    model = getattr(models, type_name, None)
    if model is None:
        if type_name == "str" and not isinstance(value, str) and value is not None:
            yield f"{path}: expected string, got {value!r}"
        elif type_name == "int" and (not isinstance(value, int) or isinstance(value, bool)):
            yield f"{path}: expected integer, got {value!r}"
        return
    if not isinstance(value, dict):
        yield f"{path}: expected map, got {value!r}"
        return
    names = {written: name for name, written in model.attribute_map.items()}
    for key, item in value.items():
        if key not in names:
            yield f"{path}.{key}: field not declared in schema"
        elif item is not None:
            yield from _unknown(item, model.openapi_types[names[key]], f"{path}.{key}")


def check(obj: dict[str, Any], kind: Kind, live: dict[str, Any] | None) -> None:
    """Refuse an object whose values the API does not take.

    Raises:
        Refusal: 422 with every cause.
    """
    metadata, causes = obj.get("metadata") or {}, []
    name = metadata.get("name") or ""
    if not _NAME.fullmatch(name) or len(name) > 253:
        causes.append(("FieldValueInvalid", "metadata.name", f'Invalid value: "{name}": {RFC_1123}'))
    for key, value in (metadata.get("labels") or {}).items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(str(value)) or len(str(value)) > 63:
            causes.append(("FieldValueInvalid", "metadata.labels", f'Invalid value: "{value}": a valid label must be'))
    size = sum(len(key) + len(str(value)) for key, value in (metadata.get("annotations") or {}).items())
    if size > ANNOTATIONS_BYTES:
        causes.append(
            ("FieldValueTooLong", "metadata.annotations", f"Too long: may not be more than {ANNOTATIONS_BYTES} bytes")
        )
    check_kind = {"Job": _job, "Deployment": _workload, "StatefulSet": _workload, "DaemonSet": _workload, "Pod": _pod}
    check_kind["CustomResourceDefinition"] = _definition
    causes += check_kind.get(kind.kind, lambda _obj, _live: [])(obj, live)
    if kind.kind == "ConfigMap" and live and live.get("immutable") and live.get("data") != obj.get("data"):
        causes.append(("FieldValueForbidden", "data", "Forbidden: field is immutable when `immutable` is set"))
    if causes:
        raise invalid(kind.kind, name, kind.group, *causes)


def _containers(spec: dict[str, Any], path: str) -> list[tuple[str, str, str]]:
    causes = []
    if not spec.get("containers"):
        causes.append(("FieldValueRequired", f"{path}.containers", "Required value"))
    for field in ("containers", "initContainers"):
        for number, container in enumerate(spec.get(field) or []):
            causes += [
                ("FieldValueRequired", f"{path}.{field}[{number}].{key}", "Required value")
                for key in ("name", "image")
                if not container.get(key)
            ]
    return causes


def _pod(obj: dict[str, Any], _live: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    return _containers(obj.get("spec") or {}, "spec")


def _definition(obj: dict[str, Any], _live: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    return [
        (
            "FieldValueRequired",
            f"spec.versions[{number}].schema.openAPIV3Schema",
            "Required value: schemas are required",
        )
        for number, version in enumerate(obj["spec"].get("versions") or [])
        if not (version.get("schema") or {}).get("openAPIV3Schema")
    ]


def _job(obj: dict[str, Any], live: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    spec = obj.get("spec") or {}
    template = spec.get("template") or {}
    causes = _containers(template.get("spec") or {}, "spec.template.spec")
    policy = (template.get("spec") or {}).get("restartPolicy", "Always")
    if policy not in ("Never", "OnFailure"):
        words = f'Unsupported value: "{policy}": supported values: "OnFailure", "Never"'
        causes.append(("FieldValueNotSupported", "spec.template.spec.restartPolicy", words))
    if len(obj["metadata"].get("name", "")) > 63:
        causes.append(("FieldValueTooLong", "metadata.name", "Too long: may not be more than 63 bytes"))
    if live and live["spec"].get("template") != template:
        causes.append(("FieldValueInvalid", "spec.template", "Invalid value: field is immutable"))
    return causes


def _workload(obj: dict[str, Any], live: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    spec = obj.get("spec") or {}
    template = spec.get("template") or {}
    causes = _containers(template.get("spec") or {}, "spec.template.spec")
    selector = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not selector:
        causes.append(("FieldValueRequired", "spec.selector", "Required value"))
    elif any(labels.get(key) != value for key, value in selector.items()):
        words = f"Invalid value: {labels!r}: `selector` does not match template `labels`"
        causes.append(("FieldValueInvalid", "spec.template.metadata.labels", words))
    if live and live["spec"].get("selector") != spec.get("selector"):
        causes.append(("FieldValueInvalid", "spec.selector", "Invalid value: field is immutable"))
    return causes


def require_known(obj: dict[str, Any], kind: Kind, *, is_apply: bool, strict: bool) -> None:
    """Refuse fields that no schema knows.

    Raises:
        Refusal: as the API does: 500 for an apply, 400 for a strict request.
    """
    found = unknown_fields(obj, kind.model)
    if not found:
        return
    metadata = obj.get("metadata") or {}
    if is_apply:
        place = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {kind.api_version}, Kind={kind.kind}"
        text = found[0] if len(found) == 1 else "errors:\n" + "\n".join(f"  {one}" for one in found)
        raise Refusal(500, f"failed to create typed patch object ({place}): {text}")
    bad = [one for one in found if "expected" in one]
    if bad:
        raise Refusal(
            400, f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: json: {bad[0]}'
        )
    if strict:
        words = ", ".join(f'unknown field "{one.partition(":")[0].lstrip(".")}"' for one in found)
        raise Refusal(400, f"strict decoding error: {words}")
