"""Python reads this at its start where the folder is on PYTHONPATH: a process believes to be on another machine."""

import os
import socket

_name = os.environ.get("ANOTHER_HOST")
if _name:
    socket.gethostname = lambda: str(_name)
