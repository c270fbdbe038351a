"""From a saved block, the pod's own account or a kubeconfig to a client; the heavy client is imported here alone."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.saved_blocks import MissingBlock, read_block_data
from prefect_wfexec.steps.base import StepContext
from prefect_wfexec.steps.checking import BlockUse
from prefect_wfexec.steps.kubernetes.api import PATIENCE_SECONDS, Cluster
from prefect_wfexec.steps.kubernetes.kubeconfig import Access, Plugin, read_file, reduce

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

BLOCK_SLUG = "kubernetes-credentials"
BLOCK_TYPE_NAME = "Kubernetes Credentials"
BLOCK = BlockUse("block", {BLOCK_SLUG: BLOCK_TYPE_NAME})
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LONGEST_ANSWER = 256 * 1024
"""Bytes that a credentials plugin may print."""


@asynccontextmanager
async def open_cluster(context: StepContext, block: str | None) -> AsyncIterator[Cluster]:
    """The cluster that a step works in.

    Args:
        context: The step's.
        block: The saved Kubernetes Credentials; None: the account of the pod this runs in, else the kubeconfig.

    Raises:
        StepFailed: there are no credentials, or they can't be used.
    """
    connection = _Connection(context, await _access(context, block))
    await connection.open()
    patience = context.timeout_seconds or PATIENCE_SECONDS
    try:
        yield Cluster(connection, context.log.system, patience)
    finally:
        await connection.close()


class _Connection:
    """A client with credentials that can be renewed."""

    client: "ApiClient"

    def __init__(self, context: StepContext, access: Access) -> None:
        self._context = context
        self._access = access

    async def open(self) -> None:
        access = self._access
        self._context.masker.add(*access.secrets)
        if access.plugin is not None:
            access = await _from_plugin(self._context, access, access.plugin)
        self.client = _client(access, self._context.scratch)
        self._use_token(access)

    async def renew(self) -> bool:
        if self._access.plugin is not None:
            await self.close()
            await self.open()
            return True
        if self._access.token_file is not None:
            self._use_token(self._access)
            return True
        return False

    async def close(self) -> None:
        await self.client.close()

    def _use_token(self, access: Access) -> None:
        token = access.token
        if token is None and access.token_file is not None:
            token = _read_token(access.token_file)
        if token is not None:
            self._context.masker.add(token)
            self.client.configuration.api_key["BearerToken"] = f"Bearer {token}"
        elif access.username is not None:
            import base64

            pair = base64.b64encode(f"{access.username}:{access.password or ''}".encode()).decode()
            self._context.masker.add(pair)
            self.client.configuration.api_key["BearerToken"] = f"Basic {pair}"


def _client(access: Access, scratch: Path) -> "ApiClient":
    from kubernetes_asyncio.client import ApiClient, Configuration

    configuration = Configuration(host=access.server)
    # The client logs bodies, which may be secret, when debugging is on.
    configuration.debug = False
    configuration.verify_ssl = not access.skips_verification
    configuration.tls_server_name = access.server_name
    configuration.proxy = access.proxy
    files = {"ssl_ca_cert": access.authority, "cert_file": access.certificate, "key_file": access.key}
    written = []
    try:
        for name, data in files.items():
            if data is not None:
                path = scratch / f"kubernetes-{name}.pem"
                _write_private(path, data)
                written.append(path)
                setattr(configuration, name, str(path))
        return ApiClient(configuration)
    except (OSError, ValueError) as error:
        raise StepFailed(
            f"the certificates for {access.server} can't be used: {error}", type="bad_kubeconfig", retryable=False
        ) from None
    finally:
        # The client has read them by now.
        for path in written:
            path.unlink(missing_ok=True)


def _write_private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


async def _access(context: StepContext, block: str | None) -> Access:
    if block is not None:
        found = await _block(block)
        if found is not None:
            return found
    return _own_account() or _own_kubeconfig(context)


async def _block(name: str) -> Access | None:
    """What the saved block gives; None when it leaves it to where the step runs."""
    try:
        data = await read_block_data(BLOCK_SLUG, name, BLOCK_TYPE_NAME)
    except MissingBlock:
        raise StepFailed(
            f"no {BLOCK_TYPE_NAME} block '{name}' is saved",
            type="missing_block",
            hint="run `prefect block register -m prefect_kubernetes`, then add a block of type Kubernetes Credentials "
            f"named '{name}' in Prefect's UI under Blocks",
        ) from None
    cluster = data.get("cluster_config")
    if not cluster:
        return None
    config, context_name = (
        (cluster.get("config"), cluster.get("context_name")) if isinstance(cluster, dict) else ("", "")
    )
    if isinstance(config, str):
        try:
            config = yaml.load(config, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
        except (yaml.YAMLError, RecursionError):
            config = None
    if not isinstance(config, dict):
        raise StepFailed(
            f"the {BLOCK_TYPE_NAME} block '{name}' holds no kubeconfig",
            type="bad_block",
            hint="open the block in Prefect's UI and save it again",
            retryable=False,
        )
    return reduce(config, str(context_name) if context_name else None, None)


def _own_account() -> Access | None:
    """The account of the pod this runs in."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    token, authority = SERVICE_ACCOUNT / "token", SERVICE_ACCOUNT / "ca.crt"
    if not host or not port or not token.is_file() or not authority.is_file():
        return None
    shown = f"[{host}]" if ":" in host else host
    return Access(server=f"https://{shown}:{port}", authority=authority.read_bytes(), token_file=token)


