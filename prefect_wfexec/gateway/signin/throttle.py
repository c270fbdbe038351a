"""Slows down who tries tokens: by address, in bounded memory."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

MOST_FAILURES = 10
"""So many wrong tokens in a row are answered; then one each `SECONDS_A_FAILURE`."""
SECONDS_A_FAILURE = 30.0
MOST_ADDRESSES = 4096


@dataclass(slots=True)
class _Level:
    failures: float
    at: float


class Throttle:
    """Counts wrong tokens by address; what was long ago counts less.

    Args:
        clock: Seconds that only go up.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._levels: OrderedDict[str, _Level] = OrderedDict()

    def wait_seconds(self, address: str) -> float:
        """How long nothing more is taken from this address; 0 when it is."""
        level = self._levels.get(_bucket(address))
        if level is None:
            return 0.0
        return max(0.0, (self._now(level) - MOST_FAILURES + 1) * SECONDS_A_FAILURE)

    def fail(self, address: str) -> None:
        """A wrong token came from this address."""
        key, at = _bucket(address), self._clock()
        level = self._levels.pop(key, None)
        failures = min(self._now(level) if level else 0.0, float(MOST_FAILURES)) + 1
        self._levels[key] = _Level(failures, at)
        if len(self._levels) > MOST_ADDRESSES:
            self._levels.popitem(last=False)

    def _now(self, level: _Level) -> float:
        return max(0.0, level.failures - (self._clock() - level.at) / SECONDS_A_FAILURE)


def _bucket(address: str) -> str:
    """What counts as one address: of IPv6 the network a customer gets."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(ip_network((int(found) >> 64 << 64, 64)))
    return str(found.ipv4_mapped or found) if isinstance(found, IPv6Address) else str(found)
