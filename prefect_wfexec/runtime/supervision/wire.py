"""Messages between flow process and supervisor: JSON with a length before it, file descriptors beside it."""

import array
import json
import os
import socket
from collections import deque
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]

_HEADER = 8
_MAX_FDS = 16
_READ_BYTES = 1 << 18


class Channel:
    """One end of the socket; sends without blocking, and keeps what does not fit until the other end reads."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        self._socket = connection
        self._incoming = bytearray()
        self._fds: deque[int] = deque()
        self._outgoing: deque[tuple[memoryview, tuple[int, ...]]] = deque()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def has_outgoing(self) -> bool:
        return bool(self._outgoing)

    def send(self, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Send a message; the channel takes the descriptors over and closes them once sent.

        Raises:
            OSError: the other end is gone.
        """
        body = json.dumps({**message, "fds": len(fds)}).encode()
        self._outgoing.append((memoryview(len(body).to_bytes(_HEADER, "big") + body), fds))
        self.flush()

    def flush(self) -> None:
        """Send what is left, as far as the other end takes it.

        Raises:
            OSError: the other end is gone.
        """
        while self._outgoing:
            data, fds = self._outgoing.popleft()
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            try:
                sent = self._socket.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                self._outgoing.appendleft((data, fds))
                return
            for fd in fds:
                os.close(fd)
            if sent < len(data):
                self._outgoing.appendleft((data[sent:], ()))

    def receive(self) -> bool:
        """Read what has arrived; False once the other end is gone and everything it sent has been read."""
        while True:
            ancillary_bytes = socket.CMSG_LEN(_MAX_FDS * array.array("i").itemsize)
            try:
                data, ancillary, _, _ = self._socket.recvmsg(_READ_BYTES, ancillary_bytes, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return True
            except OSError:
                return False
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds = array.array("i")
                    fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
                    self._fds.extend(fds)
            if not data:
                return False
            self._incoming += data

    def messages(self) -> Iterator[tuple[Message, tuple[int, ...]]]:
        """Every message that is complete, with its descriptors, which are then the caller's."""
        while len(self._incoming) >= _HEADER:
            size = int.from_bytes(self._incoming[:_HEADER], "big")
            if len(self._incoming) < _HEADER + size:
                return
            message = json.loads(self._incoming[_HEADER : _HEADER + size])
            del self._incoming[: _HEADER + size]
            count = min(message.pop("fds"), len(self._fds))  # fewer when this process has no room for them
            yield message, tuple(self._fds.popleft() for _ in range(count))

    def close(self) -> None:
        """Close the socket and every descriptor that was not handed over."""
        for _, fds in self._outgoing:
            self._fds.extend(fds)
        self._outgoing.clear()
        while self._fds:
            os.close(self._fds.popleft())
        self._socket.close()
