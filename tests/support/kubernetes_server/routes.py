"""The HTTP side: paths and verbs, who may do what, and the streams."""

import asyncio
import base64
import contextlib
import copy
import json
import time
from typing import TYPE_CHECKING, Any

import yaml
from aiohttp import web

from tests.support.kubernetes_server import applying, checking
from tests.support.kubernetes_server.controllers import Controllers
from tests.support.kubernetes_server.kinds import Kind
from tests.support.kubernetes_server.node import Node
from tests.support.kubernetes_server.refusals import Refusal, conflict, not_found
from tests.support.kubernetes_server.selecting import Selection
from tests.support.kubernetes_server.store import Object, Store, now

if TYPE_CHECKING:
    from tests.support.kubernetes_server.server import KubernetesServer

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
KIND_SECONDS = 0.5
"""How long after its CustomResourceDefinition was made a kind is served."""
VERBS = {"POST": "create", "GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Routes:
    """Answers requests."""

    def __init__(
        self,
        store: Store,
        kinds: dict[tuple[str, str], Kind],
        controllers: Controllers,
        node: Node,
        server: "KubernetesServer",
    ) -> None:
        self.store = store
        self.kinds = kinds
        self.controllers = controllers
        self.node = node
        self.server = server
        self.forbidden: set[tuple[str, str]] = set()
        self.lost: list[tuple[str, str]] = []
        self.knows_roles_at = 0.0
        """On the monotonic clock: a server that has just started refuses everything until it has read its roles."""
        self._streams: set[asyncio.Task[Any]] = set()

    def make_namespace(self, name: str) -> None:
        kind = self.kinds["v1", "namespaces"]
        obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "finalizers": ["kubernetes"]}}
        self.store.create(kind, obj)

    def cut_streams(self) -> None:
        for task in list(self._streams):
            task.cancel()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.server.requests.append((request.method, request.path_qs))
        try:
            self._authenticate(request)
            response = await self._answer(request)
        except Refusal as refusal:
            response = web.json_response(refusal.status, status=refusal.code, headers=refusal.headers)
        wanted = next((one for one in self.lost if one[0] == request.method and one[1] in request.path_qs), None)
        if wanted is not None:
            self.lost.remove(wanted)
            assert request.transport is not None
            request.transport.abort()
        return response

    def _authenticate(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.server.token}":
            raise Refusal(401, "Unauthorized")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        parts = [part for part in request.path.split("/") if part]
        if parts == ["version"]:
            return web.json_response({"major": "1", "minor": "34", "gitVersion": "v1.34.0"})
        if parts and parts[0] == "api" and len(parts) >= 2:
            version, rest = parts[1], parts[2:]
        elif parts and parts[0] == "apis" and len(parts) >= 3:
            version, rest = f"{parts[1]}/{parts[2]}", parts[3:]
        else:
            return self._groups(parts)
        if not any(kind.api_version == version for kind in self.kinds.values()):
            raise Refusal(404, "the server could not find the requested resource")
        if not rest:
            return self._resources(version)
        namespace = ""
        if rest[0] == "namespaces" and len(rest) >= 3:
            namespace, rest = rest[1], rest[2:]
        kind = self.kinds.get((version, rest[0]))
        if kind is None:
            raise Refusal(404, "the server could not find the requested resource")
        return await self._on_kind(request, kind, namespace, rest[1:])

    def _groups(self, parts: list[str]) -> web.Response:
        if parts == ["api"]:
            return web.json_response({"kind": "APIVersions", "versions": ["v1"]})
        if parts != ["apis"]:
            raise Refusal(404, "the server could not find the requested resource")
        groups = sorted({(kind.group, kind.version) for kind in self.kinds.values() if kind.group})
        listed = [
            {
                "name": group,
                "versions": [{"groupVersion": f"{group}/{version}", "version": version}],
                "preferredVersion": {"groupVersion": f"{group}/{version}", "version": version},
            }
            for group, version in groups
        ]
        return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed})

    def _resources(self, version: str) -> web.Response:
        listed = [
            {
                "name": kind.plural,
                "singularName": kind.kind.lower(),
                "namespaced": kind.is_namespaced,
                "kind": kind.kind,
                "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
            }
            for kind in self.kinds.values()
            if kind.api_version == version
        ]
        listed += [{**one, "name": f"{one['name']}/status"} for one in listed]
        return web.json_response(
            {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}
        )

    async def _on_kind(  # noqa: C901 - one case for each verb
        self, request: web.Request, kind: Kind, namespace: str, rest: list[str]
    ) -> web.StreamResponse:
        name, subresource = (rest[0] if rest else ""), (rest[1] if len(rest) > 1 else "")
        if kind.plural == "namespaces":
            namespace = ""
        verb = VERBS.get(request.method, "")
        if verb == "get" and not name:
            verb = "watch" if request.query.get("watch") in ("1", "true") else "list"
        qualified = f"{kind.qualified}/{subresource}" if subresource else kind.qualified
        self._authorise(verb, qualified, kind, namespace, name)
        if subresource == "log" and kind.plural == "pods":
            return await self._log(request, kind, namespace, name)
        if subresource and subresource != "status":
            raise Refusal(404, "the server could not find the requested resource")
        if verb == "list":
            return self._list(request, kind, namespace)
        if verb == "watch":
            return await self._watch(request, kind, namespace)
        if verb == "get":
            return web.json_response(self.store.get(kind, namespace, name))
        body = await self._body(request)
        if verb == "create" and not name:
            return self._create(request, kind, namespace, body)
        if verb == "update" and name:
            return self._update(request, kind, namespace, name, body, is_status=subresource == "status")
        if verb == "patch" and name:
            return self._patch(request, kind, namespace, name, body)
        if verb == "delete" and name:
            return self._delete(request, kind, namespace, name, body)
        raise Refusal(405, "the server does not allow this method on the requested resource")

    def _authorise(self, verb: str, qualified: str, kind: Kind, namespace: str, name: str) -> None:
        if (verb, qualified) not in self.forbidden and time.monotonic() >= self.knows_roles_at:
            return
        resource = qualified.partition("/")
        plural = f"{kind.plural}/{resource[2]}" if resource[2] else kind.plural
        where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
        words = (
            f'{kind.qualified} {f"{name!r} " if name else ""}is forbidden: User "system:serviceaccount:ci:deployer" '
            f'cannot {verb} resource "{plural}" in API group "{kind.group}"{where}'
        ).replace("'", '"')
        raise Refusal(403, words, details={"name": name, "group": kind.group, "kind": kind.plural})

    async def _body(self, request: web.Request) -> Any:
        data = await request.read()
        if not data:
            return {}
        try:
            return yaml.safe_load(data) if request.content_type == APPLY else json.loads(data)
        except (ValueError, yaml.YAMLError) as error:
            raise Refusal(400, f"the object provided is unrecognized: {error}") from None

    # --- writing ---

    def _create(self, request: web.Request, kind: Kind, namespace: str, obj: Object) -> web.Response:
        self._require_kind(obj, kind)
        metadata = obj.setdefault("metadata", {})
        self._require_namespace(kind, namespace, metadata)
        if metadata.get("resourceVersion"):
            raise Refusal(400, "resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            import secrets

            metadata["name"] = metadata["generateName"] + secrets.token_hex(3)[:5]
        checking.require_known(obj, kind, is_apply=False, strict=request.query.get("fieldValidation") == "Strict")
        checking.check(obj, kind, None)
        manager = self._manager(request, "Update", kind)
        new = applying.updated({}, obj, manager, kind.kind, now())
        if self._is_dry(request):
            new["metadata"]["uid"] = ""
            return web.json_response(new, status=201)
        return web.json_response(self._stored(kind, new), status=201)

    def _stored(self, kind: Kind, new: Object) -> Object:
        new.pop("status", None)
        _take_texts(new)
        if kind.plural == "namespaces":
            new["metadata"].setdefault("finalizers", []).append("kubernetes")
        made = self.store.create(kind, new)
        if kind.plural == "customresourcedefinitions":
            asyncio.get_running_loop().call_later(KIND_SECONDS, self._define, made)
        return made

    def _define(self, definition: Object) -> None:
        spec = definition["spec"]
        for version in spec["versions"]:
            names = spec["names"]
            kind = Kind(
                spec["group"], version["name"], names["kind"], names["plural"], spec["scope"] == "Namespaced", "", True
            )
            self.kinds[kind.api_version, kind.plural] = kind

    def _update(
        self, request: web.Request, kind: Kind, namespace: str, name: str, obj: Object, *, is_status: bool
    ) -> web.Response:
        self._require_kind(obj, kind)
        live = self.store.get(kind, namespace, name)
        obj["metadata"].setdefault("namespace", namespace) if namespace else None
        checking.check(obj, kind, live)
        new = applying.updated(live, obj, self._manager(request, "Update", kind), kind.kind, now())
        return web.json_response(live if self._is_dry(request) else self.store.replace(kind, new, is_status=is_status))

    def _patch(self, request: web.Request, kind: Kind, namespace: str, name: str, body: Any) -> web.Response:
        if request.content_type == APPLY:
            return self._apply(request, kind, namespace, name, body)
        if request.content_type != MERGE:
            raise Refusal(
                415,
                f"the body of the request was in an unknown format - accepted media types include: {MERGE}, {APPLY}",
            )
        live = self.store.get(kind, namespace, name)
        new = _merged(copy.deepcopy(live), body)
        checking.require_known(new, kind, is_apply=False, strict=False)
        checking.check(new, kind, live)
        new = applying.updated(live, new, self._manager(request, "Update", kind), kind.kind, now())
        return web.json_response(self.store.replace(kind, new))

    def _apply(self, request: web.Request, kind: Kind, namespace: str, name: str, body: Any) -> web.Response:
        if not request.query.get("fieldManager"):
            words = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
            raise Refusal(422, words)
        if not isinstance(body, dict):
            raise Refusal(400, "error decoding YAML: the patch is no object")
        self._require_kind(body, kind)
        metadata = body.setdefault("metadata", {})
        if metadata.get("managedFields"):
            raise Refusal(400, "metadata.managedFields must be nil")
        if metadata.get("name") not in (None, name):
            raise Refusal(
                400, f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
        self._require_namespace(kind, namespace, metadata)
        metadata["name"] = name
        checking.require_known(body, kind, is_apply=True, strict=False)
        live = self.store.find(kind.qualified, namespace, name)
        version = metadata.pop("resourceVersion", None)
        if version is not None and (live is None or live["metadata"]["resourceVersion"] != version):
            raise conflict(kind.qualified, name)
        uid = metadata.pop("uid", None)
        if uid is not None and (live is None or live["metadata"]["uid"] != uid):
            raise conflict(kind.qualified, name)
        manager = self._manager(request, "Apply", kind)
        base = live or {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
        try:
            new = applying.apply(base, body, manager, kind.kind, force=request.query.get("force") == "true", now=now())
        except applying.ApplyConflict as found:
            raise _apply_conflict(found) from None
        _without_nulls(new)
        checking.check(new, kind, live)
        if self._is_dry(request):
            return web.json_response(new, status=200 if live else 201)
        if live is None:
            return web.json_response(self._stored(kind, new), status=201)
        _take_texts(new)
        return web.json_response(self.store.replace(kind, new))

    def _delete(self, request: web.Request, kind: Kind, namespace: str, name: str, options: Any) -> web.Response:
        live = self.store.get(kind, namespace, name)
        wanted = (options.get("preconditions") or {}).get("uid")
        if wanted is not None and wanted != live["metadata"]["uid"]:
            words = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {live['metadata']['uid']}"
            raise Refusal(409, f'Operation cannot be fulfilled on {kind.qualified} "{name}": {words}')
        policy = options.get("propagationPolicy") or request.query.get("propagationPolicy")
        # Jobs are the old exception: their pods are orphaned unless asked otherwise.
        policy = policy or ("Orphan" if kind.plural == "jobs" else "Background")
        key = (kind.qualified, namespace, name)
        self.controllers.delete(key, policy, options.get("gracePeriodSeconds"))
        left = self.store.objects.get(key)
        if left is not None:
            return web.json_response(left)
        details = {"name": name, "kind": kind.plural, "uid": live["metadata"]["uid"]}
        return web.json_response(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        )

    def _require_kind(self, obj: Any, kind: Kind) -> None:
        if not isinstance(obj, dict) or (obj.get("apiVersion"), obj.get("kind")) != (kind.api_version, kind.kind):
            raise Refusal(
                400,
                f"the API version in the data does not match the expected ({kind.api_version}, Kind={kind.kind})",
            )

    def _require_namespace(self, kind: Kind, namespace: str, metadata: Object) -> None:
        if not kind.is_namespaced:
            return
        found = self.store.find("namespaces", "", namespace)
        if found is None:
            raise not_found("namespaces", namespace)
        if "deletionTimestamp" in found["metadata"]:
            words = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise Refusal(403, words)
        if metadata.setdefault("namespace", namespace) != namespace:
            raise Refusal(400, "the namespace of the provided object does not match the namespace sent on the request")

    def _manager(self, request: web.Request, operation: str, kind: Kind) -> applying.Manager:
        name = request.query.get("fieldManager") or request.headers.get("User-Agent", "unknown").partition("/")[0]
        return applying.Manager(name, operation, kind.api_version)

    def _is_dry(self, request: web.Request) -> bool:
        wanted = request.query.get("dryRun")
        if wanted not in (None, "All"):
            raise Refusal(422, f'PatchOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: "{wanted}"')
        return wanted == "All"

    # --- reading ---

    def _list(self, request: web.Request, kind: Kind, namespace: str) -> web.Response:
        selection = Selection(request.query)
        items = [obj for obj in self.store.all(kind.qualified, namespace) if selection.takes(obj)]
        listed = {
            "kind": f"{kind.kind}List",
            "apiVersion": kind.api_version,
            "metadata": {"resourceVersion": str(self.store.version)},
            # Items of a list have no kind of their own in the real API.
            "items": [{key: value for key, value in obj.items() if key not in ("kind", "apiVersion")} for obj in items],
        }
        return web.json_response(listed)

    @contextlib.asynccontextmanager
    async def _streaming(self, request: web.Request, content_type: str) -> Any:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        try:
            yield response
            await response.write_eof()
        except asyncio.CancelledError:
            task.uncancel()
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            pass
        finally:
            self._streams.discard(task)

    async def _watch(self, request: web.Request, kind: Kind, namespace: str) -> web.StreamResponse:
        selection = Selection(request.query)
        version = int(request.query.get("resourceVersion") or 0)
        end = time.monotonic() + float(request.query.get("timeoutSeconds") or 1800)
        if version and version < self.store.oldest:
            list(self.store.changes_after(version))
        async with self._streaming(request, "application/json") as response:
            if not version:
                version = self.store.version
                for obj in self.store.all(kind.qualified, namespace):
                    if selection.takes(obj):
                        await _send(response, "ADDED", obj)
            while time.monotonic() < end:
                changed = self.store.changed
                try:
                    changes = list(self.store.changes_after(version))
                except Refusal as refusal:
                    await _send(response, "ERROR", refusal.status)
                    break
                for change in changes:
                    version = change.version
                    is_here = change.key[0] == kind.qualified and (not namespace or change.key[1] == namespace)
                    type_ = selection.event_type(change) if is_here else None
                    if type_ is not None:
                        await _send(response, type_, change.object)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), max(0.0, end - time.monotonic()))
        return response  # type: ignore[no-any-return]

    async def _log(self, request: web.Request, kind: Kind, namespace: str, name: str) -> web.StreamResponse:
        pod = self.store.get(kind, namespace, name)
        containers = [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
        names = [container["name"] for container in containers]
        container = request.query.get("container") or names[0]
        if len(pod["spec"]["containers"]) > 1 and "container" not in request.query:
            raise Refusal(400, f"a container name must be specified for pod {name}, choose one of: {names}")
        if container not in names:
            raise Refusal(400, f"container {container} is not valid for pod {name}")
        statuses = pod.get("status") or {}
        found = [*(statuses.get("initContainerStatuses") or []), *(statuses.get("containerStatuses") or [])]
        state = next(
            (one["state"] for one in found if one["name"] == container), {"waiting": {"reason": "ContainerCreating"}}
        )
        log = self.node.logs.get((pod["metadata"]["uid"], container))
        if log is None or (not log.lines and "waiting" in state):
            reason = (state.get("waiting") or {}).get("reason", "ContainerCreating")
            words = f'container "{container}" in pod "{name}" is waiting to start: {reason}'
            raise Refusal(400, words)
        follows = request.query.get("follow") in ("true", "1")
        has_times = request.query.get("timestamps") in ("true", "1")
        since = request.query.get("sinceTime", "")[:19]
        async with self._streaming(request, "text/plain") as response:
            number = 0
            while True:
                grew = log.grew
                for line in log.lines[number:]:
                    number += 1
                    stamp, _, text = line.partition(b" ")
                    if stamp.decode()[:19] >= since:
                        await response.write(line if has_times else text)
                if not follows or (log.is_over and number == len(log.lines)):
                    break
                await grew.wait()
        return response  # type: ignore[no-any-return]


async def _send(response: web.StreamResponse, type_: str, obj: Object) -> None:
    await response.write(json.dumps({"type": type_, "object": obj}).encode() + b"\n")


def _take_texts(secret: Object) -> None:
    """Turn `stringData` into `data`, as the API does; who applied it stays the owner of `stringData`."""
    for name, text in (secret.pop("stringData", None) or {}).items():
        secret.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()


def _merged(live: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(live, dict):
        return patch
    for key, value in patch.items():
        if value is None:
            live.pop(key, None)
        else:
            live[key] = _merged(live.get(key), value) if isinstance(live.get(key), dict) else value
    return live


def _without_nulls(value: Any) -> None:
    if isinstance(value, dict):
        for key in [key for key, inner in value.items() if inner is None]:
            del value[key]
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _without_nulls(inner)


def _apply_conflict(found: applying.ApplyConflict) -> Refusal:
    by: dict[str, list[str]] = {}
    causes = []
    for manager, path in found.conflicts:
        using = f" using {manager.api_version}" if manager.operation == "Update" else ""
        words = f'conflict with "{manager.name}"{using}'
        by.setdefault(words, []).append(applying.shown(path))
        causes.append({"reason": "FieldManagerConflict", "message": words, "field": applying.shown(path)})
    count = len(found.conflicts)
    if count == 1:
        (words, fields), *_ = by.items()
        text = f"Apply failed with 1 conflict: {words}: {fields[0]}"
    else:
        lines = [
            f"{words.replace('conflict', 'conflicts', 1)}:\n" + "\n".join(f"- {one}" for one in fields)
            for words, fields in by.items()
        ]
        text = f"Apply failed with {count} conflicts: " + "\n".join(lines)
    return Refusal(409, text, details={"causes": causes})
