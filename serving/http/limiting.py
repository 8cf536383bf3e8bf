"""How much is taken on: requests of one client by a token bucket, searches of all by bounded threads and a bounded queue."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from ipaddress import IPv6Address, ip_address
from math import ceil
from threading import Lock
from typing import TypeVar

from serving.http.answers import Stop, busy

MOST_CLIENTS = 10_000  # buckets kept; whoever has not called for longest is forgotten, and starts with a full one
T = TypeVar("T")


class Buckets:
    """A token bucket for each client: `rate` a second, twice as many at once. `clock` counts seconds and never steps back. One thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client: what was left, when

    def take(self, client: str, rate: float) -> float:
        """Take one from the client's bucket: 0, or the seconds after which there is one to take. A rate of 0 is no limit."""
        if not rate:
            return 0.0
        now, room = self._clock(), max(1.0, 2.0 * rate)
        left, at = self._left.pop(client, (room, now))
        left = min(room, left + (now - at) * rate)
        enough = left >= 1.0
        self._left[client] = (left - enough, now)
        if len(self._left) > MOST_CLIENTS:
            self._left.popitem(last=False)
        return 0.0 if enough else (1.0 - left) / rate


def of_address(host: str) -> str:
    """Whose bucket an address is: a person has many addresses of IPv6, but one network of 64 bits."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return address.exploded[:19] if isinstance(address, IPv6Address) and not address.ipv4_mapped else host


def too_many(seconds: float) -> Stop:
    """The refusal of one request too many."""
    wait = max(1, ceil(seconds))
    return Stop(429, "too_many", f"too many requests of this client; wait {wait} s, and send fewer", headers={"Retry-After": str(wait)})


class Workers:
    """`threads` do the searches, `waiting` may wait for one; the rest is refused at once: who waits long has gone when it is his turn."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="search")
        self._most, self._inside, self._lock = threads + waiting, 0, Lock()

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work` on a thread. Raises Stop (503) when there is no room."""
        with self._lock:
            if self._inside >= self._most:
                raise busy("too many searches at once; try again in a second")
            self._inside += 1
        future = self._pool.submit(work)
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finish what was begun."""
        self._pool.shutdown(wait=True)

    def _leave(self, _: "Future[T]") -> None:
        with self._lock:
            self._inside -= 1
