"""How a step's output is logged: decoded, masked, stored whole, and passed on to Prefect's logger in few records."""

import codecs
import copy
import threading
import time as time_module
from collections.abc import Callable

from prefect_wfexec.runtime.ansi import strip_ansi
from prefect_wfexec.runtime.coalescing import Coalescer, Sink
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.runtime.spool import Spool, split_lines

__all__ = ["StepOutput", "strip_ansi"]

SINK_CHARACTERS = 16 << 20
"""So much of a step's output goes to Prefect's logger; the stored log has the rest."""

STDOUT_TAIL_BYTES = 1 << 16
TAIL_LINES = 40
_TAIL_CHARACTERS = 1 << 14
_FEED_BYTES = 1 << 18


class StepOutput:
    """Takes what a step writes. Any thread may call it.

    Args:
        masker: Knows the run's secrets; those added later count from then on.
        spool: Stores everything.
        sink: Called with a stream and a block of lines, without the last line's end, for Prefect's logger. Made in an
            event loop, it is called there at the latest half a second after a line came; else with the next output.
        clock: The time in seconds since the epoch.
        sink_characters: How much goes to the sink in all.
    """

    def __init__(
        self,
        masker: Masker,
        spool: Spool,
        sink: Sink,
        clock: Callable[[], float] = time_module.time,
        *,
        sink_characters: int = SINK_CHARACTERS,
    ) -> None:
        self._masker = masker
        self._spool = spool
        self._clock = clock
        self._lock = threading.RLock()
        self._coalescer = Coalescer(sink, self._lock, limit=sink_characters)
        self._streams: dict[str, _Stream] = {}
        self._stdout = _End(STDOUT_TAIL_BYTES)
        self._both = _End(_TAIL_CHARACTERS)
        self._last_stream = ""
        self._has_told_of_loss = False
        self._is_finished = False

    def feed(self, stream: str, data: bytes) -> None:
        """Take bytes of a command's output, cut anywhere."""
        with self._lock:
            source = self._stream(stream)
            for start in range(0, len(data), _FEED_BYTES):
                self._write(stream, source.decode(data[start : start + _FEED_BYTES]))

    def text(self, stream: str, text: str) -> None:
        """Take whole lines of text."""
        with self._lock:
            self._settle(stream)
            if not self._stream(stream).is_at_line_start:
                self._write(stream, "\n")
            self._write(stream, self._masker.mask(text if text.endswith("\n") else text + "\n"))

    def system(self, text: str) -> None:
        """Take a line of ours about the step."""
        self.text("system", text)

    def command_ended(self) -> None:
        """Nothing more comes of what was fed: let go of what was held back as the possible half of something."""
        with self._lock:
            for stream in list(self._streams):
                self._settle(stream)

    def flush(self) -> None:
        """Give the sink every whole line now."""
        with self._lock:
            self._coalescer.flush()

    def finish(self) -> None:
        """The step has ended: give out everything and close the spool; what comes later is left out."""
        with self._lock:
            self.command_ended()
            self._spool.finish()
            self._tell_of_loss()
            self._coalescer.finish()
            self._is_finished = True

    def stdout_tail(self) -> str:
        """The last 64 KiB of stdout so far, masked, as it was written."""
        with self._lock:
            held = self._streams["stdout"].peek() if "stdout" in self._streams else ""
            tail = self._stdout.text() + held
        return tail.encode("utf-8", "replace")[-STDOUT_TAIL_BYTES:].decode("utf-8", "ignore")

    def tail(self) -> str:
        """The last 40 lines of stdout and stderr so far, masked, in the order they came."""
        with self._lock:
            held = self._streams[self._last_stream].peek() if self._last_stream in self._streams else ""
            text = self._both.text() + held
        return "\n".join(split_lines(text[-_TAIL_CHARACTERS:])[-TAIL_LINES:])

    def _stream(self, stream: str) -> "_Stream":
        if stream not in self._streams:
            self._streams[stream] = _Stream(self._masker)
        return self._streams[stream]

    def _settle(self, stream: str) -> None:
        self._write(stream, self._stream(stream).settle())

    def _write(self, stream: str, text: str) -> None:
        if not text or self._is_finished:
            return
        self._stream(stream).is_at_line_start = text.endswith("\n")
        self._spool.append(self._clock(), stream, text)
        if self._spool.error is not None:
            self._tell_of_loss()
        if stream == "stdout":
            self._stdout.add(text)
        if stream != "system":
            if stream != self._last_stream and not self._both.is_at_line_start:
                self._both.add("\n")
            self._both.add(text)
            self._last_stream = stream
        self._coalescer.add(stream, text)

    def _tell_of_loss(self) -> None:
        if self._spool.error is not None and not self._has_told_of_loss:
            self._has_told_of_loss = True
            self._coalescer.add("system", f"the stored log is incomplete from here on: {self._spool.error.strerror}\n")


class _Stream:
    """One stream on its way from bytes to masked text."""

    def __init__(self, masker: Masker) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._masked = masker.stream()
        self.is_at_line_start = True

    def decode(self, data: bytes) -> str:
        return self._masked.feed(self._decoder.decode(data))

    def settle(self) -> str:
        rest = self._masked.finish(self._decoder.decode(b"", final=True))
        self._decoder.reset()
        return rest

    def peek(self) -> str:
        """What `settle` would give, without settling."""
        undecoded = self._decoder.getstate()[0].decode("utf-8", "replace")
        return copy.copy(self._masked).finish(undecoded)


class _End:
    """The end of a text that grows."""

    def __init__(self, characters: int) -> None:
        self._limit = characters
        self._parts: list[str] = []
        self._size = 0

    @property
    def is_at_line_start(self) -> bool:
        return not self._parts or self._parts[-1].endswith("\n")

    def add(self, text: str) -> None:
        text = text[-self._limit :]
        self._parts.append(text)
        self._size += len(text)
        if self._size > 4 * self._limit or len(self._parts) > 4096:
            self._parts = [self.text()]
            self._size = len(self._parts[0])

    def text(self) -> str:
        return "".join(self._parts)[-self._limit :]
