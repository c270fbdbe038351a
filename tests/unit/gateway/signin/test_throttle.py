"""Who tries tokens is slowed down, in bounded memory."""

from prefect_wfexec.gateway.signin.throttle import MOST_ADDRESSES, MOST_FAILURES, SECONDS_A_FAILURE, Throttle


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def failing(throttle: Throttle, address: str, times: int) -> None:
    for _ in range(times):
        throttle.fail(address)


def test_a_few_wrong_tokens_are_answered_and_then_one_now_and_then() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    failing(throttle, "192.0.2.1", MOST_FAILURES - 1)
    assert throttle.wait_seconds("192.0.2.1") == 0
    throttle.fail("192.0.2.1")
    wait = throttle.wait_seconds("192.0.2.1")
    assert 0 < wait <= SECONDS_A_FAILURE
    assert throttle.wait_seconds("192.0.2.2") == 0
    clock.now += wait
    assert throttle.wait_seconds("192.0.2.1") == 0
    throttle.fail("192.0.2.1")
    assert throttle.wait_seconds("192.0.2.1") > 0


def test_nobody_is_kept_out_for_long_however_often_they_try() -> None:
    throttle = Throttle(Clock())
    failing(throttle, "192.0.2.1", 10_000)
    assert throttle.wait_seconds("192.0.2.1") <= 2 * SECONDS_A_FAILURE


def test_one_customers_network_is_one_address() -> None:
    throttle = Throttle(Clock())
    for number in range(MOST_FAILURES):
        throttle.fail(f"2001:db8::{number + 1:x}")
    assert throttle.wait_seconds("2001:db8::ffff") > 0
    assert throttle.wait_seconds("2001:db8:0:1::1") == 0
    failing(throttle, "::ffff:192.0.2.1", MOST_FAILURES)
    assert throttle.wait_seconds("192.0.2.1") > 0
    assert throttle.wait_seconds("::ffff:192.0.2.2") == 0


def test_memory_is_bounded() -> None:
    throttle = Throttle(Clock())
    for number in range(MOST_ADDRESSES + 100):
        throttle.fail(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(throttle._levels) == MOST_ADDRESSES
