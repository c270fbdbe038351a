"""Selectors of labels and fields."""

from collections.abc import Mapping
from typing import Any

from tests.support.kubernetes_server.refusals import Refusal
from tests.support.kubernetes_server.store import Change, Object

FIELDS = frozenset(
    {"metadata.name", "metadata.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.kind"}
)


class Selection:
    """What a list or watch asks for."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._labels = [part for part in query.get("labelSelector", "").split(",") if part]
        self._fields = [part for part in query.get("fieldSelector", "").split(",") if part]
        for part in self._fields:
            if part.partition("=")[0].rstrip("!") not in FIELDS:
                raise Refusal(400, f"field label not supported: {part.partition('=')[0]}")

    def takes(self, obj: Object) -> bool:
        return self._takes_labels(obj["metadata"].get("labels") or {}) and all(
            self._field(part, obj) for part in self._fields
        )

    def event_type(self, change: Change) -> str | None:
        """What a watcher is told of a change: an object that leaves the selection is deleted for it."""
        is_in = self.takes(change.object)
        was_in = change.type != "ADDED" and self._takes_labels(change.labels_before)
        if change.type == "DELETED":
            return "DELETED" if is_in or was_in else None
        if is_in:
            return "MODIFIED" if was_in else "ADDED"
        return "DELETED" if was_in and all(self._field(part, change.object) for part in self._fields) else None

    def _takes_labels(self, labels: Mapping[str, str]) -> bool:
        return all(_label(part, labels) for part in self._labels)

    @staticmethod
    def _field(part: str, obj: Object) -> bool:
        path, _, wanted = part.replace("==", "=").partition("=")
        value: Any = obj
        for name in path.rstrip("!").split("."):
            value = value.get(name, "") if isinstance(value, dict) else ""
        return (value != wanted) if path.endswith("!") else (value == wanted)


def _label(part: str, labels: Mapping[str, str]) -> bool:
    if "!=" in part:
        key, _, wanted = part.partition("!=")
        return labels.get(key) != wanted
    if "=" in part:
        key, _, wanted = part.replace("==", "=").partition("=")
        return labels.get(key) == wanted
    return part in labels if not part.startswith("!") else part[1:] not in labels
