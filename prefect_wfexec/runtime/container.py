"""The first process of a container: it stays until nothing that was started in the container runs any more.

Run as `python -m prefect_wfexec.runtime.container COMMAND…`. A container ends with its first process, and the kernel
kills whatever is left in it. Prefect's own process leaves half a minute after it was told to stop; a terraform that is
being stopped may need longer, and has its supervisor, which outlives the flow, for that.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

_PR_SET_CHILD_SUBREAPER = 36


def main(command: Sequence[str]) -> int:
    """Run a command, pass SIGTERM on to it, and wait for all that it leaves behind.

    Returns:
        The exit code of the command; as a shell gives it when a signal ended it.
    """
    _adopt_orphans()
    child = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda number, _frame: child.send_signal(number))
    code = 0
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return code
        if pid == child.pid:
            ended = os.waitstatus_to_exitcode(status)
            child.returncode = ended
            code = ended if ended >= 0 else 128 - ended


def _adopt_orphans() -> None:
    # The first process of a container gets them anyway; one behind another init does not.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
