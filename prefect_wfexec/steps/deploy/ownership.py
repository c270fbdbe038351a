"""The part of an object that a field manager owns, cut out by the API's record of it (`fieldsV1`). Pure."""

import copy
import json
from collections.abc import Mapping
from typing import Any

from prefect_wfexec.steps.kubernetes.api import Object
from prefect_wfexec.steps.kubernetes.names import FIELD_MANAGER, PREFIX

Fields = Mapping[str, Any]
_NOTHING = object()


def applied_fields(obj: Object) -> Fields:
    """What this package has applied of an object; empty when nothing."""
    for entry in (obj.get("metadata") or {}).get("managedFields") or ():
        is_main = entry.get("manager") == FIELD_MANAGER and not entry.get("subresource")
        if is_main and entry.get("operation") == "Apply":
            return entry.get("fieldsV1") or {}
    return {}


def joined(one: Fields, other: Fields) -> Fields:
    """The fields that stand in either."""
    result = dict(one)
    for key, inner in other.items():
        result[key] = joined(result[key], inner) if key in result else inner
    return result


def part_of(obj: Object, fields: Fields) -> Object:
    """The object with these fields only, as far as it has them, ready to be applied; without our own annotations."""
    kept = _part(obj, fields)
    result: Object = copy.deepcopy(kept) if isinstance(kept, dict) else {}
    metadata = result.setdefault("metadata", {})
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict):
        metadata["annotations"] = {key: one for key, one in annotations.items() if not key.startswith(f"{PREFIX}/")}
        if not metadata["annotations"]:
            del metadata["annotations"]
    return result


def _part(value: Any, fields: Fields) -> Any:
    inner = {name: below for name, below in fields.items() if name != "."}
    if not inner:
        return value
    if isinstance(value, dict):
        kept = {}
        for name, below in inner.items():
            if name.startswith("f:") and name[2:] in value:
                kept[name[2:]] = _part(value[name[2:]], below)
        return kept
    if isinstance(value, list):
        return [one for one in (_item(item, inner) for item in value) if one is not _NOTHING]
    return value


def _item(item: Any, fields: Fields) -> Any:
    """An item of a list, cut to what is owned of it; nothing when none of it is."""
    for name, below in fields.items():
        kind, _, text = name.partition(":")
        if kind == "k" and isinstance(item, dict) and _fits(item, json.loads(text)):
            cut = _part(item, below)
            # Without its keys the item could not be told from another.
            return {**{key: item[key] for key in json.loads(text) if key in item}, **cut}
        if kind == "v" and json.loads(text) == item:
            return item
    return _NOTHING


def _fits(item: Mapping[str, Any], keys: Mapping[str, Any]) -> bool:
    """Whether these are the item's keys; one it leaves out has a default, as a port's protocol has."""
    return all(item.get(key, value) == value for key, value in keys.items())
