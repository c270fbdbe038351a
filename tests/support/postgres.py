"""A real PostgreSQL with an empty database, run by an ordinary user, as it refuses to be by root."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.server import free_port


def find_program(name: str) -> str | None:
    """A program of PostgreSQL: on PATH, or where Debian keeps its versions."""
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(beside[-1]) if beside else None)


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The address of the database, in Prefect's spelling."""
    folder = Path(tempfile.mkdtemp(prefix="wfexec-postgres-"))
    port = free_port()
    try:
        _own(folder)
        _run("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "prefect")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        _run("pg_ctl", "-D", f"{folder}/data", "-l", f"{folder}/log", "-o", options, "-w", "start")
        try:
            yield f"postgresql+asyncpg://prefect:unchecked@127.0.0.1:{port}/postgres"
        finally:
            _run("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own(folder: Path) -> None:
    if os.getuid() == 0:
        user = _ordinary_user()
        os.chown(folder, user.pw_uid, user.pw_gid)


def _run(name: str, *arguments: str) -> None:
    program = find_program(name)
    assert program is not None, f"no {name}"
    user = _ordinary_user() if os.getuid() == 0 else None
    ended = subprocess.run(
        [program, *arguments],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **({"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}),
    )
    assert ended.returncode == 0, f"{name} ended with {ended.returncode}"


def _ordinary_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError("there is no ordinary user to run PostgreSQL")
