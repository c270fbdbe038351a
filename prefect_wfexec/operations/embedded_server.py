"""Prefect's API server as a child of one command: it ends when the process that started it does, however that ends.

Run as `python -m prefect_wfexec.operations.embedded_server PORT` with a pipe as standard input; the end of the pipe is
the end of the parent.
"""

import os
import signal
import sys
import threading


def main() -> None:
    """Serve until standard input ends."""
    port = int(sys.argv[1])
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    import uvicorn

    uvicorn.run("prefect.server.api.server:create_app", factory=True, host="127.0.0.1", port=port, log_level="error")


def _leave_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    # A second signal makes uvicorn leave without waiting for open connections: nobody is there to answer.
    threading.Event().wait(5)
    os._exit(0)


if __name__ == "__main__":
    main()
