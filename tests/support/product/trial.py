"""Takes features away and sees to it that their tests fail: `python -m tests.support.product.trial`.

It works in a copy of the project, and leaves this one alone. First the row's test has to pass there; then, with the
feature replaced by nothing, it has to fail.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support.product.document import Shown
from tests.support.product.marks import OPTION
from tests.support.product.rows import Row, rows

ROOT = Path(__file__).resolve().parents[3]
PASSED, FAILED = 0, 1
LONGEST_SECONDS = 900
HEAD_BYTES = 1000
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "*.egg-info")


def main() -> int:
    """Try some rows; 1 when a test did not notice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help="their ids; some drawn at random when none is given")
    parser.add_argument("--count", type=int, default=3, help="how many are drawn")
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**6)), help="draw the same again")
    parser.add_argument("--without-first", action="store_true", help="the tests are known to pass as things are")
    parser.add_argument("--all", action="store_true", help="every row")
    arguments = parser.parse_args()
    names = list(rows()) if arguments.all else arguments.rows or drawn(arguments.seed, arguments.count)
    if not arguments.rows and not arguments.all:
        print(f"rows drawn with --seed {arguments.seed}: {', '.join(names)}", flush=True)
    shown = collected()
    with tempfile.TemporaryDirectory(prefix="wfexec-trial.") as folder:
        place = Place(Path(folder))
        found = [place.try_row(rows()[name], shown, is_known=arguments.without_first) for name in names]
    return FAILED if not all(found) else PASSED


def drawn(seed: str, count: int) -> list[str]:
    """Some rows."""
    return random.Random(seed).sample(sorted(rows()), count)


def collected() -> list[Shown]:
    """The rows that tests are marked to show."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "marks"
        collect(path)
        lines = path.read_text(encoding="utf-8").splitlines()
    return [Shown(*line.split(" ", 2)) for line in lines]


def collect(path: Path) -> None:
    """Write what marked tests would show, without a run."""
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", OPTION, str(path), *marked_files()]
    subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)


def marked_files() -> list[str]:
    """The files with tests that show rows."""
    found = (path for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.shows(" in path.read_text("utf-8"))
    return [str(path.relative_to(ROOT)) for path in found]


class Place:
    """A copy of the project, and a Python that runs it with the packages of this one."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        shutil.copytree(ROOT, self.root, ignore=_LEFT_OUT)
        self.python = borrowing_python(folder / "python", self.root)

    def try_row(self, row: Row, shown: Iterable[Shown], *, is_known: bool) -> bool:
        """Whether the row's test fails without the feature, and only then."""
        tests = self._tests(row, shown)
        if not tests:
            print(f"{row.id}: no test shows it on {row.noop.surface}", flush=True)
            return False
        began = time.monotonic()
        before = PASSED if is_known else self.run(tests)
        path = self.root / row.noop.file
        kept = path.read_bytes()
        try:
            row.noop.apply(self.root)
            after = self.run(tests) if before == PASSED else None
        finally:
            path.write_bytes(kept)
        is_good = (before, after) == (PASSED, FAILED)
        words = "noticed" if is_good else f"NOT AS IT SHOULD BE: pytest gave {before} with the feature, {after} without"
        print(f"{row.id}: {words} ({time.monotonic() - began:.0f} s, {tests[0]})", flush=True)
        return is_good

    @staticmethod
    def _tests(row: Row, shown: Iterable[Shown]) -> list[str]:
        """The one test that has to notice: that of the row alone, where there is one."""
        found = {one.test for one in shown if (one.row, one.surface) == (row.id, row.noop.surface)}
        return sorted(found, key=lambda test: ("/product/" not in test, test))[:1]

    def run(self, tests: Sequence[str]) -> int:
        """How pytest ends."""
        command = [str(self.python), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        environment = {**os.environ, "CI": "true", "PYTHONDONTWRITEBYTECODE": "1"}
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(command, cwd=self.root, env=environment, stdout=said, stderr=said)
            try:
                code = process.wait(LONGEST_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                return process.wait()
            said.seek(0)
            text = said.read().decode(errors="replace")
        # What was left out shows nothing.
        return code if code != PASSED or " skipped" not in text.splitlines()[-1] else -1


def borrowing_python(folder: Path, project: Path) -> Path:
    """An environment without packages of its own: the project's folder comes first, then the packages of this one."""
    venv.create(folder, symlinks=True)
    paths = {name: sysconfig.get_path(name) for name in ("purelib", "platlib")}
    own = next((folder / "lib").glob("python*/site-packages"))
    lines = [str(project), *(f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(paths.values()))]
    (own / "borrowed.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    here = Path(sysconfig.get_path("scripts"))
    for script in here.iterdir():
        _copy_script(script, folder / "bin" / script.name, here)
    return folder / "bin" / "python3"


def _copy_script(script: Path, target: Path, here: Path) -> None:
    """A program of the environment, started by the other Python."""
    if target.exists() or not script.is_file():
        return
    # A path that is too long for a first line of `#!` stands in the second, behind an `exec`.
    head, rest = (data := script.read_bytes())[:HEAD_BYTES], data[HEAD_BYTES:]
    mine = os.fsencode(here) + b"/python"
    if head.startswith(b"#!") and mine in head:
        target.write_bytes(head.replace(mine, os.fsencode(target.parent) + b"/python") + rest)
        target.chmod(0o755)
    elif not script.name.startswith(("python", "activate", "Activate")):
        target.symlink_to(script)


if __name__ == "__main__":
    raise SystemExit(main())
