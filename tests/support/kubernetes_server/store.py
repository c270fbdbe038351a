"""The objects, their versions and the history that watches read."""

import asyncio
import copy
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.support.kubernetes_server.kinds import Kind
from tests.support.kubernetes_server.refusals import Refusal, already_exists, conflict, not_found

Object = dict[str, Any]
Key = tuple[str, str, str]
"""(qualified plural, namespace, name)."""


@dataclass(frozen=True, slots=True)
class Change:
    version: int
    type: str
    key: Key
    object: Object
    labels_before: dict[str, str]


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """Everything the server knows; used from one event loop only."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.version = 100
        self.changes: list[Change] = []
        self.oldest = 100
        self.changed = asyncio.Event()
        self.listeners: list[Callable[[], None]] = []

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        found = self.objects.get((kind.qualified, namespace, name))
        if found is None:
            raise not_found(kind.qualified, name)
        return found

    def find(self, qualified: str, namespace: str, name: str) -> Object | None:
        return self.objects.get((qualified, namespace, name))

    def all(self, qualified: str, namespace: str = "") -> list[Object]:
        return [
            found
            for (plural, where, _), found in sorted(self.objects.items())
            if plural == qualified and (not namespace or where == namespace)
        ]

    def create(self, kind: Kind, obj: Object) -> Object:
        metadata = obj["metadata"]
        key = (kind.qualified, metadata.get("namespace", ""), metadata["name"])
        if key in self.objects:
            raise already_exists(kind.qualified, metadata["name"])
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = now()
        if kind.has_generation:
            metadata["generation"] = 1
        return self._write("ADDED", key, obj, {})

    def replace(self, kind: Kind, obj: Object, *, is_status: bool = False) -> Object:
        """Write a changed object; nothing happens when nothing differs.

        Raises:
            Refusal: it was changed meanwhile, or is not there.
        """
        metadata = obj["metadata"]
        key = (kind.qualified, metadata.get("namespace", ""), metadata["name"])
        live = self.get(kind, key[1], key[2])
        if metadata.get("resourceVersion") and metadata["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise conflict(kind.qualified, key[2])
        if metadata.get("uid") and metadata["uid"] != live["metadata"]["uid"]:
            raise conflict(kind.qualified, key[2])
        new = copy.deepcopy(obj)
        if is_status:
            new = {**copy.deepcopy(live), "status": new.get("status", {})}
        elif "status" in live:
            new["status"] = copy.deepcopy(live["status"])
        for name in ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"):
            new["metadata"].pop(name, None)
            if name in live["metadata"]:
                new["metadata"][name] = live["metadata"][name]
        new["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        if without_times(new) == without_times(live):
            return live
        if kind.has_generation and new.get("spec") != live.get("spec"):
            new["metadata"]["generation"] = live["metadata"].get("generation", 1) + 1
        written = self._write("MODIFIED", key, new, live["metadata"].get("labels") or {})
        self.finish_deletion(key)
        return written

    def touch(self, key: Key, change: Callable[[Object], None]) -> Object | None:
        """Change an object by controllers and the node, whatever its version."""
        live = self.objects.get(key)
        if live is None:
            return None
        new = copy.deepcopy(live)
        change(new)
        if new == live:
            return live
        written = self._write("MODIFIED", key, new, live["metadata"].get("labels") or {})
        self.finish_deletion(key)
        return written

    def finish_deletion(self, key: Key) -> None:
        """Let an object go that is being deleted and that no finalizer holds any longer."""
        live = self.objects.get(key)
        if live is None or "deletionTimestamp" not in live["metadata"] or live["metadata"].get("finalizers"):
            return
        if key[0] != "pods":
            self.remove(key)

    def remove(self, key: Key) -> None:
        live = self.objects.pop(key, None)
        if live is not None:
            self._note("DELETED", key, copy.deepcopy(live), live["metadata"].get("labels") or {})

    def _write(self, type_: str, key: Key, obj: Object, labels_before: dict[str, str]) -> Object:
        self.objects[key] = obj
        self._note(type_, key, obj, labels_before)
        return obj

    def _note(self, type_: str, key: Key, obj: Object, labels_before: dict[str, str]) -> None:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.changes.append(Change(self.version, type_, key, copy.deepcopy(obj), labels_before))
        self.wake()

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()
        for listener in self.listeners:
            listener()

    def forget_history(self) -> None:
        """Cut the history, as compaction does: who watches from before gets 410 Gone."""
        self.changes.clear()
        self.version += 1
        self.oldest = self.version

    def changes_after(self, version: int) -> Iterable[Change]:
        if version < self.oldest:
            words = f"too old resource version: {version} ({self.oldest})"
            raise Refusal(410, words)
        return [change for change in self.changes if change.version > version]


def without_times(obj: Object) -> Object:
    """An object for comparison: not when whose fields were written."""
    metadata = {
        **obj["metadata"],
        "managedFields": [
            {**entry, "time": ""} for entry in obj["metadata"].get("managedFields") or [] if entry.get("fieldsV1")
        ],
    }
    return {**obj, "metadata": metadata}
