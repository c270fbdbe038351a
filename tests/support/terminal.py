"""A terminal for programs under test: a real pty, and the screen that a person would see on it."""

import codecs
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

DEADLINE_SECONDS = 120.0
_SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")
_WIDE = frozenset("⏳")


class Screen:
    """What stands on a terminal after the escape sequences that a redrawn list uses; lines wrap as on a real one.

    Lines that scrolled out at the top are kept: `lines` is the whole scroll-back.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._rows: list[list[str]] = [[]]
        self._row = self._column = 0
        self._rest = ""

    @property
    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._rows]

    def feed(self, text: str) -> None:
        """Take what a program wrote."""
        text = self._rest + text
        self._rest = ""
        place = 0
        while place < len(text):
            character = text[place]
            if character == "\x1b":
                found = _SEQUENCE.match(text, place)
                if found is None:
                    if len(text) - place < 16:
                        self._rest = text[place:]
                        return
                    raise AssertionError(f"an unexpected escape sequence: {text[place : place + 16]!r}")
                self._control(found[1], found[2])
                place = found.end()
                continue
            self._put(character)
            place += 1

    def _put(self, character: str) -> None:
        if character == "\n":
            self._go(self._row + 1)
        elif character == "\r":
            self._column = 0
        elif character == "\b":
            self._column = max(0, self._column - 1)
        elif character >= " ":
            width = 2 if character in _WIDE else 1
            if self._column + width > self._columns:
                self._column = 0
                self._go(self._row + 1)
            row = self._rows[self._row]
            row += [" "] * (self._column + width - len(row))
            row[self._column : self._column + width] = [character, *[""] * (width - 1)]
            self._column += width

    def _go(self, row: int) -> None:
        self._row = max(0, row)
        while len(self._rows) <= self._row:
            self._rows.append([])

    def _control(self, parameters: str, what: str) -> None:
        number = int(parameters) if parameters.isdigit() else 1
        if what == "A":
            self._go(self._row - number)
        elif what == "B":
            self._go(self._row + number)
        elif what == "G":
            self._column = number - 1
        elif what == "K":
            row = self._rows[self._row]
            if parameters == "2":
                row.clear()
            elif parameters in {"", "0"}:
                del row[self._column :]
        elif what not in "mhl":
            raise AssertionError(f"an unexpected escape sequence: {parameters}{what}")


class Terminal:
    """A program on a pty, in a session of its own, as a shell would start it in the foreground."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], folder: Path, columns: int = 100, rows: int = 40
    ) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._ours = ours
        self._text = ""
        self._grew = threading.Condition()
        self.screen = Screen(columns)
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**env, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(rows)},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - nothing else runs in the child
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                data = b""
            if not data:
                return
            text = decoder.decode(data)
            with self._grew:
                self._text += text
                self.screen.feed(text)
                self._grew.notify_all()

    @property
    def text(self) -> str:
        """Everything written, with its escape sequences."""
        with self._grew:
            return self._text

    def until(self, text: str) -> None:
        """Wait until a text was written."""
        self._until(lambda: text in self._text, text)

    def until_shown(self, pattern: str) -> None:
        """Wait until a line on the screen begins with what the pattern matches."""
        wanted = re.compile(pattern)
        self._until(lambda: any(wanted.match(line) for line in self.screen.lines), pattern)

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self._grew:
            while not condition():
                assert time.monotonic() < deadline, f"'{what}' did not come:\n{self._text[-4000:]}"
                is_over = self.process.poll() is not None and not self._reader.is_alive()
                assert not is_over or condition(), f"the program ended without '{what}':\n{self._text[-4000:]}"
                self._grew.wait(0.1)

    def type(self, text: str) -> None:
        """Type on the keyboard; `\\x03` is Ctrl-C."""
        os.write(self._ours, text.encode())

    def end(self) -> int:
        """Wait for the end; the exit code."""
        code = self.process.wait(DEADLINE_SECONDS)
        self._reader.join(10)
        return code

    def close(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self._reader.join(10)
        os.close(self._ours)
