"""A Kubernetes API server for tests: one process, no containers, the real semantics of what the steps use.

What is as in a cluster:

- Objects: create, read, list (label and field selectors), replace, merge patch, delete with preconditions; names and
  uids, `resourceVersion` of one counter, `generation` that grows with `spec`, optimistic locking (409 Conflict).
- Server-side apply: ownership of fields in `managedFields` (`fieldsV1`), conflicts with other managers (409 with
  causes), `force`, removal of what a manager no longer applies, lists that are merged by their keys, dry runs.
- Watches: streams from a `resourceVersion`, bookmarks, 410 Gone once the history is cut.
- Deletion: background, foreground and orphan propagation, finalizers, owner references, the garbage collector, grace
  periods.
- After it was away it refuses everything (403) for a moment, as a server does that has not read its roles yet.
- Refusals as `Status` objects: 400, 401, 403, 404, 405, 409, 415, 422; 500 for a field that no schema knows; 503.
- Controllers: Jobs (backoffLimit, activeDeadlineSeconds, ttlSecondsAfterFinished, parallelism, completions),
  Deployments (ReplicaSets, rolling update, progressDeadlineSeconds), StatefulSets and DaemonSets.
- TLS with a certificate of its own.
- The node: containers are real processes, started by their `command` and `args` on this machine, in their own process
  group; SIGTERM, then SIGKILL after the grace period; exit codes, restarts with back-off, init containers in turn,
  logs with time stamps, followed while they are written; `exec` readiness probes are run.

Its limits, so that nobody takes a test for more than it shows:

- One API server, one node, no scheduler but "it fits, or `nodeSelector` is wrong", no network, services
  and volumes are objects only, images are names: those in `images` can be pulled, all others can't.
- Authentication is one bearer token; authorisation is a list of what is forbidden.
- Schemas: a field is known when the published Python models of the API know it; a handful of the API's many checks of
  values are made. CustomResourceDefinitions make kinds, after a moment, whose
  schemas are not looked at. No admission, no defaults but those that
  controllers need, no protobuf, no paging of lists, no `pods/exec`, no scale subresource, no strategic merge patch.
- Status updates of controllers are not in `managedFields`. Which lists are merged by which keys stands in `kinds.py`
  for the types that are there; any other list is replaced as a whole.
"""

from tests.support.kubernetes_server.server import KubernetesServer

__all__ = ["KubernetesServer"]
