"""Several machines as far as one can play them: what each has of its own, and what they share."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.web_server import Asked, Reply

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


class StateBackend:
    """Terraform's HTTP backend: one state, one lock."""

    def __init__(self) -> None:
        self.state = b""
        self.lock = b""

    def answer(self, asked: Asked) -> Reply:
        if asked.method == "LOCK":
            if self.lock:
                return Reply(423, self.lock)
            self.lock = asked.body
        elif asked.method == "UNLOCK":
            self.lock = b""
        elif asked.method == "POST":
            self.state = asked.body
        elif not self.state:
            return Reply(404)
        else:
            return Reply(200, self.state)
        return Reply(200)


class Home:
    """Another machine as far as one machine can play it: a user, a home, a folder for scratch, a Prefect home."""

    def __init__(self, root: Path, other_user: dict[str, str] | None = None) -> None:
        self.root = root
        self.environment = {"PREFECT_PROFILES_PATH": str(root / "prefect" / "profiles.toml")}
        for variable, name in (("HOME", "home"), ("TMPDIR", "tmp"), ("PREFECT_HOME", "prefect")):
            (root / name).mkdir(parents=True)
            self.environment[variable] = str(root / name)
        (root / "home" / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
        self.command: tuple[str, ...] = (sys.executable,)
        if other_user is not None:
            subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(root)], check=True)
            self.environment |= other_user
            self.command = (*AS_NOBODY, other_user["PYTHON"])

    def forget(self) -> None:
        """The machine is gone."""
        shutil.rmtree(self.root)


def on_host(name: str) -> dict[str, str]:
    """The environment of processes that believe to be on a machine of that name, and of all they start."""
    return {"PYTHONPATH": str(Path(__file__).with_name("another_host")), "ANOTHER_HOST": name}
