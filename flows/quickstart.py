"""The quickstart as a Prefect flow: deploy it, serve it, or run it with `python flows/quickstart.py`."""

import asyncio
from pathlib import Path

from prefect_wfexec import load_workflow

quickstart = load_workflow(Path(__file__).with_suffix(".yaml"))
if __name__ == "__main__":
    asyncio.run(quickstart())