def _own_kubeconfig(context: StepContext) -> Access:
    """The kubeconfig of whoever runs the step."""
    named = context.env.get("KUBECONFIG") or os.environ.get("KUBECONFIG") or ""
    paths = [Path(part).expanduser() for part in named.split(os.pathsep) if part] or [Path.home() / ".kube" / "config"]
    found = [path if path.is_absolute() else context.folder / path for path in paths]
    found = [path for path in found if path.is_file()]
    if not found:
        raise StepFailed(
            "no cluster is known: the step names no block, runs in no pod, and there is no kubeconfig",
            type="missing_block",
            hint="save a Kubernetes Credentials block and name it: `block: …`",
            retryable=False,
        )
    merged = _merged([(path, read_file(path)) for path in found])
    return reduce(merged, None, found[0].parent)


def _merged(files: list[tuple[Path, Mapping[str, Any]]]) -> Mapping[str, Any]:
    """Several kubeconfigs as one: of each name the first counts, relative paths are made whole."""
    merged: dict[str, Any] = {"clusters": [], "users": [], "contexts": []}
    for path, config in files:
        if config.get("current-context") and "current-context" not in merged:
            merged["current-context"] = config["current-context"]
        for part in ("clusters", "users", "contexts"):
            entries = config.get(part)
            merged[part] += (
                [_absolute(entry, path.parent) for entry in entries if isinstance(entry, dict)]
                if isinstance(entries, list)
                else []
            )
    return merged


def _absolute(entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    result = dict(entry)
    for part in ("cluster", "user"):
        inner = entry.get(part)
        if isinstance(inner, dict):
            names = {"certificate-authority", "client-certificate", "client-key", "tokenFile"} & inner.keys()
            result[part] = {**inner, **{name: str(folder / str(inner[name])) for name in names if inner[name]}}
    return result


def _read_token(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StepFailed(f"the token in {path} can't be read: {error}", type="bad_kubeconfig") from None


async def _from_plugin(context: StepContext, access: Access, plugin: Plugin) -> Access:
    """Run a credentials plugin; what it prints is never logged."""
    printed = bytearray()
    said = bytearray()

    def take(stream: str, data: bytes) -> None:
        kept = printed if stream == "stdout" else said
        kept.extend(data[: LONGEST_ANSWER - len(kept)])

    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
    env = {**plugin.env, "KUBERNETES_EXEC_INFO": json.dumps(info)}
    result = await context.command(list(plugin.argv), cwd=context.folder, env=env, on_chunk=take)
    if result.exit_code != 0:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        raise StepFailed(
            context.masker.mask(
                f"the credentials plugin '{plugin.argv[0]}' failed" + "".join(f": {one}" for one in last)
            ),
            type="kubernetes_unauthorized",
            exit_code=result.exit_code,
            hint="run it by hand as the user of the worker",
        )
    status = _status_of(bytes(printed))
    token, certificate, key = (status.get(name) for name in ("token", "clientCertificateData", "clientKeyData"))
    if not token and not (certificate and key):
        raise StepFailed(
            f"the credentials plugin '{plugin.argv[0]}' gave neither a token nor a certificate with its key",
            type="kubernetes_unauthorized",
        )
    context.masker.add(*(str(text) for text in (token, key) if text))
    return replace(
        access,
        token=str(token) if token else None,
        certificate=str(certificate).encode() if certificate else access.certificate,
        key=str(key).encode() if key else access.key,
    )


def _status_of(printed: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(printed)
        status = value["status"] if value["kind"] == "ExecCredential" else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return status if isinstance(status, dict) else {}
