"""The commands of the README that are run exactly as they stand there: the block after `<!-- run: NAME -->`.

`python3 -m tests.support.readme NAME` prints one. Needs nothing but Python's own library.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
_BLOCK = re.compile(r"<!-- run: (?P<name>[a-z-]+) -->\n+```sh\n(?P<text>.*?)\n```\n", re.DOTALL)


def commands() -> dict[str, str]:
    """The commands by name."""
    return {found["name"]: found["text"] for found in _BLOCK.finditer(README.read_text("utf-8"))}


def main() -> None:
    """Print the command named on the command line."""
    sys.stdout.write(commands()[sys.argv[1]] + "\n")


if __name__ == "__main__":
    main()
