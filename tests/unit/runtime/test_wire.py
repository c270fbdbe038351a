"""Messages and descriptors arrive whole and in order."""

import os
import socket
from collections.abc import Iterator

import pytest

from prefect_wfexec.runtime.supervision.wire import Channel, Message


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    one, other = (Channel(end) for end in socket.socketpair())
    yield one, other
    one.close()
    other.close()


def exchange(sender: Channel, receiver: Channel) -> list[tuple[Message, tuple[int, ...]]]:
    taken = []
    while True:
        sender.flush()
        assert receiver.receive()
        new = list(receiver.messages())
        taken += new
        if not new and not sender.has_outgoing:
            return taken


def test_large_messages_do_not_block_and_arrive_in_order(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    for number in range(20):
        one.send({"number": number, "text": "ü\udc80" * 200_000})
    assert one.has_outgoing
    taken = exchange(one, other)
    assert [message["number"] for message, _ in taken] == list(range(20))
    assert taken[0][0]["text"] == "ü\udc80" * 200_000


def test_descriptors_stay_with_their_message(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    pipes = [os.pipe() for _ in range(3)]
    one.send({"n": 0})
    for number, (read_end, _) in enumerate(pipes, 1):
        one.send({"n": number, "filler": "x" * 100_000}, (read_end,))
    taken = exchange(one, other)
    assert [len(fds) for _, fds in taken] == [0, 1, 1, 1]
    for (_, write_end), (_, (fd,)) in zip(pipes, taken[1:], strict=True):
        os.write(write_end, b"%d" % write_end)
        assert os.read(fd, 99) == b"%d" % write_end
        assert not os.get_inheritable(fd)
        os.close(fd)
        os.close(write_end)


def test_what_was_sent_before_the_end_is_read(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    one.send({"n": 1})
    one.close()
    assert not other.receive()
    assert [message for message, _ in other.messages()] == [{"n": 1}]
