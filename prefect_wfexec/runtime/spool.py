"""The whole log of a step in a compressed file that is written as it comes and read back line by line."""

import io
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PIECE_CHARACTERS = 1 << 20
"""A longer line is given in pieces of about this size."""

_MEMBER_BYTES = 1 << 20
_RECORD_CHARACTERS = 1 << 16
_READ_BYTES = 1 << 18
_GZIP = 31
_BREAK = re.compile(r"\r+\n")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log.

    Attributes:
        time: When it arrived, in seconds since the epoch.
        stream: `stdout`, `stderr` or `system`.
        message: Its text, without the line's end.
        continued: Whether the line was too long and goes on in the stream's next one.
    """

    time: float
    stream: str
    message: str
    continued: bool = False


class Spool:
    """Takes text as it comes, so that nothing of it is lost and little of it is in memory.

    The file is a row of gzip members, each of whole records: `zcat` shows it, one JSON object a line, of the keys
    `t` (time), `s` (stream) and `m` (text, of one or many lines; without a line break at its end the line is open).

    Attributes:
        error: Why text could not be stored from some moment on, e.g. a full disk.
        lost: How many characters that cost.
    """

    def __init__(self, path: Path, *, level: int = 1) -> None:
        self.path = path
        self.error: OSError | None = None
        self.lost = 0
        self._level = level
        self._file: io.FileIO | None = None
        self._members: list[int] = []
        self._records: list[str] = []
        self._waiting = 0
        self._compressor = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
        self._in_member = 0
        self._is_finished = False

    def append(self, time: float, stream: str, text: str) -> None:
        """Add text of one stream; never raises for a disk that is full, see `error`; none after `finish`."""
        if self._is_finished:
            self.lost += len(text)
            return
        for start in range(0, len(text), _RECORD_CHARACTERS):
            part = text[start : start + _RECORD_CHARACTERS]
            self._records.append(json.dumps({"t": round(time, 6), "s": stream, "m": part}, separators=(",", ":")))
            self._waiting += len(part) + 1
            if self._waiting >= _RECORD_CHARACTERS or len(self._records) >= 512:
                self._compress()

    def _compress(self) -> None:
        if not self._records:
            return
        data = ("\n".join(self._records) + "\n").encode("ascii")
        self._in_member += len(data)
        size, self._records, self._waiting = self._waiting, [], 0
        self._write(self._compressor.compress(data), size)
        if self._in_member >= _MEMBER_BYTES:
            self._end_member()

    def _end_member(self) -> None:
        if not self._in_member:
            return
        self._write(self._compressor.flush(), 0)
        self._compressor = zlib.compressobj(self._level, zlib.DEFLATED, _GZIP)
        self._in_member = 0
        if self._file is not None and self.error is None:
            self._members.append(self._file.tell())

    def _write(self, data: bytes, characters: int) -> None:
        if self.error is not None:
            self.lost += characters
            return
        try:
            if self._file is None:
                self._file = io.FileIO(self.path, "wb", opener=_private)
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            self.error = error
            self.lost += characters

    def flush(self) -> None:
        """Put what was added where another process can read it, should this one be killed."""
        if not self._is_finished and (self._records or self._in_member):
            self._compress()
            self._write(self._compressor.flush(zlib.Z_SYNC_FLUSH), 0)

    def finish(self) -> None:
        """Write what is left; `chunks` and `read_spool` then give everything."""
        self._is_finished = True
        self._compress()
        self._end_member()
        file, self._file = self._file, None
        if file is None:
            return
        if self.error is not None:
            self._members.append(file.tell())  # a cut member can be read as far as it goes
        file.close()

    def chunks(self, max_bytes: int = 4 << 20) -> Iterator[bytes]:
        """The file in pieces, each of which can be decompressed without the others; call `finish` first.

        Args:
            max_bytes: The size of a piece at most, unless it is as small as can be (about 1 MiB of text).
        """
        if not self._members:
            return
        with self.path.open("rb") as file:
            start = end = 0
            for member in self._members:
                if end > start and member - start > max_bytes:
                    yield file.read(end - start)
                    start = end
                end = member
            yield file.read(end - start)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def read_spool(source: Path | Iterable[bytes]) -> Iterator[LogLine]:
    r"""Every line of a stored log, in the order in which the lines ended.

    Lines end at `\n`, `\r\n` or `\r`; what a progress bar writes over with `\r` gives a line each time.

    Args:
        source: A spool's file, or its chunks in order, cut anywhere.
    """
    open_lines: dict[str, _OpenLine] = {}
    for time, stream, text in _records(_blocks(source) if isinstance(source, Path) else source):
        yield from open_lines.setdefault(stream, _OpenLine(stream)).add(time, text)
    for line in open_lines.values():
        yield from line.finish()


def copy_spool(source: Path, target: Spool) -> None:
    """Add everything that can be read of a spool's file, also one whose writer was killed, to another spool."""
    for time, stream, text in _records(_blocks(source)):
        target.append(time, stream, text)


