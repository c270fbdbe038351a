"""The first process of a container waits for what its command leaves behind."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.support.processes import python, wait_until

CONTAINER = (sys.executable, "-m", "prefect_wfexec.runtime.container")
ORPHAN = "import pathlib, sys; sys.stdin.read(); pathlib.Path(sys.argv[1]).touch()"
LEAVES_ONE_BEHIND = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-I", "-S", "-c", {ORPHAN!r}, sys.argv[1]], start_new_session=True)
sys.exit(7)
"""
STOPS_IN_ORDER = """
import pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
pathlib.Path(sys.argv[1]).touch()
signal.pause()
"""


def test_it_ends_after_the_last_process_with_the_code_of_its_command(tmp_path: Path) -> None:
    over = tmp_path / "over"
    process = subprocess.Popen([*CONTAINER, *python(LEAVES_ONE_BEHIND, str(over))], stdin=subprocess.PIPE)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(lambda: _is_adopted(children), "the orphan")
    assert process.poll() is None and not over.exists()
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 7
    assert over.exists()


def _is_adopted(children: Path) -> bool:
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.read_text().split()]
    return any(ORPHAN in line.decode().split("\0") for line in lines)


def test_sigterm_reaches_the_command(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    process = subprocess.Popen([*CONTAINER, *python(STOPS_IN_ORDER, str(ready))])
    wait_until(ready.exists, "the command")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 3


def test_a_signal_that_ended_the_command_is_told_as_by_a_shell() -> None:
    killed = subprocess.run([*CONTAINER, *python("import os; os.kill(os.getpid(), 9)")], check=False)
    assert killed.returncode == 137
