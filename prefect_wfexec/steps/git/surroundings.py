"""What a git command runs in: no configuration but ours, no hooks, no questions, credentials in variables only."""

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from prefect_wfexec import settings
from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.git.addresses import Address
from prefect_wfexec.steps.git.credentials import GitAccess

PASSED_ON = frozenset({"GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_HTTP_USER_AGENT"})
"""What of the worker's own GIT_ variables stays: its certificates."""
STALLED_BYTES, STALLED_SECONDS = 1000, 60
"""A transfer slower than this for that long has stalled."""

_CONFIGURATION = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.askPass": "",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "credential.helper": "",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": str(STALLED_BYTES),
    "http.lowSpeedTime": str(STALLED_SECONDS),
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "advice.detachedHead": "false",
    "i18n.logOutputEncoding": "UTF-8",
}

_SSH = """\
Host *
  BatchMode yes
  IdentitiesOnly yes
  IdentityAgent none
  IdentityFile {key}
  StrictHostKeyChecking yes
  {known_hosts}
  PasswordAuthentication no
  KbdInteractiveAuthentication no
  ForwardAgent no
  ClearAllForwardings yes
  PermitLocalCommand no
  UpdateHostKeys no
  ControlMaster no
  ConnectTimeout 30
  ServerAliveInterval 15
  ServerAliveCountMax 4
  LogLevel ERROR
{user}"""


def surroundings(address: Address, access: GitAccess, scratch: Path) -> dict[str, str]:
    """The variables of every git command of a step.

    Args:
        address: The repository; credentials go to its host alone.
        access: The credentials.
        scratch: A private folder, for the key.

    Raises:
        StepFailed: ssh is asked for and there is no key (`type="missing_credentials"`).
    """
    home = scratch / "git-home"
    empty = home / "empty"
    empty.mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = dict(_CONFIGURATION)
    if access.basic and address.scheme in {"https", "http"}:
        configuration[f"http.{address.origin}.extraHeader"] = f"Authorization: {access.basic}"
    variables = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(empty),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TEMPLATE_DIR": str(empty),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GIT_ALLOW_PROTOCOL": ":".join(_protocols()),
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C.UTF-8",
        "LANGUAGE": "",
        **_numbered(configuration),
    }
    return variables | _ssh(address, access, home)


def foreign_variables(*environments: Mapping[str, str]) -> list[str]:
    """The variables around a step that would lead git elsewhere, which it must not be given."""
    names = {name for environment in environments for name in environment}
    return sorted(name for name in names if name.startswith("GIT_") and name not in PASSED_ON)


def _protocols() -> Iterator[str]:
    yield from ("https", "ssh")
    if settings.GIT_HTTP_HOSTS.read_list():
        yield "http"
    if settings.ALLOW_FILE_URLS.is_on():
        yield "file"


def _numbered(configuration: Mapping[str, str]) -> dict[str, str]:
    variables = {"GIT_CONFIG_COUNT": str(len(configuration))}
    for number, (key, value) in enumerate(configuration.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _ssh(address: Address, access: GitAccess, home: Path) -> dict[str, str]:
    key = access.private_key.get_secret_value().strip()
    if not key:
        if address.scheme == "ssh":
            raise StepFailed(
                f"{address.host} is reached over ssh, which needs a private key",
                type="missing_credentials",
                hint="save a Git Credentials block with a private key, and name it with `block`",
                retryable=False,
            )
        return {"GIT_SSH_COMMAND": "false", "GIT_SSH_VARIANT": "ssh"}
    _write(home / "key", f"{key}\n".replace("\r\n", "\n"))
    known_hosts = "# the worker's own list of hosts"
    if access.known_hosts.strip():
        _write(home / "known_hosts", f"{access.known_hosts.strip()}\n")
        known_hosts = f"UserKnownHostsFile {_quoted(home / 'known_hosts')}\n  GlobalKnownHostsFile none"
    user = f"  User {access.username}\n" if access.username and not address.user else ""
    _write(home / "ssh_config", _SSH.format(key=_quoted(home / "key"), known_hosts=known_hosts, user=user))
    return {"GIT_SSH_COMMAND": f"ssh -F {shlex.quote(str(home / 'ssh_config'))}", "GIT_SSH_VARIANT": "ssh"}


def _quoted(path: Path) -> str:
    """A path in ssh's configuration, where a percent sign begins a placeholder."""
    return f'"{str(path).replace("%", "%%")}"'


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
