"""A private folder for one attempt: made when it is first asked for, since most steps need none."""

import asyncio
import shutil
import tempfile
from pathlib import Path


class Scratch:
    """The folder of one attempt.

    Attributes:
        made: Where it is; None as long as nobody asked for it.
    """

    def __init__(self) -> None:
        self.made: Path | None = None

    def folder(self) -> Path:
        """The folder, 0700."""
        if self.made is None:
            self.made = Path(tempfile.mkdtemp(prefix="wfexec-"))
        return self.made

    async def remove(self) -> None:
        """Remove it with all that is in it."""
        if self.made is not None:
            await asyncio.to_thread(shutil.rmtree, self.made, ignore_errors=True)
