"""Every setting of this package: an environment variable `PREFECT_INTEGRATIONS_WFEXEC_<NAME>` each."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "PREFECT_INTEGRATIONS_WFEXEC_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, as `doctor` lists it."""

    name: str
    description: str
    default: str = ""
    is_secret: bool = False

    @property
    def variable(self) -> str:
        return PREFIX + self.name

    def read(self, environ: Mapping[str, str] | None = None) -> str:
        """Its value: the environment's, else the default; empty when neither is set."""
        value = (os.environ if environ is None else environ).get(self.variable, "").strip()
        return value or self.default

    def is_on(self, environ: Mapping[str, str] | None = None) -> bool:
        """Whether it says yes: `true`, `yes`, `on` or `1` in any case."""
        return self.read(environ).casefold() in {"true", "yes", "on", "1"}

    def read_list(self, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Its value as a comma-separated list, empty items left out."""
        return tuple(item.strip() for item in self.read(environ).split(",") if item.strip())


SECRET_KEY = Setting(
    "SECRET_KEY", "key of journals and blobs; made once and kept in a Secret block when unset", is_secret=True
)
USER = Setting("USER", "who starts and decides from this command line; the login name when unset")
HTTP_ALLOW = Setting("HTTP_ALLOW", "hosts, host:port pairs or networks that HTTP steps may reach although private")
STORAGE = Setting(
    "STORAGE", "Prefect storage block (type/name) for blobs over 6 MiB; Prefect's own database when unset"
)
TERRAFORM = Setting("TERRAFORM", "path of the terraform or tofu program; found on PATH when unset")
PASS_ENV = Setting(
    "PASS_ENV",
    "comma-separated variables, PREFECT_* among them, that steps get on top of their own; in a protected environment "
    "they get no others",
)
HOLD = Setting("HOLD", "how long a deployed run that only waits for a decision keeps its process", "30s")
STOP_TIMEOUT = Setting(
    "STOP_TIMEOUT",
    "how long a Terraform that was told to stop has to save its state before it is killed, also after a step's timeout",
    "10m",
)
PUBLIC_URL = Setting(
    "PUBLIC_URL",
    "where people reach the gateway, such as https://deploys.example.com; with it, messages about gates have links and "
    "buttons that decide",
)

DATABASE_URL = Setting(
    "DATABASE_URL",
    "database of deliveries, postgresql://… or sqlite:///…; the file wfexec.db in Prefect's home when unset",
    is_secret=True,
)
LARGEST_DELIVERY = Setting("LARGEST_DELIVERY", "how large a webhook's body may be, at most 25MiB", "1MiB")
KEEP_DELIVERIES = Setting("KEEP_DELIVERIES", "how long deliveries are kept, 7d or more", "30d")
TOKENS_FILE = Setting(
    "TOKENS_FILE",
    "YAML or JSON file of the people who may use the gateway: name, sha256 of their token, roles; read again when it "
    "changes",
)
PROXY_HEADER = Setting("PROXY_HEADER", "header in which a trusted proxy names the person it has signed in")
PROXY_NETWORKS = Setting(
    "PROXY_NETWORKS", "comma-separated addresses and networks of that proxy; nobody else's header is believed"
)
PROXY_ROLES = Setting(
    "PROXY_ROLES",
    "comma-separated roles of people the proxy names and the tokens file does not; `none` for none",
    "viewer",
)

KEEP_REPORTS = Setting(
    "KEEP_REPORTS", "how long the reports of a run are kept after its end; `wfexec reconcile` removes them", "90d"
)
WORKSPACES = Setting(
    "WORKSPACES",
    "folder for the files of runs on this machine; the folder wfexec/workspaces in Prefect's home when unset",
)
KEEP_WORKSPACES = Setting(
    "KEEP_WORKSPACES", "how long a run that did not succeed leaves its files on this machine, for a retry", "24h"
)
LARGEST_ARTIFACTS = Setting("LARGEST_ARTIFACTS", "how much the artifacts of one step may be together", "100MiB")
ALLOW_FILE_URLS = Setting(
    "ALLOW_FILE_URLS", "whether git.clone may read repositories on this machine: true or false", "false"
)
GIT_HTTP_HOSTS = Setting(
    "GIT_HTTP_HOSTS", "comma-separated hosts and host:port pairs that git.clone may reach over http://, unencrypted"
)
GIT_SUBMODULE_HOSTS = Setting(
    "GIT_SUBMODULE_HOSTS",
    "comma-separated hosts that submodules may come from on top of their repository's own; `*` for any",
)
IMAGE_BUILDER = Setting(
    "IMAGE_BUILDER", "what builds images: buildah, podman, docker or a path of one; the first on PATH when unset"
)
BUILD_ISOLATION = Setting(
    "BUILD_ISOLATION",
    "how buildah and podman keep RUN apart: oci, rootless or chroot; with auto, chroot where the machine can't start "
    "containers",
    "auto",
)
BUILD_STORAGE = Setting(
    "BUILD_STORAGE",
    "how buildah and podman keep layers while they build: overlay or vfs; with auto, vfs where overlay does not work",
    "auto",
)

ALL = (
    SECRET_KEY,
    USER,
    HTTP_ALLOW,
    STORAGE,
    TERRAFORM,
    PASS_ENV,
    HOLD,
    STOP_TIMEOUT,
    PUBLIC_URL,
    DATABASE_URL,
    LARGEST_DELIVERY,
    KEEP_DELIVERIES,
    TOKENS_FILE,
    PROXY_HEADER,
    PROXY_NETWORKS,
    PROXY_ROLES,
    KEEP_REPORTS,
    WORKSPACES,
    KEEP_WORKSPACES,
    LARGEST_ARTIFACTS,
    ALLOW_FILE_URLS,
    GIT_HTTP_HOSTS,
    GIT_SUBMODULE_HOSTS,
    IMAGE_BUILDER,
    BUILD_ISOLATION,
    BUILD_STORAGE,
)
