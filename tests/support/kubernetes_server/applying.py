"""Server-side apply: who owns which fields, what conflicts, and what an apply makes of an object. Pure."""

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.support.kubernetes_server.kinds import SETS, is_atomic, keys_of

Element = tuple[str, str]
"""("f", field), ("k", keys as JSON), ("v", value as JSON)."""
Path = tuple[Element, ...]
SELF: Element = (".", "")
_NOT_OWNED = {"apiVersion", "kind"}
_NOT_OWNED_METADATA = {
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
}


@dataclass(frozen=True, slots=True)
class Manager:
    name: str
    operation: str
    api_version: str


class ApplyConflict(Exception):
    """Fields that others own: (manager, field)."""

    def __init__(self, conflicts: list[tuple[Manager, Path]]) -> None:
        super().__init__("conflict")
        self.conflicts = conflicts


def fields_of(obj: dict[str, Any], kind: str) -> set[Path]:
    """Every field of an object that somebody owns."""
    found: set[Path] = set()
    for name, value in obj.items():
        if name in _NOT_OWNED or name == "status":
            continue
        if name == "metadata":
            for key, part in value.items():
                if key not in _NOT_OWNED_METADATA:
                    _collect(part, (("f", "metadata"), ("f", key)), kind, found)
        else:
            _collect(value, (("f", name),), kind, found)
    return found


def _names(path: Path) -> tuple[str, ...]:
    return tuple(text for how, text in path if how == "f")


def _collect(value: Any, path: Path, kind: str, found: set[Path]) -> None:
    names = _names(path)
    if isinstance(value, dict) and value and not is_atomic(names, kind):
        for key, part in value.items():
            _collect(part, (*path, ("f", key)), kind, found)
    elif isinstance(value, list) and (keys := keys_of(names, kind)) is not None:
        for item in value:
            inner = (*path, ("k", item_key(item, keys)))
            found.add((*inner, SELF))
            for key, part in item.items():
                _collect(part, (*inner, ("f", key)), kind, found)
    elif isinstance(value, list) and names and names[-1] in SETS:
        found.update((*path, ("v", json.dumps(item))) for item in value)
    else:
        found.add(path)


def item_key(item: dict[str, Any], keys: Iterable[tuple[str, object]]) -> str:
    return json.dumps({key: item.get(key, default) for key, default in keys}, sort_keys=True, separators=(",", ":"))


