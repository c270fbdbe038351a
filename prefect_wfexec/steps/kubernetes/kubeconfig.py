"""A kubeconfig, reduced to the one cluster and the one user that are used. Pure but for the files it names."""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from prefect_wfexec.errors import StepFailed

MAX_BYTES = 1024 * 1024
_LEGACY = "auth-provider"


@dataclass(frozen=True, slots=True)
class Plugin:
    """A program that gives credentials (`exec` in a kubeconfig)."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    api_version: str
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """How one cluster is reached, and as whom. Certificates and keys are PEM."""

    server: str
    authority: bytes | None = None
    skips_verification: bool = False
    server_name: str | None = None
    proxy: str | None = None
    token: str | None = None
    token_file: Path | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    username: str | None = None
    password: str | None = None
    plugin: Plugin | None = None
    secrets: tuple[str, ...] = field(default=())


def read_file(path: Path) -> Mapping[str, Any]:
    """A kubeconfig file, with paths in it made absolute.

    Raises:
        StepFailed: it can't be read.
    """
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            raise _bad(f"the kubeconfig {path} is larger than {MAX_BYTES // 1024} KiB")
        value = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except OSError as error:
        raise _bad(f"the kubeconfig {path} can't be read: {error.strerror}") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise _bad(f"the kubeconfig {path} is no YAML") from None
    if not isinstance(value, dict):
        raise _bad(f"the kubeconfig {path} is no object")
    return value


def reduce(config: Mapping[str, Any], context: str | None, folder: Path | None) -> Access:
    """The cluster and user of a context.

    Args:
        config: The kubeconfig.
        context: The context's name; None: its current one.
        folder: Where relative paths in it start; None: it may name no files.

    Raises:
        StepFailed: it has no such context, or needs what steps don't do.
    """
    wanted = context or config.get("current-context")
    if not wanted:
        raise _bad("the kubeconfig has no current context", "name one in the block")
    chosen = _named(config, "contexts", "context", str(wanted))
    cluster = _named(config, "clusters", "cluster", str(chosen.get("cluster")))
    user = _named(config, "users", "user", str(chosen["user"])) if chosen.get("user") else {}
    if _LEGACY in user:
        raise _bad(
            f"the user of the context '{wanted}' has an 'auth-provider', which Kubernetes has given up",
            "use an exec plugin, a token or a client certificate",
        )
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise _bad(f"the cluster of the context '{wanted}' has no server, an https or http address")
    token, password = _text(user.get("token")), _text(user.get("password"))
    key = _content(user, "client-key", folder)
    return Access(
        server=server.rstrip("/"),
        authority=_content(cluster, "certificate-authority", folder),
        skips_verification=cluster.get("insecure-skip-tls-verify") is True,
        server_name=_text(cluster.get("tls-server-name")),
        proxy=_text(cluster.get("proxy-url")),
        token=token,
        token_file=_path(user.get("tokenFile"), folder),
        certificate=_content(user, "client-certificate", folder),
        key=key,
        username=_text(user.get("username")),
        password=password,
        plugin=_plugin(user.get("exec"), folder),
        secrets=tuple(text for text in (token, password, key.decode(errors="replace") if key else None) if text),
    )


def _named(config: Mapping[str, Any], list_name: str, key: str, name: str) -> Mapping[str, Any]:
    entries = config.get(list_name)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(key), dict):
            return entry[key]  # type: ignore[no-any-return]
    names = [str(entry.get("name")) for entry in entries or () if isinstance(entry, dict)]
    raise _bad(f"the kubeconfig has no {key} '{name}'", f"it has {', '.join(names)}" if names else None)


def _content(part: Mapping[str, Any], name: str, folder: Path | None) -> bytes | None:
    """What `name-data` holds, or the file that `name` names."""
    if data := part.get(f"{name}-data"):
        try:
            return base64.b64decode(str(data), validate=False)
        except (binascii.Error, ValueError):
            raise _bad(f"'{name}-data' in the kubeconfig is no base64") from None
    path = _path(part.get(name), folder)
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise _bad(f"the file {path} of the kubeconfig can't be read: {error.strerror}") from None


def _path(value: object, folder: Path | None) -> Path | None:
    if not isinstance(value, str) or not value:
        return None
    if folder is None:
        raise _bad(
            f"the kubeconfig in the block names the file '{value}', which other machines do not have",
            "embed it: `kubectl config view --flatten --raw`",
        )
    return folder / value


def _plugin(value: object, folder: Path | None) -> Plugin | None:
    if not isinstance(value, dict):
        return None
    command, arguments, variables = value.get("command"), value.get("args") or [], value.get("env") or []
    if not isinstance(command, str) or not command or not isinstance(arguments, list):
        raise _bad("the 'exec' in the kubeconfig has no command")
    if os.sep in command and not command.startswith(os.sep):
        if folder is None:
            raise _bad(f"the 'exec' in the kubeconfig has the relative command '{command}'", "write its whole path")
        command = str(folder / command)
    env = {str(one["name"]): str(one.get("value", "")) for one in variables if isinstance(one, dict) and "name" in one}
    version = str(value.get("apiVersion") or "client.authentication.k8s.io/v1")
    return Plugin((command, *map(str, arguments)), env, version)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _bad(message: str, hint: str | None = None) -> StepFailed:
    return StepFailed(message, type="bad_kubeconfig", hint=hint, retryable=False)
