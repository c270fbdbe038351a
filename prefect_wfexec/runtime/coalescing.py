"""Puts lines together into few records, soon enough to be read as they come."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from threading import RLock

Sink = Callable[[str, str], None]
"""Called with a stream and a block of lines, the last one's end left out."""

BLOCK_CHARACTERS = 1 << 16
FLUSH_SECONDS = 0.3
PARTIAL_SECONDS = 2.0
"""A line without an end, e.g. a question, is shown after this long."""

_MAX_BLOCKS = 16
"""When streams alternate more often than this before a flush, their lines are sorted by stream."""


class Coalescer:
    """Collects the text of a step's streams into blocks and gives them to the sink.

    Args:
        sink: Where the blocks go.
        lock: Held around each call of the sink that a timer makes.
        limit: How many characters the sink gets in all; one line then says so.
    """

    def __init__(self, sink: Sink, lock: RLock, *, limit: int) -> None:
        self._sink = sink
        self._lock = lock
        self._left = limit
        self._is_full = False
        self._blocks: list[_Block] = []
        self._partial: dict[str, _Partial] = {}
        self._due = float("inf")
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()

    def add(self, stream: str, text: str) -> None:
        """Take text of one stream."""
        if self._is_full:
            return
        partial = self._partial.pop(stream, None)
        cut = max(text.rfind("\n"), text.rfind("\r", 0, len(text.rstrip("\r")))) + 1
        if not cut:
            self._keep_partial(stream, partial, text)
        else:
            self._add_lines(stream, (partial.text if partial else "") + text[:cut])
            if cut < len(text):
                self._keep_partial(stream, None, text[cut:])
        self._look_at_clock()

    def _keep_partial(self, stream: str, partial: "_Partial | None", text: str) -> None:
        partial = partial or _Partial(time.monotonic())
        partial.add(text)
        if partial.size >= BLOCK_CHARACTERS:
            self._add_lines(stream, partial.text)
        else:
            self._partial[stream] = partial

    def _add_lines(self, stream: str, text: str) -> None:
        start = 0
        while start < len(text):
            end = len(text)
            if end - start > BLOCK_CHARACTERS:
                end = text.rfind("\n", start, start + BLOCK_CHARACTERS) + 1 or start + BLOCK_CHARACTERS
            self._add_block(stream, text[start:end])
            start = end

    def _add_block(self, stream: str, text: str) -> None:
        block = self._blocks[-1] if self._blocks else None
        if block is not None and block.stream != stream and len(self._blocks) >= _MAX_BLOCKS:
            block = next((known for known in reversed(self._blocks) if known.stream == stream), None)
        if block is None or block.stream != stream or not block.is_open:
            block = _Block(stream)
            self._blocks.append(block)
        elif block.size + len(text) > BLOCK_CHARACTERS:
            self.flush()
            block = _Block(stream)
            self._blocks.append(block)
        block.add(text)
        if block.size >= BLOCK_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Give the sink every whole line, and what has waited long for its end."""
        now = time.monotonic()
        for stream, partial in list(self._partial.items()):
            if now - partial.since >= PARTIAL_SECONDS:
                del self._partial[stream]
                self._blocks.append(_Block(stream, partial.text))
        blocks, self._blocks = self._blocks, []
        self._due = float("inf")
        for block in blocks:
            self._give(block.stream, block.text)

    def finish(self) -> None:
        """Give the sink everything."""
        for stream, partial in self._partial.items():
            self._blocks.append(_Block(stream, partial.text))
        self._partial = {}
        self.flush()
        if self._timer is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._timer.cancel)
            self._timer = None

    def _give(self, stream: str, text: str) -> None:
        if self._is_full:
            return
        if len(text) > self._left:
            self._is_full = True
            self._blocks, self._partial = [], {}
            kept = text[: text.rfind("\n", 0, self._left) + 1]
            if kept:
                self._sink(stream, kept.removesuffix("\n").rstrip("\r"))
            self._sink("system", "there is too much output to show all of it here: the rest is in the stored log")
            return
        self._left -= len(text)
        self._sink(stream, text.removesuffix("\n").rstrip("\r"))

    def _look_at_clock(self) -> None:
        now = time.monotonic()
        if self._blocks:
            self._due = min(self._due, now + FLUSH_SECONDS)
        if now >= self._due:
            self.flush()
        if (self._blocks or self._partial) and self._timer is None and self._loop is not None:
            self._arm_timer()

    def _arm_timer(self) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            is_here = asyncio.get_running_loop() is loop
        except RuntimeError:
            is_here = False
        if is_here:
            self._timer = loop.call_later(FLUSH_SECONDS, self._tick)
        else:
            loop.call_soon_threadsafe(self._arm_from_loop)

    def _arm_from_loop(self) -> None:
        with self._lock:
            if self._timer is None and (self._blocks or self._partial):
                self._arm_timer()

    def _tick(self) -> None:
        with self._lock:
            self._timer = None
            self.flush()
            if self._partial:
                self._arm_timer()


class _Block:
    """Lines of one stream that follow each other."""

    def __init__(self, stream: str, text: str = "") -> None:
        self.stream = stream
        self._parts = [text] if text else []
        self.size = len(text)

    @property
    def is_open(self) -> bool:
        """Whether more may follow: not when it ends within a line that was too long or waited too long."""
        return not self._parts or self._parts[-1].endswith(("\n", "\r"))

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def add(self, text: str) -> None:
        self._parts.append(text)
        self.size += len(text)


class _Partial:
    """The beginning of a line."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.size = 0
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def add(self, text: str) -> None:
        self._parts.append(text)
        self.size += len(text)
