"""A real git remote over HTTP: `git http-backend` behind a small server with Basic authentication."""

import base64
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.web_server import Asked, Reply, WebServer

IDENTITY = {
    "GIT_AUTHOR_NAME": "Jane Doe",
    "GIT_AUTHOR_EMAIL": "jane@example.com",
    "GIT_COMMITTER_NAME": "Jane Doe",
    "GIT_COMMITTER_EMAIL": "jane@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def needs_git() -> None:
    """Skip where git or its HTTP backend is not there."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    if not _backend().is_file():
        pytest.skip("git has no http-backend here")


def _backend() -> Path:
    place = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    return Path(place) / "git-http-backend"


def git(*arguments: str, folder: Path, **variables: str) -> str:
    """What a git command prints, run by a user without configuration."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    ended = subprocess.run(
        command, cwd=folder, env=environment | IDENTITY | variables, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@dataclass
class Origin:
    """A bare repository, filled through a working copy beside it."""

    bare: Path
    work: Path

    @classmethod
    def make(cls, root: Path, name: str) -> "Origin":
        bare, work = root / f"{name}.git", root / f"{name}-work"
        for folder in (bare, work):
            folder.mkdir(parents=True)
        git("init", "-q", "--bare", "-b", "main", ".", folder=bare)
        git("init", "-q", "-b", "main", ".", folder=work)
        git("remote", "add", "origin", str(bare), folder=work)
        return cls(bare, work)

    def commit(self, message: str, ref: str = "refs/heads/main", **files: str) -> str:
        """Commit files (dots in their names are written `__`), and push the commit as a ref; its number."""
        for name, text in files.items():
            (self.work / name.replace("__", ".")).write_text(text)
        git("add", "--all", folder=self.work)
        git("commit", "-q", "--allow-empty", "-m", message, folder=self.work)
        self.push(ref)
        return git("rev-parse", "HEAD", folder=self.work)

    def push(self, ref: str) -> None:
        """Have a ref of the repository be the latest commit."""
        git("push", "-q", "--force", "origin", f"HEAD:{ref}", folder=self.work)

    def git(self, *arguments: str) -> str:
        """A command in the working copy."""
        return git(*arguments, folder=self.work)


@dataclass
class GitServer:
    """`with GitServer(root) as server:` serves the bare repositories below a folder at `server.url`.

    Attributes:
        root: The folder.
        account: Who may read, as (user, password); anybody when None.
        moved: Paths that are answered with a redirect to another URL.
        status: A status that every request is answered with, None for real answers.
    """

    root: Path
    account: tuple[str, str] | None = None
    moved: dict[str, str] = field(default_factory=dict)
    status: int | None = None

    def __post_init__(self) -> None:
        self.web = WebServer(self._answer)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.web.port}"

    @property
    def url(self) -> str:
        return self.web.url

    def __enter__(self) -> "GitServer":
        self.web.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.web.__exit__(kind, error, trace)

    @property
    def authorizations(self) -> list[str]:
        """What requests signed in with, those without left out."""
        return [asked.headers["authorization"] for asked in self.web.asked if "authorization" in asked.headers]

    def _answer(self, asked: Asked) -> Reply:
        if self.status is not None:
            return Reply(self.status)
        for path, target in self.moved.items():
            if asked.target.startswith(path):
                return Reply(301, headers={"Location": asked.target.replace(path, target, 1)})
        if self.account is not None and asked.headers.get("authorization") != _basic(*self.account):
            return Reply(401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        return self._backend(asked)

    def _backend(self, asked: Asked) -> Reply:
        parts = urlsplit(asked.target)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REQUEST_METHOD": asked.method,
            "PATH_INFO": unquote(parts.path),
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": asked.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(asked.body)),
            "HTTP_CONTENT_ENCODING": asked.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": asked.headers.get("git-protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        ended = subprocess.run([str(_backend())], input=asked.body, env=environment, capture_output=True, check=False)
        head, _, body = ended.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        return Reply(status, body, headers)


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