def to_fields_v1(paths: set[Path]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault("." if element == SELF else f"{element[0]}:{element[1]}", {})
    return root


def from_fields_v1(node: dict[str, Any], path: Path = ()) -> set[Path]:
    if not node:
        return {path} if path else set()
    found: set[Path] = set()
    for name, inner in node.items():
        element = SELF if name == "." else (name[0], name[2:])
        found |= from_fields_v1(inner, (*path, element))
    return found


def managers_of(obj: dict[str, Any]) -> dict[Manager, set[Path]]:
    entries = obj.get("metadata", {}).get("managedFields") or []
    return {
        Manager(entry["manager"], entry["operation"], entry["apiVersion"]): from_fields_v1(entry["fieldsV1"])
        for entry in entries
    }


def set_managers(obj: dict[str, Any], managers: dict[Manager, set[Path]], now: str) -> None:
    obj["metadata"]["managedFields"] = [
        {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": now,
            "fieldsType": "FieldsV1",
            "fieldsV1": to_fields_v1(paths),
        }
        for manager, paths in managers.items()
        if paths
    ]


def apply(
    live: dict[str, Any], wanted: dict[str, Any], manager: Manager, kind: str, *, force: bool, now: str
) -> dict[str, Any]:
    """What a live object becomes when a manager applies another configuration.

    Raises:
        ApplyConflict: others own fields that it would change.
    """
    managers = managers_of(live)
    before, after = managers.pop(manager, set()), fields_of(wanted, kind)
    conflicts = [
        (other, path)
        for other, owned in managers.items()
        for path in sorted(after & owned)
        if path[-1] != SELF and value_at(live, path, kind) != value_at(wanted, path, kind)
    ]
    if conflicts and not force:
        raise ApplyConflict(conflicts)
    for other, path in conflicts:
        managers[other].discard(path)
    merged = _merge(copy.deepcopy(live), wanted, (), kind)
    gone = before - after - set().union(*managers.values(), set())
    for path in sorted(gone, key=len, reverse=True):
        _remove(merged, path, kind, after | set().union(*managers.values(), set()))
    managers[manager] = after
    set_managers(merged, managers, now)
    return merged


def updated(live: dict[str, Any], new: dict[str, Any], manager: Manager, kind: str, now: str) -> dict[str, Any]:
    """A replaced object: who replaced it owns what changed."""
    managers = managers_of(live)
    after = fields_of(new, kind)
    changed = {path for path in after if value_at(live, path, kind) != value_at(new, path, kind)}
    if not live:
        changed = after
    for other in managers:
        managers[other] = (managers[other] & after) - (changed if other != manager else set())
    managers[manager] = (managers.get(manager, set()) & after) | changed
    result = copy.deepcopy(new)
    set_managers(result, managers, now)
    return result


def _merge(live: Any, wanted: Any, path: Path, kind: str) -> Any:
    names = _names(path)
    if isinstance(wanted, dict) and isinstance(live, dict) and not is_atomic(names, kind):
        for key, part in wanted.items():
            live[key] = _merge(live[key], part, (*path, ("f", key)), kind) if key in live else copy.deepcopy(part)
        return live
    if isinstance(wanted, list) and isinstance(live, list):
        keys = keys_of(names, kind)
        if keys is not None:
            places = {item_key(item, keys): number for number, item in enumerate(live)}
            for item in wanted:
                key = item_key(item, keys)
                if key in places:
                    live[places[key]] = _merge(live[places[key]], item, (*path, ("k", key)), kind)
                else:
                    live.append(copy.deepcopy(item))
            return live
        if names and names[-1] in SETS:
            return [*live, *(item for item in wanted if item not in live)]
    return copy.deepcopy(wanted)


_ABSENT = object()


def value_at(obj: Any, path: Path, kind: str) -> Any:
    value, names = obj, ()
    for element in path:
        value = _step(value, element, names, kind)
        if value is _ABSENT:
            return None
        names = (*names, element[1]) if element[0] == "f" else names
    return value


def _step(value: Any, element: Element, names: tuple[str, ...], kind: str) -> Any:
    how, text = element
    if element == SELF:
        return value
    if how == "f":
        return value.get(text, _ABSENT) if isinstance(value, dict) else _ABSENT
    if not isinstance(value, list):
        return _ABSENT
    if how == "v":
        return json.loads(text) if json.loads(text) in value else _ABSENT
    keys = keys_of(names, kind) or ()
    return next((item for item in value if item_key(item, keys) == text), _ABSENT)


def _remove(obj: Any, path: Path, kind: str, kept: set[Path]) -> None:
    """Take out a field, with the item of a list when nobody owns anything of it."""
    *above, last = path[:-1] if path[-1] == SELF else path
    whole = (*above, last)
    if any(other[: len(whole)] == whole for other in kept):
        return
    parent = value_at(obj, tuple(above), kind) if above else obj
    if parent is None:
        return
    if last[0] == "f" and isinstance(parent, dict):
        parent.pop(last[1], None)
    elif isinstance(parent, list):
        found = _step(parent, last, _names(tuple(above)), kind)
        if found is not _ABSENT:
            parent.remove(found)
    if not parent and len(above) > 1 and above[-1][0] == "f":
        _remove(obj, tuple(above), kind, kept)


def shown(path: Path) -> str:
    """A field as messages have it, e.g. `.spec.template.spec.containers[name="web"].image`."""
    text = ""
    for how, name in path:
        if how == "f":
            text += f".{name}"
        elif how == "k":
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(name).items()) + "]"
        elif how == "v":
            text += f"[={name}]"
    return text
