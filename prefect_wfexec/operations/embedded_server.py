"""Prefect's API server as a child of one command: it ends when the process that started it does, however that ends.

Run as `python -m prefect_wfexec.operations.embedded_server PORT` with a pipe as standard input; the end of the pipe is
the end of the parent.
"""

import gc
import os
import signal
import sys
import threading
import time

YOUNG_SECONDS = 2.0
YOUNG_A_WHOLE = 15


def main() -> None:
    """Serve until standard input ends."""
    port = int(sys.argv[1])
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    threading.Thread(target=_collect_garbage, daemon=True).start()
    import uvicorn

    uvicorn.run("prefect.server.api.server:create_app", factory=True, host="127.0.0.1", port=port, log_level="error")


def _collect_garbage() -> None:
    """Collect garbage here, and nowhere else.

    Among it are statements of SQLite connections. To finish one takes a lock that its connection holds while it waits
    to write; were that the server's own thread, who holds the database could not go on either, for a whole minute.
    """
    gc.disable()
    rounds = 0
    while True:
        time.sleep(YOUNG_SECONDS)
        rounds += 1
        gc.collect(2 if rounds % YOUNG_A_WHOLE == 0 else 1)


def _leave_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    # A second signal makes uvicorn leave without waiting for open connections: nobody is there to answer.
    threading.Event().wait(5)
    os._exit(0)


if __name__ == "__main__":
    main()