def _blocks(path: Path) -> Iterator[bytes]:
    if not path.exists():
        return
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            yield block


def _records(blocks: Iterable[bytes]) -> Iterator[tuple[float, str, str]]:
    rest = b""
    for data in _plain(blocks):
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            record = json.loads(line)
            yield record["t"], record["s"], record["m"]


def _plain(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The decompressed bytes, at most 256 KiB at a time; what follows a damaged or cut end is left out."""
    decompressor = zlib.decompressobj(_GZIP)
    for block in blocks:
        data = block
        while data:
            yield decompressor.decompress(data, _READ_BYTES)
            data = decompressor.unconsumed_tail
            if decompressor.eof:
                data = decompressor.unused_data
                decompressor = zlib.decompressobj(_GZIP)


class _OpenLine:
    r"""The line of one stream that has not ended yet.

    A `\r` at its end may be the half of `\r\n`, so it waits for what follows.
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._parts: list[str] = []
        self._size = 0
        self._time = 0.0
        self._is_continued = False

    def add(self, time: float, text: str) -> Iterator[LogLine]:
        if not self._parts and not self._is_continued:
            self._time = time
        body = len(text.rstrip("\r"))
        cut = max(text.rfind("\n"), text.rfind("\r", 0, body)) + 1
        if cut or (body and self._parts and self._parts[-1].endswith("\r")):
            whole = "".join(self._parts) + text[:cut]
            text = text[cut:]
            self._parts, self._size = [], 0
            yield from self._lines(whole, time)
            self._time = time
        if text:
            self._parts.append(text)
            self._size += len(text)
        if self._size >= PIECE_CHARACTERS:
            yield from self._piece()

    def _lines(self, text: str, time: float) -> Iterator[LogLine]:
        for message in split_lines(text):
            last = max(0, len(message) - 1) // PIECE_CHARACTERS * PIECE_CHARACTERS
            for start in range(0, last, PIECE_CHARACTERS):
                yield LogLine(self._time, self._stream, message[start : start + PIECE_CHARACTERS], continued=True)
            yield LogLine(self._time, self._stream, message[last:])
            self._time, self._is_continued = time, False

    def _piece(self) -> Iterator[LogLine]:
        text = "".join(self._parts)
        message = text.rstrip("\r")
        self._parts = ["\r"] if len(message) < len(text) else []
        self._size = len(self._parts)
        if message:
            self._is_continued = True
            yield LogLine(self._time, self._stream, message, continued=True)

    def finish(self) -> Iterator[LogLine]:
        yield from self._lines("".join(self._parts), self._time)
        if self._is_continued:
            yield LogLine(self._time, self._stream, "")


def split_lines(text: str) -> list[str]:
    r"""The lines of a text, ended by `\n`, `\r\n` or `\r`; nothing between a `\r` and the next is no line."""
    if "\r" in text:
        text = _BREAK.sub("\n", text)
    lines = text.split("\n")
    if not lines[-1]:
        del lines[-1]
    if "\r" not in text:
        return lines
    return [part for line in lines for part in (_overwritten(line) if line else [""])]


def _overwritten(line: str) -> list[str]:
    return [part for part in line.split("\r") if part]
